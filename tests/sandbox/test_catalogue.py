"""The demo catalogue is complete and consistent."""

from __future__ import annotations

from collections.abc import Iterable
from html.parser import HTMLParser

import pytest
from PIL import Image

from sandbox.demo.catalogue import CATEGORIES, COUPONS, HERO, PICTURES, PRODUCTS, Category, Product

by_slug = pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.slug)


class Outline(HTMLParser):
    """Record the tags of a text, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.tags.append("/" + tag)


def every_category(categories: Iterable[Category] = CATEGORIES) -> list[Category]:
    return [found for one in categories for found in (one, *every_category(one.children))]


def size_of(picture: str) -> tuple[int, int]:
    with Image.open(PICTURES / picture) as image:
        image.load()
        assert image.format == "WEBP"
        return image.size


def test_the_shop_has_about_forty_products_in_six_to_eight_categories() -> None:
    assert 36 <= len(PRODUCTS) <= 46
    assert 6 <= len(CATEGORIES) <= 8


def test_slugs_and_skus_are_unique() -> None:
    assert len({product.slug for product in PRODUCTS}) == len(PRODUCTS)
    assert len({product.sku for product in PRODUCTS}) == len(PRODUCTS)
    assert len({category.slug for category in every_category()}) == len(every_category())


def test_every_product_has_a_category_and_no_category_is_empty() -> None:
    assert {product.category for product in PRODUCTS} == {category.slug for category in every_category()}


@by_slug
def test_a_product_recommends_others_that_exist(product: Product) -> None:
    assert set(product.recommended) <= {other.slug for other in PRODUCTS} - {product.slug}


@by_slug
def test_a_price_is_whole_rupees_in_paisa_and_stock_is_not_negative(product: Product) -> None:
    assert product.price_paisa > 0
    assert product.price_paisa % 100 == 0
    assert product.stock >= 0


@by_slug
def test_a_description_is_two_or_three_paragraphs_of_whole_html(product: Product) -> None:
    outline = Outline()

    outline.feed(product.description)

    assert outline.tags in (["p", "/p"] * 2, ["p", "/p"] * 3)


@by_slug
def test_a_product_has_a_square_picture(product: Product) -> None:
    assert size_of(product.picture) == (800, 800)


def test_every_category_and_the_home_page_have_their_pictures() -> None:
    assert {size_of(category.picture) for category in every_category()} == {(800, 600)}
    assert size_of(HERO) == (1600, 900)


def test_the_pictures_are_small_files_and_all_of_them_are_used() -> None:
    files = {file.name: file.stat().st_size for file in PICTURES.iterdir()}
    used = {HERO, *(p.picture for p in PRODUCTS), *(c.picture for c in every_category())}

    assert set(files) == used
    assert max(files[product.picture] for product in PRODUCTS) <= 30 * 1024
    assert files[HERO] <= 120 * 1024
    assert sum(files.values()) <= 2_500_000


def test_the_catalogue_has_the_edge_cases() -> None:
    """One product below Khalti's minimum amount, one sold out, one with a single item left."""
    assert min(product.price_paisa for product in PRODUCTS) < 10_00
    assert {0, 1, 3} <= {product.stock for product in PRODUCTS}
    assert {2500_00, 1999_00} <= {product.price_paisa for product in PRODUCTS}


def test_a_coupon_is_either_a_percentage_or_an_amount() -> None:
    assert all((coupon.percent > 0) != (coupon.off_paisa > 0) for coupon in COUPONS)
