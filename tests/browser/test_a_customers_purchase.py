"""The whole purchase in Chromium, by keyboard alone, under a strict Content-Security-Policy: axe finds nothing at all.

In both languages, at the width of a small phone, of a phone and of a desk, with scripts and without. A run has one of
these, and with ``--all`` every one.
"""

from collections.abc import Callable

import pytest

from tests.browser.conftest import EVERY_WAY
from tests.browser.journeys import buy_pages, buy_products
from tests.browser.keyboard import Customer
from tests.stories.running_store import Store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.mark.parametrize(("language", "width", "scripts"), EVERY_WAY)
def test_a_member_buys_by_keyboard_and_axe_finds_nothing(
    customer_at: Callable[[str], Customer], store: Store, language: str
) -> None:
    """T36"""
    customer = customer_at(store.url)

    buy_products(customer, language)

    assert customer.faults == []


@pytest.mark.slow
@pytest.mark.parametrize(("language", "width", "scripts"), EVERY_WAY)
def test_a_member_buys_a_page_by_keyboard_and_axe_finds_nothing(
    customer_at: Callable[[str], Customer], treks: str, language: str
) -> None:
    """T36"""
    customer = customer_at(treks)

    buy_pages(customer, language)

    assert customer.faults == []


@pytest.mark.slow
@pytest.mark.parametrize(("language", "width", "scripts"), [("en", 390, True)])
@pytest.mark.parametrize(
    "preference", [("prefers-color-scheme", "dark"), ("forced-colors", "active")], ids=["dark", "contrast-theme"]
)
def test_a_site_with_a_dark_scheme_can_be_read_in_the_dark_and_with_forced_colours(
    customer_at: Callable[[str], Customer], treks: str, language: str, preference: tuple[str, str]
) -> None:
    customer = customer_at(treks)
    customer.prefer(*preference)

    buy_pages(customer, language)

    assert customer.faults == []
