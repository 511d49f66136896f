"""A Flag is answered again by a later entry: nothing is stuck by a wrong answer, and nothing is deleted."""

from typing import Any

import pytest
import requests

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund, CannotResolve, RefundLimitExceeded, SelfDealing
from loyalink_khalti.flow import Resolution, audit
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.flag_entries import FlagEntry
from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.testing import FakeShop
from tests.backoffice.payments.test_refund import limit
from tests.loyalty.conftest import check_ledger
from tests.purchases import Khalti, at_once, states_of

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

STAFF = "31"
SILENCE = requests.ReadTimeout("silence")


@pytest.fixture
def paid(payment: Payment, khalti: Khalti) -> Payment:
    """Rs 2,500 of products, Rs 2,450 of it paid at Khalti and Rs 50 by 500 points; 245 points were earned."""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    payment.refresh_from_db()
    return payment


@pytest.fixture
def late(payment: Payment, khalti: Khalti) -> Payment:
    """Cancelled by staff, and paid later: it bought nothing."""
    flow.cancel_payment(payment, customer_present=False)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)
    payment.refresh_from_db()
    return payment


@pytest.fixture
def closed(late: Payment) -> Flag:
    """Staff have closed the flag of a late payment: the shop keeps the money."""
    flow.resolve_flag(newest_flag(), Resolution.CLOSE, actor="99", reason="they do not answer")
    return newest_flag()


def answer(flag: Flag, resolution: str, **more: Any) -> Flag:
    return flow.resolve_flag(flag, Resolution(resolution), actor=STAFF, reason="looked again", **more)


def newest_flag() -> Flag:
    return Flag.objects.select_related("payment__purchase").order_by("-pk")[0]


def refund_order(payment: Payment, subtotal: int, key: str = "click") -> Refund:
    return flow.refund_order(payment.purchase, subtotal=Paisa(subtotal), shipping=Paisa(0), key=key, actor="1")


def partially_refunded(khalti: Khalti, payment: Payment) -> None:
    khalti.says(payment.pidx, "Partially Refunded", transaction_id=f"T-{payment.pidx}", refunded=True)


def agrees() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    check_ledger()
    return True


def test_closed_money_without_an_order_keeps_every_way_out(closed: Flag) -> None:
    """M1"""
    assert flow.resolution_options(closed) == (Resolution.PLACE_ORDER, Resolution.REFUND, Resolution.REOPEN)


def test_a_closed_payment_becomes_an_order_and_the_earlier_answer_is_kept(closed: Flag, late: Payment) -> None:
    """M1"""
    answer(closed, "place_order")

    flag, entry = newest_flag(), FlagEntry.objects.get()
    assert (flag.resolution, flag.actor, flag.note) == ("place_order", STAFF, "looked again")
    assert (entry.flag_id, entry.resolution, entry.actor, entry.note) == (flag.pk, "close", "99", "they do not answer")
    assert states_of(late) == ("fulfilled", "placed")
    assert flow.resolution_options(flag) == ()
    assert agrees()


def test_a_closed_payment_is_refunded(closed: Flag, late: Payment, khalti: Khalti) -> None:
    """M1"""
    answer(closed, "refund")

    assert (states_of(late)[0], len(khalti.refunded)) == ("refunded", 1)
    assert list(FlagEntry.objects.order_by("pk").values_list("resolution", flat=True)) == ["close", "reopened"]
    assert agrees()


def test_a_refund_of_a_closed_payment_that_khalti_refuses_leaves_its_flag_open(
    closed: Flag, late: Payment, khalti: Khalti
) -> None:
    """M1"""
    khalti.next_refund = [(400, {}, '{"detail": "Insufficient balance."}')]

    assert answer(closed, "refund").resolved_at is None

    assert (states_of(late)[0], agrees()) == ("paid", True)


def test_a_refund_above_the_limit_leaves_the_answer_as_it_was(closed: Flag, late: Payment, khalti: Khalti) -> None:
    """M32: the flag was open again, and had the reason of a refund that was not made."""
    limit(100_000)

    with pytest.raises(RefundLimitExceeded):
        answer(closed, "refund", enforce_limit=True)
    with pytest.raises(SelfDealing):
        flow.resolve_flag(closed, Resolution.REFUND, actor=str(late.purchase.member_id), reason="mine")

    assert (newest_flag().resolution, newest_flag().note) == ("close", "they do not answer")
    assert (FlagEntry.objects.count(), khalti.refunded) == (0, [])


def test_a_closed_flag_is_reopened_and_resolved_as_any_other(closed: Flag, late: Payment) -> None:
    """M1: who, when and what of every answer is kept."""
    answer(closed, "reopen")
    is_open = newest_flag().resolved_at is None and agrees()
    answer(newest_flag(), "place_order")

    assert is_open
    kept = FlagEntry.objects.order_by("pk").values_list("resolution", "actor", "note")
    assert list(kept) == [("close", "99", "they do not answer"), ("reopened", STAFF, "looked again")]
    assert states_of(late) == ("fulfilled", "placed")


