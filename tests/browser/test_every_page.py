"""Every page for customers, in every state of a purchase: axe finds nothing; the pictures of docs/gallery.md.

With ``--pictures`` the gallery is made anew: ``python3 -m tests --pictures -k gallery``.
"""

from collections.abc import Callable

import pytest

from tests.browser import gallery
from tests.browser.conftest import EVERY_WAY, LANGUAGES
from tests.browser.journeys import buy_pages, buy_products
from tests.browser.keyboard import Customer
from tests.browser.scenes import Scenes
from tests.stories.running_store import Store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

IN_A_NEW_STORE = [pytest.param(*way.values, way.id, id=way.id, marks=way.marks) for way in EVERY_WAY]
"""Every way, in a store of its own: what a customer may order unpaid is limited, and baskets keep what is left."""


@pytest.mark.slow
@pytest.mark.parametrize(("language", "width", "scripts", "demo_store"), IN_A_NEW_STORE, indirect=["demo_store"])
def test_axe_finds_nothing_on_any_page_in_any_state(
    customer_at: Callable[[str], Customer], store: Store, language: str
) -> None:
    """T36"""
    customer = customer_at(store.url)

    for scene in Scenes(store, language).all():
        customer.come_in_as(scene.cookies)
        customer.open(scene.path)
        customer.look(scene.name)

    assert customer.faults == []


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("language", "width", "scripts"), [(each, 390, True) for each in LANGUAGES])
def test_the_gallery_has_every_page_and_mail_in_both_languages(
    request: pytest.FixtureRequest, language: str, width: int, scripts: bool
) -> None:
    """With ``--pictures`` they are taken first, on a phone with scripts, which needs both shops."""
    assert (width, scripts) == (390, True)  # what ``customer_at`` reads
    if request.config.getoption("--pictures"):
        take_pictures(
            request.getfixturevalue("customer_at"),
            request.getfixturevalue("store"),
            request.getfixturevalue("treks"),
            language,
        )
        gallery.write_page()

    assert gallery.missing(language) == []


def take_pictures(customer_at: Callable[[str], Customer], store: Store, treks: str, language: str) -> None:
    customer, pages = customer_at(store.url), customer_at(treks)
    customer.pictures = lambda name: gallery.file_of("store", name, language)
    pages.pictures = lambda name: gallery.file_of("page", name, language)

    buy_products(customer, language)
    for scene in Scenes(store, language).all():
        customer.come_in_as(scene.cookies)
        customer.open(scene.path)
        customer.look(scene.name)
    buy_pages(pages, language)
    gallery.take_mails(customer, store, language)
