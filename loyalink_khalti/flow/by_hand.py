"""What staff do to a member's points by hand, in the caller's transaction; each says whether it was done just now.

So that whoever logs it logs it once, however often somebody clicks.
"""

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from loyalink_khalti.errors import BeyondLimit, CannotAdjust, Insufficient
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points, grouped

from .limits import adjust_is_beyond, merge_is_beyond


@transaction.atomic
def adjust(
    account: Account, points: int, *, key: str, reason: str, by: str, note: str = "", may_beyond: bool = False
) -> bool:
    """Add or (negative) take points, once per ``key``; raises ``CannotAdjust`` in words for staff.

    ``may_beyond``: this person may pass the limit of the site.
    """
    account = _lock(account)
    member_id = _member_of(account)
    is_new = not ledger.was_adjusted(account, key)
    if is_new and not may_beyond and (why := why_not(account, points, by)):
        raise BeyondLimit(why)
    try:
        ledger.adjust(
            site_key=account.program.site_key, member_id=member_id, points=points, key=key, reason=reason, note=note,
            actor=by,
        )  # fmt: skip
    except Insufficient as exc:
        raise CannotAdjust(short(Points(account.available - ledger.due_points(account)))) from exc
    return is_new


@transaction.atomic
def freeze(account: Account, *, frozen: bool) -> bool:
    """Let no points of a member be spent, or let them again."""
    account = _lock(account)
    return ledger.freeze(site_key=account.program.site_key, member_id=_member_of(account), frozen=frozen)


@transaction.atomic
def merge(account: Account, *, into: Account, by: str, may_beyond: bool = False) -> bool:
    """Move all points of one member to another of the same site, for ever.

    Whoever may not pass the limit does not pass it by adding to two members and making them one.
    """
    locked = {row.pk: row for row in _rows().filter(pk__in=[account.pk, into.pk]).order_by("pk")}
    account, into = locked[account.pk], locked[into.pk]
    if account.successor_id == into.pk:
        return False
    if account.pk == into.pk:
        raise CannotAdjust(_("That is the same member."))
    if account.program_id != into.program_id:
        raise CannotAdjust(_("The two are members of different sites; their points stay apart."))
    ends, stays = _member_of(account), _member_of(into)
    if account.held:
        raise CannotAdjust(held())
    if not may_beyond and (limit := merge_is_beyond(account, into, by)) is not None:
        raise BeyondLimit(beyond(limit))
    ledger.merge(site_key=account.program.site_key, member_id=ends, into=stays, actor=by)
    return True


def why_not(account: Account, points: int, by: str) -> str:
    """Why somebody who may not pass the limit may not adjust an account by so much, in words; "" where they may."""
    if account.member_id == by:
        return _("Nobody adjusts their own points: ask a colleague.")
    limit = adjust_is_beyond(account, points, by)
    return "" if limit is None else beyond(limit)


def beyond(limit: Points) -> str:
    """What whoever may not pass the limit reads."""
    return _(
        "You may move %(limit)s points of one member in a day, and this would be more. Ask somebody who may adjust "
        "beyond the limit."
    ) % {"limit": grouped(limit)}


def short(available: Points) -> str:
    """What whoever takes more than is there reads."""
    return _("Only %(available)s points are there to be taken; nobody goes below zero.") % {
        "available": grouped(available)
    }


def held() -> str:
    """What whoever merges a member whose payment waits reads."""
    return _("Points of this member are held for a payment that waits. Merge them when it is done.")


def _member_of(account: Account) -> str:
    if account.member_id is None:
        raise CannotAdjust(_("This member was erased: their points are nobody's any more."))
    if account.successor_id is not None:
        raise CannotAdjust(_("This member was merged into another: look at that one."))
    if not account.program.active:
        raise CannotAdjust(_("This programme has ended: its points stay as they are."))
    return account.member_id


def _rows() -> QuerySet[Account]:
    return Account.objects.select_for_update(of=("self",)).select_related("program")


def _lock(account: Account) -> Account:
    return _rows().get(pk=account.pk)
