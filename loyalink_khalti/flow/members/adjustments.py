"""What staff do to a member's points: add, deduct, block, merge. All run in the caller's transaction.

Each returns whether it changed something now, so that the caller logs it once, however often somebody clicks.
"""

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.conf import formats
from loyalink_khalti.errors import CannotAdjust, InsufficientPoints
from loyalink_khalti.flow.notices import posting
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing, self_dealing_obstacle
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points

from .limits import adjust_limit_obstacle, enforce_adjust_limits


def own_account(*, site_key: str, member_id: str) -> Account:
    """Return the member's own account, even if it was merged into another; create it if they have none."""
    return ledger.own_account(site_key, member_id) or ledger.open_account(site_key, member_id)


@transaction.atomic
def adjust_points(
    account: Account,
    points: int,
    *,
    key: str,
    reason: str,
    actor: str | None,
    note: str = "",
    may_exceed_limit: bool = False,
) -> bool:
    """Add points to a member, or deduct them where ``points`` is negative; once per ``key``.

    ``actor`` is the user's pk, None for the system; ``may_exceed_limit`` says that they have the permission. Raises
    ``CannotAdjust``, ``SelfDealing`` for their own account, and ``AdjustmentLimitExceeded`` where they exceed a limit
    of the site, all with a message for staff, and ``LedgerConflict`` where the key was used with other figures.
    """
    limits = None if may_exceed_limit else conf.adjust_limits(account.program.site_key, lock=True)
    account = _lock(account)
    member_id = _present_member_id(account)
    is_new = not ledger.was_adjusted(account, key)
    if is_new:
        forbid_self_dealing(actor, StaffAction.ADJUST, members=[member_id])
    if is_new and limits is not None:
        enforce_adjust_limits(limits, [account], points, actor)
    try:
        ledger.adjust(
            site_key=account.program.site_key, member_id=member_id, points=points, key=key, reason=reason, note=note,
            actor=actor,
        )  # fmt: skip
    except InsufficientPoints as exc:
        raise CannotAdjust(shortage_message(Points(account.available - ledger.overdue_points(account)))) from exc
    if is_new and points:
        posting.points_adjusted(
            site_key=account.program.site_key, member_id=member_id, points=points, reason=reason,
            cause=f"{account.program_id}:{key}",
        )  # fmt: skip
    return is_new


@transaction.atomic
def set_blocked(account: Account, *, blocked: bool, actor: str | None, reason: str = "") -> bool:
    """Block a member's points or unblock them; ``actor`` is the user's pk, None for the system.

    Why is shown to the member: ``reason`` is one of ``staff.choices.BlockReason``, "" for no reason.
    Raises ``CannotAdjust``, and ``SelfDealing`` for their own account, with a message for staff.
    """
    account = _lock(account)
    member_id = _active_member_id(account)
    if account.blocked != blocked:
        forbid_self_dealing(actor, StaffAction.BLOCK, members=[member_id])
    return ledger.set_blocked(
        site_key=account.program.site_key, member_id=member_id, blocked=blocked, reason=reason
    )  # fmt: skip


@transaction.atomic
def merge_members(account: Account, *, into: Account, actor: str | None, may_exceed_limit: bool = False) -> bool:
    """Move all points of one member to another of the same site, for good.

    Raises ``CannotAdjust`` where that is impossible, ``SelfDealing`` where one of them is the actor, and
    ``AdjustmentLimitExceeded`` where the actor exceeds a limit of the site with the points that the merge moves and
    what they have moved of both members before; all with a message for staff.
    """
    limits = None if may_exceed_limit else conf.adjust_limits(account.program.site_key, lock=True)
    locked = {row.pk: row for row in _rows().filter(pk__in=[account.pk, into.pk]).order_by("pk")}
    account, into = locked[account.pk], locked[into.pk]
    if account.successor_id == into.pk:
        return False
    if account.pk == into.pk:
        raise CannotAdjust(_("These are the same member."))
    if account.program_id != into.program_id:
        raise CannotAdjust(_("These members belong to different sites and cannot be merged."))
    ending, staying = _present_member_id(account), _present_member_id(into)
    if account.held:
        raise CannotAdjust(held_message())
    forbid_self_dealing(actor, StaffAction.MERGE, members=[ending, staying])
    if limits is not None:
        moved = account.available + account.pending + account.owed
        enforce_adjust_limits(limits, [account, into], moved, actor)
    ledger.merge(site_key=account.program.site_key, member_id=ending, into=staying, actor=actor)
    return True


def adjustment_obstacle(account: Account, points: int, actor: str | None, *, may_exceed_limit: bool) -> str:
    """Return why an actor cannot adjust an account by ``points``; "" if they can."""
    if obstacle := self_dealing_obstacle(actor, members=[account.member_id]):
        return obstacle
    if may_exceed_limit:
        return ""
    return adjust_limit_obstacle(conf.adjust_limits(account.program.site_key), [account], points, actor)


def shortage_message(available: Points) -> str:
    """Return what staff read who deduct more points than there are."""
    return _("Only %(available)s points are available to deduct.") % {"available": formats.number(available)}


def held_message() -> str:
    """Return what staff read who merge a member with a pending payment."""
    return _("Some points of this member are reserved for a pending payment. Merge the members when it is finished.")


def account_obstacle(account: Account) -> str:
    """Return why the points of an account cannot be adjusted, a sentence for staff; "" where they can."""
    return left_message() if account.left_at is not None else _closed_message(account)


def _closed_message(account: Account) -> str:
    if account.member_id is None:
        return _("This member was erased. Their points were written off.")
    if account.successor_id is not None:
        return _("This member was merged into another member. Open that member instead.")
    if not account.program.active:
        return _("This loyalty programme has ended. Its points cannot be changed.")
    return ""


def _active_member_id(account: Account) -> str:
    if obstacle := _closed_message(account):
        raise CannotAdjust(obstacle)
    return str(account.member_id)


def _present_member_id(account: Account) -> str:
    if obstacle := account_obstacle(account):
        raise CannotAdjust(obstacle)
    return str(account.member_id)


def left_message() -> str:
    """Return what staff read who change the points of a member who has left."""
    return _(
        "This member has left the loyalty programme and has no points. They can join it again on their points card."
    )


def _rows() -> QuerySet[Account]:
    return Account.objects.select_for_update(of=("self",)).select_related("program")


def _lock(account: Account) -> Account:
    return _rows().get(pk=account.pk)
