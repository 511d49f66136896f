"""What an accountant asks of the money: what came and went on each day of Kathmandu, and what waits for a decision.

Amounts are paisa. The database sums, along the indexes on ``paid_at``, ``done_at`` and ``raised_at``.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from loyalink_khalti.money import Paisa

from .models import Credentials, Flag, Payment, Refund
from .states import Reason, RefundState, State

KATHMANDU = ZoneInfo("Asia/Kathmandu")
BROUGHT = (State.PAID, State.FULFILLED, State.MISMATCHED, State.PART_REFUNDED, State.REFUNDED)
"""States of a payment for which Khalti has taken money."""

UNDECIDED = (State.PAID, State.MISMATCHED)
"""Of these, those whose order is not settled by it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What Khalti took, kept and gave back on one day; ``day`` None is for a sum of several."""

    day: date | None
    payments: int = 0
    captured: Paisa = Paisa(0)
    fees: Paisa = Paisa(0)
    without_fee: int = 0
    """Payments of which Khalti has not said what it keeps."""
    refunds: int = 0
    refunded: Paisa = Paisa(0)

    @property
    def net(self) -> Paisa:
        """What is left for the shop."""
        return Paisa(self.captured - self.fees - self.refunded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubted:
    """Money that Khalti took, or says so, of payments that are not settled."""

    payments: int
    left: Paisa


def settlement(
    *, since: date, until: date, site_key: str | None = None, environment: str | None = None
) -> list[Settled]:
    """Day by day, the newest first; days on which nothing moved are left out. Two statements."""
    paid = _during("paid_at", since, until) & _of("", site_key, environment)
    rows = (
        Payment.objects.filter(paid, state__in=BROUGHT)
        .values_list(TruncDate("paid_at", tzinfo=KATHMANDU))
        .annotate(
            number=Count("pk"),
            came=Coalesce(Sum("captured"), 0),
            kept=Coalesce(Sum("fee"), 0),
            unsaid=Count("pk", filter=Q(fee=None)),
        )
        .order_by()
    )
    days = {
        day: Settled(day=day, payments=number, captured=Paisa(came), fees=Paisa(kept), without_fee=unsaid)
        for day, number, came, kept, unsaid in rows
    }
    for day, number, back in _refunds(since, until, site_key, environment):
        days[day] = replace(days.get(day, Settled(day=day)), refunds=number, refunded=Paisa(back))
    return [days[day] for day in sorted(days, reverse=True)]


def _refunds(
    since: date, until: date, site_key: str | None, environment: str | None
) -> "QuerySet[Refund, tuple[date, int, int]]":
    """What went back at Khalti, of payments that are counted on the day on which they came."""
    done = _during("done_at", since, until) & _of("payment__", site_key, environment)
    return (
        Refund.objects.filter(done, state=RefundState.DONE, payment__paid_at__isnull=False)
        .values_list(TruncDate("done_at", tzinfo=KATHMANDU))
        .annotate(number=Count("pk"), back=Sum("cash"))
        .order_by()
    )


def total(days: list[Settled]) -> Settled:
    """All of them as one."""
    return Settled(
        day=None,
        payments=sum(day.payments for day in days),
        captured=Paisa(sum(day.captured for day in days)),
        fees=Paisa(sum(day.fees for day in days)),
        without_fee=sum(day.without_fee for day in days),
        refunds=sum(day.refunds for day in days),
        refunded=Paisa(sum(day.refunded for day in days)),
    )


def undated(*, site_key: str | None = None, environment: str | None = None) -> Doubted:
    """What ``settlement`` cannot count: Khalti named money, but no transaction that is this payment's alone."""
    return _doubted(Payment.objects.filter(_of("", site_key, environment), state__in=BROUGHT, paid_at=None))


def undecided(
    *, since: date, until: date, site_key: str | None = None, environment: str | None = None
) -> Doubted:  # fmt: skip
    """What ``settlement`` counts although nobody has decided about it: the money came, and may go back."""
    paid = _during("paid_at", since, until) & _of("", site_key, environment)
    return _doubted(Payment.objects.filter(paid, state__in=UNDECIDED))


def _doubted(rows: "QuerySet[Payment]") -> Doubted:
    sums = rows.filter(captured__gt=F("refunded")).aggregate(
        number=Count("pk"), left=Coalesce(Sum(F("captured") - F("refunded")), 0)
    )
    return Doubted(payments=sums["number"], left=Paisa(sums["left"]))


def open_flags(*, site_key: str | None = None, reason: str = "") -> "QuerySet[Flag]":
    """What waits for somebody to decide, the oldest first; read with its payment, its purchase and its refunds."""
    flags = Flag.objects.filter(resolved_at=None).select_related("payment__purchase")
    if site_key is not None:
        flags = flags.filter(payment__purchase__site_key=site_key)
    if reason:
        flags = flags.filter(reason=reason)
    return flags.prefetch_related("payment__refunds").order_by("raised_at", "pk")


def by_reason(flags: "QuerySet[Flag]") -> list[tuple[Reason, int]]:
    """How many Flags of each reason, most first."""
    rows = flags.select_related(None).prefetch_related(None).order_by().values_list("reason").annotate(Count("pk"))
    return sorted(((Reason(why), number) for why, number in rows), key=lambda row: (-row[1], row[0]))


def sites() -> list[str]:
    """The sites that have had a key of Khalti's."""
    return sorted(Credentials.objects.order_by().values_list("site_key", flat=True).distinct())


def environments() -> list[str]:
    """The servers of Khalti's that this shop has had a key for: test money is no money."""
    return sorted(Credentials.objects.order_by().values_list("environment", flat=True).distinct())


def _during(field: str, since: date, until: date) -> Q:
    """Whole days of Kathmandu, the last included."""
    return Q(**{f"{field}__gte": _midnight(since), f"{field}__lt": _midnight(until + timedelta(days=1))})


def _of(payment: str, site_key: str | None, environment: str | None) -> Q:
    found = Q()
    if site_key is not None:
        found &= Q(**{f"{payment}purchase__site_key": site_key})
    if environment is not None:
        found &= Q(**{f"{payment}environment": environment})
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=KATHMANDU).astimezone(UTC)
