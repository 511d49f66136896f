"""How the points moved, month by month.

The ledger's buckets are the columns: outstanding points lie in four of them, and whatever comes into these or leaves
them is booked against one of the others. So opening + movements = closing by construction.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Case, DateField, Sum, When

from loyalink_khalti.money import Paisa

from .expiry import add_months, midnight_after
from .models import Bucket, Entry
from .rates import midnight, month_of, of_site, rates, worth

OUTSTANDING = (Bucket.PENDING, Bucket.AVAILABLE, Bucket.HELD, Bucket.OWED)
"""Where points are that the shop still has to honour; ``OWED`` is below 0 by what members owe."""
COMES_FROM = {
    Bucket.ISSUED: "earned",
    Bucket.REDEEMED: "restored",
    Bucket.ADJUSTED: "adjusted",
    Bucket.EXPIRED: "expired",
    Bucket.REVERSED: "clawed_back",
    Bucket.WRITTEN_OFF: "written_off",
}
"""The column of each other bucket. Points that are forgiven go from one of them to another: taken back and written
off at once, so that nothing outstanding moves."""
GOES_TO = {**COMES_FROM, Bucket.REDEEMED: "redeemed"}
COLUMNS = ("earned", "restored", "adjusted", "redeemed", "expired", "clawed_back", "written_off")

_Moved = tuple[int, str, str, int]
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What moved in one month, or the part of it that was asked for; what went is below 0. ``gross`` is paisa."""

    since: date
    until: date
    """The last day, included."""
    opening: int
    earned: int = 0
    restored: int = 0
    adjusted: int = 0
    redeemed: int = 0
    expired: int = 0
    clawed_back: int = 0
    written_off: int = 0
    pending: int = 0
    available: int = 0
    held: int = 0
    owed: int = 0
    gross: Paisa = Paisa(0)
    """What the closing points are worth, by the rules of the last day."""

    @property
    def moved(self) -> int:
        return sum(getattr(self, name) for name in COLUMNS)

    @property
    def closing(self) -> int:
        return self.opening + self.moved

    @property
    def redemption(self) -> int | None:
        """Redeemed by earned, per mille; None where nothing was earned."""
        return _per_mille(-self.redeemed, self.earned)

    @property
    def breakage(self) -> int | None:
        """Expired by earned, per mille; None where nothing was earned."""
        return _per_mille(-self.expired, self.earned)

    def net(self, expected_breakage: int) -> Paisa:
        """The liability without so many per cent that are expected never to be spent."""
        return Paisa(self.gross * (100 - expected_breakage) // 100)


def movements(*, since: date, until: date, site_key: str | None = None) -> list[Movement]:
    """Month by month of Kathmandu, the oldest first; the first and the last may be parts of one."""
    moved, known = _moved(since, until, site_key), rates(site_key)
    books: dict[int, Counter[str]] = defaultdict(Counter)
    _book(books, moved[None])
    found: list[Movement] = []
    for first, last in _months(since, until):
        opening = sum(_outstanding(book) for book in books.values())
        columns = _book(books, moved[first.replace(day=1)])
        gross = sum(worth(known, pk, midnight_after(last) - _MOMENT, _outstanding(book)) for pk, book in books.items())
        month = Movement(since=first, until=last, opening=opening, gross=Paisa(gross), **columns, **_buckets(books))
        if found or month.opening or any(columns.values()):  # months before the first point say nothing
            found.append(month)
    return found


def total(months: list[Movement]) -> Movement:
    """All of them as one; there is one at least."""
    first, last = months[0], months[-1]
    sums = {name: sum(getattr(month, name) for month in months) for name in COLUMNS}
    buckets = {name: getattr(last, name) for name in OUTSTANDING}
    return Movement(
        since=first.since, until=last.until, opening=first.opening, gross=last.gross, **sums, **buckets
    )  # fmt: skip


def _moved(since: date, until: date, site_key: str | None) -> dict[date | None, list[_Moved]]:
    """Points by programme and the buckets that they left and came to, for each month; None: all that was before."""
    entries = of_site(Entry.objects.filter(at__lt=midnight_after(until)), site_key)
    rows = (
        entries.annotate(month=Case(When(at__gte=midnight(since), then=month_of("at")), output_field=DateField()))
        .values_list("month", "account__program_id", "src", "dst")
        .annotate(points=Sum("amount"))
        .order_by()
    )
    found: dict[date | None, list[_Moved]] = defaultdict(list)
    for when, program, src, dst, points in rows:
        found[when].append((program, src, dst, points))
    return found


def _book(books: dict[int, "Counter[str]"], moved: Iterable[_Moved]) -> dict[str, int]:
    """Move points between the buckets of each programme, and return what that comes to in each column."""
    columns = dict.fromkeys(COLUMNS, 0)
    for program, src, dst, points in moved:
        books[program][src] -= points
        books[program][dst] += points
        if src not in OUTSTANDING:
            columns[COMES_FROM[Bucket(src)]] += points
        if dst not in OUTSTANDING:
            columns[GOES_TO[Bucket(dst)]] -= points
    return columns


def _outstanding(book: "Counter[str]") -> int:
    return sum(book[bucket] for bucket in OUTSTANDING)


def _buckets(books: dict[int, "Counter[str]"]) -> dict[str, int]:
    """What lies where, over all programmes; what is owed as a member would say it, above 0."""
    sums = {bucket.value: sum(book[bucket] for book in books.values()) for bucket in OUTSTANDING}
    return {**sums, Bucket.OWED.value: -sums[Bucket.OWED.value]}


def _months(since: date, until: date) -> Iterator[tuple[date, date]]:
    first = since
    while first <= until:
        next_first = add_months(first.replace(day=1), 1)
        yield first, min(until, next_first - timedelta(days=1))
        first = next_first


def _per_mille(part: int, whole: int) -> int | None:
    return (part * 1000 + whole // 2) // whole if whole > 0 else None
