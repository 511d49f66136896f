"""What the checks say about a site whose pages sell."""

from typing import Any

import pytest
from django.test.utils import isolate_apps
from pytest_django import Settings as SettingsWrapper
from wagtail.models import Page

from loyalink_khalti.hosts.page import checks
from loyalink_khalti.hosts.page.product import panel_fields
from loyalink_khalti.hosts.page.shop import PageShop
from tests.hosts.page.site.models import TrekPage

PATH = "loyalink_khalti.hosts.page.shop.PageShop"


def ids() -> list[str]:
    return [str(message.id).rpartition(".")[2] for message in PageShop().check()]


def test_a_site_that_is_set_up_has_no_faults(page_shop: None) -> None:
    assert ids() == []


def test_settings_and_urls_that_cannot_work_are_named(page_shop: None, settings: SettingsWrapper) -> None:
    chosen = settings.LOYALINK_KHALTI
    settings.LOYALINK_KHALTI = {**chosen, "SHOPS": {"shop": PATH}, "PAGE": {"METHODS": ["khalti", "cash"]}}
    settings.ROOT_URLCONF = "sandbox.urls"

    assert ids() == ["E057", "E061", "E058"]


def test_a_page_model_whose_editors_cannot_enter_a_price_is_named(
    page_shop: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrekPage, "content_panels", Page.content_panels)
    assert ids() == ["W060"]
    monkeypatch.setattr(TrekPage, "content_panels", [*Page.content_panels, *TrekPage.product_panels])
    assert ids() == []


def test_a_page_model_has_the_panels_of_its_bases_and_those_of_a_product() -> None:
    assert panel_fields(TrekPage.content_panels) >= {"price", "choices", "free_amount"}
    assert TrekPage.content_panels[: len(Page.content_panels)] == Page.content_panels


def test_a_site_without_a_page_that_sells_is_named(page_shop: None) -> None:
    with isolate_apps() as nothing:
        found: Any = list(checks._models(nothing))

    assert [message.id for message in found] == ["loyalink_khalti.W059"]
