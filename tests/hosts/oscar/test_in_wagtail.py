"""Oscar's goods in Wagtail: editors choose them from a window, and pages show what the public may see of them."""

import json
import re
from fractions import Fraction
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model
from wagtail.models import GroupPagePermission, Page

from loyalink_khalti.hosts.oscar.blocks import ProductBlock, ProductChooserBlock, ProductsBlock
from loyalink_khalti.hosts.oscar.cards import cards
from loyalink_khalti.hosts.oscar.pricing import categories
from loyalink_khalti.loyalty import programmes
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules, Tier
from loyalink_khalti.money import Points

from .conftest import Store, new_member

CHOOSE = "/admin/shop/products/"
Product = get_model("catalogue", "Product")


@pytest.fixture(autouse=True)
def _no_files(settings: Any) -> None:
    """Leave WhiteNoise out: no static files are asked for, and it warns of folders that are not there."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]


@pytest.fixture
def shelves(db: None) -> Store:
    return Store()


def into_wagtail(name: str, *, pages: bool) -> Client:
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
    return into_wagtail("maya", pages=True)


@pytest.fixture
def accountant(db: None) -> Client:
    return into_wagtail("hari", pages=False)


def window(browser: Client, **query: Any) -> str:
    """The window's HTML."""
    answer = browser.get(CHOOSE, query)
    assert answer.status_code == 200
    return str(json.loads(answer.content)["html"])


def titles(browser: Client, typed: str = "", **query: Any) -> list[str]:
    """What a search in the window finds, in its order."""
    answer = browser.get(f"{CHOOSE}results/", {"q": typed, **query})
    assert answer.status_code == 200
    links = re.findall(r"<a [^>]*data-chooser-modal-choice[^>]*>(.*?)</a>", answer.content.decode(), re.DOTALL)
    return [link.strip() for link in links]


def family(store: Store) -> Any:
    """A parent with a child in two colours, each with a SKU of its own."""
    parent = Product.objects.create(title="Ink", structure="parent", product_class=store.kind, upc="INK")
    parent.categories.add(store.category)
    for colour, rupees, stock in (("indigo", "120.00", 3), ("black", "90.00", 4)):
        child = Product.objects.create(title=f"Ink {colour}", structure="child", parent=parent, upc=f"UPC-{colour}")
        get_model("partner", "StockRecord").objects.create(
            product=child, partner=store.partner, partner_sku=f"INK-{colour}", price=rupees, num_in_stock=stock,
            price_currency="NPR",
        )  # fmt: skip
    return parent


def test_an_editor_sees_what_each_product_costs_and_how_many_are_left(shelves: Store, editor: Client) -> None:
    family(shelves)
    shelves.add("Notebook of yesterday", "OLD-1", rupees="80.00", stock=0)

    page = re.sub(r"<[^>]+>|\s+", " ", window(editor))

    assert re.search(r"Gel pen\s+Rs 35\.00\s+50\b", page)
    assert re.search(r"Ink\s+INK\s+from Rs 90\.00\s+7\b", page)
    assert re.search(r"Notebook of yesterday\s+Rs 80\.00\s+sold out", page)


def test_products_and_parents_are_offered_children_and_what_is_not_public_are_not(
    shelves: Store, editor: Client
) -> None:
    family(shelves)
    Product.objects.filter(pk=shelves.pen.pk).update(is_public=False)

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
        ("nothing of the sort", []),
    ],
)
def test_they_are_found_by_title_upc_and_sku(shelves: Store, editor: Client, typed: str, found: list[str]) -> None:
    family(shelves)

    assert titles(editor, typed) == found


def test_a_code_that_was_scanned_finds_its_product_alone(shelves: Store, editor: Client) -> None:
    shelves.add("PEN-01 refill", "REFILL", rupees="10.00", stock=5)

    assert titles(editor, "PEN-01") == ["Gel pen"]
    assert titles(editor, "PEN-01 re") == ["PEN-01 refill"]


def test_what_is_typed_is_shown_as_text(shelves: Store, editor: Client) -> None:
    page = editor.get(f"{CHOOSE}results/", {"q": "<script>alert(1)</script>"}).content.decode()

    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("query", [{"q": "\x00"}, {"q": "x" * 5000}, {"p": "1"}])
def test_nonsense_is_no_error(shelves: Store, editor: Client, query: dict[str, str]) -> None:
    assert editor.get(f"{CHOOSE}results/", query).status_code == 200


def test_there_are_twelve_on_a_page_and_the_rest_on_the_next(shelves: Store, editor: Client) -> None:
    for number in range(20):
        shelves.add(f"Card {number:02}", f"CARD-{number}", rupees="20.00", stock=1)

    assert len(titles(editor)) == 12
    assert len(titles(editor, p=2)) == 10


