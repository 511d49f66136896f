"""The receipt of an order after what can happen to its money: every state is told truly, and the figures sum."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.flow import Receipt, ReceiptState
from loyalink_khalti.flow.receipts.timeline import EventKind
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.ports import Line, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

from .test_breakdown import assert_sums

pytestmark = [pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

LINES = (
    Line(id="pen", sku="pen", title="Pen", quantity=2, unit=Paisa(50_000), total=Paisa(100_000)),
    Line(id="ink", sku="ink", title="Ink", quantity=1, unit=Paisa(50_000), total=Paisa(50_000)),
)


def bought(shop: FakeShop, khalti: Khalti, **changes: Any) -> Purchase:
    """Rs 1,500 of pens and ink, paid at Khalti."""
    payment = begun(shop, **changes)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    return Purchase.objects.get(pk=payment.purchase_id, state="placed")


def begun(shop: FakeShop, **changes: Any) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart(lines=LINES, subtotal=150_000, **changes)))


def placed(shop: FakeShop, method: PaymentMethod = PaymentMethod.BANK_TRANSFER, **changes: Any) -> Purchase:
    return flow.place_order(shop.freeze(shop.cart(lines=LINES, subtotal=150_000, **changes)), method=method)


def receive(purchase: Purchase, amount: int, key: str, day: date | None = None) -> None:
    day = day or day_of(timezone.now())
    flow.record_received(purchase, amount=Paisa(amount), received_on=day, reference="", key=key, actor="1")


def refund(purchase: Purchase, subtotal: int, key: str, **more: Any) -> Any:
    purchase.refresh_from_db()
    more = {"shipping": Paisa(0), **more}
    return flow.refund_order(purchase, subtotal=Paisa(subtotal), key=key, actor="1", **more)


def shown(purchase: Purchase) -> Receipt:
    """The receipt as it is now; its figures sum, whatever has happened."""
    found = flow.receipt(Purchase.objects.get(pk=purchase.pk))
    assert_sums(found.figures)
    return found


def kinds(receipt: Receipt) -> list[str]:
    return [event.kind.value if event.is_done else f"next: {event.kind}" for event in receipt.timeline]


def test_a_paid_order_shows_its_payment_and_its_points(shop: FakeShop, khalti: Khalti, member: str) -> None:
    purchase = bought(shop, khalti, member_id=member, points_redeemed=Points(500), shipping=10_000)

    receipt = shown(purchase)

    sums = receipt.figures
    assert (receipt.state, receipt.is_placed, receipt.transaction_id) == (ReceiptState.PAID, True, "T-pidx1")
    assert (sums.total, sums.points_used, sums.points_value, sums.due) == (160_000, 500, 5_000, 155_000)
    assert [(each.amount, each.reference) for each in sums.received] == [(155_000, "T-pidx1")]
    assert (sums.points_earned, receipt.will_earn) == (purchase.earned, False)
    assert purchase.earned
    assert kinds(receipt) == ["placed", "paid"]


def test_a_live_payment_is_to_pay_and_a_dead_one_is_not(shop: FakeShop, khalti: Khalti) -> None:
    """T10: dead payments said "To pay Rs 1,999.00"."""
    payment = begun(shop)
    assert (shown(payment.purchase).state, shown(payment.purchase).figures.left_to_pay) == ("confirming", 150_000)

    khalti.says(payment.pidx, "Expired")
    flow.verify_payment(Payment.objects.get())

    receipt = shown(payment.purchase)
    assert (receipt.state, receipt.is_placed) == (ReceiptState.EXPIRED, False)
    assert (receipt.figures.left_to_pay, receipt.figures.not_charged) == (0, 150_000)


def test_refunds_are_shown_by_date_and_amount_with_their_points(shop: FakeShop, khalti: Khalti, member: str) -> None:
    """T2: after a part the receipt said "Paid. Thank you!", after all "your order is placed"."""
    purchase = bought(shop, khalti, member_id=member, points_redeemed=Points(1_000))
    earned = purchase.earned

    refund(purchase, 50_000, "one", lines=[("ink", 1)])
    receipt = shown(purchase)
    assert receipt.state == ReceiptState.PARTLY_REFUNDED
    assert [(each.amount, each.points_restored) for each in receipt.figures.refunds] == [(46_667, 333)]
    assert [each.refunded for each in receipt.figures.lines] == [0, 1]
    assert 0 < receipt.figures.points_reversed < earned

    refund(purchase, 100_000, "two")
    receipt = shown(purchase)
    sums = receipt.figures
    assert (receipt.state, sums.refunded_total, sums.kept) == (ReceiptState.REFUNDED, 140_000, 0)
    assert (sums.points_returned, sums.points_kept) == (1_000, 0)
    assert kinds(receipt) == ["placed", "paid", "refunded", "refunded"]


def test_a_refund_that_was_not_made_leaves_no_trace(shop: FakeShop, khalti: Khalti) -> None:
    purchase = bought(shop, khalti)
    payment = Payment.objects.get()
    today = day_of(timezone.now())
    recorded = flow.record_refund(
        payment, amount=Paisa(40_000), made_on=today, reason="dashboard", actor="1", key="outside"
    )
    assert shown(purchase).state == ReceiptState.PARTLY_REFUNDED
    assert [(each.amount, day_of(each.at)) for each in shown(purchase).figures.refunds] == [(40_000, today)]

    flow.reverse_refund(recorded, actor="1", reason="a mistake")

    receipt = shown(purchase)
    assert (receipt.state, receipt.figures.refunds, receipt.figures.kept) == (ReceiptState.PAID, (), 150_000)


def test_a_refund_that_khalti_has_not_answered_is_on_its_way(shop: FakeShop, khalti: Khalti) -> None:
    purchase = bought(shop, khalti)
    khalti.next_refund = [TimeoutError()]

    refund(purchase, 50_000, "one")

    receipt = shown(purchase)
    assert [(each.amount, each.is_pending) for each in receipt.figures.refunds] == [(50_000, True)]
    assert (receipt.state, receipt.figures.refunded_total) == (ReceiptState.PAID, 0)


def test_a_transfer_that_comes_in_parts_is_left_to_pay_until_it_is_all(shop: FakeShop, settings: Any) -> None:
    purchase = placed(shop)
    today = day_of(timezone.now())
    assert kinds(shown(purchase)) == ["placed", "next: paid"]

    receive(purchase, 60_000, "one", today)
    receipt = shown(purchase)
    assert (receipt.state, receipt.figures.left_to_pay) == (ReceiptState.PART_PAID, 90_000)
    assert receipt.transfer is not None
    assert (receipt.transfer.amount, receipt.transfer.reference) == (90_000, purchase.number)

    receive(purchase, 100_000, "two", today)
    receipt = shown(purchase)
    assert (receipt.state, receipt.figures.surplus, receipt.transfer) == (ReceiptState.PAID, 10_000, None)
    assert [(each.amount, each.day) for each in receipt.figures.received] == [(60_000, today), (100_000, today)]
    assert kinds(receipt) == ["placed", "paid", "received"]

    purchase.refresh_from_db()
    flow.refund_surplus(purchase, amount=Paisa(10_000), key="back", actor="1")
    receipt = shown(purchase)
    assert (receipt.state, receipt.figures.surplus, receipt.figures.kept) == (ReceiptState.PAID, 0, 150_000)


def test_an_entry_that_was_reversed_is_not_shown(shop: FakeShop) -> None:
    purchase = placed(shop)
    receive(purchase, 60_000, "one")

    flow.reverse_received(ReceivedMoney.objects.get(), reason="another order's", key="two", actor="1")

    receipt = shown(purchase)
    assert (receipt.state, receipt.figures.received, receipt.figures.left_to_pay) == ("to_pay", (), 150_000)


def test_a_cancelled_order_is_not_to_pay(shop: FakeShop, member: str) -> None:
    purchase = placed(shop, PaymentMethod.COD, member_id=member, points_redeemed=Points(500))
    assert (shown(purchase).state, shown(purchase).is_cash, shown(purchase).will_earn) == ("to_pay", True, True)

    refund(purchase, 150_000, "cancel", cancels=True)

    receipt = shown(purchase)
    assert (receipt.state, receipt.figures.left_to_pay) == (ReceiptState.CANCELLED, 0)
    assert (receipt.figures.points_returned, receipt.will_earn) == (500, False)
    assert kinds(receipt) == ["placed", "cancelled"]


def test_an_order_that_points_paid_has_nothing_to_pay(shop: FakeShop, member: str) -> None:
    purchase = flow.place_order(
        shop.freeze(shop.cart(subtotal=10_000, member_id=member, points_redeemed=Points(1_000))),
        method=PaymentMethod.POINTS,
    )

    receipt = shown(purchase)

    assert (receipt.state, receipt.figures.due, receipt.method_title) == (ReceiptState.PAID, 0, "")


def test_money_without_an_order_is_under_review_and_then_refunded(shop: FakeShop, khalti: Khalti) -> None:
    payment = begun(shop)
    khalti.says(payment.pidx, "Completed", transaction_id="T-1", fee=30, total_amount=140_000)
    flow.verify_payment(payment)
    assert (shown(payment.purchase).state, shown(payment.purchase).figures.left_to_pay) == ("review", 0)

    flow.refund_payment(Payment.objects.get(), actor="1")

    receipt = shown(payment.purchase)
    assert (receipt.state, receipt.is_placed, receipt.figures.kept) == (ReceiptState.REFUNDED, False, 0)


def test_a_list_of_receipts_costs_as_much_as_one(
    shop: FakeShop, khalti: Khalti, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        bought(shop, khalti, ref=f"order-{number}")
    purchases = list(Purchase.objects.order_by("pk"))
    flow.receipt(purchases[0])  # the shop's details are read once

    with django_assert_num_queries(2):
        found = flow.receipts(purchases)

    assert [each.number for each in found] == [purchase.number for purchase in purchases]


def test_what_the_shop_knows_of_the_course_and_of_pickup_is_shown(shop: FakeShop, khalti: Khalti) -> None:
    purchase = bought(shop, khalti)
    facts = flow.OrderFacts(is_pickup=True, delivery="Pick up in Asan", tracks_shipping=True, tracks_delivery=True)
    shop.knows(purchase.ref, facts)

    receipt = shown(purchase)
    assert kinds(receipt) == ["placed", "paid", "next: shipped", "next: delivered"]
    assert receipt.pickup is not None

    shipped = timezone.now() + timedelta(days=1)
    shop.knows(purchase.ref, flow.OrderFacts(tracks_shipping=True, tracks_delivery=True, shipped_at=shipped))
    receipt = shown(purchase)
    assert kinds(receipt) == ["placed", "paid", "shipped", "next: delivered"]
    assert receipt.timeline[2].kind is EventKind.SHIPPED
