"""The ledger against itself: are the cached balances what the entries, the lots and the holds add up to?

Invariants are numbered as in docs/loyalty.md. Each is asked of some hundred accounts at a time and summed by the
database, so that nothing here grows with the history. Not asked: 2 (an entry adds to one bucket what it takes from
another, so all buckets sum to 0) and what unique keys and constraints already refuse.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Case, Count, F, Max, Min, Q, QuerySet, Sum, When

from .book import EARNED, REDEEMED
from .models import Account, Allocation, Bucket, Entry, Hold, Kind, Lot
from .orders import OrderAward, OrderRedemption
from .programmes import Program

CHUNK = 500
Balances = dict[str, int]
Fault = tuple[str, str, str]
"""What is wrong, with which invariant, in words."""
_BUCKETS = ("available", "pending", "held", "owed")
_CACHED = (*_BUCKETS, "lifetime_earned", "lifetime_redeemed", "seq")
_NOTHING: dict[str, int] = {}


def faults() -> Iterator[Fault]:
    """Everything in the ledger that does not add up: (subject, invariant, what is wrong)."""
    accounts = Account.objects.order_by("pk").iterator(chunk_size=CHUNK)
    while chunk := list(islice(accounts, CHUNK)):
        for account, found in _chunk_faults(chunk):
            for invariant, detail in found:
                yield f"account {account.pk}", invariant, detail
    for program in Program.objects.order_by("pk"):
        for invariant, detail in _program_faults(program):
            yield f"programme {program}", invariant, detail


def repair() -> int:
    """Rebuild the cached balances of accounts that do not agree with their entries; return how many did not.

    What entries themselves say wrongly (a negative balance, a gap) is left as it is, for people to look at.
    """
    mended = 0
    accounts = Account.objects.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=CHUNK)
    while ids := list(islice(accounts, CHUNK)):
        replayed = _replay(ids)
        for account in Account.objects.filter(pk__in=ids).order_by("pk"):
            if not _agrees(account, replayed[account.pk]):
                mended += _rebuild(account.pk)
    return mended


def _rebuild(account_id: int) -> bool:
    with transaction.atomic():
        Account.objects.filter(pk=account_id).update(touched_at=F("touched_at"))  # takes its lock
        replayed = _replay([account_id])[account_id]
        sound = min(replayed[name] for name in _BUCKETS) >= 0 and not (replayed["available"] and replayed["owed"])
        if not sound or _agrees(Account.objects.get(pk=account_id), replayed):
            return False
        Account.objects.filter(pk=account_id).update(**{name: replayed[name] for name in _CACHED})
    return True


def _agrees(account: Account, replayed: Balances) -> bool:
    return all(getattr(account, name) == replayed[name] for name in _CACHED)


def _chunk_faults(accounts: list[Account]) -> Iterator[tuple[Account, list[tuple[str, str]]]]:
    ids = [account.pk for account in accounts]
    replayed, lots, holds = _replay(ids), _lots(ids), _holds(ids)
    awards = _sums(OrderAward.objects.filter(account__in=ids), awarded=Sum(F("proportional") + F("fixed")))
    spent = _sums(OrderRedemption.objects.filter(account__in=ids), spent=Sum("points"))
    set_aside = Allocation.objects.filter(hold__account__in=ids, hold__state=Hold.State.ACTIVE)
    from_lots = _sums(set_aside, by="hold__account", points=Sum("points"))
    for account in accounts:
        pk, books = account.pk, replayed[account.pk]
        found = [
            *_balance_faults(account, books),
            *_lot_faults(account, lots.get(pk, _NOTHING), from_lots.get(pk, _NOTHING)),
            *_hold_faults(account, books, holds.get(pk, _NOTHING)),
            *_order_faults(books, awards.get(pk, _NOTHING), spent.get(pk, _NOTHING)),
        ]
        if found:
            yield account, found


def _balance_faults(account: Account, books: Balances) -> Iterator[tuple[str, str]]:
    for name in _CACHED[:-1]:
        if getattr(account, name) != books[name]:
            yield "L1", f"{name} is {getattr(account, name)}, its entries give {books[name]}"
    for name in _BUCKETS:
        if getattr(account, name) < 0:
            yield "L5", f"{name} is {getattr(account, name)}"
    if account.available > 0 and account.owed > 0:
        yield "L5", f"{account.available} available while {account.owed} are owed"
    if (books["first"], books["count"], books["seq"]) != (min(account.seq, 1), account.seq, account.seq):
        yield (
            "L10",
            (f"{books['count']} entries, number {books['first']} to {books['seq']}, expected 1 to {account.seq}"),
        )


def _lot_faults(account: Account, lots: Balances, from_lots: Balances) -> Iterator[tuple[str, str]]:
    left, waiting = lots.get("left", 0), lots.get("waiting", 0)
    if (left, waiting) != (account.available, account.pending):
        yield "L3", f"lots hold {left} available and {waiting} pending of {account.available} and {account.pending}"
    if from_lots.get("points", 0) != account.held:
        yield "L3", f"{from_lots.get('points', 0)} points are set aside from lots, held is {account.held}"
    if lots.get("unsound", 0):
        yield "L4", f"{lots['unsound']} lot(s) below 0 or above what they began with"


def _hold_faults(account: Account, books: Balances, holds: Balances) -> Iterator[tuple[str, str]]:
    if holds.get("active", 0) != account.held:
        yield "L3", f"active holds are {holds.get('active', 0)}, held is {account.held}"
    told = {
        "captured": books[Kind.CAPTURE] + books[Kind.LATE_CAPTURE],
        "released": books[Kind.RELEASE],
        "points": books[Kind.HOLD] + books[Kind.LATE_CAPTURE],  # late ones were never on hold
    }
    for name, moved in told.items():
        if holds.get(name, 0) != moved:
            yield "L7", f"holds have {holds.get(name, 0)} {name}, the entries {moved}"


def _order_faults(books: Balances, awards: Balances, spent: Balances) -> Iterator[tuple[str, str]]:
    captured = books[Kind.CAPTURE] + books[Kind.LATE_CAPTURE]
    if awards.get("awarded", 0) != books[Kind.EARN]:
        yield "L6", f"purchases were awarded {awards.get('awarded', 0)}, the entries {books[Kind.EARN]}"
    if spent.get("spent", 0) != captured:
        yield "L6", f"purchases have spent {spent.get('spent', 0)}, the entries {captured}"


def _program_faults(program: Program) -> Iterator[tuple[str, str]]:
    """What refunds moved, over all accounts: after a merge it moves on another account than the one that earned."""
    moved = {
        row["kind"]: row["total"]
        for row in Entry.objects.filter(
            account__program=program, kind__in=[Kind.CLAW_BACK, Kind.FORGIVE, Kind.RESTORE]
        )
        .values("kind")
        .annotate(total=Sum("amount"))
        .order_by()
    }
    taken = moved.get(Kind.CLAW_BACK, 0) + moved.get(Kind.FORGIVE, 0)
    clawed = OrderAward.objects.filter(program=program).aggregate(total=Sum("clawed"))["total"] or 0
    restored = OrderRedemption.objects.filter(program=program).aggregate(total=Sum("restored"))["total"] or 0
    if clawed != taken:
        yield "L8", f"{clawed} points of purchases were taken back, the entries say {taken}"
    if restored != moved.get(Kind.RESTORE, 0):
        yield "L9", f"{restored} points of purchases were given back, the entries say {moved.get(Kind.RESTORE, 0)}"


def _replay(ids: list[int]) -> dict[int, Balances]:
    names = [*Bucket.values, *Kind.values, "lifetime_earned", "lifetime_redeemed", "seq", "count", "first"]
    books = {pk: dict.fromkeys(names, 0) for pk in ids}
    moved = Entry.objects.filter(account__in=ids).values("account", "kind", "src", "dst").order_by()
    for row in moved.annotate(total=Sum("amount"), number=Count("pk"), first=Min("seq"), last=Max("seq")):
        book = books[row["account"]]
        book[row["src"]] -= row["total"]
        book[row["dst"]] += row["total"]
        book[row["kind"]] += row["total"]
        book["lifetime_earned"] += EARNED.get(Kind(row["kind"]), 0) * row["total"]
        book["lifetime_redeemed"] += REDEEMED.get(Kind(row["kind"]), 0) * row["total"]
        book["count"] += row["number"]
        book["first"] = min(book["first"], row["first"]) if book["seq"] else row["first"]
        book["seq"] = max(book["seq"], row["last"])
    for book in books.values():
        book["owed"] = -book["owed"]
    return books


def _lots(ids: list[int]) -> dict[int, Balances]:
    unsound = Q(remaining__lt=0) | Q(pending__lt=0) | Q(original__lt=F("remaining") + F("pending"))
    rows = Lot.objects.filter(account__in=ids).filter(unsound | Q(remaining__gt=0) | Q(pending__gt=0))
    return _sums(rows, left=Sum("remaining"), waiting=Sum("pending"), unsound=Count("pk", filter=unsound))


def _holds(ids: list[int]) -> dict[int, Balances]:
    state = Hold.State
    rest = Case(
        When(state=state.RELEASED, then=F("points")),
        When(state=state.CAPTURED, then=F("points") - F("captured")),
        default=0,
    )
    return _sums(
        Hold.objects.filter(account__in=ids),
        active=Sum("points", filter=Q(state=state.ACTIVE)),
        captured=Sum("captured"),
        released=Sum(rest),
        points=Sum("points"),
    )


def _sums(rows: "QuerySet[Any]", *, by: str = "account", **sums: "Count | Sum") -> dict[int, Balances]:
    """So many points of each account, by name."""
    # Under other names than the columns', which an annotation may not take.
    named = {f"sum_{name}": sum_ for name, sum_ in sums.items()}
    return {
        row[by]: {name: row[f"sum_{name}"] or 0 for name in sums}
        for row in rows.order_by().values(by).annotate(**named)
    }
