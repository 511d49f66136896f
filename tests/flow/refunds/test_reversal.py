"""A refund that was recorded and not made is taken back by another row; order and points follow cumulatively."""

from typing import Any

import pytest
import requests
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import (
    CannotRefund,
    CannotResolve,
    InsideTransaction,
    RefundLimitExceeded,
    SelfDealing,
    ShopCannot,
)
from loyalink_khalti.flow import Resolution, audit
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.flag_entries import FlagEntry
from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.payments.refunds import newest_pk
from loyalink_khalti.testing import FakeShop
from tests.flow.refunds.test_limits import another, day_limit
from tests.loyalty.conftest import check_ledger
from tests.purchases import Khalti, at_once, points, states_of

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True), pytest.mark.sampled]

STAFF = "31"
SILENCE = requests.ReadTimeout("silence")
__all__ = ["day_limit"]


@pytest.fixture
def paid(payment: Payment, khalti: Khalti) -> Payment:
    """Rs 2,500 of products, Rs 2,450 of it paid at Khalti and Rs 50 by 500 points; 245 points were earned."""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    payment.refresh_from_db()
    return payment


def record(payment: Payment, amount: int, *, key: str = "form", **more: Any) -> Refund:
    fields: dict[str, Any] = {"made_on": day_of(timezone.now()), "reason": "there", "actor": STAFF, "key": key} | more
    return flow.record_refund(payment, amount=Paisa(amount), **fields)


def take_back(refund: Refund, **more: Any) -> Refund:
    return flow.reverse_refund(refund, actor=STAFF, reason="it is not there", **more)


def answer(flag: Flag, resolution: str) -> Flag:
    return flow.resolve_flag(flag, Resolution(resolution), actor=STAFF, reason="looked again")


def newest_flag() -> Flag:
    return Flag.objects.select_related("payment__purchase").order_by("-pk")[0]


def refund_order(payment: Payment, subtotal: int, key: str = "click") -> Refund:
    return flow.refund_order(payment.purchase, subtotal=Paisa(subtotal), shipping=Paisa(0), key=key, actor="1")


def agrees() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    check_ledger()
    return True


def test_a_wrong_record_is_taken_back_by_a_row_and_the_books_are_as_before(
    paid: Payment, shop: FakeShop, account: Account
) -> None:
    """M3: nothing is deleted."""
    before = points(account), states_of(paid)
    wrong = record(paid, 98_000)

    row = take_back(wrong)

    paid.refresh_from_db()
    assert (row.amount, row.subtotal, row.reverses_id, row.actor, row.note) == (
        -98_000, -100_000, wrong.pk, STAFF, "it is not there",
    )  # fmt: skip
    assert (row.points_restored, row.points_clawed_back) == (-200, -98)
    assert (points(account), states_of(paid), paid.refunded) == (*before, 0)
    assert (shop.get_order("order-1").refunded, Refund.objects.count()) == (0, 2)
    assert agrees()


def test_points_are_recomputed_cumulatively_whichever_refund_is_taken_back(paid: Payment, account: Account) -> None:
    """M3: the first of three is taken back, and the rest is refunded: the whole is the whole."""
    first = record(paid, 33_333, key="1")
    record(paid, 33_333, key="2")
    record(paid, 33_334, key="3")
    take_back(first)
    assert agrees()

    rest = flow.refund_order(
        paid.purchase, subtotal=Paisa(250_000 - sum(Refund.objects.values_list("subtotal", flat=True))),
        shipping=Paisa(0), key="rest", actor="1",
    )  # fmt: skip

    assert rest.state == "done"
    assert (states_of(paid), points(account)) == (("refunded", "placed"), (1000, 0, 0))
    assert agrees()


def test_points_that_were_used_meanwhile_are_owed(paid: Payment, account: Account, member: str) -> None:
    """M3: 500 points came back by mistake, and the member has used them."""
    wrong = record(paid, 245_000)
    ledger.adjust(site_key="default", member_id=member, points=-1000, key="used", reason="other")

    take_back(wrong)

    account.refresh_from_db()
    assert (account.available, account.owed, account.lifetime_redeemed) == (0, 255, 500)  # 245 earned again - 500
    assert states_of(paid) == ("fulfilled", "placed")
    assert agrees()


