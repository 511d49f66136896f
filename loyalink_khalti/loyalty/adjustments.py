"""Adjust a member's points by staff or by an import, and block or unblock an account."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from loyalink_khalti.errors import InsufficientPoints
from loyalink_khalti.money import Points

from .buckets import Bucket, EntryKind
from .models import Account, Entry, EntryNote, IdempotencyKey
from .posting import Posting, is_first_time, open_account
from .program import current_version

IMPORT = "import"
"""The reason code of imported points."""


@transaction.atomic
def adjust(
    *,
    site_key: str,
    member_id: str,
    points: int,
    key: str,
    reason: str,
    note: str = "",
    actor: str | None = None,
    expires_at: datetime | None = None,
) -> Points:
    """Add or (negative) deduct whole points, once per ``key``; return ``points``.

    Added points expire as the rules say, or at ``expires_at``. Raises ``InsufficientPoints`` where fewer points are
    available than are to be deducted, and ``LedgerConflict`` where the key was used with other figures.
    """
    account = open_account(site_key, member_id)
    figures = f"{member_id}:{points}" + (f":{expires_at.isoformat()}" if expires_at else "")
    if not points or not is_first_time(f"{account.program_id}:adjust", key, figures):
        return Points(points)
    version = current_version(site_key)
    posting = Posting.lock(account.pk, actor=actor, reason=reason, version_id=version.pk)
    name = _entry_key(account, key)
    if points > 0:
        now = timezone.now()
        expires_at = expires_at or version.rules.expires_at(now)
        posting.credit(
            EntryKind.ADJUST, Bucket.ADJUSTED, points, key=name, available_at=now, expires_at=expires_at
        )  # fmt: skip
    else:
        posting.expire_due()
        if posting.account.available < -points:
            raise InsufficientPoints(f"{posting.account.available} points available, {-points} to be deducted")
        posting.take_from_lots(-points)
        posting.transfer(EntryKind.ADJUST, Bucket.AVAILABLE, Bucket.ADJUSTED, -points, key=name)
    posting.post()
    if note:
        EntryNote.objects.create(entry=Entry.objects.get(key=name), text=note)
    return Points(points)


def was_adjusted(account: Account, key: str) -> bool:
    """Return whether an adjustment with this key has been recorded."""
    return Entry.objects.filter(key=_entry_key(account, key)).exists()


def _entry_key(account: Account, key: str) -> str:
    return f"adjust:{account.program_id}:{key}"


def set_blocked(*, site_key: str, member_id: str, blocked: bool) -> bool:
    """Block a member's account or unblock it; return whether that changed anything.

    A blocked account earns points and cannot redeem them.
    """
    account = open_account(site_key, member_id)
    return bool(Account.objects.filter(pk=account.pk, blocked=not blocked).update(blocked=blocked))


# Imports


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """One row of a file of balances; with ``expires_at`` None the points expire as the rules say."""

    number: int
    member_id: str
    points: Points
    expires_at: datetime | None = None
    note: str = ""


def import_points(
    rows: Sequence[ImportRow], *, site_key: str, digest: str, actor: str | None = None
) -> Iterator[ImportRow]:
    """Add the points of a file's rows, each once, in the caller's transaction; yield each row that is done.

    ``digest`` identifies the contents of the file. Raises ``LedgerConflict`` where a row was imported with other
    figures.
    """
    accounts = {row.member_id: open_account(site_key, row.member_id).pk for row in rows}
    for row in sorted(rows, key=lambda row: accounts[row.member_id]):  # accounts are locked in the order of their pks
        adjust(
            site_key=site_key,
            member_id=row.member_id,
            points=row.points,
            key=f"import:{digest}:{row.number}",
            reason=IMPORT,
            note=row.note,
            actor=actor,
            expires_at=row.expires_at,
        )
        yield row


def count_imported(*, site_key: str, digest: str) -> int:
    """Return how many rows of a file have been imported."""
    scope = f"{current_version(site_key).program_id}:adjust"
    return IdempotencyKey.objects.filter(scope=scope, key__startswith=f"import:{digest}:").count()
