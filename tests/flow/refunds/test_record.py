"""Staff record refunds that were made in Khalti's dashboard."""

from datetime import date, timedelta
from typing import Any

import pytest
import requests
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund, InsideTransaction, RefundLimitExceeded
from loyalink_khalti.flow import Resolution, audit
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.testing import FakeShop
from tests.backoffice.payments.test_refund import limit
from tests.loyalty.conftest import check_ledger
from tests.purchases import Khalti, at_once, points, states_of

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


def today() -> date:
    return day_of(timezone.now())


def record(payment: Payment, amount: int, *, key: str = "form", **more: Any) -> Refund:
    fields: dict[str, Any] = {"made_on": today(), "reason": "as Khalti's dashboard shows", "actor": STAFF, "key": key}
    return flow.record_refund(payment, amount=Paisa(amount), **fields | more)


def refund_order(payment: Payment, subtotal: int, key: str = "click") -> Refund:
    return flow.refund_order(payment.purchase, subtotal=Paisa(subtotal), shipping=Paisa(0), key=key, actor="1")


def payment_again(payment: Payment) -> Payment:
    return Payment.objects.select_related("purchase").get(pk=payment.pk)


def newest_flag() -> Flag:
    return Flag.objects.select_related("payment__purchase").order_by("-pk")[0]


def partially_refunded(khalti: Khalti, payment: Payment) -> None:
    khalti.says(payment.pidx, "Partially Refunded", transaction_id=f"T-{payment.pidx}", refunded=True)


def agrees() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    check_ledger()
    return True


