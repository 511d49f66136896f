"""What time does to points: they become available, expire, and tiers lapse. In batches, any number of times."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from loyalink_khalti.errors import LedgerError
from loyalink_khalti.money import Points

from . import programmes, tiers
from .awarding import activate
from .book import Book, waiting
from .models import Account, Lot

log = logging.getLogger(__name__)

BATCH = 200
FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What was done to one account."""

    account_id: int
    did: str
    points: Points = Points(0)


def accounts_to_sweep() -> int:
    """How many accounts have something due, for a progress bar."""
    due = sum(ids().distinct().count() for ids in (_to_activate, _to_expire))
    return due + _to_downgrade().count()


def sweep() -> Iterator[Swept]:
    """Do all that is due, one account a transaction, so that a run that is killed goes on where it was.

    An account whose books are broken is told as ``FAILED`` and does not keep the others waiting.
    """
    for did, ids, work in (("activated", _to_activate, activate), ("expired", _to_expire, expire)):
        for account_id in batched(ids):
            yield _swept(account_id, did, work)
    for account_id in _to_downgrade().values_list("pk", flat=True).iterator(chunk_size=BATCH):
        swept = _swept(account_id, "changed tier", lambda pk: Points(int(downgrade(pk))))
        if swept.points or swept.did == FAILED:
            yield replace(swept, points=Points(0))


def _swept(account_id: int, did: str, work: Callable[[int], Points]) -> Swept:
    try:
        with transaction.atomic():
            return Swept(account_id=account_id, did=did, points=work(account_id))
    except (LedgerError, IntegrityError):
        log.exception("account %s could not be swept", account_id)
        return Swept(account_id=account_id, did=FAILED)


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


def batched(ids: Callable[[], "QuerySet[Lot, int]"]) -> Iterator[int]:
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
