"""The audit finds refunds on which shop, points and payment disagree."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import F, QuerySet

from loyalink_khalti import append_only, flow
from loyalink_khalti.flow import audit
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.orders import OrderAward, OrderRedemption, RefundApplied
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def refund(shop: FakeShop, khalti: Khalti, account: Account) -> Refund:
    """Products for Rs 1,000 of Rs 2,500 are refunded: Rs 980 by Khalti, 200 points."""
    payment = flow.begin_payment(shop.freeze(shop.cart(member_id=account.member_id, points_redeemed=Points(500))))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    purchase = Purchase.objects.get()
    done = flow.refund_order(purchase, subtotal=Paisa(100_000), shipping=Paisa(0), key="one", actor="1")
    assert (done.amount, done.points_restored, done.points_clawed_back) == (98_000, 200, 98)
    assert audit()["ok"]
    return done


def broken() -> set[str]:
    return {str(violation["invariant"]) for violation in audit()["violations"]}


@pytest.mark.parametrize(
    ("rows", "change", "invariants"),
    [
        (Refund, {"amount": F("amount") + 1}, {"I7"}),
        (Refund, {"amount": 245_001}, {"I7", "L11"}),
        (Refund, {"subtotal": 250_001}, {"I7", "L8", "L9"}),
        (Refund, {"points_restored": 199}, {"L9"}),
        (Refund, {"points_clawed_back": 99}, {"L8"}),
        (Refund, {"applied_at": None}, {"I7", "I16"}),
        (Refund, {"state": "unknown", "applied_at": None}, {"I7", "I16"}),
        (Payment, {"refunded": 97_999}, {"I7"}),
        (Payment, {"refunded": 98_001}, {"I7"}),
        (Payment, {"state": "fulfilled"}, {"I8"}),
        (OrderRedemption, {"points_restored": 201}, {"L9"}),
        (OrderAward, {"points_clawed_back": 97}, {"L8"}),
        (RefundApplied, {"cumulative": 100_001}, {"I7"}),
    ],
)
def test_every_disagreement_is_found(refund: Refund, rows: Any, change: dict[str, Any], invariants: set[str]) -> None:
    with append_only.lifted(connection):
        QuerySet(rows).update(**change)

    assert broken() == invariants


def test_a_refund_in_khaltis_dashboard_is_a_violation_only_without_its_flag(refund: Refund) -> None:
    Payment.objects.update(refunded=99_000)
    assert broken() == {"I7"}

    Flag.objects.create(payment=Payment.objects.get(), reason="refunded_at_khalti")

    assert broken() == set()
