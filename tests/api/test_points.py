"""A member's points card and history, and the rules of the programme as text."""

from fractions import Fraction

import pytest
from django.contrib.auth import get_user_model

from loyalink_khalti import flow
from loyalink_khalti.api.points import rule_sentences
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules, Tier
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment
from tests.api.calling import App
from tests.purchases import Khalti

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_card_and_the_history_show_what_the_member_has_and_did(
    sita: App, khalti: Khalti, account: Account
) -> None:
    """A hold and its capture are one line, as on the shop's own page."""
    sita.begin(points=500, expected_due=245_000)
    payment = Payment.objects.get()
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)

    card, history = sita.get("/points").json(), sita.get("/points/history").json()

    assert (card["available"], card["points_value"], card["lifetime_redeemed"]) == (745, 7450, 500)
    assert [(each["text"], each["points"]) for each in history["entries"]] == [
        ("Earned", 245), ("Used", -500), ("Adjusted", 1000),
    ]  # fmt: skip
    assert history["entries"][0]["reference"] == payment.purchase.ref
    assert history["before"] is None


def test_the_history_comes_in_parts_that_do_not_move_when_points_are_added(sita: App, member: str) -> None:
    for number in range(5):
        ledger.adjust(site_key="default", member_id=member, points=number + 1, key=f"k{number}", reason="thanks")
    first = sita.get("/points/history?size=2").json()
    ledger.adjust(site_key="default", member_id=member, points=77, key="later", reason="thanks")
    second = sita.get(f"/points/history?size=2&before={first['before']}").json()
    third = sita.get(f"/points/history?size=9&before={second['before']}").json()

    shown = [each["points"] for part in (first, second, third) for each in part["entries"]]
    assert shown == [5, 4, 3, 2, 1, 1000]
    assert third["before"] is None
    assert sita.get("/points/history?before=1000000000&size=1").json()["entries"][0]["points"] == 77
    assert sita.get("/points/history?before=0").json() == {"entries": [], "before": None}


def test_a_member_without_points_has_an_empty_history(sita: App) -> None:
    get_user_model().objects.create(username="hari")

    assert App("hari").get("/points/history").json() == {"entries": [], "before": None}
    assert App("hari").get("/points").json()["available"] == 0


def test_the_rules_are_sentences_for_customers(app: App) -> None:
    rules = app.get("/program").json()["rules"]

    assert rules[:5] == [
        "You earn 1 point for every Rs 10.00.",
        "Delivery earns no points.",
        "You can pay Rs 1.00 of an order with 10 points.",
        "You can use points in increments of 10, starting at 100.",
        "Points expire after 12 months.",
    ]
    assert rules[5:] == [
        "Gold: from 500 points earned.",
        "Platinum: from 1,000 points earned.",
    ]


def test_every_rule_that_a_customer_meets_has_its_sentence() -> None:
    rules = Rules(
        points=Points(2), per=Paisa(10_000), stepwise=True, minimum_order=Paisa(50_000), maximum_earned=Points(99),
        first_order_bonus=Points(50), signup_bonus=Points(20), maximum_points=Points(400), maximum_percent=50,
        pending_days=1, valid_months=None, tiers=(Tier(name="A", threshold=Points(0)),
        Tier(name="B", threshold=Points(10), multiplier=Fraction(3, 2))),
    )  # fmt: skip

    assert list(rule_sentences(rules)) == [
        "You earn 2 points for every full Rs 100.00.",
        "Delivery earns no points.",
        "Orders of Rs 500.00 or more earn points.",
        "One order earns 99 points at most.",
        "Your first order earns 50 points more.",
        "A new account gets 20 points.",
        "You can pay Rs 1.00 of an order with 10 points.",
        "You can use points in increments of 10, starting at 100.",
        "One order can use 400 points at most.",
        "Points can pay up to 50% of an order.",
        "You can use points 1 day after you have earned them.",
        "Points do not expire.",
        "B: from 10 points earned, you earn 1.5 times the points.",
    ]
    assert list(rule_sentences(Rules(earn_paused=True, redeem_paused=True)))[:2] == [
        "At the moment orders earn no points.",
        "At the moment points cannot be used.",
    ]
