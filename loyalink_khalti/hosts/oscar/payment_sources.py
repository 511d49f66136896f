"""What was received for an order and what was refunded, as Oscar's Source and Transaction rows.

Points have a Source of their own, so that staff see them beside the money. They are a discount, and no sum of money
counts them.
"""

from collections.abc import Collection
from decimal import Decimal
from typing import Any, cast

from django.db.models import F, QuerySet, Sum
from django.utils.text import slugify
from oscar.core.loading import get_model

from loyalink_khalti import nepal
from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.money import Paisa, rupees
from loyalink_khalti.ports import Paid, PaymentMethod

from .pricing import POINTS_CODE
from .settings import CURRENCY, options

_SOURCE_TYPES = {
    PaymentMethod.KHALTI: "Khalti",
    PaymentMethod.COD: "Cash on delivery",
    PaymentMethod.BANK_TRANSFER: "Bank transfer",
    PaymentMethod.POINTS: "Loyalty points",
}
"""Names of Oscar's payment source types; their codes are the slugs of these."""
_REVERSED = "Refund reversed"
"""The type of a transaction that takes a refund back."""

TEST_MODE = "Test mode: no money"
"""The label of a source, and the status of its transaction, of a payment in Khalti's test environment."""


def of_money() -> "QuerySet[Any]":
    """Return all sources but those of points."""
    return cast("QuerySet[Any]", get_model("payment", "Source").objects.exclude(source_type__code=POINTS_CODE))


def record(order: Any, paid: Paid) -> None:
    """Record how a newly placed order is paid: what was received, or what is awaited."""
    by_money = {paid.method} - {PaymentMethod.POINTS}
    types = _source_types(by_money | {PaymentMethod.POINTS} if paid.points else by_money)
    if paid.points:
        value = rupees(paid.points_value)
        label = f"{nepal.group_digits(paid.points)} points"
        points = _create(order, types[PaymentMethod.POINTS], value, debited=value, label=label)
        _add_transaction(points, "Debit", value)
    if not by_money:
        return
    total, received, reference = order.total_incl_tax, rupees(paid.amount), paid.transaction_id
    note = TEST_MODE if paid.is_test else ""
    source = _create(order, types[paid.method], total, debited=received, reference=reference, label=note)
    if paid.amount:
        _add_transaction(source, "Debit", received, reference=reference, status=note)


def set_received(order: Any, received: Paisa) -> bool:
    """Record what was received so far, in paisa, for an order that was placed unpaid; return whether that changes."""
    source = _locked(order).filter(amount_allocated__gt=0).first()
    if source is None or source.amount_debited == rupees(received):
        return False
    change = rupees(received) - source.amount_debited
    source.amount_debited = rupees(received)
    source.save(update_fields=["amount_debited"])
    _add_transaction(source, "Debit" if change > 0 else "Correction", abs(change))
    return True


def record_again(order: Any, paid: Paid) -> None:
    """Record that an order is paid that was cancelled before, with the points that it uses once more."""
    sources = order.sources.select_for_update(of=("self",)).order_by("pk")
    for source in sources:
        value = rupees(paid.points_value if source.source_type.code == POINTS_CODE else paid.amount)
        source.amount_debited, source.amount_refunded = value, Decimal(0)
        source.save(update_fields=["amount_debited", "amount_refunded"])
        _add_transaction(source, "Debit", value)


def is_awaited(order: Any) -> bool:
    """Return whether cash or a bank transfer has yet to arrive for an order."""
    return order.status not in {options().cancelled, options().refunded} and _awaited(order).exists()


