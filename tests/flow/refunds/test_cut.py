"""A refund cut off anywhere is never sent twice: it is done once, never sent, or flagged."""

from contextlib import suppress

import pytest

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from tests.cutting import Clock, audited, clock, in_every_way, reconciled, sweep
from tests.cutting import Way as How
from tests.loyalty.conftest import check_ledger

__all__ = ["clock"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def bought(shop: FakeShop, simulator: Simulator, number: int) -> Payment:
    """Rs 2,500 of products and Rs 150 of delivery, Rs 10 of it by points."""
    cart = shop.cart(f"order-{number:03}", shipping=15_000, member_id="7", points_redeemed=Points(100))
    payment = flow.begin_payment(shop.freeze(cart))
    simulator.pay(payment.pidx or "")
    flow.verify_payment(payment)
    return Payment.objects.select_related("purchase").get(pk=payment.pk)


def refund_order(purchase: Purchase, subtotal: int, *, key: str) -> Refund:
    return flow.refund_order(purchase, subtotal=Paisa(subtotal), shipping=Paisa(0), key=key, actor="1")


def refund_the_rest(purchase: Purchase, *, key: str) -> None:
    with suppress(CannotRefund):
        refund_order(purchase, refunds.refundable(purchase).subtotal, key=key)


def khalti_agrees(payment: Payment, simulator: Simulator) -> None:
    """Each key was sent once at most, and what Khalti refunded is recorded or unknown."""
    payment.refresh_from_db()
    rows = Refund.objects.filter(purchase=payment.purchase)
    done, unknown = rows.filter(state="done"), rows.filter(state="unknown")
    refunded = simulator.payment(payment.pidx or "").refunded

    assert set(rows.values_list("state", flat=True)) <= {"done", "unknown", "refused"}
    assert 0 <= simulator.count("refund", payment.transaction_id) - done.count() <= unknown.count()
    assert payment.refunded == sum(done.values_list("amount", flat=True))
    assert refunded - payment.refunded in {0, *unknown.values_list("amount", flat=True)}
    assert refunded <= (payment.captured or 0)


@in_every_way("lost")
def test_a_refund_cut_off_anywhere_is_never_sent_twice(
    way: How, few: int | None, shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B06, I7, R4: a refund left as ``sent`` becomes unknown, one left as ``requested`` was never sent."""
    for number, cut_off in enumerate(sweep(way, few)):
        payment = bought(shop, simulator, number)
        cut_off(lambda payment=payment: refund_order(payment.purchase, 100_000, key=f"{payment.pk} first"))

        reconciled(clock)
        refund_the_rest(payment.purchase, key=f"{payment.pk} second")

        khalti_agrees(payment, simulator)
        is_unknown = Refund.objects.filter(payment=payment, state="unknown").exists()
        flags = Flag.objects.filter(payment=payment, reason="refund_unknown", resolved_at=None)
        assert flags.exists() is is_unknown
        assert is_unknown or refunds.refundable(payment.purchase).subtotal == 0
        audited()
    check_ledger()
