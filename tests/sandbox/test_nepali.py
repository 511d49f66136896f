"""The demo store in Nepali: no page of it leaves a customer with English, and each text of the demo has its Nepali."""

import re
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.utils.translation import override
from oscar.core.loading import get_model
from pytest_django import Settings

from loyalink_khalti.hosts.common.titles import other_titles
from sandbox.demo import catalogue, nepali
from sandbox.shop.accounts import PASSWORD

from .test_pages import MEMBERS, PUBLIC

NEPALI = {"accept-language": "ne"}
PAGES = [
    *(address for address in PUBLIC if not re.search("script|mail|login|password|offers|points", address)),
    *(address for address in MEMBERS if "points" not in address),
    "/shop/catalogue/lokta-journal-a5_6/",
]
ENGLISH = re.compile(r"[A-Za-z]{2,}")
NAMES = re.compile(
    r"English|DASHAIN10|SS-[A-Z]+-\d+|[\w.]+@[\w.]+|Sita|Maharjan|lokta|PDF|Patko Tole|Lalitpur|Nepal|"
    r"Behind the Krishna temple"
)
"""What is written like that in Nepal too, and what the customer has typed."""


class Texts(HTMLParser):
    """Collect what a reader or a screen reader reads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.skipped += tag in {"script", "style"}
        self.found += [value or "" for name, value in attrs if name in {"aria-label", "alt", "title", "placeholder"}]

    def handle_endtag(self, tag: str) -> None:
        self.skipped -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self.skipped:
            self.found.append(" ".join(data.split()))


def english(page: str) -> list[str]:
    """The texts of a page that have English words."""
    texts = Texts()
    texts.feed(page)
    return [text for text in texts.found if ENGLISH.search(NAMES.sub("", text))]


@pytest.mark.parametrize("product", [pytest.param(each, id=each.slug) for each in catalogue.PRODUCTS[::7]])
def test_a_product_has_all_its_texts_in_nepali(product: catalogue.Product) -> None:
    with override("ne"):
        for text in (product.title, product.summary, product.description):
            assert nepali.in_language(text) != text
            assert nepali.in_language(text).count("<p>") == text.count("<p>")
    with override("en"):
        assert nepali.in_language(product.title) == product.title


def test_no_page_leaves_a_customer_with_english(store: None, settings: Settings) -> None:
    """T34"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "DIGITS": "by_language", "CALENDAR": "by_language"}
    member = Client()
    assert member.login(username="sita@example.com", password=PASSWORD)

    found = {}
    for address in PAGES:
        page = member.get(address, headers=NEPALI, follow=True).content.decode()
        if texts := english(page):
            found[address] = texts

    assert found == {}


def test_a_shop_reads_a_quantity_as_it_is_typed_and_stores_the_title_in_both_languages(store: None) -> None:
    """T9"""
    customer = Client()
    product = get_model("catalogue", "Product").objects.get(slug="lokta-journal-a5")

    customer.post(f"/shop/basket/add/{product.pk}/", {"quantity": "१२"}, headers=NEPALI)

    line = get_model("basket", "Line").objects.get()
    assert line.quantity == 12
    with override("ne"):
        assert str(line.product) == "लोक्ता कागजको डायरी, ए५"
        assert other_titles(product.get_title) == {"en": "Lokta paper journal, A5"}
    with override("en"):
        assert other_titles(product.get_title) == {"ne": "लोक्ता कागजको डायरी, ए५"}
