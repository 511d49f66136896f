"""The ledger against itself: are the cached balances what the entries, the lots and the holds add up to?"""

from collections.abc import Iterator
from itertools import islice

from django.db import transaction
from django.db.models import Count, Max, Q, Sum

from loyalink_khalti.errors import LedgerError

from .book import EARNED, REDEEMED
from .models import Account, Bucket, Entry, Hold, Kind, Lot

CHUNK = 500
Balances = dict[str, int]
_CACHED = ("available", "pending", "held", "owed", "lifetime_earned", "lifetime_redeemed", "seq")


def faults() -> Iterator[tuple[Account, list[tuple[str, str]]]]:
    """Accounts whose books do not add up, each with (invariant, what is wrong)."""
    accounts = Account.objects.order_by("pk").iterator(chunk_size=CHUNK)
    while chunk := list(islice(accounts, CHUNK)):
        ids = [account.pk for account in chunk]
        replayed, lots, holds = _replay(ids), _lots(ids), _holds(ids)
        for account in chunk:
            found = list(
                _faults(account, replayed[account.pk], lots.get(account.pk, (0, 0)), holds.get(account.pk, 0))
            )
            if found:
                yield account, found


def repair() -> int:
    """Rebuild the cached balances of accounts that do not agree with their entries; return how many did not."""
    mended = 0
    for account, _ in faults():
        with transaction.atomic():
            locked = Account.objects.select_for_update().get(pk=account.pk)
            replayed = _replay([locked.pk])[locked.pk]
            if all(getattr(locked, name) == replayed[name] for name in _CACHED):
                continue
            if min(replayed[name] for name in ("available", "pending", "held", "owed")) < 0:
                raise LedgerError(f"account {locked.pk}: its entries give a negative balance; nothing was changed")
            Account.objects.filter(pk=locked.pk).update(**{name: replayed[name] for name in _CACHED})
            mended += 1
    return mended


def _faults(account: Account, replayed: Balances, lots: tuple[int, int], held: int) -> Iterator[tuple[str, str]]:
    for name in _CACHED[:-1]:
        if getattr(account, name) != replayed[name]:
            yield "L1", f"{name} is {getattr(account, name)}, its entries give {replayed[name]}"
    if lots != (account.available, account.pending):
        yield "L3", f"lots hold {lots[0]} available and {lots[1]} pending of {account.available} and {account.pending}"
    if held != account.held:
        yield "L3", f"active holds are {held}, held is {account.held}"
    if not replayed["count"] == replayed["seq"] == account.seq:
        yield "L10", f"{replayed['count']} entries, the last is number {replayed['seq']}, expected {account.seq}"


def _replay(ids: list[int]) -> dict[int, Balances]:
    books = {
        pk: dict.fromkeys([*Bucket.values, "lifetime_earned", "lifetime_redeemed", "seq", "count"], 0) for pk in ids
    }
    moved = Entry.objects.filter(account__in=ids).values("account", "kind", "src", "dst").order_by()
    for row in moved.annotate(total=Sum("amount"), number=Count("pk"), last=Max("seq")):
        book = books[row["account"]]
        book[row["src"]] -= row["total"]
        book[row["dst"]] += row["total"]
        book["lifetime_earned"] += EARNED.get(Kind(row["kind"]), 0) * row["total"]
        book["lifetime_redeemed"] += REDEEMED.get(Kind(row["kind"]), 0) * row["total"]
        book["count"] += row["number"]
        book["seq"] = max(book["seq"], row["last"])
    for book in books.values():
        book["owed"] = -book["owed"]
    return books


def _lots(ids: list[int]) -> dict[int, tuple[int, int]]:
    rows = Lot.objects.filter(account__in=ids).filter(Q(remaining__gt=0) | Q(pending__gt=0)).order_by()
    sums = rows.values("account").annotate(left=Sum("remaining"), waiting=Sum("pending"))
    return {row["account"]: (row["left"], row["waiting"]) for row in sums}


def _holds(ids: list[int]) -> dict[int, int]:
    rows = Hold.objects.filter(account__in=ids, state=Hold.State.ACTIVE).order_by()
    return {row["account"]: row["total"] for row in rows.values("account").annotate(total=Sum("points"))}
