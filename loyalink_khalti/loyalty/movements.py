"""How the points moved, month by month.

The buckets of the ledger are the columns. Outstanding points are in three of them, and whatever enters or leaves these
three comes from one of the others. So opening + movements = closing by construction. What members owe has a column of
its own and is never deducted: one member's debt does not lower what the shop owes to another.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Case, DateField, Q, Sum, When

from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import add_months, day_of, first_of_month, last_of_month, midnight, midnight_after

from .buckets import Bucket, EntryKind
from .models import Entry
from .months import MonthlyTotal
from .point_values import all_point_values, month_in_nepal, value_at
from .program import Program

OUTSTANDING = (Bucket.PENDING, Bucket.AVAILABLE, Bucket.HELD)
"""The buckets with points that the shop still has to honour."""
BALANCES = (*OUTSTANDING, Bucket.OWED)
"""The buckets whose closing points are shown; ``OWED`` is negative by what members owe."""
COLUMN_OF_SOURCE = {
    Bucket.ISSUED: "earned",
    Bucket.REDEEMED: "restored",
    Bucket.ADJUSTED: "adjusted",
    Bucket.EXPIRED: "expired",
    Bucket.REVERSED: "clawed_back",
    Bucket.WRITTEN_OFF: "written_off",
    Bucket.OWED: "debts",
}
"""The column for points that come from each other bucket. Points that are forgiven or owed move from one of these
buckets to another: clawed back and written off at once, say, so that nothing outstanding moves."""
COLUMN_OF_DESTINATION = {**COLUMN_OF_SOURCE, Bucket.REDEEMED: "redeemed"}
MOVEMENT_COLUMNS = ("earned", "restored", "adjusted", "redeemed", "debts", "expired", "clawed_back", "written_off")

_Moved = tuple[int, str, str, int]
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyMovement:
    """The movements of one month or of a part of it; what leaves is negative. ``gross`` is paisa."""

    since: date
    until: date
    """The last day, included."""
    opening: int
    earned: int = 0
    restored: int = 0
    adjusted: int = 0
    redeemed: int = 0
    debts: int = 0
    """What members owe newly (it was redeemed or clawed back and never outstanding), less what they repaid."""
    expired: int = 0
    clawed_back: int = 0
    written_off: int = 0
    pending: int = 0
    available: int = 0
    held: int = 0
    owed: int = 0
    gross: Paisa = Paisa(0)
    """The liability for the closing points, under the rules of the last day."""

    @property
    def moved(self) -> int:
        return sum(getattr(self, name) for name in MOVEMENT_COLUMNS)

    @property
    def closing(self) -> int:
        return self.opening + self.moved

    @property
    def redemption(self) -> int | None:
        """Points used, less those returned, of ``usable``, per mille; None where there was nothing to use."""
        return _share(-self.redeemed - self.restored, self.usable)

    @property
    def usable(self) -> int:
        """The points that could be used in this time: the opening ones, and those that were earned or added."""
        return self.opening + self.earned + max(self.adjusted, 0)

    @property
    def breakage(self) -> int | None:
        """Points expired, of ``usable``, per mille; None where there was nothing to use."""
        return _share(-self.expired, self.usable)

    def net(self, expected_breakage: int) -> Paisa:
        """Return the liability less an expected breakage in per cent."""
        return Paisa(self.gross * (100 - expected_breakage) // 100)


def movements(*, since: date, until: date, site_key: str | None = None) -> list[MonthlyMovement]:
    """Return the movements by month in Nepal, the oldest first; the first and the last month may be partial."""
    moved, values = _moved(since, until, site_key), all_point_values(site_key)
    balances: dict[int, Counter[str]] = defaultdict(Counter)
    _apply(balances, moved[None])
    found: list[MonthlyMovement] = []
    for first, last in _months(since, until):
        opening = sum(_outstanding(balance) for balance in balances.values())
        columns = _apply(balances, moved[first_of_month(first)])
        end = midnight_after(last) - _MOMENT
        gross = sum(value_at(values, pk, end, _outstanding(balance)) for pk, balance in balances.items())
        month = MonthlyMovement(
            since=first, until=last, opening=opening, gross=Paisa(gross), **columns, **_buckets(balances)
        )  # fmt: skip
        if found or month.opening or any(columns.values()):  # no months before the first point
            found.append(month)
    return found


def total(months: list[MonthlyMovement]) -> MonthlyMovement:
    """Return the sum of at least one month."""
    first, last = months[0], months[-1]
    sums = {name: sum(getattr(month, name) for month in months) for name in MOVEMENT_COLUMNS}
    buckets = {name: getattr(last, name) for name in BALANCES}
    return MonthlyMovement(
        since=first.since, until=last.until, opening=first.opening, gross=last.gross, **sums, **buckets
    )  # fmt: skip


def _moved(since: date, until: date, site_key: str | None) -> dict[date | None, list[_Moved]]:
    """Points by programme, source and destination bucket, for each month; under None all that came before."""
    found: dict[date | None, list[_Moved]] = defaultdict(list)
    programs = Program.objects.order_by("pk")
    for program in programs if site_key is None else programs.filter(site_key=site_key):
        for when, kind, src, dst, points in (*_of_closed(program, since, until), *_of_open(program, since, until)):
            if kind == EntryKind.REDEEM_AGAIN:  # points that were never returned were not used twice
                src, dst, points = dst, src, -points
            found[when].append((program.pk, src, dst, points))
    return found


_Row = tuple[date | None, str, str, str, int]


def _of_closed(program: Program, since: date, until: date) -> Iterator[_Row]:
    """The sums of closed months that are in the report as a whole, or before it."""
    if program.closed_until is None:
        return
    totals = MonthlyTotal.objects.filter(program=program, month__lt=day_of(program.closed_until), month__lte=until)
    whole = totals.exclude(month__in=_partial(since, until)).order_by("pk")
    for month, kind, src, dst, points in whole.values_list("month", "kind", "src", "dst", "points"):
        yield (None if month < first_of_month(since) else month), kind, src, dst, points


def _of_open(program: Program, since: date, until: date) -> Iterator[_Row]:
    """The sums of the entries of the other months, which are read."""
    others = Q() if program.closed_until is None else Q(at__gte=program.closed_until)
    for first in _partial(since, until) if program.closed_until else ():
        others |= Q(at__gte=midnight(first), at__lt=midnight(add_months(first, 1)))
    entries = Entry.objects.filter(others, account__program=program, at__lt=midnight_after(until)).order_by()
    month = Case(When(at__gte=midnight(since), then=month_in_nepal("at")), output_field=DateField())
    yield from (
        entries.annotate(month=month).values_list("month", "kind", "src", "dst").annotate(points=Sum("amount"))
    )


def _partial(since: date, until: date) -> set[date]:
    """The first days of the months of which only a part is in the report."""
    months = {since} if since != first_of_month(since) else set()
    months |= {until} if until != last_of_month(until) else set()
    return {first_of_month(day) for day in months}


def _apply(balances: dict[int, "Counter[str]"], moved: Iterable[_Moved]) -> dict[str, int]:
    """Move points between the buckets of each programme, and return the sum of each column."""
    columns = dict.fromkeys(MOVEMENT_COLUMNS, 0)
    for program, src, dst, points in moved:
        balances[program][src] -= points
        balances[program][dst] += points
        if src not in OUTSTANDING:
            columns[COLUMN_OF_SOURCE[Bucket(src)]] += points
        if dst not in OUTSTANDING:
            columns[COLUMN_OF_DESTINATION[Bucket(dst)]] -= points
    return columns


def _outstanding(balance: "Counter[str]") -> int:
    return sum(balance[bucket] for bucket in OUTSTANDING)


def _buckets(balances: dict[int, "Counter[str]"]) -> dict[str, int]:
    """The points of each bucket of ``BALANCES`` over all programmes; debts are positive here."""
    sums = {bucket.value: sum(balance[bucket] for balance in balances.values()) for bucket in BALANCES}
    return {**sums, Bucket.OWED.value: -sums[Bucket.OWED.value]}


def _months(since: date, until: date) -> Iterator[tuple[date, date]]:
    first = since
    while first <= until:
        next_first = add_months(first_of_month(first), 1)
        yield first, min(until, next_first - timedelta(days=1))
        first = next_first


def _share(part: int, whole: int) -> int | None:
    """Return per mille, from 0 to 1000: debts that were used or forgiven are in no opening balance."""
    return min(max((part * 1000 + whole // 2) // whole, 0), 1000) if whole > 0 else None
