"""What a member is told of points: earned, adjusted, a tier reached, and that they can do without these mails."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core import mail
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules, Tier
from loyalink_khalti.mail_rows import Result, SentMail
from loyalink_khalti.money import Points
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop

pytestmark = pytest.mark.django_db(transaction=True)

Signalled = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def sita(shop: FakeShop) -> str:
    user = User.objects.create(username="sita", email="sita@example.com", first_name="Sita")
    return str(user.pk)


def account_of(member_id: str) -> Account:
    return ledger.open_account("default", member_id)


def adjust(member_id: str, points: int, key: str = "gift") -> None:
    flow.adjust_points(account_of(member_id), points, key=key, reason="goodwill", actor=None)


def text() -> str:
    return " ".join(str(mail.outbox[-1].body).split())


def test_an_adjustment_is_told_once_with_the_balance_after_it(sita: str, signalled: Signalled) -> None:
    adjust(sita, 100)
    adjust(sita, 100)
    added = (mail.outbox[0].subject, text())
    adjust(sita, -30, key="mistake")

    assert added[0] == "100 points were added to your account"
    assert "Namaste Sita, +100" in added[1]
    assert "You have 100 points, worth Rs 10.00." in added[1]
    assert mail.outbox[1].subject == "30 points were deducted from your account"
    assert "You have 70 points" in text()
    assert [(name, arguments["points"]) for name, arguments in signalled] == [
        ("points_adjusted", 100), ("points_adjusted", -30)
    ]  # fmt: skip


def test_a_mail_about_points_can_be_unsubscribed_by_one_click_and_then_there_is_none(sita: str) -> None:
    """T26"""
    adjust(sita, 100)
    headers = mail.outbox[0].extra_headers
    link = flow.subscription_path("default", sita)

    flow.subscribe_to_mails(link.split("/")[-2], on=False)
    adjust(sita, 50, key="second")

    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Unsubscribe"] == f"<https://shop.example{link}>"
    assert f"https://shop.example{link}" in str(mail.outbox[0].body)
    assert len(mail.outbox) == 1
    assert SentMail.objects.order_by("pk").last().result == Result.UNSUBSCRIBED  # type: ignore[union-attr]


def test_whoever_wants_no_mails_about_points_still_gets_those_about_an_order(shop: FakeShop, sita: str) -> None:
    """T26"""
    flow.subscribe_to_mails(flow.subscription_path("default", sita).split("/")[-2], on=False)

    flow.place_order(shop.freeze(shop.cart(member_id=sita)), method=PaymentMethod.COD)

    assert [message.subject for message in mail.outbox] == ["Your order N-order-1 at Saraswati Stationery"]
    assert "List-Unsubscribe" not in mail.outbox[0].extra_headers


def test_the_gift_for_signing_up_is_told(sita: str, signalled: Signalled) -> None:
    ledger.set_rules("default", Rules(signup_bonus=Points(50)))

    flow.award_signup_bonus(site_key="default", member_id=sita)
    flow.award_signup_bonus(site_key="default", member_id=sita)

    assert [message.subject for message in mail.outbox] == ["You have earned 50 points"]
    assert "these points are our gift to you" in text()
    assert [(name, arguments["source"]) for name, arguments in signalled] == [("points_earned", "sign_up")]


def test_a_tier_that_an_order_reaches_is_told_with_what_it_gives(
    shop: FakeShop, sita: str, signalled: Signalled
) -> None:
    tiers = (
        Tier(name="Bronze", threshold=Points(0), multiplier=Fraction(1)),
        Tier(name="Silver", threshold=Points(200), multiplier=Fraction(2)),
    )
    ledger.set_rules("default", Rules(tiers=tiers))
    purchase = flow.place_order(shop.freeze(shop.cart(member_id=sita)), method=PaymentMethod.COD)

    flow.mark_received(purchase, actor="1")

    assert "You have reached Silver" in [message.subject for message in mail.outbox]
    (told,) = [message for message in mail.outbox if message.subject == "You have reached Silver"]
    assert "2 times" in str(told.body)
    assert [name for name, _arguments in signalled].count("tier_reached") == 1


def test_points_that_were_pending_are_told_when_they_can_be_used(
    shop: FakeShop, sita: str, signalled: Signalled
) -> None:
    ledger.set_rules("default", Rules(pending_days=3))
    purchase = flow.place_order(shop.freeze(shop.cart(member_id=sita)), method=PaymentMethod.COD)
    flow.mark_received(purchase, actor="1")
    mail.outbox.clear()

    with time_machine.travel(timezone.now() + timedelta(days=4)):
        flow.run_points()

    assert [message.subject for message in mail.outbox] == ["You can use 250 points now"]
    assert signalled[-1][1]["source"] == "activated"


@pytest.mark.parametrize("newest", ["log-in", "order"])
def test_a_mail_about_points_is_in_the_language_that_the_member_last_used(
    shop: FakeShop, sita: str, settings: Any, newest: str
) -> None:
    settings.LANGUAGES = [("en", "English"), ("ne", "Nepali")]
    languages = {"log-in": ("en", "ne"), "order": ("ne", "en")}[newest]
    steps = [
        lambda: flow.place_order(
            shop.freeze(shop.cart(member_id=sita, language=languages[0])), method=PaymentMethod.COD
        ),
        lambda: flow.remember_language(site_key="default", member_id=sita, language=languages[1]),
    ]
    for step in steps if newest == "log-in" else reversed(steps):
        step()

    adjust(sita, 10)

    newest_mail: Any = mail.outbox[-1]
    assert 'lang="ne"' in str(newest_mail.alternatives[0][0])


def test_a_member_without_an_address_gets_the_signal_alone(shop: FakeShop, signalled: Signalled) -> None:
    adjust("7", 10)

    assert (mail.outbox, [name for name, _arguments in signalled]) == ([], ["points_adjusted"])
    assert SentMail.objects.get().result == Result.NO_ADDRESS
