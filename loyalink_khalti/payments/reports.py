"""Reports on the money for an accountant: each day of Kathmandu's calendar, and the Flags to review.

Amounts are paisa. The database sums, along the indexes on ``paid_at``, ``done_at`` and ``raised_at``.
"""

from dataclasses import dataclass, replace
from datetime import date

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import KATHMANDU, midnight, midnight_after

from . import received
from .models import Credentials, Flag, Payment, Refund
from .states import CAPTURED, FlagReason, RefundState
from .without_order import MoneyWithoutOrder, flags_to_review, money_without_order, payments_without_order


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementDay:
    """What Khalti captured, kept as fees and refunded on one day, and what moved without it; all in paisa.

    ``day`` is None for a sum of several.
    """

    day: date | None
    payments: int = 0
    captured: Paisa = Paisa(0)
    fees: Paisa = Paisa(0)
    without_fee: int = 0
    """Payments whose fee Khalti has not reported."""
    refunds: int = 0
    refunded: Paisa = Paisa(0)
    received: Paisa = Paisa(0)
    """Received in cash or by bank transfer, less corrections."""
    by_hand: Paisa = Paisa(0)
    """Refunded by hand, without Khalti."""

    @property
    def net(self) -> Paisa:
        """Captured less refunds less fees: what Khalti pays out."""
        return Paisa(self.captured - self.fees - self.refunded)


def settlement(
    *,
    since: date,
    until: date,
    site_key: str | None = None,
    environment: str | None = None,
    with_received: bool = True,
) -> list[SettlementDay]:
    """Return the days on which money moved, ``since`` and ``until`` included, the newest first.

    ``with_received`` includes cash, bank transfers and refunds by hand, which belong to no environment. Four
    statements.
    """
    paid = _during("paid_at", since, until) & _of("", site_key, environment)
    rows = (
        Payment.objects.filter(paid, state__in=CAPTURED)
        .values_list(TruncDate("paid_at", tzinfo=KATHMANDU))
        .annotate(
            number=Count("pk"),
            total=Coalesce(Sum("captured"), 0),
            fees=Coalesce(Sum("fee"), 0),
            without_fee=Count("pk", filter=Q(fee=None)),
        )
        .order_by()
    )
    days = {
        day: SettlementDay(
            day=day, payments=number, captured=Paisa(captured), fees=Paisa(fees), without_fee=without_fee
        )
        for day, number, captured, fees, without_fee in rows
    }
    for day, number, refunded in _refunds(since, until, site_key, environment):
        days[day] = replace(days.get(day, SettlementDay(day=day)), refunds=number, refunded=Paisa(refunded))
    moved = received.by_day(since=since, until=until, site_key=site_key) if with_received else {}
    for day, (came, went) in moved.items():
        days[day] = replace(days.get(day, SettlementDay(day=day)), received=came, by_hand=went)
    return [days[day] for day in sorted(days, reverse=True)]


def _refunds(
    since: date, until: date, site_key: str | None, environment: str | None
) -> "QuerySet[Refund, tuple[date, int, int]]":
    """Return each day's refunds at Khalti, of payments that ``settlement`` counts on their own day."""
    done = _during("done_at", since, until) & _of("payment__", site_key, environment)
    return (
        Refund.objects.filter(done, state=RefundState.DONE, payment__paid_at__isnull=False)
        .values_list(TruncDate("done_at", tzinfo=KATHMANDU))
        .annotate(number=Count("pk", filter=Q(reverses=None)), total=Sum("amount"))
        .order_by()
    )


def total(days: list[SettlementDay]) -> SettlementDay:
    """Return the sum of several days."""
    return SettlementDay(
        day=None,
        payments=sum(day.payments for day in days),
        captured=Paisa(sum(day.captured for day in days)),
        fees=Paisa(sum(day.fees for day in days)),
        without_fee=sum(day.without_fee for day in days),
        refunds=sum(day.refunds for day in days),
        refunded=Paisa(sum(day.refunded for day in days)),
        received=Paisa(sum(day.received for day in days)),
        by_hand=Paisa(sum(day.by_hand for day in days)),
    )


def undated(*, site_key: str | None = None, environment: str | None = None) -> MoneyWithoutOrder:
    """Return the money without an order that ``settlement`` cannot count: its payments have no time of payment."""
    return money_without_order(payments_without_order().filter(_of("", site_key, environment), paid_at=None))


def undecided(
    *, since: date, until: date, site_key: str | None = None, environment: str | None = None
) -> MoneyWithoutOrder:  # fmt: skip
    """Return the money without an order that ``settlement`` counts: it may have to be refunded."""
    paid = _during("paid_at", since, until) & _of("", site_key, environment)
    return money_without_order(payments_without_order().filter(paid))


def to_review(*, site_key: str | None = None, reason: str = "") -> "QuerySet[Flag]":
    """Return the Flags to review, the oldest first, read with payment, purchase and refunds.

    Those are the open ones, and for money without an order whose Flags are all resolved, the newest one.
    """
    flags = flags_to_review().select_related("payment__purchase")
    if site_key is not None:
        flags = flags.filter(payment__purchase__site_key=site_key)
    if reason:
        flags = flags.filter(reason=reason)
    return flags.prefetch_related("payment__refunds", "payment__flags").order_by("raised_at", "pk")


def by_reason(flags: "QuerySet[Flag]") -> list[tuple[FlagReason, int]]:
    """Return each reason with its number of Flags, the most frequent first."""
    rows = flags.select_related(None).prefetch_related(None).order_by().values_list("reason").annotate(Count("pk"))
    return sorted(((FlagReason(reason), number) for reason, number in rows), key=lambda row: (-row[1], row[0]))


def sites() -> list[str]:
    """Return the keys of the sites that have, or had, a Khalti key."""
    return sorted(Credentials.objects.order_by().values_list("site_key", flat=True).distinct())


def environments() -> list[str]:
    """Return the environments with a Khalti key, now or before; a report never adds test money to real money."""
    return sorted(Credentials.objects.order_by().values_list("environment", flat=True).distinct())


def _during(field: str, since: date, until: date) -> Q:
    """Whole days in Kathmandu, the last included."""
    return Q(**{f"{field}__gte": midnight(since), f"{field}__lt": midnight_after(until)})


def _of(payment: str, site_key: str | None, environment: str | None) -> Q:
    found = Q()
    if site_key is not None:
        found &= Q(**{f"{payment}purchase__site_key": site_key})
    if environment is not None:
        found &= Q(**{f"{payment}environment": environment})
    return found
