"""The reports for an accountant: movements, liability, expiry by month, and what staff adjusted.

Each report is one pass that the database sums, and one statement for the value of a point.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Case, Count, DateField, DateTimeField, ExpressionWrapper, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import midnight, midnight_after

from .buckets import Bucket, EntryKind
from .models import Account, Entry, Lot
from .movements import MOVEMENT_COLUMNS, OUTSTANDING, MonthlyMovement, movements, total
from .point_values import all_point_values, month_in_nepal, of_site, value_at
from .program import Program

__all__ = [
    "MOVEMENT_COLUMNS", "OUTSTANDING", "Ageing", "Liability", "MonthlyMovement", "ReasonTotal", "adjustments",
    "ageing", "by_reason", "liability", "movements", "reasons", "sites", "total",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ageing:
    """Points that expire in one month: ``month`` is its first day, None for those that never expire."""

    month: date | None
    overdue: bool = False
    """They should be expired already; the next sweep expires them."""
    lots: int = 0
    available: int = 0
    pending: int = 0
    gross: Paisa = Paisa(0)

    @property
    def points(self) -> Points:
        return Points(self.available + self.pending)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonTotal:
    """The points that staff added and deducted for one reason; ``deducted`` is negative."""

    reason: str
    number: int
    added: int
    deducted: int

    @property
    def net(self) -> int:
        return self.added + self.deducted


@dataclass(frozen=True, slots=True, kw_only=True)
class Liability:
    """The outstanding points now, and ``gross``, what they are worth in paisa. What members owe is not deducted."""

    members: int
    points: int
    owed: int
    gross: Paisa


def ageing(*, site_key: str | None = None) -> list[Ageing]:
    """Return the points of lots by the month in which they expire: overdue first, never-expiring last."""
    now, values = timezone.now(), all_point_values(site_key)
    last_moment = ExpressionWrapper(F("expires_at") - timedelta(seconds=1), DateTimeField())
    rows = (
        of_site(Lot.objects.filter(Q(remaining__gt=0) | Q(pending__gt=0)), site_key)
        .annotate(
            overdue=Case(When(expires_at__lte=now, then=Value(True)), default=Value(False)),
            month=Case(When(expires_at__gt=now, then=month_in_nepal(last_moment)), output_field=DateField()),
        )
        .values_list("overdue", "month", "account__program_id")
        .annotate(lots=Count("pk"), available=Sum("remaining"), not_yet=Sum("pending"))
        .order_by()
    )
    found: dict[tuple[bool, date | None], Ageing] = {}
    for overdue, month, program, lots, available, pending in rows:
        before = found.get((overdue, month), Ageing(month=month, overdue=overdue))
        found[overdue, month] = Ageing(
            month=month,
            overdue=overdue,
            lots=before.lots + lots,
            available=before.available + available,
            pending=before.pending + pending,
            gross=Paisa(before.gross + value_at(values, program, now, available + pending)),
        )
    return sorted(found.values(), key=lambda row: (not row.overdue, row.month is None, row.month or now.date()))


def adjustments(
    *, since: date | None = None, until: date | None = None, site_key: str | None = None, reason: str = ""
) -> "QuerySet[Entry]":
    """Return what was added and deducted by hand, by an import or as a bonus, the newest first, with note and account.

    Their sum is the column "adjusted" of the movements: those without an actor are among them.
    """
    entries = Entry.objects.filter(kind=EntryKind.ADJUST)
    entries = entries.select_related("account__program", "note")
    if since:
        entries = entries.filter(at__gte=midnight(since))
    if until:
        entries = entries.filter(at__lt=midnight_after(until))
    if reason:
        entries = entries.filter(reason_code=reason)
    return of_site(entries, site_key).order_by("-at", "-pk")


def reasons() -> list[str]:
    """Return the reason codes with which points were adjusted."""
    return sorted(adjustments().order_by().values_list("reason_code", flat=True).distinct())


def by_reason(entries: "QuerySet[Entry]") -> list[ReasonTotal]:
    """Return adjustments summed by reason, those that move most points first."""
    added, deducted = Q(src=Bucket.ADJUSTED), Q(dst=Bucket.ADJUSTED)
    rows = (
        entries.select_related(None)
        .order_by()
        .values_list("reason_code")
        .annotate(
            number=Count("pk"),
            added=Coalesce(Sum("amount", filter=added), 0),
            deducted=Coalesce(Sum("amount", filter=deducted), 0),
        )
    )
    sums = [
        ReasonTotal(reason=code, number=number, added=plus, deducted=-minus) for code, number, plus, minus in rows
    ]  # fmt: skip
    return sorted(sums, key=lambda row: (row.deducted - row.added, row.reason))


def liability(*, site_key: str | None = None) -> Liability:
    """Return the number of members, the outstanding points and their value; two statements."""
    values, now = all_point_values(site_key), timezone.now()
    rows = (
        of_site(Account.objects.all(), site_key, "program")
        .values_list("program_id")
        .annotate(
            members=Count("pk", filter=Q(member_id__isnull=False, successor=None)),
            points=Sum(F("pending") + F("available") + F("held")),
            debts=Sum("owed"),
        )
        .order_by()
    )
    found = list(rows)
    return Liability(
        members=sum(members for _pk, members, _points, _owed in found),
        points=sum(points for _pk, _members, points, _owed in found),
        owed=sum(owed for _pk, _members, _points, owed in found),
        gross=Paisa(sum(value_at(values, pk, now, points) for pk, _members, points, _owed in found)),
    )


def sites() -> list[str]:
    """Return the keys of the sites that have a programme."""
    return sorted(Program.objects.order_by().values_list("site_key", flat=True).distinct())
