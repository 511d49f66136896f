"""Many at once, in real threads with connections of their own, on whichever database this is."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from loyalink_khalti import flow, outbox
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.ports import Outcome, Paid
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

mailed: list[str] = []


def mail(ref: str) -> None:
    mailed.append(ref)


@pytest.fixture
def mailing_shop(shop: FakeShop, monkeypatch: pytest.MonkeyPatch) -> FakeShop:
    """The shop, announcing each order by the outbox, as a host does."""
    mailed.clear()
    confirm: Callable[..., str] = shop.confirm

    def confirm_and_mail(ref: str, *, paid: Paid) -> str:
        outbox.post(f"{__name__}.mail", ref=ref)
        return confirm(ref, paid=paid)

    monkeypatch.setattr(shop, "confirm", confirm_and_mail)
    return shop


def begin_payment(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(ref, **changes)))


def test_fifty_concurrent_returns_make_one_order_one_award_and_one_mail(
    mailing_shop: FakeShop, simulator: Simulator, member: str, account: Account
) -> None:
    """A01: with Khalti at the other end of real connections."""
    payment = begin_payment(mailing_shop, member_id=member, points_redeemed=Points(500))
    simulator.pay(str(payment.pidx))

    outcomes = at_once(50, lambda _: flow.verify_payment(payment, customer_present=True))

    account.refresh_from_db()
    assert set(outcomes) <= {Outcome.PAID, Outcome.CONFIRMING}
    assert Outcome.PAID in outcomes
    assert flow.verify_payment(payment) is Outcome.PAID
    assert mailing_shop.confirmed == [("order-1", 245_000)]
    assert [entry.kind for entry in Entry.objects.filter(purchase=payment.purchase.key)] == ["hold", "capture", "earn"]
    assert (account.available, account.held, mailed) == (745, 0, ["order-1"])
    assert simulator.count("lookup", payment.pidx) == 1
    assert not Flag.objects.exists()


def look_up_until_answered(payment: Payment) -> Outcome:
    """Whoever finds the lease taken is answered at once with "confirming", and looks again."""
    while (outcome := flow.verify_payment(payment, ignore_back_off=True)) is Outcome.CONFIRMING:
        pass
    return outcome


def test_jobs_and_customers_who_all_receive_completed_make_one_order(
    mailing_shop: FakeShop, khalti: Khalti, member: str, account: Account
) -> None:
    """A04, A05: every lookup is answered before any answer is written down; the lease has run out for all."""
    payment = begin_payment(mailing_shop, member_id=member)
    khalti.pay(payment.pidx)
    together = threading.Barrier(8)

    def gate() -> None:
        Payment.objects.update(lease="", leased_until=None)
        together.wait(10)

    khalti.while_looking_up = gate

    outcomes = at_once(8, lambda _: look_up_until_answered(payment))

    account.refresh_from_db()
    assert outcomes == [Outcome.PAID] * 8
    assert (mailing_shop.confirmed, mailed) == ([("order-1", 250_000)], ["order-1"])
    assert account.available == 1250


def test_paid_and_cancelled_concurrently_is_one_or_the_other_never_both(
    shop: FakeShop, khalti: Khalti, member: str, account: Account
) -> None:
    """A06: who gives up holds an Initiated, who comes back a Completed from a moment later."""
    payment = begin_payment(shop, member_id=member, points_redeemed=Points(500))
    together = threading.Barrier(2)

    def gate() -> None:
        if len(khalti.looked_up) == 1:
            khalti.pay(payment.pidx)
            Payment.objects.update(lease="", leased_until=None)
            back.start()
        together.wait(10)

    outcomes: list[Any] = []
    back = threading.Thread(target=lambda: outcomes.extend(at_once(1, lambda _: flow.verify_payment(payment))))
    khalti.while_looking_up = gate

    outcomes.append(flow.cancel_payment(payment))
    back.join()

    payment = Payment.objects.select_related("purchase").get()
    account.refresh_from_db()
    assert all(isinstance(outcome, Outcome) for outcome in outcomes)
    if payment.state == "fulfilled":  # placed again, where it was cancelled first: its customer wants nothing else
        assert (payment.purchase.state, shop.confirmed) == ("placed", [("order-1", 245_000)])
        assert (account.available, account.held) == (745, 0)
    else:
        assert (payment.state, payment.purchase.state, shop.confirmed) == ("paid", "released", [])
        assert [flag.reason for flag in Flag.objects.all()] == ["paid_after_cancel"]
        assert (account.available, account.held) == (1000, 0)


def test_two_purchases_of_one_basket_paid_concurrently_make_one_order(shop: FakeShop, khalti: Khalti) -> None:
    """A08, I1"""
    payments = [begin_payment(shop, f"order-{number}") for number in range(2)]
    type(payments[0].purchase).objects.update(origin="basket")
    for payment in payments:
        khalti.pay(payment.pidx)
    together = threading.Barrier(2)
    khalti.while_looking_up = lambda: together.wait(10)

    outcomes = at_once(2, lambda index: flow.verify_payment(payments[index]))

    assert sorted(map(str, outcomes)) == ["flagged", "paid"]
    assert len(shop.confirmed) == 1
    assert Flag.objects.get().reason == "second_payment"


def test_the_last_item_is_sold_to_one_of_fifty_who_pay_late(shop: FakeShop, khalti: Khalti) -> None:
    """E03: I15"""
    shop.stock(pen=50)
    payments = [begin_payment(shop, f"order-{number}") for number in range(50)]
    for payment in payments:
        khalti.says(payment.pidx, "Expired")
        flow.verify_payment(payment)
        khalti.pay(payment.pidx)
    shop.stock(pen=1)

    outcomes = at_once(50, lambda index: flow.verify_payment(payments[index], ignore_back_off=True))

    assert sorted(map(str, outcomes)) == ["flagged"] * 49 + ["paid"]
    assert (len(shop.confirmed), shop.left("pen")) == (1, 0)
    assert [flag.reason for flag in Flag.objects.all()] == ["sold_out"] * 49


def test_of_two_who_pay_for_the_last_item_one_gets_it_every_time(shop: FakeShop, khalti: Khalti) -> None:
    """E03, I15: ten times over; the second cannot even start, or is flagged, and the stock is never below zero."""
    for turn in range(10):
        shop.stock(pen=1)
        started = at_once(2, lambda index, turn=turn: begin_payment(shop, f"order-{turn}-{index}"))  # type: ignore[misc]
        (payment,) = [each for each in started if isinstance(each, Payment)]
        khalti.pay(payment.pidx)
        at_once(2, lambda _, payment=payment: flow.verify_payment(payment, ignore_back_off=True))  # type: ignore[misc]

        assert [type(each).__name__ for each in started].count("ShopCannot") == 1
        assert (len(shop.confirmed), shop.left("pen")) == (turn + 1, 0)


def test_a_member_cannot_redeem_the_same_points_in_fifty_baskets(
    shop: FakeShop, khalti: Khalti, member: str, account: Account, settings: Any
) -> None:
    """F13"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LIVE_PAYMENTS_PER_MEMBER": 0}

    started = at_once(
        50, lambda index: begin_payment(shop, f"order-{index}", member_id=member, points_redeemed=Points(1000))
    )

    account.refresh_from_db()
    assert [type(each).__name__ for each in started].count("Payment") == 1
    assert [type(each).__name__ for each in started].count("CannotPay") == 49
    assert (account.available, account.held) == (0, 1000)


def test_many_purchases_settle_concurrently_without_a_deadlock(
    shop: FakeShop, khalti: Khalti, member: str, account: Account, settings: Any
) -> None:
    """G08: one member, one product, a dozen orders, in no order."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LIVE_PAYMENTS_PER_MEMBER": 20}
    shop.stock(pen=100)
    payments = [begin_payment(shop, f"order-{n:02}", member_id=member) for n in range(12)]
    for number, payment in enumerate(payments):
        if number % 3:
            khalti.pay(payment.pidx)
        else:
            khalti.says(payment.pidx, "Expired")

    outcomes = at_once(24, lambda index: look_up_until_answered(payments[index % 12]))

    account.refresh_from_db()
    assert set(outcomes) == {Outcome.PAID, Outcome.EXPIRED}
    assert (len(shop.confirmed), len(shop.released), shop.left("pen")) == (8, 4, 92)
    assert account.available == 1000 + 8 * 250
