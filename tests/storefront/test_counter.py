"""The points card at the counter, without scripts: a click shows a code; a receipt's code gives its points."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.counter_codes import CounterCode
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.testing import FakeShop, fake_shop
from tests.backoffice.pages import page_text
from tests.flow.counter.conftest import bill, sell, to_member
from tests.purchases import shop

__all__ = ["fake_shop", "shop"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sita(shop: FakeShop, settings: Any) -> Any:
    settings.ROOT_URLCONF = "sandbox.urls"
    user = get_user_model().objects.create(username="sita", email="sita@example.com")
    ledger.adjust(site_key="default", member_id=str(user.pk), points=1000, key="sita", reason="opening")
    return user


@pytest.fixture
def browser(sita: Any) -> Client:
    client = Client()
    client.force_login(sita, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_card_shows_a_code_that_works_and_each_click_makes_a_new_one(browser: Client, sita: Any) -> None:
    """U52: nothing is made by opening the card, and the page is in no cache."""
    card = reverse("loyalink_khalti:points")
    assert "Show code" not in page_text(browser.get(card))
    sell(bill())
    assert "Show code" in page_text(browser.get(card))
    assert not CounterCode.objects.exists()

    first = browser.post(reverse("loyalink_khalti:counter_code"), {"next": card})
    assert "no-store" in first["Cache-Control"]
    shown = BeautifulSoup(first.content, "html.parser").select_one(".lk-counter-code").text.replace(" ", "")
    assert sell(to_member(str(sita.pk), points=Points(100), code=shown)).is_new
    browser.post(reverse("loyalink_khalti:counter_code"))
    assert CounterCode.objects.filter(used_at=None).count() == 1
    assert browser.get(reverse("loyalink_khalti:counter_code")).status_code == 405


def test_who_is_not_logged_in_gets_no_code(sita: Any) -> None:
    response = Client().post(reverse("loyalink_khalti:counter_code"))

    assert (response.status_code, CounterCode.objects.exists()) == (302, False)


def test_a_receipt_is_claimed_and_a_wrong_code_stays_in_the_field(browser: Client, sita: Any) -> None:
    """U58"""
    page = reverse("loyalink_khalti:counter_claim")
    recorded = sell(bill())

    wrong = browser.post(page, {"code": "ABCDE-FGHJK"})
    right = browser.post(page, {"code": recorded.claim_code})

    assert (wrong.status_code, 'value="ABCDE-FGHJK"' in wrong.content.decode()) == (400, True)
    assert "125 points are added to your account." in page_text(right)
    assert Account.objects.get(member_id=str(sita.pk)).available == 1125


def test_an_address_that_is_only_typed_gets_a_mail_first(browser: Client, sita: Any) -> None:
    """U58"""
    sell(bill(phone="", email="sita@example.com"))

    page = browser.post(reverse("loyalink_khalti:counter_claim"), {"address": "1"})

    assert "we have sent an e-mail to it" in page_text(page)
    assert Account.objects.get(member_id=str(sita.pk)).available == 1000
    assert flow.claimable_sales(site_key="default", email="sita@example.com").count() == 1
