"""A guest gets a link to claim points by mail, registers and claims them; registering may earn a bonus."""

import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from pytest_django import Settings as SettingsWrapper

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Points
from loyalink_khalti.outbox import Message
from loyalink_khalti.simulator import Simulator

from .conftest import PASSWORD, Customer, Order, Page, Store, payment_of, text

pytestmark = pytest.mark.money

LINK = re.compile(r"http://127\.0\.0\.1:8000(/khalti/(?:claim|account)/\S+/)")


@pytest.fixture
def claims(settings: SettingsWrapper, khalti: Simulator) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": True}


def register(customer: Customer, *, then: str = "/") -> Page:
    """Register on Oscar's page, then continue to ``then``."""
    form = {
        "registration-email": customer.email,
        "registration-password1": PASSWORD,
        "registration-password2": PASSWORD,
        "registration-redirect_url": then,
        "registration_submit": "1",
    }
    return customer.browser.post("/shop/accounts/login/", form)


def order_mail() -> Any:
    (message,) = [message for message in mail.outbox if "Your order" in message.subject]
    return message


def test_a_guest_claims_the_points_of_an_order_from_its_mail(
    store: Store, guest: Customer, khalti: Simulator, claims: None
) -> None:
    """J04, P2"""
    payment = payment_of(guest.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    guest.return_from_khalti(payment)
    message = order_mail()
    link = LINK.search(message.body)
    assert link, message.body
    assert "50 loyalty points" in message.body
    assert link[0] in message.alternatives[0][0]

    offered = guest.browser.get(link[1]).content.decode()
    (claim,) = re.findall(r'href="(/khalti/claim/[^"]+/)"', offered)  # who has an account, or makes one of Oscar's
    asked_to_log_in = guest.browser.get(claim)
    assert register(guest, then=claim)["Location"] == claim
    guest.browser.post(claim)
    second = LINK.search(str(mail.outbox[-1].body))
    assert second, mail.outbox[-1].body
    claimed = guest.browser.post(second[1])

    assert (mail.outbox[-1].to, second[1] != claim) == ([guest.email], True)
    assert asked_to_log_in["Location"].startswith("/shop/accounts/login/?next=")
    assert "50 points are added to your account" in text(claimed)
    assert Account.objects.get().available == 50
    assert Order.objects.get().user == get_user_model().objects.get(email=guest.email)


def test_a_guest_makes_an_account_on_the_thank_you_page_and_finds_the_order_in_it(
    store: Store, guest: Customer, khalti: Simulator, claims: None
) -> None:
    """Its story: a password there, a click in the mail, and order and points are theirs."""
    payment = payment_of(guest.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    thanks = guest.return_from_khalti(payment)
    (path,) = re.findall(r'action="(/khalti/account/[^"]+/)"', thanks.content.decode())

    guest.browser.post(path, {"password": PASSWORD})
    link = LINK.search(str(mail.outbox[-1].body))
    assert link, mail.outbox[-1].body
    made = guest.browser.post(link[1])
    orders = guest.browser.get("/shop/accounts/orders/")

    assert "Keep the 50 points of this order" in text(thanks)
    assert "50 points are added to your account" in text(made)
    assert Order.objects.get().number in text(orders)
    assert Account.objects.get().available == 50


def test_the_mail_has_no_claim_link_if_claims_are_off_or_a_member_buys(
    store: Store, guest: Customer, sita: Customer, settings: SettingsWrapper
) -> None:
    guest.buy(store.notebook, method="cod")
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": True}
    sita.buy(store.notebook, method="cod")

    assert [message for message in mail.outbox if "claim" in message.body.lower()] == []
    assert len(mail.outbox) >= 2


def test_a_new_member_gets_the_signup_bonus_once(store: Store, guest: Customer) -> None:
    ledger.set_rules("default", Rules(signup_bonus=Points(50)))

    register(guest)

    user = get_user_model().objects.get(email=guest.email)
    account = Account.objects.get()
    assert (account.member_id, account.available) == (str(user.pk), 50)
    assert Entry.objects.get().reason_code == "sign_up"


def test_without_a_signup_bonus_nothing_is_written(store: Store, guest: Customer) -> None:
    register(guest)

    assert get_user_model().objects.filter(email=guest.email).exists()
    assert not Account.objects.exists()
    assert not Message.objects.filter(function__contains="signup_bonus").exists()


def test_the_log_does_not_name_the_addressee_of_the_order_mail(
    store: Store, guest: Customer, khalti: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """I11"""
    caplog.set_level("DEBUG")
    payment = payment_of(guest.buy(store.notebook))
    khalti.pay(payment.pidx or "")

    guest.return_from_khalti(payment)

    assert order_mail().to == [guest.email]
    assert "/epayment/lookup/" in caplog.text
    assert guest.email not in caplog.text
