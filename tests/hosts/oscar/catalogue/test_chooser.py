"""The product chooser in Wagtail: editors find products by title, UPC or SKU."""

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from wagtail.models import GroupPagePermission, Page

from tests.hosts.oscar.conftest import Store

from .conftest import Product, family

CHOOSE = "/admin/shop/products/"


def wagtail_user(name: str, *, pages: bool) -> Client:
    group = Group.objects.create(name=f"group of {name}")
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    if pages:
        change = Permission.objects.get(codename="change_page", content_type__app_label="wagtailcore")
        GroupPagePermission.objects.create(group=group, page=Page.get_first_root_node(), permission=change)
    user = User.objects.create(username=name, email=f"{name}@example.com", is_staff=True)
    user.groups.add(group)
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


@pytest.fixture
def editor(db: None) -> Client:
    return wagtail_user("maya", pages=True)


@pytest.fixture
def accountant(db: None) -> Client:
    return wagtail_user("hari", pages=False)


def chooser(browser: Client, **query: Any) -> str:
    """Return the chooser's HTML."""
    answer = browser.get(CHOOSE, query)
    assert answer.status_code == 200
    return str(json.loads(answer.content)["html"])


def titles(browser: Client, typed: str = "", **query: Any) -> list[str]:
    """Return the titles that a search finds, in their order."""
    answer = browser.get(f"{CHOOSE}results/", {"q": typed, **query})
    assert answer.status_code == 200
    links = re.findall(r"<a [^>]*data-chooser-modal-choice[^>]*>(.*?)</a>", answer.content.decode(), re.DOTALL)
    return [link.strip() for link in links]


def test_an_editor_sees_what_each_product_costs_and_how_many_are_left(catalogue: Store, editor: Client) -> None:
    family(catalogue)
    catalogue.add("Notebook of yesterday", "OLD-1", rupees="80.00", stock=0)

    page = re.sub(r"<[^>]+>|\s+", " ", chooser(editor))

    assert re.search(r"Gel pen\s+Rs 35\.00\s+50\b", page)
    assert re.search(r"Ink\s+INK\s+from Rs 90\.00\s+7\b", page)
    assert re.search(r"Notebook of yesterday\s+Rs 80\.00\s+sold out", page)


def test_products_and_parents_are_offered_children_and_private_products_are_not(
    catalogue: Store, editor: Client
) -> None:
    family(catalogue)
    Product.objects.filter(pk=catalogue.pen.pk).update(is_public=False)

    assert titles(editor) == ["Ink", "Lokta notebook"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("lokta", ["Lokta notebook"]),
        ("NOTEBOOK lok", ["Lokta notebook"]),
        ("PEN-01", ["Gel pen"]),
        ("pen-0", ["Gel pen"]),
        ("INK-black", ["Ink"]),
        ("UPC-indigo", ["Ink"]),
        ("upc-in", ["Ink"]),
        ("<script>", []),
        ("%", []),
        ("no such product", []),
    ],
)
def test_they_are_found_by_title_upc_and_sku(catalogue: Store, editor: Client, typed: str, found: list[str]) -> None:
    family(catalogue)

    assert titles(editor, typed) == found


def test_a_scanned_code_finds_its_product_alone(catalogue: Store, editor: Client) -> None:
    catalogue.add("PEN-01 refill", "REFILL", rupees="10.00", stock=5)

    assert titles(editor, "PEN-01") == ["Gel pen"]
    assert titles(editor, "PEN-01 re") == ["PEN-01 refill"]


def test_a_search_is_shown_as_text(catalogue: Store, editor: Client) -> None:
    page = editor.get(f"{CHOOSE}results/", {"q": "<script>alert(1)</script>"}).content.decode()

    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("query", [{"q": "\x00"}, {"q": "x" * 5000}, {"p": "1"}])
def test_an_invalid_search_is_no_error(catalogue: Store, editor: Client, query: dict[str, str]) -> None:
    assert editor.get(f"{CHOOSE}results/", query).status_code == 200


def test_there_are_twelve_on_a_page_and_the_rest_on_the_next(catalogue: Store, editor: Client) -> None:
    for number in range(20):
        catalogue.add(f"Card {number:02}", f"CARD-{number}", rupees="20.00", stock=1)

    assert len(titles(editor)) == 12
    assert len(titles(editor, p=2)) == 10


def test_a_page_of_twelve_products_takes_as_many_queries_as_one_of_three(catalogue: Store, editor: Client) -> None:
    family(catalogue)
    titles(editor)  # fill the caches
    with CaptureQueriesContext(connection) as few:
        assert len(titles(editor)) == 3
    for number in range(9):
        catalogue.add(f"Card {number}", f"CARD-{number}", rupees="20.00", stock=1)

    with CaptureQueriesContext(connection) as many:
        assert len(titles(editor)) == 12

    assert len(many) == len(few)


def test_users_who_may_not_edit_pages_see_no_products(catalogue: Store, accountant: Client) -> None:
    one = f"{CHOOSE}chosen/{catalogue.pen.pk}/"
    for page in (CHOOSE, f"{CHOOSE}results/", one, f"{CHOOSE}chosen-multiple/?id={catalogue.pen.pk}"):
        answer = accountant.get(page)

        assert answer.status_code == 403, page
        assert "Gel pen" not in answer.content.decode()


def test_a_chosen_product_is_returned_with_its_title(catalogue: Store, editor: Client) -> None:
    answer = json.loads(editor.get(f"{CHOOSE}chosen/{catalogue.pen.pk}/").content)

    assert answer["result"] == {"id": str(catalogue.pen.pk), "title": "Gel pen", "edit_url": None}


def test_users_who_may_edit_products_get_a_link_to_oscars_page(catalogue: Store, editor: Client) -> None:
    ours = Permission.objects.filter(content_type__app_label="catalogue")
    User.objects.get(username="maya").user_permissions.set(ours)

    answer = json.loads(editor.get(f"{CHOOSE}chosen/{catalogue.pen.pk}/").content)

    assert answer["result"]["edit_url"] == f"/shop/dashboard/catalogue/products/{catalogue.pen.pk}/"
    assert editor.get(answer["result"]["edit_url"]).status_code == 200


@pytest.mark.parametrize("pk", ["999999", "x", "-1", "1e5"])
def test_a_missing_product_cannot_be_chosen(catalogue: Store, editor: Client, pk: str) -> None:
    assert editor.get(f"{CHOOSE}chosen/{pk}/").status_code == 404


def test_several_are_chosen_at_once(catalogue: Store, editor: Client) -> None:
    query = {"id": [catalogue.pen.pk, catalogue.notebook.pk, "x"]}

    answer = json.loads(editor.get(f"{CHOOSE}chosen-multiple/", query).content)

    assert [each["title"] for each in answer["result"]] == ["Gel pen", "Lokta notebook"]


def test_the_chooser_creates_no_product(catalogue: Store, editor: Client) -> None:
    assert editor.post(f"{CHOOSE}create/", {"title": "Free pen"}).status_code == 404
