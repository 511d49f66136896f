"""Lots of one account in the order in which they are redeemed: the earliest expiry first, never-expiring ones last.

They are read in pieces, so that a purchase reads those that it needs, however many the account has.
"""

from collections.abc import Collection, Iterator

from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from loyalink_khalti.clock import DatabaseTime

from .models import Account, Lot

PIECES = (10, 1_000, 100_000, 10_000_000)
"""So many lots are read at once: those that a purchase needs are a few."""
_CHUNK = 500


def take(account_id: int, points: int, first: Collection[int] = ()) -> int:
    """Take available points out of the lots of a locked account; return how many the lots lack, and take none then."""
    missing, drained, rest = points, [], {}
    for pk, remaining in _in_order(account_id, first) if points else ():
        if remaining > missing:
            rest[pk] = remaining - missing
        else:
            drained.append(pk)
        missing -= min(remaining, missing)
        if not missing:
            break
    if missing:
        return missing
    for start in range(0, len(drained), _CHUNK):
        Lot.objects.filter(pk__in=drained[start : start + _CHUNK]).update(remaining=0)
    for pk, remaining in rest.items():
        Lot.objects.filter(pk=pk).update(remaining=remaining)
    return 0


def _in_order(account_id: int, first: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yield the lots with available points and how many, those in ``first`` first, then the earliest expiry first."""
    lots = Lot.objects.filter(account=account_id, remaining__gt=0).values_list("pk", "remaining")
    if first:
        yield from lots.filter(pk__in=first).order_by("pk")
    for ordered in (
        lots.filter(expires_at__isnull=False).order_by("expires_at", "available_at", "pk"),
        lots.filter(expires_at=None).order_by("available_at", "pk"),
    ):
        start = 0
        for size in PIECES:
            piece = list(ordered[start : start + size])
            yield from (lot for lot in piece if lot[0] not in first)
            start += size
            if len(piece) < size:
                break


def available_lots(account: Account) -> QuerySet[Lot]:
    """Return the lots with available points, in the order in which they are redeemed: never-expiring ones last."""
    lots = Lot.objects.filter(account=account, remaining__gt=0)
    return lots.order_by(F("expires_at").asc(nulls_last=True), "available_at", "pk")


def with_overdue(accounts: "QuerySet[Account]") -> "QuerySet[Account]":
    """Return accounts with ``overdue``: the available points of each that have expired; no statement more."""
    lots = Lot.objects.filter(account=OuterRef("pk"), remaining__gt=0, expires_at__lte=DatabaseTime()).order_by()
    sums = lots.values("account").annotate(points=Sum("remaining")).values("points")
    return accounts.annotate(overdue=Coalesce(Subquery(sums), 0))