def record_refund(order: Any, amount: Paisa, *, key: str) -> bool:
    """Record a refund of ``amount`` paisa. Return False if ``key`` was recorded before.

    Raises ``ShopCannot("host_failed")`` for more than was received.
    """
    transactions = get_model("payment", "Transaction").objects
    if transactions.filter(source__order=order, txn_type="Refund", reference=key).exists():
        return False
    left = rupees(amount)
    refundable = list(_locked(order).filter(amount_debited__gt=F("amount_refunded")))
    if left > sum((source.amount_available_for_refund for source in refundable), Decimal(0)):
        raise ShopCannot("host_failed", f"order {order.number}: the refund exceeds the amount received")
    # A refund of 0 is recorded on any source, so that its key is found.
    for source in refundable or list(_locked(order)[:1]) or list(order.sources.order_by("pk")[:1]):
        part = min(left, source.amount_available_for_refund)
        left -= part
        source.refund(part, reference=key)
        if not left:
            break
    return True


def record_points_returned(order: Any, points_value: Paisa) -> None:
    """Record the value of all points that were returned for an order so far; less after a reversal."""
    for source in order.sources.select_for_update(of=("self",)).filter(source_type__code=POINTS_CODE):
        more = min(rupees(points_value), source.amount_debited) - source.amount_refunded
        if more > 0:
            source.refund(more)
        elif more < 0:
            _take_back(source, -more)


def reverse_refund(order: Any, *, key: str) -> bool:
    """Take back the record of a refund that was not made. Return False if there is none, or that was done before."""
    transactions = get_model("payment", "Transaction").objects.filter(source__order=order, reference=key)
    if transactions.filter(txn_type=_REVERSED).exists():
        return False
    amounts: dict[int, Decimal] = dict(transactions.filter(txn_type="Refund").values_list("source", "amount"))
    for source in order.sources.select_for_update(of=("self",)).filter(pk__in=amounts).order_by("pk"):
        _take_back(source, amounts[source.pk], reference=key)
    return bool(amounts)


def _take_back(source: Any, amount: Decimal, *, reference: str = "") -> None:
    source.amount_refunded -= amount
    source.save(update_fields=["amount_refunded"])
    _add_transaction(source, _REVERSED, amount, reference=reference)


def is_paid(order: Any) -> bool:
    """Return whether an order is paid, in money or points; False while a part is awaited, or if it cost nothing."""
    return bool(order.sources.filter(amount_debited__gt=0).exists() and not _awaited(order).exists())


def is_refunded(order: Any) -> bool:
    """Return whether all that was received is refunded: money, and the value of points."""
    sums = order.sources.aggregate(debited=Sum("amount_debited"), refunded=Sum("amount_refunded"))
    return bool(sums["debited"]) and sums["debited"] == sums["refunded"]


def _awaited(order: Any) -> "QuerySet[Any]":
    return of_money().filter(order=order, amount_debited__lt=F("amount_allocated"))


def _locked(order: Any) -> "QuerySet[Any]":
    return of_money().select_for_update(of=("self",)).filter(order=order).order_by("pk")


def _source_types(methods: Collection[PaymentMethod]) -> dict[PaymentMethod, Any]:
    """Return Oscar's source types of payment methods; a first order creates them."""
    if not methods:
        return {}
    SourceType = get_model("payment", "SourceType")
    codes = {method: slugify(_SOURCE_TYPES[method]) for method in methods}
    found = SourceType.objects.in_bulk(codes.values(), field_name="code")
    # By its code, which is unique: two first orders at the same moment would each create a type of that name.
    return {
        method: found.get(code)
        or SourceType.objects.get_or_create(code=code, defaults={"name": _SOURCE_TYPES[method]})[0]
        for method, code in codes.items()
    }


def _create(
    order: Any, source_type: Any, amount: Decimal, *, debited: Decimal, reference: str = "", label: str = ""
) -> Any:
    source = get_model("payment", "Source").objects.create(
        order=order,
        source_type=source_type,
        currency=CURRENCY,
        amount_allocated=amount,
        amount_debited=debited,
        reference=reference,
        label=label,
    )
    _add_transaction(source, "Authorise", amount, reference=reference)
    return source


def _add_transaction(source: Any, kind: str, amount: Decimal, *, reference: str = "", status: str = "") -> None:
    source.transactions.create(txn_type=kind, amount=amount, reference=reference, status=status)
