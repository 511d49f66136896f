"""Points of many members at once, from a file: first what it would do, row by row, then all of it or nothing.

A row is known by its batch, member and contents, so that a file that is sent again adds nothing. Limits, permissions
and the refusal for one's own account are those of a single adjustment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import AdjustmentLimitExceeded, CannotAdjust
from loyalink_khalti.flow.notices import posting
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing, self_dealing_obstacle
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import ImportRow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points

from .adjustments import account_obstacle, shortage_message
from .directory import chunked
from .limits import bulk_limit_obstacles


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRow:
    """What one row would do. A row with an ``obstacle``, a sentence for staff, lets nothing of its file be done."""

    row: ImportRow
    before: Points
    """Available points now."""
    after: Points
    """The same after the row; a debt is repaid first."""
    is_repeated: bool
    """It was done before, and is skipped."""
    has_others: bool
    """The batch has given this member points by another row."""
    obstacle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkChange:
    """What a file would do; ``obstacle`` is about all of it, "" for none."""

    rows: tuple[BulkRow, ...]
    obstacle: str = ""

    @property
    def new(self) -> tuple[BulkRow, ...]:
        return tuple(row for row in self.rows if not row.is_repeated)

    @property
    def errors(self) -> tuple[BulkRow, ...]:
        return tuple(row for row in self.rows if row.obstacle)

    @property
    def added(self) -> int:
        return sum(max(row.row.points, 0) for row in self.new)

    @property
    def deducted(self) -> int:
        return -sum(min(row.row.points, 0) for row in self.new)


def preview_points(
    rows: Sequence[ImportRow], *, site_key: str, batch: str, actor: str | None, may_exceed_limit: bool = False
) -> BulkChange:
    """Return what the rows of a file would do, and why not; writes nothing. The same statements for any file."""
    limits = conf.AdjustLimits() if may_exceed_limit else conf.adjust_limits(site_key)
    return _change(rows, site_key=site_key, batch=batch, actor=actor, limits=limits)


@transaction.atomic
def upload_points(
    rows: Sequence[ImportRow], *, site_key: str, batch: str, actor: str | None, may_exceed_limit: bool = False
) -> BulkChange:
    """Add and deduct the points of all rows, each once, or of none; return what was done.

    Runs in the caller's transaction, or in its own. Raises ``CannotAdjust``, ``AdjustmentLimitExceeded`` and
    ``SelfDealing`` with a sentence for staff that names the row.
    """
    limits = conf.AdjustLimits() if may_exceed_limit else conf.adjust_limits(site_key, lock=True)
    ledger.lock_imports(site_key)
    change = _change(rows, site_key=site_key, batch=batch, actor=actor, limits=limits)
    forbid_self_dealing(actor, StaffAction.IMPORT, members=[each.row.member_id for each in change.new])
    if change.obstacle:
        raise AdjustmentLimitExceeded(change.obstacle)
    for each in change.errors:
        raise CannotAdjust(_("Row %(number)s: %(error)s") % {"number": each.row.number, "error": each.obstacle})
    done = ledger.import_points(
        [each.row for each in change.new], site_key=site_key, digest=batch, batch=batch, actor=actor
    )
    for imported in done:
        if imported.is_new and imported.row.reason != ledger.IMPORT:
            posting.points_adjusted(
                site_key=site_key, member_id=imported.row.member_id, points=imported.row.points,
                reason=imported.row.reason, cause=ledger.import_key(imported.row, batch=batch),
            )  # fmt: skip
    return change


def _change(
    rows: Sequence[ImportRow], *, site_key: str, batch: str, actor: str | None, limits: conf.AdjustLimits
) -> BulkChange:
    known = ledger.imported_keys(site_key, batch=batch)
    members = {key.rpartition(":")[0] for key in known}
    accounts = _accounts(rows, site_key)
    keys = [ledger.import_key(row, batch=batch) for row in rows]
    is_new = [key not in known for key in keys]
    wanted = [(accounts.get(row.member_id), int(row.points)) for row, new in zip(rows, is_new, strict=True) if new]
    by_row, overall = bulk_limit_obstacles(limits, wanted, actor, ledger.current_version(site_key).program_id)
    limit_of = iter(by_row)
    own = _own_rows(rows, actor)
    found = []
    for row, key, new in zip(rows, keys, is_new, strict=True):
        account = accounts.get(row.member_id)
        limit = next(limit_of) if new else ""
        obstacle = (own.get(row.number) or _obstacle(account, row) or limit) if new else ""
        before, after = _balances(account, row.points if new else Points(0))
        found.append(
            BulkRow(
                row=row, before=before, after=after, is_repeated=not new,
                has_others=new and key.rpartition(":")[0] in members, obstacle=obstacle,
            )
        )  # fmt: skip
    return BulkChange(rows=tuple(found), obstacle=overall)


def _accounts(rows: Sequence[ImportRow], site_key: str) -> dict[str, Account]:
    """The members' own accounts, with their points that are overdue left out; the same statements for each chunk."""
    found: dict[str, Account] = {}
    for chunk in chunked({row.member_id for row in rows}):
        own = Account.objects.filter(program__site_key=site_key, program__active=True, member_id__in=chunk)
        for account in ledger.with_overdue(own.select_related("program")):
            found[str(account.member_id)] = account
    return found


def _balances(account: Account | None, points: int) -> tuple[Points, Points]:
    before = 0 if account is None else account.available - getattr(account, "overdue", 0)
    repaid = min(max(points, 0), account.owed if account else 0)
    return Points(before), Points(max(before + points - repaid, 0))


def _obstacle(account: Account | None, row: ImportRow) -> str:
    if account is not None and (obstacle := account_obstacle(account)):
        return obstacle
    before = _balances(account, 0)[0]
    return shortage_message(before) if row.points + before < 0 else ""


def _own_rows(rows: Sequence[ImportRow], actor: str | None) -> dict[int, str]:
    """Why rows for the actor's own account are refused, by their numbers: asked row by row only if there are any."""
    if not self_dealing_obstacle(actor, members=[row.member_id for row in rows]):
        return {}
    return {row.number: self_dealing_obstacle(actor, members=[row.member_id]) for row in rows}