def test_a_page_of_twelve_asks_the_database_as_often_as_a_page_of_three(shelves: Store, editor: Client) -> None:
    family(shelves)
    titles(editor)  # what is remembered once
    with CaptureQueriesContext(connection) as few:
        assert len(titles(editor)) == 3
    for number in range(9):
        shelves.add(f"Card {number}", f"CARD-{number}", rupees="20.00", stock=1)

    with CaptureQueriesContext(connection) as many:
        assert len(titles(editor)) == 12

    assert len(many) == len(few)


def test_whoever_may_not_edit_pages_may_not_look(shelves: Store, accountant: Client) -> None:
    one = f"{CHOOSE}chosen/{shelves.pen.pk}/"
    for page in (CHOOSE, f"{CHOOSE}results/", one, f"{CHOOSE}chosen-multiple/?id={shelves.pen.pk}"):
        answer = accountant.get(page)

        assert answer.status_code == 403, page
        assert "Gel pen" not in answer.content.decode()


def test_a_chosen_product_comes_back_by_its_title(shelves: Store, editor: Client) -> None:
    answer = json.loads(editor.get(f"{CHOOSE}chosen/{shelves.pen.pk}/").content)

    assert answer["result"] == {"id": str(shelves.pen.pk), "title": "Gel pen", "edit_url": None}


def test_whoever_may_edit_products_is_led_to_oscars_page_of_it(shelves: Store, editor: Client) -> None:
    ours = Permission.objects.filter(content_type__app_label="catalogue")
    User.objects.get(username="maya").user_permissions.set(ours)

    answer = json.loads(editor.get(f"{CHOOSE}chosen/{shelves.pen.pk}/").content)

    assert answer["result"]["edit_url"] == f"/shop/dashboard/catalogue/products/{shelves.pen.pk}/"
    assert editor.get(answer["result"]["edit_url"]).status_code == 200


@pytest.mark.parametrize("pk", ["999999", "x", "-1", "1e5"])
def test_a_product_that_is_not_there_cannot_be_chosen(shelves: Store, editor: Client, pk: str) -> None:
    assert editor.get(f"{CHOOSE}chosen/{pk}/").status_code == 404


def test_several_are_chosen_at_once(shelves: Store, editor: Client) -> None:
    query = {"id": [shelves.pen.pk, shelves.notebook.pk, "x"]}

    answer = json.loads(editor.get(f"{CHOOSE}chosen-multiple/", query).content)

    assert [each["title"] for each in answer["result"]] == ["Gel pen", "Lokta notebook"]


def test_nothing_is_made_in_the_window(shelves: Store, editor: Client) -> None:
    assert editor.post(f"{CHOOSE}create/", {"title": "Free pen"}).status_code == 404


# On a page


def drawn(block: Any, value: Any, request: Any = None) -> str:
    """A block's HTML, from what a page has stored."""
    html: str = block.render(block.to_python(value), {"request": request} if request else None)
    return html


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


@pytest.fixture
def visitor(db: None, rf: RequestFactory) -> Any:
    request = rf.get("/")
    request.user = AnonymousUser()
    return request


def test_a_card_says_what_it_is_what_it_costs_and_what_it_earns(shelves: Store, visitor: Any) -> None:
    html = drawn(ProductBlock(), {"product": shelves.notebook.pk, "note": "From the hills"}, visitor)

    assert words(html) == "Lokta notebook Rs 500.00 earns 50 points From the hills"
    assert f'href="{shelves.notebook.get_absolute_url()}"' in html


def test_a_shelf_keeps_the_editors_order(shelves: Store, visitor: Any) -> None:
    value = {"heading": "For school", "products": [shelves.pen.pk, shelves.notebook.pk, shelves.pen.pk]}

    html = words(drawn(ProductsBlock(), value, visitor))

    assert re.findall(r"For school|Gel pen|Lokta notebook", html) == [
        "For school", "Gel pen", "Lokta notebook", "Gel pen",
    ]  # fmt: skip


def test_a_page_keeps_the_pk_alone(shelves: Store) -> None:
    block = ProductBlock()

    assert block.get_prep_value(block.to_python({"product": shelves.pen.pk, "note": ""}))["product"] == shelves.pen.pk


def test_what_is_gone_or_not_public_any_more_is_left_out(shelves: Store, visitor: Any) -> None:
    Product.objects.filter(pk=shelves.pen.pk).update(is_public=False)
    gone = shelves.add("Eraser", "ER-1", rupees="15.00", stock=1)
    gone_pk = gone.pk
    gone.delete()

    for pk in (shelves.pen.pk, gone_pk):
        assert drawn(ProductBlock(), {"product": pk, "note": "Buy me"}, visitor).strip() == ""
    assert drawn(ProductsBlock(), {"heading": "Old", "products": [shelves.pen.pk, gone_pk]}, visitor).strip() == ""
    mixed = {"heading": "New", "products": [gone_pk, shelves.notebook.pk, shelves.pen.pk]}
    assert words(drawn(ProductsBlock(), mixed, visitor)) == "New Lokta notebook Rs 500.00 earns 50 points"


