"""Single steps: the expiry of a link, allowed transitions, and the constraints of the database."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from loyalink_khalti.khalti.wire import Initiated
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import PaymentState, PurchaseState
from loyalink_khalti.testing import FakeShop
from tests.payments.conftest import created

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

NOW = datetime(2026, 2, 25, 6, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def answer(expires_at: datetime | None) -> Initiated:
    return Initiated(pidx="pidx1", payment_url="https://pay.khalti.com/", expires_at=expires_at, expires_in=None)


@pytest.mark.parametrize(
    ("reported", "stored"),
    [
        (later(1800), later(1800)),
        (later(24 * 3600), later(24 * 3600)),
        (None, later(3600)),
        (later(0), later(3600)),
        (later(-1), later(3600)),
        (later(24 * 3600 + 1), later(3600)),
        (datetime(9999, 12, 31, tzinfo=UTC), later(3600)),
    ],
)
def test_a_link_expires_when_khalti_says_or_else_after_an_hour(
    payment: Payment, reported: datetime | None, stored: datetime
) -> None:
    """C25"""
    with time_machine.travel(NOW, tick=False):
        transitions.mark_initiated(payment, answer(reported))

    payment.refresh_from_db()
    assert payment.expires_at == stored


@pytest.mark.parametrize("state", [PurchaseState.PLACED, PurchaseState.RELEASED])
def test_a_basket_that_is_free_and_was_ordered_again_during_the_wait_for_the_lock_is_not_placed_again(
    payment: Payment, shop: FakeShop, state: PurchaseState
) -> None:
    """N48"""
    Purchase.objects.update(state=state)
    with transaction.atomic():
        purchase, _payments = transitions.lock_purchase(payment.purchase_id)
    again = Purchase.objects.filter(pk=created(shop, "order-2").purchase_id)
    again.update(origin=purchase.origin, state=PurchaseState.PLACED)

    assert transitions.has_rival(purchase, was_released=False)


def test_an_answer_after_the_payment_was_released_is_not_stored(payment: Payment) -> None:
    transitions.move(payment, PaymentState.RELEASED, release_reason="refused")

    stored = transitions.mark_initiated(payment, answer(None))

    payment.refresh_from_db()
    assert (stored, payment.state, payment.pidx) == (False, "released", None)


def test_an_answer_whose_commit_was_not_acknowledged_may_be_stored_again(payment: Payment) -> None:
    transitions.mark_initiated(payment, answer(None))

    assert transitions.mark_initiated(payment, answer(None))


@pytest.mark.parametrize(
    "end",
    [PaymentState.PAID, PaymentState.FULFILLED, PaymentState.MISMATCHED, PaymentState.REFUNDED, PaymentState.CREATED],
)
def test_a_payment_makes_allowed_transitions_only(payment: Payment, end: PaymentState) -> None:
    """I8"""
    with pytest.raises(ValueError, match="cannot go from created"):
        transitions.move(payment, end)

    payment.refresh_from_db()
    assert payment.state == "created"


def test_a_purchase_has_one_live_payment(payment: Payment) -> None:
    """A20"""
    with pytest.raises(IntegrityError, match=r"(?i)unique|loyalink_one_live_payment"):
        transitions.create_payment(payment.purchase, credentials=payment.credentials)


def test_a_second_attempt_has_its_own_order_id_at_khalti(payment: Payment) -> None:
    transitions.move(payment, PaymentState.RELEASED, release_reason="expired")

    second = transitions.create_payment(payment.purchase, credentials=payment.credentials)

    assert (payment.purchase_order_id, second.purchase_order_id) == ("order-1-1", "order-1-2")
    assert len(second.token) >= 22  # 128 bits


def test_a_purchase_has_one_fulfilled_payment(payment: Payment) -> None:
    """I1"""
    Payment.objects.filter(pk=payment.pk).update(state="fulfilled", fulfilled_at=timezone.now())
    second = transitions.create_payment(payment.purchase, credentials=payment.credentials)

    with pytest.raises(IntegrityError):
        Payment.objects.filter(pk=second.pk).update(state="fulfilled", fulfilled_at=timezone.now())


def test_a_shop_uses_a_reference_once(payment: Payment, shop: FakeShop) -> None:
    with pytest.raises(IntegrityError):
        created(shop, origin="another basket")


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_due": 1},
        {"points_value": 250_001, "amount_due": -1},
        {"points_value": -1, "amount_due": 250_001},
        {"points_redeemed": -1},
    ],
)
def test_the_database_refuses_a_purchase_that_does_not_add_up(payment: Payment, wrong: dict[str, int]) -> None:
    with pytest.raises(IntegrityError):
        Purchase.objects.update(**wrong)


@pytest.mark.parametrize("wrong", [{"amount": 0}, {"refunded": 1}, {"captured": 5, "refunded": 6}, {"refunded": -1}])
def test_the_database_refuses_a_refund_above_what_was_captured(payment: Payment, wrong: dict[str, int]) -> None:
    """I7"""
    with pytest.raises(IntegrityError):
        Payment.objects.update(**wrong)


def test_a_lock_takes_the_whole_basket_so_that_it_is_bought_once(payment: Payment, shop: FakeShop) -> None:
    other = created(shop, "order-2", origin=payment.purchase.origin)
    created(shop, "order-3")

    with transaction.atomic():
        purchase, payments = transitions.lock_purchase(other.purchase_id)

    assert (purchase.ref, [each.pk for each in payments]) == ("order-2", [other.pk])
