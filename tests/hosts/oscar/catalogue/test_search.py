"""Catalogue and search by database queries."""

from typing import Any

import pytest
from django.test import Client

from tests.hosts.oscar.conftest import Store

CATALOGUE, SEARCH = "/shop/catalogue/", "/shop/search/"


@pytest.fixture
def browser(store: Store) -> Client:
    return Client()


def titles(page: Any) -> list[str]:
    return [product.title for product in page.context["page_obj"].object_list]


def test_the_catalogue_shows_a_product_at_once(store: Store, browser: Client) -> None:
    store.add("New stapler", "STAPLE-1", rupees="250.00", stock=3)

    page = browser.get(CATALOGUE)

    assert titles(page)[0] == "New stapler"
    assert "New stapler" in page.content.decode()


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("lokta", ["Lokta notebook"]),
        ("PEN-01", ["Gel pen"]),
        ("good gel", ["Gel pen"]),
        ("notebook pen", []),
        ("", []),
        ("%", []),
        ("\x00", []),
        ("x" * 5000, []),
    ],
)
def test_search_finds_words_in_titles_descriptions_and_skus(
    store: Store, browser: Client, typed: str, found: list[str]
) -> None:
    assert titles(browser.get(SEARCH, {"q": typed})) == found


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("price-asc", "Gel pen"),
        ("price-desc", "Lokta notebook"),
        ("title-asc", "Gel pen"),
        ("title-desc", "Lokta notebook"),
        ("newest", "Gel pen"),
        ("nonsense", "Gel pen"),
    ],
)
def test_the_catalogue_is_sorted_as_chosen(browser: Client, order: str, first: str) -> None:
    assert titles(browser.get(CATALOGUE, {"sort_by": order}))[0] == first


def test_a_category_shows_its_products_and_those_of_its_subcategories(store: Store, browser: Client) -> None:
    below = store.category.add_child(name="Handmade", slug="handmade")
    special = store.add("Handmade card", "CARD-1", rupees="90.00", stock=3)
    special.categories.set([below])

    assert set(titles(browser.get(store.category.get_absolute_url()))) == {
        "Handmade card",
        "Lokta notebook",
        "Gel pen",
    }
    assert titles(browser.get(below.get_absolute_url())) == ["Handmade card"]


def test_an_old_category_address_redirects_and_a_private_category_is_not_found(store: Store, browser: Client) -> None:
    assert browser.get(f"/shop/catalogue/category/old-name_{store.category.pk}/").status_code == 301

    type(store.category).objects.update(is_public=False)
    store.category.refresh_from_db()

    assert browser.get(store.category.get_absolute_url()).status_code == 404


def test_products_are_paginated_and_a_wrong_page_redirects_to_the_first(store: Store, browser: Client) -> None:
    for number in range(30):
        store.add(f"Pencil {number:02}", f"PENCIL-{number}", rupees="10.00", stock=1)

    assert titles(browser.get(CATALOGUE, {"page": "2", "sort_by": "title-asc"}))
    assert browser.get(CATALOGUE, {"page": 99}).status_code == 302


def test_a_page_of_products_takes_the_same_number_of_queries_however_many_there_are(
    store: Store, browser: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        store.add(f"Pencil {number:02}", f"PENCIL-{number}", rupees="10.00", stock=1)
    browser.get(CATALOGUE)

    with django_assert_max_num_queries(40):
        browser.get(CATALOGUE)
