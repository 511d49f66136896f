"""A member's history, page by page, with the balance after each line.

The balance is what the member has and will have: available and pending points less what is owed. Points that are held
are deducted. Entries never change, so a page is the same at every look, whatever is added meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import BigIntegerField, Case, F, Q, QuerySet, Sum, Value, When

from .buckets import Bucket, EntryKind
from .models import Account, Entry

SIZE = 20
_OWN = (Bucket.AVAILABLE, Bucket.PENDING, Bucket.OWED)
_SIGN = Case(When(dst__in=_OWN, then=Value(1)), default=0, output_field=BigIntegerField()) - Case(
    When(src__in=_OWN, then=Value(1)), default=0, output_field=BigIntegerField()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """One line of the history.

    An order's points are deducted when they are held; the entry that captures them has no line, and ``is_used`` says
    that there is one.
    """

    at: datetime
    kind: EntryKind
    amount: int
    """Points that moved, without a sign."""
    points: int
    """What the line adds to the balance; 0 for points that only become available, or repay a debt."""
    balance: int
    purchase: str
    reason: str
    is_used: bool = False
    is_debt: bool = False
    """Whether the entry changes what is owed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsHistory:
    """A page of the history, the newest line first; a place in it is the number of entries up to there."""

    lines: tuple[HistoryLine, ...] = ()
    opening: int = 0
    """The balance before the oldest line of the page."""
    closing: int = 0
    """The balance after its newest line: ``opening`` and all lines sum to it."""
    older: int | None = None
    """The place from which the next, older page begins; None on the last page."""
    is_newest: bool = True


def newest_entries(account: Account) -> QuerySet[Entry]:
    """Return the entries of an account and of those merged into it, the newest first."""
    return _newest_first(account.with_merged())


def _newest_first(ids: Sequence[int]) -> QuerySet[Entry]:
    return Entry.objects.filter(account__in=ids).order_by(*(("-at", "-pk") if len(ids) > 1 else ("-seq",)))


def points_history(account: Account | None, *, before: int | None = None, size: int = SIZE) -> PointsHistory:
    """Return the newest ``size`` lines of an account's history, or those before a place in it.

    Reads the entries of the page, and one sum where it is not the newest page; at most five queries.
    """
    if account is None:
        return PointsHistory()
    ids = account.with_merged()
    accounts = list(Account.objects.filter(pk__in=ids).order_by("pk"))
    total = sum(row.seq for row in accounts)
    top = total if before is None else max(min(before, total), 0)
    newer, page = _slices(accounts, total - top, 2 * size)  # every captured hold is two entries
    closing = sum(row.available + row.pending - row.owed for row in accounts)
    if top < total:
        closing -= newer.aggregate(points=Sum(_SIGN * F("amount")))["points"] or 0
    return _page(list(page), ids, top=top, closing=closing, size=size, is_newest=top == total)


def _slices(accounts: Sequence[Account], skipped: int, most: int) -> tuple[QuerySet[Entry], QuerySet[Entry]]:
    """Return the entries that are newer than a page, and those of the page, as of when the accounts were read."""
    entries = _newest_first([row.pk for row in accounts])
    if len(accounts) == 1:  # its entries are numbered: no entry is read to be skipped
        top = accounts[0].seq - skipped
        return entries.filter(seq__gt=top, seq__lte=accounts[0].seq), entries.filter(seq__lte=top)[:most]
    known = Q(pk__in=[])
    for row in accounts:
        known |= Q(account=row.pk, seq__lte=row.seq)
    return entries.filter(known)[:skipped], entries.filter(known)[skipped : skipped + most]


def _page(
    entries: Sequence[Entry], ids: Sequence[int], *, top: int, closing: int, size: int, is_newest: bool
) -> PointsHistory:
    captured, taken, running = _captured(entries, ids), 0, closing
    lines: list[HistoryLine] = []
    for entry in entries:
        if len(lines) == size:
            break
        taken += 1
        if entry.kind != EntryKind.CAPTURE:
            lines.append(_line(entry, captured, running))
            running -= lines[-1].points
    older = top - taken
    return PointsHistory(
        lines=tuple(lines), opening=running, closing=closing, older=older if older and lines else None,
        is_newest=is_newest,
    )  # fmt: skip


def _line(entry: Entry, captured: set[str], balance: int) -> HistoryLine:
    return HistoryLine(
        at=entry.at,
        kind=EntryKind(entry.kind),
        amount=entry.amount,
        points=signed_points(entry),
        balance=balance,
        purchase=entry.purchase,
        reason=entry.reason_code,
        is_used=entry.kind == EntryKind.HOLD and entry.purchase in captured,
        is_debt=Bucket.OWED in (entry.src, entry.dst),
    )


def signed_points(entry: Entry) -> int:
    """Return what an entry adds to the balance of its member; 0 for one that only settles an earlier deduction."""
    return ((entry.dst in _OWN) - (entry.src in _OWN)) * entry.amount


def _captured(entries: Sequence[Entry], ids: Sequence[int]) -> set[str]:
    """Return the purchases of held points in a page that were used since."""
    held = {entry.purchase for entry in entries if entry.kind == EntryKind.HOLD}
    found = {entry.purchase for entry in entries if entry.kind == EntryKind.CAPTURE}
    if held - found:
        captures = Entry.objects.filter(account__in=ids, kind=EntryKind.CAPTURE, purchase__in=held - found)
        found |= set(captures.values_list("purchase", flat=True))
    return found
