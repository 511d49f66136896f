"""Orders as a list shows them: the conditions of the database say what ``state_of`` says of the rows."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.flow import ReceiptState, in_states, order_rows
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import PaymentState, PurchaseState
from loyalink_khalti.ports import PaymentMethod, ReleaseReason
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def every_kind(shop: FakeShop, khalti: Khalti) -> dict[str, Purchase]:
    """Purchases in every state, by what became of them."""

    def begin(ref: str) -> Payment:
        return flow.begin_payment(shop.freeze(shop.cart(ref)))

    def place(ref: str, method: PaymentMethod = PaymentMethod.COD) -> Purchase:
        return flow.place_order(shop.freeze(shop.cart(ref)), method=method)

    def paid(ref: str) -> Payment:
        payment = begin(ref)
        khalti.pay(payment.pidx)
        flow.verify_payment(payment)
        return payment

    def refund(purchase: Purchase, subtotal: int, shipping: int = 0) -> None:
        flow.refund_order(
            purchase, subtotal=Paisa(subtotal), shipping=Paisa(shipping), lines=(), restock=False,
            key=f"{purchase.ref}:r", actor="1",
        )  # fmt: skip

    waits, odd = begin("K1"), begin("K2")
    khalti.pay(odd.pidx, total_amount=1_000)
    flow.verify_payment(odd)
    for ref, status in (("K3", "Expired"), ("K4", "User canceled"), ("K5", "Failed")):
        payment = begin(ref)
        khalti.says(payment.pidx, status)
        flow.verify_payment(payment)
    whole, part = paid("K6").purchase, paid("K7").purchase
    cart = whole.frozen_cart
    refund(whole, cart.subtotal, cart.shipping)
    refund(part, 1_000)
    paid("K8")
    place("C1")
    some = place("C2")
    flow.record_received(some, amount=Paisa(100), received_on=day_of(some.created_at), key="k", actor="1")
    flow.mark_received(place("C3"), actor="1")
    refund(place("C4"), cart.subtotal, cart.shipping)
    returned = place("C5", PaymentMethod.BANK_TRANSFER)
    flow.mark_received(returned, actor="1")
    refund(returned, cart.subtotal, cart.shipping)
    again = begin("K9")
    Payment.objects.filter(pk=again.pk).update(
        state=PaymentState.RELEASED, release_reason=ReleaseReason.EXPIRED, released_at=again.created_at
    )
    Payment.objects.create(
        purchase=again.purchase, credentials=again.credentials, environment="test", attempt=2, amount=250_000,
        state=PaymentState.RELEASED, release_reason=ReleaseReason.CANCELLED_IN_SHOP,
    )  # fmt: skip
    Purchase.objects.filter(pk=again.purchase_id).update(state=PurchaseState.RELEASED)
    assert waits.purchase.state == PurchaseState.OPEN
    return {purchase.ref: purchase for purchase in Purchase.objects.order_by("pk")}


EXPECTED = {
    "K1": ReceiptState.CONFIRMING, "K2": ReceiptState.REVIEW, "K3": ReceiptState.EXPIRED, "K4": ReceiptState.CANCELLED,
    "K5": ReceiptState.FAILED, "K6": ReceiptState.REFUNDED, "K7": ReceiptState.PARTLY_REFUNDED,
    "K8": ReceiptState.PAID, "K9": ReceiptState.CANCELLED, "C1": ReceiptState.TO_PAY, "C2": ReceiptState.PART_PAID,
    "C3": ReceiptState.PAID, "C4": ReceiptState.CANCELLED, "C5": ReceiptState.REFUNDED,
}  # fmt: skip


def test_the_filter_by_state_finds_what_the_rows_say(every_kind: dict[str, Purchase]) -> None:
    """U2"""
    shown = {row.purchase.ref: row.state for row in order_rows(list(every_kind.values()))}
    found = {
        purchase.ref: state for state in ReceiptState for purchase in Purchase.objects.filter(in_states([state]))
    }  # fmt: skip
    number = sum(Purchase.objects.filter(in_states([state])).count() for state in ReceiptState)

    assert shown == EXPECTED
    assert found == EXPECTED
    assert number == len(EXPECTED)  # no order is in two states, and none is listed twice


def test_a_row_has_the_money_of_any_method(every_kind: dict[str, Purchase]) -> None:
    """U1"""
    rows = {row.purchase.ref: row for row in order_rows(list(every_kind.values()))}

    assert (rows["K8"].received, rows["C3"].received) == (
        rows["K8"].purchase.amount_due,
        rows["C3"].purchase.amount_due,
    )
    assert (rows["C2"].received, rows["C1"].received) == (100, 0)
    assert rows["K6"].refunded == rows["K6"].received
    assert rows["C5"].refunded == rows["C5"].received
    assert rows["K9"].payment is not None
    assert rows["K9"].payment.attempt == 2
