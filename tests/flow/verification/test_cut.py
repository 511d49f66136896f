"""Cut off at every statement in turn, by a lost connection or by kill -9; the next process completes it, once."""

from collections.abc import Callable

import pytest

from loyalink_khalti import flow, outbox
from loyalink_khalti.flow.notices.telling import SENDING
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.loyalty.orders import OrderAward
from loyalink_khalti.money import Points
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.ports import Cart, Outcome, Paid, PaymentMethod
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from tests.cutting import Clock, audited, clock, in_every_way, reconciled, sweep
from tests.cutting import Way as How
from tests.loyalty.conftest import check_ledger
from tests.purchases import states_of

__all__ = ["clock"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def announce(ref: str) -> None:
    """What a host would mail."""


@pytest.fixture
def announcing_shop(shop: FakeShop, monkeypatch: pytest.MonkeyPatch) -> FakeShop:
    confirm: Callable[..., str] = shop.confirm

    def confirm_and_announce(ref: str, *, paid: Paid) -> str:
        outbox.post(f"{__name__}.announce", ref=ref)
        return confirm(ref, paid=paid)

    monkeypatch.setattr(shop, "confirm", confirm_and_announce)
    return shop


ENOUGH = 20_000
"""Points for all the orders of one sweep."""


def cart(shop: FakeShop, number: int) -> Cart:
    return shop.cart(f"order-{number:03}", member_id="7", points_redeemed=Points(100))


def posted(**which: str) -> int:
    """Return how many such messages there are: the host's, or the flow's about the mails of an order."""
    return Message.objects.filter(**which).count()


def is_awarded_exactly_if_placed(purchase: Purchase) -> None:
    placed = Purchase.objects.filter(pk=purchase.pk, state="placed").exists()
    assert OrderAward.objects.filter(purchase=purchase.key).exists() is placed


@in_every_way("lost")
def test_a_verification_cut_off_anywhere_is_completed_once_by_the_reconciler(
    way: How, few: int | None, announcing_shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B01, B02, B03, B04, B10"""
    for number, cut_off in enumerate(sweep(way, few)):
        payment = flow.begin_payment(announcing_shop.freeze(cart(announcing_shop, number)))
        simulator.pay(payment.pidx or "")
        cut_off(lambda payment=payment: flow.verify_payment(payment))
        is_awarded_exactly_if_placed(payment.purchase)

        reconciled(clock)

        booked = Entry.objects.filter(purchase=payment.purchase.key).order_by("seq").values_list("kind", "amount")
        assert list(booked) == [("hold", 100), ("capture", 100), ("earn", 249)]
        assert states_of(payment) == ("fulfilled", "placed")
        assert announcing_shop.confirmed[number:] == [(f"order-{number:03}", 249_000)]
        assert (posted(function=f"{__name__}.announce"), posted(payload__event="placed")) == (number + 1, number + 1)
        if Message.objects.filter(sent_at=None).exists():  # another process may send what a dead one was sending, then
            clock.passes(SENDING)
            reconciled(clock)
        assert not Message.objects.filter(sent_at=None).exists()
        audited()
    check_ledger()
    assert not Flag.objects.exists()


@in_every_way(few=2)
def test_a_verification_cut_off_anywhere_is_completed_once_by_the_customers_next_visit(
    way: How, few: int | None, shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B01, B02, B03"""
    for number, cut_off in enumerate(sweep(way, few)):
        payment = flow.begin_payment(shop.freeze(cart(shop, number)))
        simulator.pay(payment.pidx or "")
        cut_off(lambda payment=payment: flow.verify_payment(payment))
        clock.passes()

        assert flow.verify_payment(payment) is Outcome.PAID

        assert shop.confirmed[number:] == [(f"order-{number:03}", 249_000)]
        audited()
    check_ledger()


@in_every_way("lost")
def test_a_release_cut_off_anywhere_is_completed_once_by_the_reconciler(
    way: How, few: int | None, shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B07, B08"""
    for number, cut_off in enumerate(sweep(way, few)):
        payment = flow.begin_payment(shop.freeze(cart(shop, number)))
        simulator.cancel(payment.pidx or "")
        cut_off(lambda payment=payment: flow.verify_payment(payment))

        reconciled(clock)

        account.refresh_from_db()
        assert (account.available, account.held) == (1000, 0)
        assert states_of(payment) == ("released", "released")
        assert shop.released[number:] == [(f"order-{number:03}", "cancelled")]
    audited()
    check_ledger()
    assert not Flag.objects.exists()


@in_every_way("lost")
def test_a_begun_payment_cut_off_anywhere_holds_nothing_or_can_be_paid(
    way: How, few: int | None, shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B05, B07: released, or waiting with a page at Khalti; the basket is bought once, by this payment or the next."""
    for number, cut_off in enumerate(sweep(way, few)):
        basket, ref = cart(shop, number), f"order-{number:03}"
        cut_off(lambda basket=basket: flow.begin_payment(shop.freeze(basket)))

        reconciled(clock)

        waiting = Payment.objects.filter(state="initiated").first()
        account.refresh_from_db()
        assert account.held == (100 if waiting else 0)
        if waiting is None:
            assert not Purchase.objects.filter(ref=ref).exclude(state="released").exists()
            waiting = flow.begin_payment(shop.freeze(shop.cart(f"{ref}-again", origin=basket.origin, member_id="7")))
        simulator.pay(waiting.pidx or "")
        assert flow.verify_payment(waiting, ignore_back_off=True) is Outcome.PAID
        assert [confirmed for confirmed, _ in shop.confirmed if confirmed.startswith(ref)] == [waiting.purchase.ref]
        audited()
    check_ledger()
    assert not Flag.objects.exists()


@in_every_way("lost")
def test_an_order_cut_off_anywhere_is_placed_completely_or_not_at_all(
    way: How, few: int | None, shop: FakeShop, account: Account
) -> None:
    """B07"""
    ledger.adjust(site_key="default", member_id="7", points=ENOUGH - 1000, key="for every order", reason="test")
    for number, cut_off in enumerate(sweep(way, few)):
        cut_off(lambda number=number: flow.place_order(shop.freeze(cart(shop, number)), method=PaymentMethod.COD))

        placed = Purchase.objects.filter(state="placed")
        account.refresh_from_db()
        assert [order.ref for order in shop.placed_orders()] == [purchase.ref for purchase in placed.order_by("ref")]
        assert (account.available, account.held) == (ENOUGH - 100 * placed.count(), 0)
    audited()
    check_ledger()
