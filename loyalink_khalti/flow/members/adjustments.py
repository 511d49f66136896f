"""What staff do to a member's points: add, deduct, block, merge. All run in the caller's transaction.

Each returns whether it changed something now, so that the caller logs it once, however often somebody clicks.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import AdjustmentLimitExceeded, CannotAdjust, InsufficientPoints
from loyalink_khalti.flow.self_dealing import Deed, forbid_self_dealing, self_dealing_obstacle
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.buckets import EntryKind
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.money import Points
from loyalink_khalti.nepal import group_digits

LIMIT_PERIOD = timedelta(hours=24)


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
    account = _lock(account)
    member_id = _active_member_id(account)
    is_new = not ledger.was_adjusted(account, key)
    if is_new:
        forbid_self_dealing(actor, Deed.ADJUST, members=[member_id])
    if is_new and not may_exceed_limit and (limit := exceeded_adjust_limit(account, points, actor)) is not None:
        raise AdjustmentLimitExceeded(_limit_message(limit))
    try:
        ledger.adjust(
            site_key=account.program.site_key, member_id=member_id, points=points, key=key, reason=reason, note=note,
            actor=actor,
        )  # fmt: skip
    except InsufficientPoints as exc:
        raise CannotAdjust(shortage_message(Points(account.available - ledger.overdue_points(account)))) from exc
    return is_new


@transaction.atomic
def set_blocked(account: Account, *, blocked: bool, actor: str | None) -> bool:
    """Block a member's points or unblock them; ``actor`` is the user's pk, None for the system.

    Raises ``CannotAdjust``, and ``SelfDealing`` for their own account, with a message for staff.
    """
    account = _lock(account)
    member_id = _active_member_id(account)
    if account.blocked != blocked:
        forbid_self_dealing(actor, Deed.BLOCK, members=[member_id])
    return ledger.set_blocked(site_key=account.program.site_key, member_id=member_id, blocked=blocked)


@transaction.atomic
def merge_members(account: Account, *, into: Account, actor: str | None, may_exceed_limit: bool = False) -> bool:
    """Move all points of one member to another of the same site, for good.

    Raises ``CannotAdjust`` where that is impossible, ``SelfDealing`` where one of them is the actor, and
    ``AdjustmentLimitExceeded`` where the actor's adjustments of both members exceed the site's limit together; all
    with a message for staff.
    """
    locked = {row.pk: row for row in _rows().filter(pk__in=[account.pk, into.pk]).order_by("pk")}
    account, into = locked[account.pk], locked[into.pk]
    if account.successor_id == into.pk:
        return False
    if account.pk == into.pk:
        raise CannotAdjust(_("These are the same member."))
    if account.program_id != into.program_id:
        raise CannotAdjust(_("These members belong to different sites and cannot be merged."))
    ending, staying = _active_member_id(account), _active_member_id(into)
    if account.held:
        raise CannotAdjust(held_message())
    forbid_self_dealing(actor, Deed.MERGE, members=[ending, staying])
    if not may_exceed_limit and (limit := exceeded_merge_limit(account, into, actor)) is not None:
        raise AdjustmentLimitExceeded(_limit_message(limit))
    ledger.merge(site_key=account.program.site_key, member_id=ending, into=staying, actor=actor)
    return True


def adjustment_obstacle(account: Account, points: int, actor: str | None, *, may_exceed_limit: bool) -> str:
    """Return why an actor cannot adjust an account by ``points``; "" if they can."""
    if obstacle := self_dealing_obstacle(actor, members=[account.member_id]):
        return obstacle
    limit = None if may_exceed_limit else exceeded_adjust_limit(account, points, actor)
    return "" if limit is None else _limit_message(limit)


def exceeded_adjust_limit(account: Account, points: int, actor: str | None) -> Points | None:
    """Return the site's limit if an actor exceeds it with another adjustment, counted over one day; else None.

    Added and deducted points count alike, also those on accounts that were merged into this one.
    """
    limit = conf.adjust_limit(account.program.site_key)
    return limit if limit is not None and _points_adjusted_by(actor, [account]) + abs(points) > limit else None


def exceeded_merge_limit(account: Account, into: Account, actor: str | None) -> Points | None:
    """Return the site's limit if an actor's adjustments of two members exceed it together; else None."""
    limit = conf.adjust_limit(account.program.site_key)
    return limit if limit is not None and _points_adjusted_by(actor, [account, into]) > limit else None


def shortage_message(available: Points) -> str:
    """Return what staff read who deduct more points than there are."""
    return _("Only %(available)s points are available to deduct.") % {"available": group_digits(available)}


def held_message() -> str:
    """Return what staff read who merge a member with a pending payment."""
    return _("Some points of this member are reserved for a pending payment. Merge the members when it is finished.")


def _limit_message(limit: Points) -> str:
    return _(
        "You may adjust up to %(limit)s points of one member per day, and this exceeds it. Ask a colleague with "
        "permission for larger adjustments."
    ) % {"limit": group_digits(limit)}


def _points_adjusted_by(actor: str | None, accounts: Sequence[Account]) -> int:
    """The points that an actor has adjusted within a day on accounts, and on those that were merged into them."""
    family = frontier = {account.pk for account in accounts}
    while frontier:
        frontier = set(Account.objects.filter(successor__in=frontier).values_list("pk", flat=True))
        family = family | frontier
    since = timezone.now() - LIMIT_PERIOD
    adjusted = Entry.objects.filter(account__in=family, kind=EntryKind.ADJUST, actor=actor, at__gt=since)
    return adjusted.aggregate(points=Sum("amount"))["points"] or 0


def _active_member_id(account: Account) -> str:
    if account.member_id is None:
        raise CannotAdjust(_("This member was erased. Their points are void."))
    if account.successor_id is not None:
        raise CannotAdjust(_("This member was merged into another member. Open that member instead."))
    if not account.program.active:
        raise CannotAdjust(_("This loyalty programme has ended. Its points cannot be changed."))
    return account.member_id


def _rows() -> QuerySet[Account]:
    return Account.objects.select_for_update(of=("self",)).select_related("program")


def _lock(account: Account) -> Account:
    return _rows().get(pk=account.pk)
