"""What the scheduled run does to points: activate, expire, and update tiers. In batches, any number of times."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from loyalink_khalti.clock import DatabaseTime, time_of
from loyalink_khalti.errors import LedgerError
from loyalink_khalti.money import Points

from . import news
from .buckets import Bucket, EntryKind
from .closed_months import close_months
from .earning import update_tier
from .members import erased_with_points, settle_erased
from .membership import settle_left
from .models import Account, Lot
from .posting import Posting
from .program import Program, seal_versions

log = logging.getLogger(__name__)

BATCH = 200
FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """What was done to one account; ``action`` is ``FAILED`` where its rows contradict each other."""

    account_id: int
    action: str
    points: Points = Points(0)


def count_due() -> int:
    """Return how many accounts ``sweep`` visits, for a progress bar."""
    due = sum(ids().distinct().count() for ids in (_to_activate, _to_expire))
    return due + sum(
        accounts.count() for accounts in (_with_tier(), erased_with_points(), _left_with_points(), _unsealed())
    )


def sweep() -> Iterator[SweepResult]:
    """Activate, expire and update all that is due; yield what was done, in whole points.

    Each account has a transaction of its own, so that an interrupted run can be repeated. An account that fails is
    logged and yielded as ``FAILED``; the run continues with the others.
    """
    for action, ids, work in (("activated", _to_activate, activate), ("expired", _to_expire, expire)):
        for account_id in in_batches(ids):
            yield _sweep_one(account_id, action, work)
    for account_id in list(erased_with_points().values_list("pk", flat=True)):
        yield _sweep_one(account_id, "written off", settle_erased)
    for account_id in list(_left_with_points().values_list("pk", flat=True)):
        yield _sweep_one(account_id, "written off", settle_left)
    for program in Program.objects.order_by("pk"):
        seal_versions(program)
    for account_id in _unsealed().values_list("pk", flat=True).iterator(chunk_size=BATCH):
        result = _sweep_one(account_id, "sealed", _seal)
        if result.action == FAILED:
            yield result
    for account_id in _with_tier().values_list("pk", flat=True).iterator(chunk_size=BATCH):
        result = _sweep_one(account_id, "changed tier", lambda pk: Points(int(refresh_tier(pk))))
        if result.points or result.action == FAILED:
            yield replace(result, points=Points(0))
    close_months()


def _sweep_one(account_id: int, action: str, work: Callable[[int], Points]) -> SweepResult:
    try:
        with transaction.atomic():
            return SweepResult(account_id=account_id, action=action, points=work(account_id))
    except (LedgerError, IntegrityError):
        log.exception("the sweep failed for account %s", account_id)
        return SweepResult(account_id=account_id, action=FAILED)


def activate(account_id: int) -> Points:
    """Make the points of an account available whose pending time is over; return how many."""
    posting = Posting.lock(account_id)
    due = Lot.objects.filter(due_for_activation(time_of(posting.account)), account=account_id)
    lots = list(due.order_by("available_at", "pk"))
    for lot in lots:
        key = f"activate:{lot.pk}"
        posting.transfer(EntryKind.ACTIVATE, Bucket.PENDING, Bucket.AVAILABLE, lot.pending, key=key, lot=lot)
    due.update(remaining=F("remaining") + F("pending"), pending=0)
    posting.repay()
    posting.post()
    points = Points(sum(lot.pending for lot in lots))
    if points and posting.account.member_id:
        news.points_activated.send(sender=None, account=posting.account, points=points)
    return points


def expire(account_id: int) -> Points:
    """Expire what is due in one account; return how many points. Held points do not expire."""
    posting = Posting.lock(account_id)
    points = posting.expire_due()
    posting.post()
    return points


@transaction.atomic
def refresh_tier(account_id: int) -> bool:
    """Give an account the tier that it has now; return whether it changed."""
    posting = Posting.lock(account_id)
    changed = update_tier(posting.account, posting.rules)
    if changed:
        posting.post()
    return changed


def _seal(account_id: int) -> Points:
    Posting.lock(account_id, follow_merge=False).post()
    return Points(0)


def in_batches(ids: Callable[[], "QuerySet[Lot, int]"]) -> Iterator[int]:
    """Yield the accounts of lots that are due, a batch at a time; accounts that are done are due no more."""
    last = 0
    while batch := sorted(set(ids().filter(account_id__gt=last).order_by("account_id")[: BATCH * 4]))[:BATCH]:
        yield from batch
        last = batch[-1]


def _to_activate() -> QuerySet[Lot, int]:
    return Lot.objects.filter(due_for_activation(DatabaseTime())).values_list("account_id", flat=True)


def _to_expire() -> QuerySet[Lot, int]:
    due = Lot.objects.filter(remaining__gt=0, expires_at__lte=DatabaseTime())
    return due.values_list("account_id", flat=True)


def _unsealed() -> QuerySet[Account]:
    """Accounts with entries that the version before this one has written."""
    return Account.objects.filter(sealed_seq__lt=F("seq")).order_by("pk")


def _left_with_points() -> QuerySet[Account]:
    """Accounts of members who have left, to which the version before this one has added points."""
    with_points = Q(available__gt=0) | Q(pending__gt=0)
    return Account.objects.filter(with_points, left_at__isnull=False, member_id__isnull=False).order_by("pk")


def _with_tier() -> QuerySet[Account]:
    """Accounts above the lowest tier; no other can lose its tier."""
    return Account.objects.exclude(tier="").filter(successor=None).order_by("pk")


def due_for_activation(now: datetime | DatabaseTime) -> Q:
    """Return the condition for lots whose pending time is over."""
    return Q(pending__gt=0, available_at__lte=now)