def test_a_second_partial_refund_in_the_dashboard_is_recorded_and_the_rest_can_be_refunded(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """M3: lookup says Partially Refunded before it and after it, so nothing else would ever find it."""
    refund_order(paid, 50_000)
    partially_refunded(khalti, paid)

    recorded = record(paid, 49_000)
    rest = flow.refund_order(paid.purchase, subtotal=Paisa(150_000), shipping=Paisa(0), key="rest", actor="1")

    assert (recorded.state, recorded.subtotal, recorded.actor) == ("done", 50_000, STAFF)
    assert recorded.note == "as Khalti's dashboard shows"
    assert (rest.state, rest.amount, len(khalti.refunded)) == ("done", 147_000, 2)
    assert shop.refunded == [("order-1", 49_000, 0), ("order-1", 49_000, 0), ("order-1", 147_000, 0)]
    assert (states_of(paid), points(account)) == (("refunded", "placed"), (1000, 0, 0))
    assert agrees()


def test_points_follow_recorded_refunds_cumulatively(paid: Payment, account: Account) -> None:
    """M3, I7: five parts are the whole."""
    for number in range(5):
        record(paid, 49_000, key=f"form {number}")

    assert (states_of(paid)[0], points(account)) == ("refunded", (1000, 0, 0))
    assert sum(Refund.objects.values_list("points_clawed_back", flat=True)) == 245
    assert agrees()


@pytest.mark.parametrize(
    ("amount", "shipping", "says"),
    [
        (0, 0, "more than 0"),
        (-100, 0, "more than 0"),
        (245_001, 0, "Only Rs 2,450.00 can be refunded"),
        (100, -1, "more than 0"),
        (100, 101, "more than the whole amount"),
        (100, 100, "left to refund of the delivery"),
    ],
)
def test_an_amount_that_cannot_be_is_refused(paid: Payment, amount: int, shipping: int, says: str) -> None:
    """M3: refunded is never more than captured."""
    with pytest.raises(CannotRefund, match=says):
        record(paid, amount, shipping=Paisa(shipping))

    assert (Refund.objects.count(), states_of(paid)[0]) == (0, "fulfilled")


@pytest.mark.parametrize(("days", "says"), [(1, "in the future"), (-1, "no refund was made before that")])
def test_a_day_that_cannot_be_is_refused(paid: Payment, days: int, says: str) -> None:
    """M3"""
    with pytest.raises(CannotRefund, match=says):
        record(paid, 100, made_on=today() + timedelta(days=days))

    assert Refund.objects.count() == 0


def test_a_refund_counts_on_the_day_on_which_it_was_made(paid: Payment) -> None:
    """M3: settlement by day compares with Khalti's statement."""
    long_ago = timezone.now() - timedelta(days=9)
    Payment.objects.update(created_at=long_ago, paid_at=long_ago)

    refund = record(paid, 49_000, made_on=today() - timedelta(days=3))

    assert refund.done_at is not None
    assert day_of(refund.done_at) == today() - timedelta(days=3)


def test_nothing_is_recorded_without_a_reason_or_inside_a_transaction(paid: Payment) -> None:
    """M3"""
    with pytest.raises(CannotRefund, match="Enter a reason"):
        record(paid, 100, reason="  ")
    with transaction.atomic(), pytest.raises(InsideTransaction):
        record(paid, 100)

    assert Refund.objects.count() == 0


def test_a_payment_that_brought_no_money_has_nothing_to_record(payment: Payment) -> None:
    """M3: it is not paid."""
    with pytest.raises(CannotRefund, match="captured no money"):
        record(payment, 100)


def test_one_form_sent_twenty_times_is_recorded_once(paid: Payment, shop: FakeShop) -> None:
    """M3"""
    answers = at_once(20, lambda _: record(paid, 49_000))

    assert {type(each) for each in answers} == {Refund}, answers
    assert (Refund.objects.count(), len(shop.refunded)) == (1, 1)
    with pytest.raises(CannotRefund, match="other amounts"):
        record(paid, 50_000)
    assert agrees()


def test_of_two_people_who_record_the_same_refund_the_second_is_asked_to_look_again(paid: Payment) -> None:
    """M3: two forms that were opened at the same time."""
    answers = at_once(2, lambda number: record(paid, 49_000, key=f"form {number}", seen_refund=0))

    assert sorted(type(each).__name__ for each in answers) == ["CannotRefund", "Refund"]
    assert Refund.objects.count() == 1


def test_records_that_exceed_what_was_captured_at_once_are_not_all_made(paid: Payment) -> None:
    """M3, I7"""
    at_once(8, lambda number: record(paid, 49_000, key=f"form {number}"))

    paid.refresh_from_db()
    assert (Refund.objects.count(), paid.refunded, paid.state) == (5, 245_000, "refunded")
    assert agrees()


def test_a_refund_of_ours_that_is_not_finished_is_answered_first(paid: Payment, khalti: Khalti) -> None:
    """M3: it may be the very one."""
    khalti.next_refund = [SILENCE]
    refund_order(paid, 50_000)

    with pytest.raises(CannotRefund, match="not finished yet"):
        record(paid, 49_000)


def test_the_limit_of_the_site_binds_who_records(paid: Payment) -> None:
    """M3"""
    limit(10_000)

    with pytest.raises(RefundLimitExceeded):
        record(paid, 49_000, enforce_limit=True)

    assert record(paid, 49_000).state == "done"


def test_the_answer_to_the_flag_is_recorded_with_the_amount(paid: Payment, khalti: Khalti) -> None:
    """M3: recorded on the payment's page, the first partial refund needs no other answer."""
    khalti.says(paid.pidx, "Partially refunded", transaction_id=f"T-{paid.pidx}", refunded=True)
    flow.refresh_payment(paid)

    record(paid, 49_000)

    flag = newest_flag()
    assert (flag.reason, flag.resolution, flag.actor) == ("refunded_at_khalti", "record_refund", STAFF)
    assert agrees()


def test_money_without_an_order_that_was_refunded_in_the_dashboard_is_recorded_and_released(late: Payment) -> None:
    """M1, M3: a part, and later the rest; no points move."""
    record(late, 45_000)
    after_a_part = states_of(late), flow.health().without_order.refundable

    record(late, 200_000, key="rest")

    assert after_a_part == (("partially_refunded", "released"), 200_000)
    assert (states_of(late), flow.health().without_order.payments) == (("refunded", "released"), 0)
    assert not Flag.objects.filter(resolved_at=None).exists()
    assert agrees()


def test_a_surplus_that_staff_accepted_is_recorded_beside_the_order(payment: Payment, khalti: Khalti) -> None:
    """M3: Khalti captured Rs 50 more than was due."""
    khalti.pay(payment.pidx, total_amount=250_000)
    flow.verify_payment(payment)
    flow.resolve_flag(newest_flag(), Resolution.ACCEPT, actor=STAFF, reason="a gift")

    record(payment, 250_000)

    assert sorted(Refund.objects.values_list("kind", "amount")) == [("order", 245_000), ("payment", 5_000)]
    assert states_of(payment) == ("refunded", "placed")
    assert agrees()


def test_all_that_khalti_captured_is_the_whole_order_where_staff_accepted_less(
    payment: Payment, khalti: Khalti, account: Account
) -> None:
    """M33: Khalti captured Rs 450 less than was due; no more can be refunded, so the points follow in full."""
    before = points(account)
    khalti.pay(payment.pidx, total_amount=200_000)
    flow.verify_payment(payment)
    flow.resolve_flag(newest_flag(), Resolution.ACCEPT, actor=STAFF, reason="a gift")
    payment.refresh_from_db()

    record(payment, 50_000, key="first")
    quote = flow.quote_recorded_refund(payment_again(payment), amount=Paisa(150_000), shipping=Paisa(0))
    assert quote is not None
    assert quote.points_restored == 500 - Refund.objects.get().points_restored
    record(payment, 150_000, key="rest")

    assert states_of(payment) == ("refunded", "placed")
    assert sum(Refund.objects.values_list("subtotal", flat=True)) == payment.purchase.frozen_cart.subtotal
    assert points(account) == (before[0] + before[1], 0, 0)
    assert agrees()


def test_a_guest_has_refunds_recorded_too(shop: FakeShop, khalti: Khalti) -> None:
    """M3: there is no account to lock."""
    User.objects.create(pk=int(STAFF), username="maya", email="maya@example.com")
    guest = flow.begin_payment(shop.freeze(shop.cart("order-9")))
    khalti.pay(guest.pidx)
    flow.verify_payment(guest)

    record(guest, 100_000)

    assert (states_of(guest)[0], agrees()) == ("partially_refunded", True)


def test_the_part_for_delivery_follows_the_delivery(shop: FakeShop, khalti: Khalti, member: str) -> None:
    """M3, M4: money for delivery, and the points that it earned or was paid with, follow its own refund."""
    cart = shop.cart("order-9", member_id=member, shipping=Paisa(15_000))
    payment = flow.begin_payment(shop.freeze(cart))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)

    refund = record(payment, 115_000, shipping=Paisa(15_000))

    assert (refund.subtotal, refund.shipping, refund.shipping_price, refund.amount) == (
        100_000, 15_000, 15_000, 115_000,
    )  # fmt: skip
    assert shop.refunded == [("order-9", 100_000, 15_000)]
    with pytest.raises(CannotRefund, match="left to refund of the delivery"):
        record(payment, 100, shipping=Paisa(100), key="again")
    assert agrees()