def test_what_is_sold_out_is_shown_as_that_and_promises_no_points(shelves: Store, visitor: Any) -> None:
    shelves.pen.stockrecords.update(num_in_stock=0)

    assert words(drawn(ProductBlock(), {"product": shelves.pen.pk}, visitor)) == "Gel pen Rs 35.00 Sold out"


def test_a_product_without_a_price_is_not_for_sale(shelves: Store, visitor: Any) -> None:
    shelves.pen.stockrecords.all().delete()

    assert words(drawn(ProductBlock(), {"product": shelves.pen.pk}, visitor)) == "Gel pen Not for sale at present"


def test_titles_and_notes_are_shown_as_text(shelves: Store, visitor: Any) -> None:
    Product.objects.filter(pk=shelves.pen.pk).update(title="<script>alert(1)</script>")

    html = drawn(ProductBlock(), {"product": shelves.pen.pk, "note": "<img src=x onerror=alert(1)>"}, visitor)

    assert "<script>" not in html
    assert "<img" not in html


def test_a_page_without_a_request_shows_everybodys_price(shelves: Store) -> None:
    assert words(drawn(ProductBlock(), {"product": shelves.pen.pk})) == "Gel pen Rs 35.00 earns 3 points"


def test_while_earning_is_paused_no_points_are_shown(shelves: Store, visitor: Any) -> None:
    programmes.change("default", Rules(earn_paused=True))

    assert words(drawn(ProductBlock(), {"product": shelves.notebook.pk}, visitor)) == "Lokta notebook Rs 500.00"


def test_broken_points_take_nothing_else_off_the_page(shelves: Store, visitor: Any) -> None:
    programmes.current("default")
    programmes.ProgramVersion.objects.update(stored=[])

    assert words(drawn(ProductBlock(), {"product": shelves.notebook.pk}, visitor)) == "Lokta notebook Rs 500.00"
    assert Product.objects.count() == 2


def test_a_member_reads_what_their_own_level_earns(shelves: Store, visitor: Any) -> None:
    sita = new_member("sita@example.com", points=10)
    levels = Tier(name="Silver", threshold=Points(0)), Tier(name="Gold", threshold=Points(1), multiplier=Fraction(2))
    programmes.change("default", Rules(tiers=levels))
    Account.objects.update(tier="Gold")
    guests = drawn(ProductBlock(), {"product": shelves.notebook.pk}, visitor)
    visitor.user = sita.user

    members = drawn(ProductBlock(), {"product": shelves.notebook.pk}, visitor)

    assert ("earns 50 points" in words(guests), "earns 100 points" in words(members)) == (True, True)


def test_a_parent_is_for_sale_where_one_of_its_children_is(shelves: Store, visitor: Any) -> None:
    parent = family(shelves)

    assert re.fullmatch(
        r"Ink Rs (120|90)\.00 earns (12|9) points", words(drawn(ProductBlock(), {"product": parent.pk}))
    )


def test_twelve_cards_ask_the_database_as_often_as_three(shelves: Store, visitor: Any) -> None:
    chosen = [shelves.pen, shelves.notebook, family(shelves)]
    cards(chosen, visitor)  # what is remembered once
    with CaptureQueriesContext(connection) as few:
        assert len(cards(chosen, visitor)) == 3
    others = [shelves.add(f"Card {number}", f"C-{number}", rupees="20.00", stock=1) for number in range(9)]

    with CaptureQueriesContext(connection) as many:
        assert len(cards([*chosen, *others], visitor)) == 12

    assert len(many) == len(few)


def test_a_site_puts_a_template_of_its_own_in_place_of_ours(shelves: Store, visitor: Any) -> None:
    block = ProductBlock(template="loyalink_khalti/oscar/blocks/card.html")

    html = drawn(block, {"product": shelves.pen.pk}, visitor)

    assert html.strip().startswith('<article class="lk-product">')


def test_a_migration_names_the_chooser_by_where_it_is(db: None) -> None:
    path, _args, _kwargs = ProductChooserBlock().deconstruct()

    assert path == "loyalink_khalti.hosts.oscar.blocks.ProductChooserBlock"


def test_a_child_earns_as_what_its_parents_category_earns(shelves: Store) -> None:
    child = family(shelves).children.first()

    assert categories([child, shelves.pen]) == {child.pk: ("paper",), shelves.pen.pk: ("paper",)}


def test_goods_on_a_shelf_within_a_shelf_are_on_both(shelves: Store) -> None:
    """So that a campaign on paper covers what is kept under "Paper › Handmade" alone."""
    below = shelves.category.add_child(name="Handmade", slug="handmade")
    shelves.pen.categories.set([below])

    assert categories([shelves.pen]) == {shelves.pen.pk: ("paper", "handmade")}
