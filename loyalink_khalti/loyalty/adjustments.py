"""Adjust a member's points by staff or by an import, and block or unblock an account."""

import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from django.db import transaction
from django.db.models import Q

from loyalink_khalti.clock import time_of
from loyalink_khalti.errors import InsufficientPoints, MemberLeft
from loyalink_khalti.money import Points

from .accounts import open_account
from .buckets import Bucket, EntryKind
from .models import Account, Entry, EntryNote, IdempotencyKey
from .posting import Posting, is_first_time
from .program import Program, current_version

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
    available than are to be deducted, ``MemberLeft`` for a member who has left the programme, and ``LedgerConflict``
    where the key was used with other figures.
    """
    account = open_account(site_key, member_id)
    figures = f"{member_id}:{points}" + (f":{expires_at.isoformat()}" if expires_at else "")
    if not points or not is_first_time(f"{account.program_id}:adjust", key, figures):
        return Points(points)
    version = current_version(site_key)
    posting = Posting.lock(account.pk, actor=actor, reason=reason, version_id=version.pk)
    if posting.account.left_at is not None:
        raise MemberLeft(f"member {member_id} has left the programme")
    name = _entry_key(account, key)
    if points > 0:
        now = time_of(posting.account)
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


def set_blocked(*, site_key: str, member_id: str, blocked: bool, reason: str = "") -> bool:
    """Block a member's account or unblock it; return whether that changed anything.

    A blocked account earns points and cannot redeem them. Its member is shown the ``reason``, a code.
    """
    account = Account.objects.filter(pk=open_account(site_key, member_id).pk, blocked=not blocked)
    return bool(account.update(blocked=blocked, block_reason=reason if blocked else ""))


# Imports


DEFAULT_BATCH = "opening-balances"
"""The batch of rows that are imported without another name."""
_AGAIN = ":again:"
_BY_FILE = "import:{digest}:{number}"
"""The key of a row in versions that knew rows by their file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """One row of a file of balances, or of adjustments (below 0: deducted).

    With ``expires_at`` None the points expire as the rules say.
    """

    number: int
    member_id: str
    points: Points
    expires_at: datetime | None = None
    note: str = ""
    reason: str = IMPORT
    """The reason code of its entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRow:
    """What became of a row: ``is_new`` if its points were added; if not, the same row was imported before.

    ``has_others``: the batch had given this member points by another row.
    """

    row: ImportRow
    is_new: bool
    has_others: bool


def import_key(row: ImportRow, *, batch: str = DEFAULT_BATCH) -> str:
    """Return the key of a row: batch, member and contents, whatever the file looks like that contains it.

    The member is a hash in it, so that entries, which never change, name no member.
    """
    note = " ".join(unicodedata.normalize("NFKC", row.note).split())
    expires = row.expires_at.astimezone(UTC).isoformat() if row.expires_at else ""
    contents = json.dumps([row.member_id, int(row.points), expires, note, *_more(row)])
    member = sha256(row.member_id.encode()).hexdigest()[:16]
    return f"import:{batch}:{member}:{sha256(contents.encode()).hexdigest()[:32]}"


def _more(row: ImportRow) -> list[str]:
    """What else a row contains that is no balance: earlier versions knew nothing else."""
    return [] if row.reason == IMPORT else [row.reason]


def import_points(
    rows: Sequence[ImportRow],
    *,
    site_key: str,
    digest: str,
    batch: str = DEFAULT_BATCH,
    again: str = "",
    actor: str | None = None,
) -> Iterator[ImportedRow]:
    """Add the points of a file's rows, each once, in the caller's transaction; yield each row with what became of it.

    A row is known by its batch, member and contents. With a name in ``again`` the rows are added once more, once for
    this name. ``digest`` is the hash of the file, by which rows were known in earlier versions.
    """
    known = _lock_imported(site_key, batch=batch, digest=digest)
    members = {key.rpartition(":")[0] for key in known}
    accounts = {row.member_id: open_account(site_key, row.member_id).pk for row in rows}
    for row in sorted(rows, key=lambda row: accounts[row.member_id]):  # accounts are locked in the order of their pks
        key = import_key(row, batch=batch)
        is_repeated = bool(known & {key, _BY_FILE.format(digest=digest, number=row.number)})
        has_others = not is_repeated and key.rpartition(":")[0] in members
        if again:
            key = f"{key}{_AGAIN}{again}"
            is_repeated = key in known
        if not is_repeated:
            adjust(
                site_key=site_key,
                member_id=row.member_id,
                points=row.points,
                key=key,
                reason=row.reason,
                note=row.note,
                actor=actor,
                expires_at=row.expires_at,
            )
        yield ImportedRow(row=row, is_new=not is_repeated, has_others=has_others)


def lock_imports(site_key: str) -> None:
    """Let other imports of a site wait until the end of the transaction."""
    Program.objects.select_for_update().get(pk=current_version(site_key).program_id)


def _lock_imported(site_key: str, *, batch: str, digest: str) -> set[str]:
    lock_imports(site_key)
    return imported_keys(site_key, batch=batch, digest=digest)


def imported_keys(site_key: str, *, batch: str, digest: str = "") -> set[str]:
    """Return the keys of a batch's rows imported so far, each also without its ``again``."""
    program = current_version(site_key).program
    ours = Q(key__startswith=f"import:{batch}:") | Q(key__startswith=f"import:{digest}:")
    keys = IdempotencyKey.objects.filter(ours, scope=f"{program.pk}:adjust").values_list("key", flat=True)
    return {name for key in keys.iterator() for name in (key, key.partition(_AGAIN)[0])}
