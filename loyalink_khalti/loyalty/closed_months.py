"""Sums of months that are over, so that no report and no tier reads all entries that were ever written.

Entries never change, so the sums of a month in Nepal stay as they are once it is closed, days after its end: then no
transaction of that month can still be open. Two things change them all the same. An entry whose time, by the
database's clock, is in a closed month (the clock was set back) is added by the transaction that writes it
(``add_late``). And what a refund claws back is taken from the month in which the order earned it, under the lock of
the account (``move_awarded``).

Nothing depends on a closed month being there. ``awarded_since`` compares the sums with what the account has earned in
all: where they differ (an older version of the package ran beside this one) it reads the awards. The audit compares
every closed month with the rows that it sums up, and ``--repair`` writes it anew.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, Sum

from loyalink_khalti.clock import database_now
from loyalink_khalti.nepal import add_months, day_of, first_of_month, midnight
from loyalink_khalti.returning import update_returning

from .models import Account, Entry
from .months import AwardedMonth, MonthlyTotal
from .orders import OrderAward
from .point_values import month_in_nepal
from .program import Program
from .rules import TierBasis

CLOSED_AFTER = timedelta(days=2)
"""A month is closed so long after its end. No transaction takes nearly as long."""
MANY = 100
"""Accounts with more awards have their months closed; of the others a tier reads the awards themselves."""

_MOST_MERGED = 100
"""Of more accounts than these the awards are read: each is a condition of its own."""

Sums = Counter[tuple[str, str, str]]
"""Points by kind, source and destination of their entries."""


# Closing


def close_months() -> int:
    """Close all months that are over, one after the other; return how many. May be interrupted and repeated."""
    closed = 0
    for pk in Program.objects.order_by("pk").values_list("pk", flat=True):
        while _close_next(pk):
            closed += 1
    for program in Program.objects.filter(active=True, closed_until__isnull=False).order_by("pk"):
        for account_id in _accounts_to_close(program):
            close_account(account_id)
    return closed


@transaction.atomic
def _close_next(program_id: int) -> bool:
    """Close the next month of a programme; return False where there is none. The programme is locked meanwhile."""
    own = Program.objects.filter(pk=program_id)
    [(closed_until,)] = update_returning(own, {"closed_until": F("closed_until")}, "closed_until")
    if closed_until is None:
        first = Entry.objects.filter(account__program=program_id).order_by("at").values_list("at", flat=True).first()
        if first is None:
            return False
        closed_until = midnight(first_of_month(day_of(first)))
    month = day_of(closed_until)
    ends_at = midnight(add_months(month, 1))
    if ends_at + CLOSED_AFTER > database_now():
        return False
    _write(program_id, month, _sums_of(program_id, month))
    own.update(closed_until=ends_at)
    return True


def _sums_of(program_id: int, month: date) -> Sums:
    """Sum the entries of one month."""
    since, until = midnight(month), midnight(add_months(month, 1))
    entries = Entry.objects.filter(account__program=program_id, at__gte=since, at__lt=until)
    rows = entries.order_by().values_list("kind", "src", "dst").annotate(points=Sum("amount"))
    return Counter({(kind, src, dst): points for kind, src, dst, points in rows})


def _write(program_id: int, month: date, sums: Sums) -> None:
    MonthlyTotal.objects.bulk_create(
        MonthlyTotal(program_id=program_id, month=month, kind=kind, src=src, dst=dst, points=points)
        for (kind, src, dst), points in sums.items()
    )


_ADD = f"""
    INSERT INTO {MonthlyTotal._meta.db_table} AS total (program_id, month, kind, src, dst, points)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (program_id, month, kind, src, dst) DO UPDATE SET points = total.points + EXCLUDED.points"""  # noqa: S608 - our names


def add_late(program_id: int, entries: Sequence[Entry]) -> None:
    """Add entries, which are being written with a time in a closed month, to its sums."""
    sums: dict[tuple[date, str, str, str], int] = defaultdict(int)
    for entry in entries:
        sums[first_of_month(day_of(entry.at)), entry.kind, entry.src, entry.dst] += entry.amount
    with connection.cursor() as cursor:
        for (month, *moved), points in sorted(sums.items()):
            values = [connection.ops.adapt_datefield_value(month), *map(str, moved), points]
            cursor.execute(_ADD, [program_id, *values])


# Orders of one account


def _accounts_to_close(program: Program) -> Iterator[int]:
    """Accounts with many awards that lack the newest closed month, where a tier asks for the points of a year."""
    newest = program.versions.order_by("-number").first()
    if newest is None or newest.rules.tier_basis is not TierBasis.ROLLING_YEAR or program.closed_until is None:
        return
    done = AwardedMonth.objects.filter(month=_last_month(program.closed_until))
    by_account = OrderAward.objects.filter(program=program).order_by().values("account")
    many = by_account.annotate(number=Count("pk")).filter(number__gt=MANY)
    yield from list(many.exclude(account__in=done.values("account")).values_list("account", flat=True))


def _last_month(closed_until: datetime) -> date:
    return add_months(day_of(closed_until), -1)


@transaction.atomic
def close_account(account_id: int) -> None:
    """Write the closed months of an account anew, under its lock. Any number of times."""
    Account.objects.filter(pk=account_id).update(last_activity_at=F("last_activity_at"))  # takes its lock
    closed_until = Account.objects.values_list("program__closed_until", flat=True).get(pk=account_id)
    AwardedMonth.objects.filter(account=account_id).delete()
    if closed_until is None:
        return
    sums = {_last_month(closed_until): 0, **_awarded_by_month([account_id], closed_until)[account_id]}
    AwardedMonth.objects.bulk_create(
        AwardedMonth(account_id=account_id, month=month, points=points) for month, points in sums.items()
    )


def awarded_late(account_id: int) -> None:
    """Sum the months of an account anew, if they are closed: an order has earned in one. The account is locked."""
    if AwardedMonth.objects.filter(account=account_id).exists():
        close_account(account_id)


_KEPT = F("proportional") + F("fixed") - F("points_clawed_back")


def _awarded_by_month(accounts: Sequence[int], until: datetime) -> dict[int, dict[date, int]]:
    """What the orders of each month before ``until`` have earned each account, less what was clawed back."""
    awards = OrderAward.objects.filter(account__in=accounts, awarded_at__lt=until).order_by()
    rows = awards.annotate(month=month_in_nepal("awarded_at")).values_list("account", "month")
    found: dict[int, dict[date, int]] = defaultdict(dict)
    for account_id, month, points in rows.annotate(kept=Sum(_KEPT)):
        found[account_id][month] = points
    return found


def move_awarded(award: OrderAward, points: int, *, now: datetime) -> None:
    """Add points to the month in which an award was earned, if it is closed. The caller has locked its account."""
    month = first_of_month(day_of(award.awarded_at))
    if month != first_of_month(day_of(now)):
        AwardedMonth.objects.filter(account=award.account_id, month=month).update(points=F("points") + points)


def awarded_since(account: Account, since: datetime) -> int:
    """Return what the orders after a moment have earned an account and those that were merged into it.

    Less what was clawed back of these orders. Whole months come from closed ones, where they are right.
    """
    has_months = Exists(AwardedMonth.objects.filter(account=OuterRef("pk")))
    own = Account.objects.filter(Q(pk=account.pk) | Q(successor=account.pk)).annotate(has_months=has_months)
    known = dict(own.values_list("pk", "has_months"))
    accounts = account.with_merged() if len(known) > 1 else (account.pk,)  # few members were ever merged
    awards = OrderAward.objects.filter(account__in=accounts).order_by()
    closed: dict[int, dict[date, int]] = defaultdict(dict)
    if any(known.values()):
        months = AwardedMonth.objects.filter(account__in=accounts).values_list("account", "month", "points")
        for pk, month, points in months:
            closed[pk][month] = points
    if closed and len(accounts) <= _MOST_MERGED:
        first = first_of_month(day_of(since))
        first = first if midnight(first) > since else add_months(first, 1)  # of the others only a part is in the year
        still_open, part = Q(), Q(awarded_at__gt=since, awarded_at__lt=midnight(first))
        for pk in accounts:
            until = {"awarded_at__gte": midnight(add_months(max(closed[pk]), 1))} if pk in closed else {}
            still_open |= Q(account=pk, **until)
        sums = awards.filter(still_open | part).aggregate(
            still_open=Sum(_KEPT, filter=still_open), since=Sum(_KEPT, filter=Q(awarded_at__gt=since))
        )
        of_months = [points for months in closed.values() for points in months.values()]
        if sum(of_months) + (sums["still_open"] or 0) == account.earned_in_all:
            whole = sum(points for months in closed.values() for month, points in months.items() if month >= first)
            return whole + (sums["since"] or 0)
    return awards.filter(awarded_at__gt=since).aggregate(points=Sum(_KEPT))["points"] or 0


# The audit


def wrong_months() -> Iterator[tuple[Program, date]]:
    """Yield each closed month whose sums are not those of its entries."""
    for program in Program.objects.filter(closed_until__isnull=False).order_by("pk"):
        entries = Entry.objects.filter(account__program=program, at__lt=program.closed_until).order_by()
        found: dict[date, Sums] = defaultdict(Counter)
        by_month = entries.annotate(month=month_in_nepal("at")).values_list("month", "kind", "src", "dst")
        for month, *moved, points in by_month.annotate(points=Sum("amount")):
            found[month][tuple(moved)] += points
        for row in MonthlyTotal.objects.filter(program=program).order_by("pk"):
            found[row.month][row.kind, row.src, row.dst] -= row.points
        yield from ((program, month) for month in sorted(found) if any(found[month].values()))


def wrong_accounts() -> Iterator[int]:
    """Yield each account whose closed months are not what its awards add up to."""
    ids = AwardedMonth.objects.order_by().values_list("account", flat=True).distinct()
    for account_id in list(ids):
        stored = dict(AwardedMonth.objects.filter(account=account_id).values_list("month", "points"))
        until = midnight(add_months(max(stored), 1))
        found = _awarded_by_month([account_id], until)[account_id]
        if any(stored.get(month, 0) != found.get(month, 0) for month in {*stored, *found}):
            yield account_id


def rebuild_months() -> int:
    """Write every closed month anew whose sums are wrong; return how many. Safe beside writers, and repeatable."""
    wrong = list(wrong_months())
    for program, month in wrong:
        with transaction.atomic():
            # Before the entries are summed: an entry that is being added to these sums is committed then.
            MonthlyTotal.objects.filter(program=program, month=month).delete()
            _write(program.pk, month, _sums_of(program.pk, month))
    accounts = list(wrong_accounts())
    for account_id in accounts:
        close_account(account_id)
    return len(wrong) + len(accounts)