def test_of_two_people_who_answer_again_the_second_is_refused(closed: Flag, late: Payment, shop: FakeShop) -> None:
    """M1: each has seen the same earlier answer."""
    answers = at_once(2, lambda _: answer(closed, "place_order"))

    assert sorted(type(each).__name__ for each in answers) == ["CannotResolve", "Flag"]
    assert (shop.confirmed, FlagEntry.objects.count()) == ([("order-1", 245_000)], 1)


def test_an_answer_to_an_open_flag_does_not_replace_one_that_its_actor_has_not_seen(late: Payment) -> None:
    """M1"""
    as_seen = newest_flag()
    flow.resolve_flag(newest_flag(), Resolution.CLOSE, actor="99", reason="they do not answer")

    with pytest.raises(CannotResolve, match="already resolved"):
        answer(as_seen, "refund")

    assert FlagEntry.objects.count() == 0


def test_a_payment_refunded_meanwhile_has_no_other_answer(closed: Flag, late: Payment) -> None:
    """M1"""
    flow.refund_payment(late, actor="1")

    with pytest.raises(CannotResolve):
        answer(closed, "place_order")

    assert agrees()


def test_an_order_that_the_shop_cannot_place_leaves_the_earlier_answer_as_it_is(
    closed: Flag, late: Payment, shop: FakeShop
) -> None:
    """M1"""
    shop.stock(pen=0)

    with pytest.raises(CannotResolve, match="sold out"):
        answer(closed, "place_order")

    assert (newest_flag().resolution, FlagEntry.objects.count()) == ("close", 0)
    assert flow.resolution_options(newest_flag())


def test_a_refund_that_staff_had_wrongly_called_not_made_is_recorded_after_all(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """M3: the silent refund of Rs 196, answered "not made"; Khalti has refunded it."""
    refund_order(paid, 50_000)
    partially_refunded(khalti, paid)
    khalti.next_refund = [SILENCE]
    silent = refund_order(paid, 20_000, key="second")
    flow.resolve_flag(newest_flag(), Resolution.REJECT_REFUND, actor="99", reason="not there")

    options = flow.resolution_options(newest_flag())
    answer(newest_flag(), "confirm_refund")

    silent.refresh_from_db()
    made = Refund.objects.order_by("-pk")[0]
    assert (options, silent.state) == ((Resolution.CONFIRM_REFUND,), "refused")
    assert (made.state, made.amount, made.subtotal, made.actor) == ("done", 19_600, 20_000, STAFF)
    paid.refresh_from_db()
    assert (paid.refunded, len(shop.refunded), len(khalti.refunded)) == (49_000 + 19_600, 2, 2)
    assert FlagEntry.objects.get().resolution == "reject_refund"
    assert agrees()


def test_a_refund_cannot_be_called_made_after_the_money_was_refunded_otherwise(paid: Payment, khalti: Khalti) -> None:
    """M3, I7: less is left than it was."""
    khalti.next_refund = [SILENCE]
    refund_order(paid, 250_000)
    partially_refunded(khalti, paid)
    flow.resolve_flag(newest_flag(), Resolution.REJECT_REFUND, actor="99", reason="not there")
    day = day_of(paid.created_at)
    flow.record_refund(paid, amount=Paisa(49_000), made_on=day, reason="there", actor=STAFF, key="form")
    flag = Flag.objects.select_related("payment__purchase").get(reason="refund_unknown")

    with pytest.raises(CannotRefund, match=r"Only Rs 1,960\.00 can be refunded"):
        answer(flag, "confirm_refund")

    assert agrees()


def test_a_mismatch_whose_flags_are_all_resolved_keeps_every_way_out(payment: Payment, khalti: Khalti) -> None:
    """M1, M2: rows that the version before has left."""
    khalti.pay(payment.pidx, transaction_id=None)
    flow.verify_payment(payment)
    Flag.objects.update(resolved_at=payment.created_at, resolution="release", actor="99", note="no such money")

    options = flow.resolution_options(newest_flag())
    answer(newest_flag(), "accept")

    ways_out = (Resolution.ACCEPT, Resolution.REFUND, Resolution.RECORD_UNPAID, Resolution.REOPEN)
    assert (options, states_of(payment)) == (ways_out, ("fulfilled", "placed"))
    assert agrees()


def test_staff_do_not_answer_the_flag_of_their_own_order_again(closed: Flag, late: Payment) -> None:
    """M1, M5: no one decides about their own order, not even to reopen its flag."""
    with pytest.raises(SelfDealing):
        flow.resolve_flag(closed, Resolution.REOPEN, actor=str(late.purchase.member_id), reason="mine")

    assert (newest_flag().resolution, FlagEntry.objects.count()) == ("close", 0)
