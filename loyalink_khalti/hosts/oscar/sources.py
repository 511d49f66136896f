"""What came in for an order and what went back, as Oscar's Source and Transaction rows.

Points have a Source of their own, so that staff see them beside the money; they are a discount, not money, and no sum
of money counts them.
"""

from decimal import Decimal
from typing import Any, cast

from django.db.models import F, QuerySet, Sum
from django.utils.text import slugify
from oscar.core.loading import get_model

from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.money import Paisa, grouped, rupees
from loyalink_khalti.ports import Method, Paid

from .options import CURRENCY, options
from .pricing import POINTS_CODE

_NAMES = {
    Method.KHALTI: "Khalti",
    Method.COD: "Cash on delivery",
    Method.BANK_TRANSFER: "Bank transfer",
    Method.POINTS: "Loyalty points",
}
"""Names of Oscar's payment source types; their codes are the slugs of these."""


def of_money() -> "QuerySet[Any]":
    """All sources but points."""
    return cast("QuerySet[Any]", get_model("payment", "Source").objects.exclude(source_type__code=POINTS_CODE))


def write(order: Any, paid: Paid) -> None:
    """Write how a newly placed order is paid: what has come, or what is still to come."""
    if paid.points:
        points = _open(order, Method.POINTS, rupees(paid.worth), label=f"{grouped(paid.points)} points")
        _move(points, "Debit", rupees(paid.worth))
    if paid.method is Method.POINTS:
        return
    source = _open(order, paid.method, order.total_incl_tax, reference=paid.transaction_id)
    if paid.amount:
        _debit(source, paid)


def receive(order: Any, paid: Paid) -> bool:
    """Write down that the money of an unpaid order has come; False where that was written before."""
    source = _locked(order).filter(amount_debited=0, amount_allocated__gt=0).first()
    if source is None:
        return False
    _debit(source, paid)
    return True


def waits(order: Any) -> bool:
    """Whether cash or a transfer is still to come for an order."""
    unpaid = of_money().filter(order=order, amount_debited=0, amount_allocated__gt=0)
    return order.status not in {options().cancelled, options().refunded} and unpaid.exists()


def refund(order: Any, amount: Paisa, *, key: str) -> bool:
    """Write down that ``amount`` paisa of cash went back; False where ``key`` was written before."""
    transactions = get_model("payment", "Transaction").objects
    if transactions.filter(source__order=order, txn_type="Refund", reference=key).exists():
        return False
    left = rupees(amount)
    found = list(_locked(order).filter(amount_debited__gt=F("amount_refunded")))
    if left > sum((source.amount_available_for_refund for source in found), Decimal(0)):
        raise ShopCannot("host_failed", f"order {order.number}: more would go back than came in")
    for source in found or list(_locked(order)[:1]) or list(order.sources.order_by("pk")[:1]):
        part = min(left, source.amount_available_for_refund)
        left -= part
        source.refund(part, reference=key)
        if not left:
            break
    return True


def return_points(order: Any, worth: Paisa) -> None:
    """Write down what the points that came back were worth, all of them so far."""
    for source in order.sources.select_for_update(of=("self",)).filter(source_type__code=POINTS_CODE):
        more = min(rupees(worth), source.amount_debited) - source.amount_refunded
        if more > 0:
            source.refund(more)


def has_come(order: Any) -> bool:
    """Whether what an order costs has come, in money or in points; not where some is awaited, or it cost nothing."""
    awaited = of_money().filter(order=order, amount_debited=0, amount_allocated__gt=0)
    return bool(order.sources.filter(amount_debited__gt=0).exists() and not awaited.exists())


def is_refunded(order: Any) -> bool:
    """Whether all that came in has gone back: money, and what points were worth."""
    sums = order.sources.aggregate(came=Sum("amount_debited"), went=Sum("amount_refunded"))
    return bool(sums["came"]) and sums["came"] == sums["went"]


def _locked(order: Any) -> "QuerySet[Any]":
    return of_money().select_for_update(of=("self",)).filter(order=order).order_by("pk")


def _debit(source: Any, paid: Paid) -> None:
    source.reference = paid.transaction_id or source.reference
    source.amount_debited = rupees(paid.amount)
    source.save(update_fields=["reference", "amount_debited"])
    _move(source, "Debit", rupees(paid.amount), reference=paid.transaction_id)


def _open(order: Any, method: Method, amount: Decimal, *, reference: str = "", label: str = "") -> Any:
    # By its code, which is unique: of two first orders at one moment each would make a type of that name.
    source_type, _created = get_model("payment", "SourceType").objects.get_or_create(
        code=slugify(_NAMES[method]), defaults={"name": _NAMES[method]}
    )
    source = get_model("payment", "Source").objects.create(
        order=order,
        source_type=source_type,
        currency=CURRENCY,
        amount_allocated=amount,
        amount_debited=amount if method is Method.POINTS else Decimal(0),
        reference=reference,
        label=label,
    )
    _move(source, "Authorise", amount, reference=reference)
    return source


def _move(source: Any, kind: str, amount: Decimal, *, reference: str = "") -> None:
    source.transactions.create(txn_type=kind, amount=amount, reference=reference, status="")
