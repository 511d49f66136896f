"""What time does to points: they become available, expire, and tiers lapse. In batches, any number of times."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Min, QuerySet, Sum
from django.utils import timezone

from loyalink_khalti.money import Points

from . import programmes, tiers
from .awarding import activate
from .book import Book, waiting
from .expiry import day_of
from .models import Account, Lot

BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What was done to one account."""

    account_id: int
    did: str
    points: Points = Points(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringSoon:
    """A member whose points expire soon, and has not been told."""

    account_id: int
    site_key: str
    member_id: str
    points: Points
    first_day: str


def accounts_to_sweep() -> int:
    """How many accounts have something due, for a progress bar."""
    return sum(len(set(ids())) for ids in (_to_activate, _to_expire)) + _to_downgrade().count()


def sweep() -> Iterator[Swept]:
    """Do all that is due, one account a transaction, so that a run that is killed goes on where it was."""
    for did, ids, work in (("activated", _to_activate, activate), ("expired", _to_expire, expire)):
        for account_id in _batched(ids):
            with transaction.atomic():
                points = work(account_id)
            yield Swept(account_id=account_id, did=did, points=points)
    for account_id in list(_to_downgrade().values_list("pk", flat=True)):
        if downgrade(account_id):
            yield Swept(account_id=account_id, did="changed tier")


def expire(account_id: int) -> Points:
    """Expire what is due in one account; held points are not touched."""
    book = Book.locked(account_id)
    points = book.expire_due()
    book.close()
    return points


@transaction.atomic
def downgrade(account_id: int) -> bool:
    """Give an account the tier that it has now; say whether it changed."""
    book = Book.locked(account_id)
    rules = programmes.current(book.account.program.site_key).rules
    changed = tiers.follow(book, rules)
    if changed:
        book.close()
    return changed


def expiring_soon(*, within: timedelta) -> Iterator[ExpiringSoon]:
    """Members with points that expire within a time."""
    now = timezone.now()
    lots = Lot.objects.filter(remaining__gt=0, expires_at__gt=now, expires_at__lte=now + within)
    rows = (
        lots.filter(account__member_id__isnull=False, account__successor=None)
        .values("account_id", "account__member_id", "account__program__site_key")
        .annotate(points=Sum("remaining"), first=Min("expires_at"))
        .order_by("account_id")
    )
    for row in rows.iterator(chunk_size=BATCH):
        yield ExpiringSoon(
            account_id=row["account_id"],
            site_key=row["account__program__site_key"],
            member_id=row["account__member_id"] or "",
            points=Points(row["points"]),
            first_day=day_of(row["first"] - timedelta(seconds=1)).isoformat(),
        )


def _batched(ids: Callable[[], QuerySet[Lot, int]]) -> Iterator[int]:
    """Accounts with something due, a batch at a time: what is done is due no more."""
    last = 0
    while batch := sorted(set(ids().filter(account_id__gt=last).order_by("account_id")[: BATCH * 4]))[:BATCH]:
        yield from batch
        last = batch[-1]


def _to_activate() -> QuerySet[Lot, int]:
    return Lot.objects.filter(waiting(timezone.now())).values_list("account_id", flat=True)


def _to_expire() -> QuerySet[Lot, int]:
    due = Lot.objects.filter(remaining__gt=0, expires_at__lte=timezone.now())
    return due.values_list("account_id", flat=True)


def _to_downgrade() -> QuerySet[Account]:
    """Accounts above the lowest tier; only they can fall."""
    return Account.objects.exclude(tier="").filter(successor=None).order_by("pk")
