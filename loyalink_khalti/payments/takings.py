"""Takings: what came in and went out on each day in Nepal, by the way in which it was paid. Amounts are paisa.

Khalti's figures are those of ``reports.settlement``, cash and transfers those of ``received``, and the counter's are
beside them. What points paid is no money and stands apart. The database sums; seven statements for any period.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db import models
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import KATHMANDU, midnight, midnight_after
from loyalink_khalti.ports import PaymentMethod

from . import reports
from .counter_sales import CounterRefund, CounterSale
from .models import Payment, Purchase, Refund
from .received import ReceivedMoney
from .states import CAPTURED, PurchaseState, RefundState


class TakingsMethod(models.TextChoices):
    """The way in which money came in, online or at the counter."""

    KHALTI = "khalti", _("Khalti")
    COD = "cod", _("Cash on delivery")
    BANK_TRANSFER = "bank_transfer", _("Bank transfer")
    OTHER = "other", _("Other orders")
    COUNTER_CASH = "counter_cash", _("Counter: cash")
    COUNTER_KHALTI = "counter_khalti_app", _("Counter: Khalti app or QR code")
    COUNTER_CARD = "counter_card", _("Counter: card")
    COUNTER_TRANSFER = "counter_bank_transfer", _("Counter: bank transfer")
    COUNTER_OTHER = "counter_other", _("Counter: other")


CASH = frozenset({TakingsMethod.COD, TakingsMethod.COUNTER_CASH})
"""What lies in the drawer."""
AT_THE_BANK = frozenset(
    {TakingsMethod.KHALTI, TakingsMethod.BANK_TRANSFER, TakingsMethod.COUNTER_CARD, TakingsMethod.COUNTER_TRANSFER}
)
"""What Khalti, customers and the card's bank pay into an account."""
_ORDER = {method: index for index, method in enumerate(TakingsMethod)}
_OF_PURCHASE = {
    PaymentMethod.COD: TakingsMethod.COD,
    PaymentMethod.BANK_TRANSFER: TakingsMethod.BANK_TRANSFER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What came in and went out by one method on one day; ``day`` or ``method`` is None in a sum over several."""

    day: date | None
    method: TakingsMethod | None
    received: Paisa = Paisa(0)
    """Captured by Khalti, or received less corrections."""
    fees: Paisa = Paisa(0)
    """Kept by Khalti, as far as it has reported them."""
    refunded: Paisa = Paisa(0)

    @property
    def net(self) -> Paisa:
        return Paisa(self.received - self.fees - self.refunded)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOrders:
    """The orders that were placed in some days, counter sales among them, and what points paid of them."""

    orders: int = 0
    points_value: Paisa = Paisa(0)


def takings(
    *,
    since: date,
    until: date,
    site_key: str | None = None,
    environment: str | None = None,
    with_received: bool = True,
) -> list[Taking]:
    """Return a row for each day and method with money, ``since`` and ``until`` included, the newest day first.

    ``with_received`` includes all that belongs to no environment of Khalti's. Six statements.
    """
    found: dict[tuple[date, TakingsMethod], Taking] = {}

    def add(day: date, method: TakingsMethod, *, received: int, refunded: int, fees: int = 0) -> None:
        row = found.get((day, method), Taking(day=day, method=method))
        found[day, method] = replace(
            row,
            received=Paisa(row.received + received),
            fees=Paisa(row.fees + fees),
            refunded=Paisa(row.refunded + refunded),
        )

    for settled in reports.settlement(
        since=since, until=until, site_key=site_key, environment=environment, with_received=False
    ):
        assert settled.day is not None, "a day of the settlement"
        add(
            settled.day,
            TakingsMethod.KHALTI,
            received=settled.captured,
            fees=settled.fees,
            refunded=settled.refunded,
        )
    if with_received:
        for day, method, received, refunded in _outside_khalti(since, until, site_key):
            add(day, method, received=received, refunded=refunded)
    moved = [row for row in found.values() if row.received or row.fees or row.refunded]
    return sorted(moved, key=lambda row: (-(row.day or since).toordinal(), _ORDER[row.method or TakingsMethod.OTHER]))


def _outside_khalti(
    since: date, until: date, site_key: str | None
) -> Iterator[tuple[date, TakingsMethod, int, int]]:  # fmt: skip
    """Yield day, method, received and refunded."""
    received = _of_site(ReceivedMoney.objects.filter(received_on__range=(since, until)), "purchase__", site_key)
    for day, name, amount in (
        received.order_by().values_list("received_on", "purchase__method").annotate(Sum("amount"))
    ):
        yield day, _of_purchase(name), amount, 0
    by_hand = Refund.objects.filter(
        _during("done_at", since, until), payment=None, state=RefundState.DONE, amount__gt=0
    )
    rows = _by_day(_of_site(by_hand, "purchase__", site_key), "done_at", "purchase__method")
    for day, name, amount in rows.annotate(Sum("amount")):
        yield day, _of_purchase(name), 0, amount
    sales = _of_site(CounterSale.objects.filter(_during("sold_at", since, until)), "", site_key)
    for day, name, amount in _by_day(sales, "sold_at", "method").annotate(money=Sum(F("amount") - F("points_value"))):
        yield day, TakingsMethod(f"counter_{name}"), amount, 0
    back = _of_site(CounterRefund.objects.filter(_during("refunded_at", since, until)), "sale__", site_key)
    for day, name, amount in _by_day(back, "refunded_at", "method").annotate(total=Sum("money")):
        yield day, TakingsMethod(f"counter_{name}"), 0, amount


def placed_orders(*, since: date, until: date, site_key: str | None = None) -> PlacedOrders:
    """Return the orders and counter sales of some days, and what points paid of them. Two statements."""
    placed = Purchase.objects.filter(
        _during("placed_at", since, until) & ~Q(shop=""), state=PurchaseState.PLACED
    )  # fmt: skip
    sold = CounterSale.objects.filter(_during("sold_at", since, until))
    sums = [
        _of_site(rows, "", site_key).aggregate(number=Count("pk"), value=Sum("points_value"))
        for rows in (placed, sold)
    ]
    value = sum(each["value"] or 0 for each in sums)
    return PlacedOrders(orders=sum(each["number"] for each in sums), points_value=Paisa(value))


def payments_without_fee(
    *, since: date, until: date, site_key: str | None = None, environment: str | None = None
) -> int:  # fmt: skip
    """Return how many payments of some days have no fee yet: Khalti has not reported it. One statement."""
    paid = Payment.objects.filter(_during("paid_at", since, until), state__in=CAPTURED, fee=None)
    if environment is not None:
        paid = paid.filter(environment=environment)
    return _of_site(paid, "purchase__", site_key).count()


def total(rows: Iterable[Taking], *, day: date | None = None, method: TakingsMethod | None = None) -> Taking:
    """Return the sum of several rows."""
    kept = list(rows)
    return Taking(
        day=day,
        method=method,
        received=Paisa(sum(row.received for row in kept)),
        fees=Paisa(sum(row.fees for row in kept)),
        refunded=Paisa(sum(row.refunded for row in kept)),
    )


def by_method(rows: Iterable[Taking]) -> list[Taking]:
    """Return the sum of each method with money."""
    kept = list(rows)
    used = sorted({row.method for row in kept if row.method}, key=lambda method: _ORDER[method])
    return [total((row for row in kept if row.method == method), method=method) for method in used]


def cash(rows: Iterable[Taking]) -> Paisa:
    """Return what should be in the drawer of these days, in paisa."""
    return total(row for row in rows if row.method in CASH).net


def at_the_bank(rows: Iterable[Taking]) -> Paisa:
    """Return what should arrive at the bank of these days, in paisa: after Khalti's fees and after refunds."""
    return total(row for row in rows if row.method in AT_THE_BANK).net


def _of_purchase(method: str) -> TakingsMethod:
    return _OF_PURCHASE.get(PaymentMethod(method), TakingsMethod.OTHER)


def _during(field: str, since: date, until: date) -> Q:
    """Whole days in Kathmandu, the last included."""
    return Q(**{f"{field}__gte": midnight(since), f"{field}__lt": midnight_after(until)})


def _by_day(rows: "QuerySet[Any]", moment: str, method: str) -> "QuerySet[Any, Any]":
    return rows.order_by().values_list(TruncDate(moment, tzinfo=KATHMANDU), method)


def _of_site(rows: "QuerySet[Any]", prefix: str, site_key: str | None) -> "QuerySet[Any]":
    return rows if site_key is None else rows.filter(**{f"{prefix}site_key": site_key})
