"""The receipt of an order, for its owner alone: what its page says, as JSON. Amounts are paisa."""

from datetime import date, datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import Field

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.token_pages import throttle

from .callers import Caller
from .problems import Kind, Problem
from .schemas import Amount, Method


class ReceiptLine(Schema):
    title: str
    options: str
    quantity: int
    amount: Amount = Field(description="Before offers and coupons, where the shop says so; paisa.")
    refunded: int = Field(description="How many of them are refunded.")


class Charge(Schema):
    title: str
    amount: Amount


class ReceivedMoney(Schema):
    day: date
    amount: Amount
    method: Method


class Refunded(Schema):
    at: datetime
    amount: Amount
    is_pending: bool = Field(description="Khalti has not confirmed it yet: it counts in no sum.")
    points_returned: int
    points_reversed: int


class Event(Schema):
    kind: Literal["placed", "paid", "received", "shipped", "delivered", "refunded", "cancelled"]
    day: date | None = Field(description="In Nepal; null for a step that comes next.")
    amount: Amount | None


class Transfer(Schema):
    bank_details: str
    reference: str
    amount: Amount
    deadline: date | None


class Pickup(Schema):
    place: str
    hours: str


class Receipt(Schema):
    """An order. products − discounts + delivery + surcharges = total; total − points_value = amount_due."""

    number: str
    state: Literal[
        "confirming", "to_pay", "part_paid", "paid", "partly_refunded", "refunded", "cancelled", "expired", "failed",
        "review",
    ]  # fmt: skip
    is_placed: bool
    placed_at: datetime | None
    status: str = Field(description="As the shop calls it, in the customer's language.")
    method: Method
    method_title: str
    transaction_id: str
    lines: list[ReceiptLine]
    products: Amount
    discounts: list[Charge]
    delivery: Charge
    surcharges: list[Charge]
    total: Amount
    points_used: int
    points_value: Amount
    amount_due: Amount
    received: list[ReceivedMoney]
    refunds: list[Refunded]
    left_to_pay: Amount
    not_charged: Amount
    points_earned: int
    points_reversed: int
    points_returned: int
    will_earn: bool
    timeline: list[Event]
    transfer: Transfer | None = Field(description="How to pay, while a bank transfer is awaited.")
    pickup: Pickup | None = Field(description="Where the customer collects the order.")


def show_receipt(caller: Caller, shop: str, reference: str) -> dict[str, Any]:
    """Return the receipt of an order of this caller. Raises ``Problem``, the same for another's as for none."""
    rows = Purchase.objects.filter(shop=shop, ref=reference).prefetch_related("payments")
    purchase = rows.first() if f"{shop}{reference}".isprintable() else None
    if purchase is None or not _owns(caller, purchase):
        if wait := throttle.seconds_to_wait(caller.request):
            raise Problem(Kind.THROTTLED, retry_after=wait)
        raise Problem(Kind.NOT_FOUND)
    return flow.receipt_json(flow.receipt(purchase))


def _owns(caller: Caller, purchase: Purchase) -> bool:
    if caller.member_id is not None and purchase.member_id == caller.member_id:
        return True
    return any(caller.owns(payment) for payment in purchase.payments.all())