def test_a_refund_called_made_by_mistake_is_answered_again_and_can_be_made(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """M3: the answer "made" to a silent refund is corrected, and the refund is sent."""
    khalti.next_refund = [SILENCE]
    silent = refund_order(paid, 100_000)
    khalti.next_lookup = [SILENCE]
    flow.resolve_flag(newest_flag(), Resolution.CONFIRM_REFUND, actor="99", reason="I thought so")
    assert flow.resolution_options(newest_flag()) == (Resolution.REJECT_REFUND,)

    answer(newest_flag(), "reject_refund")
    again = refund_order(paid, 100_000, key="again")

    silent.refresh_from_db()
    assert (silent.state, silent.reversal.amount, again.state) == ("done", -98_000, "done")
    assert FlagEntry.objects.get().resolution == "confirm_refund"
    paid.refresh_from_db()
    assert (paid.refunded, shop.get_order("order-1").refunded, points(account)[0]) == (98_000, 98_000, 847)
    assert agrees()


def test_an_answer_can_be_corrected_again_and_again(paid: Payment, khalti: Khalti, account: Account) -> None:
    """M3: made, not made, made."""
    khalti.next_refund = [SILENCE]
    refund_order(paid, 100_000)
    khalti.says(paid.pidx, "Partially Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)
    flow.resolve_flag(newest_flag(), Resolution.REJECT_REFUND, actor="99", reason="not there")
    flag = Flag.objects.select_related("payment__purchase").get(reason="refund_unknown")
    for resolution in ("confirm_refund", "reject_refund", "confirm_refund"):
        answer(flag, resolution)
        flag = Flag.objects.select_related("payment__purchase").get(pk=flag.pk)

    paid.refresh_from_db()
    assert (paid.refunded, points(account)[0]) == (98_000, 847)
    assert [entry.resolution for entry in FlagEntry.objects.order_by("pk")] == [
        "reject_refund", "confirm_refund", "reject_refund",
    ]  # fmt: skip
    assert agrees()


def test_what_khalti_has_confirmed_cannot_be_taken_back(paid: Payment) -> None:
    """M3"""
    with pytest.raises(CannotRefund, match="Khalti has confirmed"):
        take_back(refund_order(paid, 100_000))

    assert agrees()


def test_a_refund_cannot_be_taken_back_while_khalti_reports_all_as_refunded(paid: Payment, khalti: Khalti) -> None:
    """M3: also where Khalti is silent now."""
    record(paid, 49_000)
    khalti.says(paid.pidx, "Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)
    for _result in flow.reconcile():
        pass

    for lookup in ([], [SILENCE]):
        khalti.next_lookup = list(lookup)
        with pytest.raises(CannotRefund, match="all of this payment is refunded"):
            take_back(Refund.objects.order_by("pk")[0])

    assert states_of(paid)[0] == "refunded"


def test_a_refund_is_taken_back_once_by_twenty_clicks(paid: Payment, shop: FakeShop) -> None:
    """M3"""
    wrong = record(paid, 49_000)

    rows = at_once(20, lambda _: take_back(wrong))

    assert len({row.pk for row in rows if isinstance(row, Refund)}) == 1, rows
    assert Refund.objects.count() == 2
    assert agrees()


def test_a_reversal_and_a_refund_at_once_agree(paid: Payment, khalti: Khalti) -> None:
    """M3, I7: refunded is never more than captured."""
    wrong = record(paid, 200_000)

    at_once(4, lambda number: take_back(wrong) if number % 2 else record(paid, 45_000, key=f"form {number}"))

    paid.refresh_from_db()
    assert paid.refunded == sum(Refund.objects.values_list("amount", flat=True))
    assert agrees()


def test_a_reversal_asks_for_a_reason_no_transaction_and_what_its_actor_has_seen(paid: Payment) -> None:
    """M3"""
    wrong = record(paid, 49_000)
    with pytest.raises(CannotRefund, match="Enter a reason"):
        flow.reverse_refund(wrong, actor=STAFF, reason=" ")
    with transaction.atomic(), pytest.raises(InsideTransaction):
        take_back(wrong)
    with pytest.raises(CannotRefund, match="in the meantime"):
        take_back(wrong, seen_refund=newest_pk(paid.purchase) - 1)

    assert Refund.objects.count() == 1


def test_a_shop_that_fails_changes_nothing(paid: Payment, shop: FakeShop, account: Account) -> None:
    """M3"""
    wrong = record(paid, 49_000)
    before = points(account)
    shop.fail("reverse_refund", ShopCannot("host_failed", "the order is locked"))

    with pytest.raises(CannotRefund, match="the order is locked"):
        take_back(wrong)

    assert (points(account), Refund.objects.count()) == (before, 1)
    assert agrees()


def test_money_without_an_order_is_reviewed_again_after_its_record_was_taken_back(
    payment: Payment, khalti: Khalti
) -> None:
    """M1, M3: it is refunded for real then."""
    flow.cancel_payment(payment, customer_present=False)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)
    wrong = record(payment, 245_000)
    assert states_of(payment)[0] == "refunded"

    take_back(wrong)

    assert (states_of(payment), newest_flag().reason) == (("paid", "released"), "money_without_order")
    assert agrees()
    answer(newest_flag(), "refund")
    assert (states_of(payment)[0], len(khalti.refunded)) == ("refunded", 1)
    assert agrees()


def test_a_partial_refund_that_khalti_reports_is_asked_for_again(paid: Payment, khalti: Khalti) -> None:
    """M3, I18: its amount was typed wrongly."""
    khalti.says(paid.pidx, "Partially Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)
    flow.refresh_payment(paid)
    wrong = record(paid, 98_000)

    take_back(wrong)

    assert (newest_flag().reason, newest_flag().resolved_at) == ("refunded_at_khalti", None)
    assert agrees()
    flow.resolve_flag(
        newest_flag(), Resolution.RECORD_REFUND, actor=STAFF, reason="one nought less", amount=Paisa(9_800)
    )  # fmt: skip
    paid.refresh_from_db()
    assert (paid.refunded, agrees()) == (9_800, True)


def test_a_full_refund_that_khalti_reports_later_is_applied_after_a_reversal(paid: Payment, khalti: Khalti) -> None:
    """M3: once more, under a key of its own."""
    take_back(record(paid, 98_000))
    khalti.says(paid.pidx, "Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)

    for _result in flow.reconcile():
        pass

    assert (states_of(paid)[0], agrees()) == ("refunded", True)


def test_an_answer_about_a_refund_that_was_never_unanswered_is_refused(paid: Payment, khalti: Khalti) -> None:
    """M3"""
    khalti.says(paid.pidx, "Partially Refunded", transaction_id=f"T-{paid.pidx}", refunded=True)
    flow.refresh_payment(paid)

    with pytest.raises(CannotResolve):
        answer(newest_flag(), "reject_refund")


def test_taking_a_colleagues_record_back_does_not_raise_ones_own_limit(
    paid: Payment, shop: FakeShop, khalti: Khalti, day_limit: None
) -> None:
    """M29: the row that takes it back has a negative amount."""
    User.objects.create_user("clerk", pk=int(STAFF))
    take_back(record(paid, 98_000, actor="32"))

    other = another(shop, khalti)
    with pytest.raises(RefundLimitExceeded, match=r"up to Rs 1,000\.00 of all orders"):
        record(other, 150_000, key="mine", enforce_limit=True)

    assert record(other, 100_000, key="mine", enforce_limit=True).amount == 100_000


def test_staff_do_not_take_a_refund_of_their_own_order_back(paid: Payment) -> None:
    """M3, M5: nor record one."""
    own = str(paid.purchase.member_id)
    wrong = record(paid, 49_000)

    with pytest.raises(SelfDealing):
        flow.reverse_refund(wrong, actor=own, reason="mine")
    with pytest.raises(SelfDealing):
        record(paid, 49_000, key="own", actor=own)

    assert Refund.objects.count() == 1
