"""What an accountant asks of the points: how they moved, what is outstanding, when it expires, what staff changed.

Each question is one pass that the database sums, and one statement for what a point was worth.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Case, Count, DateField, DateTimeField, ExpressionWrapper, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from loyalink_khalti.money import Paisa, Points

from .expiry import midnight_after
from .models import Account, Bucket, Entry, Kind, Lot
from .movement import COLUMNS, OUTSTANDING, Movement, movements, total
from .programmes import Program
from .rates import midnight, month_of, of_site, rates, worth

__all__ = [
    "COLUMNS", "OUTSTANDING", "Ageing", "ByReason", "Movement", "Standing", "adjustments", "ageing", "by_reason",
    "movements", "reasons", "sites", "standing", "total",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ageing:
    """Points that expire in one month: ``month`` is its first day, None for those that never do."""

    month: date | None
    overdue: bool = False
    """Their time is over, and the next sweep expires them."""
    lots: int = 0
    available: int = 0
    pending: int = 0
    gross: Paisa = Paisa(0)

    @property
    def points(self) -> Points:
        return Points(self.available + self.pending)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByReason:
    """What staff added and took for one reason; ``taken`` is below 0."""

    reason: str
    number: int
    added: int
    taken: int

    @property
    def net(self) -> int:
        return self.added + self.taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The points as they are now: ``gross`` is what the outstanding ones are worth, in paisa."""

    members: int
    points: int
    gross: Paisa


def ageing(*, site_key: str | None = None) -> list[Ageing]:
    """What lots hold by the month in which it expires: overdue first, never-expiring last."""
    now, known = timezone.now(), rates(site_key)
    last_moment = ExpressionWrapper(F("expires_at") - timedelta(seconds=1), DateTimeField())
    rows = (
        of_site(Lot.objects.filter(Q(remaining__gt=0) | Q(pending__gt=0)), site_key)
        .annotate(
            overdue=Case(When(expires_at__lte=now, then=Value(True)), default=Value(False)),
            month=Case(When(expires_at__gt=now, then=month_of(last_moment)), output_field=DateField()),
        )
        .values_list("overdue", "month", "account__program_id")
        .annotate(lots=Count("pk"), left=Sum("remaining"), waiting=Sum("pending"))
        .order_by()
    )
    found: dict[tuple[bool, date | None], Ageing] = {}
    for overdue, month, program, lots, left, waiting in rows:
        before = found.get((overdue, month), Ageing(month=month, overdue=overdue))
        found[overdue, month] = Ageing(
            month=month,
            overdue=overdue,
            lots=before.lots + lots,
            available=before.available + left,
            pending=before.pending + waiting,
            gross=Paisa(before.gross + worth(known, program, now, left + waiting)),
        )
    return sorted(found.values(), key=lambda row: (not row.overdue, row.month is None, row.month or now.date()))


def adjustments(
    *, since: date | None = None, until: date | None = None, site_key: str | None = None, reason: str = ""
) -> "QuerySet[Entry]":
    """What people added and took by hand, the newest first; each is read with its note and its account."""
    entries = Entry.objects.filter(kind=Kind.ADJUST, actor__isnull=False).select_related("account__program", "note")
    if since:
        entries = entries.filter(at__gte=midnight(since))
    if until:
        entries = entries.filter(at__lt=midnight_after(until))
    if reason:
        entries = entries.filter(reason_code=reason)
    return of_site(entries, site_key).order_by("-at", "-pk")


def reasons() -> list[str]:
    """The codes for which people have added or taken points by hand, known to us or not."""
    return sorted(adjustments().order_by().values_list("reason_code", flat=True).distinct())


def by_reason(entries: "QuerySet[Entry]") -> list[ByReason]:
    """Adjustments summed by their reasons, those that move most first."""
    added, taken = Q(src=Bucket.ADJUSTED), Q(dst=Bucket.ADJUSTED)
    rows = (
        entries.select_related(None)
        .order_by()
        .values_list("reason_code")
        .annotate(
            number=Count("pk"),
            added=Coalesce(Sum("amount", filter=added), 0),
            taken=Coalesce(Sum("amount", filter=taken), 0),
        )
    )
    sums = [ByReason(reason=why, number=number, added=plus, taken=-minus) for why, number, plus, minus in rows]
    return sorted(sums, key=lambda row: (row.taken - row.added, row.reason))


def standing(*, site_key: str | None = None) -> Standing:
    """How many members there are and what the shop owes them; two statements."""
    known, now = rates(site_key), timezone.now()
    rows = (
        of_site(Account.objects.all(), site_key, "program")
        .values_list("program_id")
        .annotate(
            members=Count("pk", filter=Q(member_id__isnull=False, successor=None)),
            points=Sum(F("pending") + F("available") + F("held") - F("owed")),
        )
        .order_by()
    )
    found = list(rows)
    return Standing(
        members=sum(members for _pk, members, _points in found),
        points=sum(points for _pk, _members, points in found),
        gross=Paisa(sum(worth(known, pk, now, points) for pk, _members, points in found)),
    )


def sites() -> list[str]:
    """The sites that give points."""
    return sorted(Program.objects.order_by().values_list("site_key", flat=True).distinct())
