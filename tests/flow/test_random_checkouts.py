"""Many checkouts while Khalti answers late or not at all; once it recovers, every invariant holds."""

import random
from typing import Any

import pytest

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.flow import audit
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

DEADLINE = 0.15
"""Stands for 10 seconds, so that a latency of up to 30 is up to three of these."""
ENDS = ["pay"] * 6 + ["cancel", "expire", "fail", "close the tab"]


class RandomFaults:
    """Random faults of Khalti from a seed: one call in ten is lost, others take up to three deadlines."""

    def __init__(self, seed: int, simulator: Simulator) -> None:
        self.dice, self.simulator = random.Random(seed), simulator

    def choose(self, where: str) -> None:
        self.simulator.clear_faults()
        if self.dice.random() < 0.1:
            self.simulator.fault("drop", where=where, after=self.dice.random() < 0.5)
        elif self.dice.random() < 0.2:
            self.simulator.fault("hang", where=where, seconds=self.dice.uniform(0, 3 * DEADLINE))

    def clear(self) -> None:
        self.simulator.clear_faults()


def check_out(number: int, shop: FakeShop, faults: RandomFaults) -> None:
    """One customer begins, pays or not, and returns or not; staff may refund."""
    dice, khalti = faults.dice, faults.simulator
    member = dice.choice([None, "7", "8"])
    points = Points(dice.choice([0, 100, 250])) if member else Points(0)
    faults.choose("initiate")
    cart = shop.cart(
        f"order-{number}", subtotal=dice.randint(5_000, 500_000), member_id=member, points_redeemed=points
    )
    try:
        payment = flow.begin_payment(shop.freeze(cart))
    except CannotPay:
        return
    end = dice.choice(ENDS)
    if end != "close the tab":
        getattr(khalti, end)(str(payment.pidx))
    for _ in range(dice.choice([0, 1, 1, 2])):
        faults.choose("lookup")
        flow.verify_payment(payment, ignore_back_off=dice.random() < 0.5)
    purchase = Purchase.objects.get(pk=payment.purchase_id)
    if purchase.state == "placed" and dice.random() < 0.2:
        faults.choose("refund")
        half = Paisa(purchase.frozen_cart.subtotal // dice.choice([1, 2]))
        flow.refund_order(purchase, subtotal=half, shipping=Paisa(0), key=f"refund {number}", actor="1")


def payments_at_khalti(simulator: Simulator) -> dict[str, Any]:
    return {payment.pidx: payment for payment in simulator.payments()}


@pytest.mark.parametrize(
    "number", [60, pytest.param(1_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])], ids=str
)
def test_once_khalti_recovers_every_checkout_is_settled_flagged_or_released(
    number: int, shop: FakeShop, simulator: Simulator, settings: Any
) -> None:
    """C28: I1, I2, I3, I4, I5, I7"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "DEADLINE": DEADLINE, "LIVE_PAYMENTS_PER_MEMBER": 0}
    shop.stock(pen=number)
    for member in ("7", "8"):
        ledger.adjust(site_key="default", member_id=member, points=100_000, key=f"to {member}", reason="test")
    faults = RandomFaults(28, simulator)

    for each in range(number):
        check_out(each, shop, faults)
    faults.clear()
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "DEADLINE": 10}
    for _ in flow.reconcile():
        pass

    report = audit()
    assert report["ok"], report["violations"]
    at_khalti = payments_at_khalti(simulator)
    for payment in Payment.objects.exclude(pidx=None).prefetch_related("flags"):
        word = at_khalti[payment.pidx].state.value
        if word == "Completed":
            assert payment.fulfilled_at or payment.flags.exists(), payment
        if payment.fulfilled_at:
            assert payment.captured == at_khalti[payment.pidx].amount == payment.amount
        if word == "Initiated":
            assert payment.state == "initiated", payment
        if payment.state == "refunded":
            assert at_khalti[payment.pidx].refunded == payment.refunded == payment.captured
    assert not Payment.objects.filter(pidx=None).exclude(state="released").exists()
    assert not Refund.objects.filter(state__in=["requested", "sent"]).exists()
    held = Purchase.objects.filter(state="open").count() + Purchase.objects.filter(state="placed").count()
    assert shop.left("pen") == number - held
    earned = Entry.objects.filter(kind="earn").count()
    assert earned <= Purchase.objects.filter(state="placed").exclude(member_id=None).count()
    assert all(account.available >= 0 for account in Account.objects.all())
    assert len({ref for ref, _ in shop.confirmed}) == len(shop.confirmed) > number // 10
