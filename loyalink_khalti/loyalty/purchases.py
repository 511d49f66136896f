"""The points of one purchase: hold, capture and release what it redeems; award and activate what it earns."""

from datetime import timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from loyalink_khalti.clock import DatabaseTime, time_of
from loyalink_khalti.errors import AccountBlocked, AccountMerged, InsufficientPoints, LedgerConflict
from loyalink_khalti.money import Paisa, Points

from .buckets import Bucket, EntryKind, HoldState
from .earning import Earned, OrderSnapshot, order_history
from .models import Account, Allocation, Hold, Lot
from .orders import OrderAward, OrderRedemption, RefundApplied
from .posting import (
    Posting,
    due_for_activation,
    find_account,
    lock_account,
    lock_account_of_order,
    overdue_lots,
    own_account,
    surviving_account,
    update_tier,
)
from .program import ProgramVersion, current_version, get_version
from .refunds import claw_back, clawed_back_in_all, refunded_parts

T = TypeVar("T")


def hold(
    *, site_key: str, member_id: str, purchase: str, points: Points, version_id: int | None = None, occasion: str = ""
) -> Hold:
    """Reserve whole points for a purchase; return its hold, the earlier one where they are held or captured.

    Points that were released can be held again. ``occasion`` names the hold where an earlier one was set aside. The
    caller has locked the purchase. Raises ``InsufficientPoints`` where fewer are available, ``AccountBlocked`` for a
    blocked account, ``AccountMerged`` for one that has ended, and ``LedgerConflict`` where the purchase holds another
    number of points or those of another member.
    """
    earlier = list(Hold.objects.filter(purchase=purchase).select_related("account"))
    for one in earlier:
        if one.state != HoldState.RELEASED:
            same_member = surviving_account(one.account) == find_account(site_key, member_id)
            return _same(one, one.points == points and same_member)
    version = get_version(version_id) if version_id else current_version(site_key)
    posting = _lock_with_points(version, member_id, points, purchase)
    new = Hold.objects.create(account=posting.account, version=version, purchase=purchase, points=points)
    _allocate(new, posting.take_from_lots(points))
    key = f"hold:{purchase}:{len(earlier)}" + (f"#{occasion}" if occasion else "")
    posting.transfer(EntryKind.HOLD, Bucket.AVAILABLE, Bucket.HELD, points, key=key, hold=new)
    posting.post()
    return new


def capture(*, purchase: str, value: Paisa, points: Points | None = None) -> Points:
    """Redeem the points held for a purchase, or only ``points`` of them; return how many, 0 where none were held.

    ``value`` is what they took off, in paisa. The rest is released. Raises ``LedgerConflict`` where they were
    released, where another number was captured before, and where fewer than ``points`` are held.
    """
    newest = _newest_hold(purchase)
    if newest is None:
        return Points(0)
    captured = newest.points if points is None else points
    if newest.state != HoldState.ACTIVE:
        same = newest.state == HoldState.CAPTURED and newest.captured == captured
        return Points(_same(newest, same).captured)
    if not 0 < captured <= newest.points:
        raise LedgerConflict(f"{captured} points to be captured of {newest.points} held for {purchase}")
    posting = Posting.lock(newest.account_id, purchase=purchase, version_id=newest.version_id)
    if not _resolve(newest, HoldState.CAPTURED, captured=captured):
        return capture(purchase=purchase, value=value, points=points)
    OrderRedemption.objects.create(
        program=posting.account.program, purchase=purchase, account=posting.account, points=captured, value=value,
        version_id=newest.version_id,
    )  # fmt: skip
    key = f"capture:{newest.pk}"
    posting.transfer(EntryKind.CAPTURE, Bucket.HELD, Bucket.REDEEMED, captured, key=key, hold=newest)
    _return_to_lots(posting, newest, newest.points - captured, key=f"{key}:rest", captured=True)
    posting.post()
    return Points(captured)


def release(*, purchase: str) -> Points:
    """Return the points held for a purchase to their lots; return how many, 0 where none were held.

    Raises ``LedgerConflict`` where they were captured.
    """
    newest = _newest_hold(purchase)
    if newest is None:
        return Points(0)
    if newest.state != HoldState.ACTIVE:
        return Points(_same(newest, newest.state == HoldState.RELEASED).points)
    posting = Posting.lock(newest.account_id, purchase=purchase, version_id=newest.version_id)
    if not _resolve(newest, HoldState.RELEASED):
        return release(purchase=purchase)
    _return_to_lots(posting, newest, newest.points, key=f"release:{newest.pk}")
    posting.post()
    return Points(newest.points)


def late_capture(
    *, site_key: str, member_id: str, purchase: str, points: Points, value: Paisa, version_id: int | None = None
) -> Points:
    """Redeem points for a purchase that is fulfilled after its release; return how many.

    Available points come first, and the member owes the rest. They are those of the account that held points for it
    before, also after a merge. ``value`` is what they took off, in paisa. The caller has locked the purchase. Raises
    ``LedgerConflict`` where points are still held, or where another number was redeemed before, and ``AccountMerged``
    for an account that has ended.
    """
    version_id = version_id or current_version(site_key).pk
    cause: dict[str, Any] = {"purchase": purchase, "version_id": version_id}
    before = _newest_hold(purchase)
    posting = Posting.lock(before.account_id, **cause) if before else lock_account(site_key, member_id, **cause)
    earlier = OrderRedemption.objects.filter(purchase=purchase).first()
    if earlier is not None:
        return Points(_same(earlier, earlier.points == points).points)
    if before is not None and before.state == HoldState.ACTIVE:
        raise LedgerConflict(f"points are held for {purchase}: capture them")
    posting.expire_due()
    from_lots = min(points, posting.account.available)
    # A hold like any other, although the points that are owed never were in a lot.
    new = Hold.objects.create(
        account=posting.account, version_id=version_id, purchase=purchase, points=points, captured=points,
        state=HoldState.CAPTURED,
    )  # fmt: skip
    _allocate(new, posting.take_from_lots(from_lots))
    OrderRedemption.objects.create(
        program=posting.account.program, purchase=purchase, account=posting.account, points=points, value=value,
        version_id=version_id,
    )  # fmt: skip
    key, kind = f"late:{purchase}", EntryKind.LATE_CAPTURE
    posting.transfer(kind, Bucket.AVAILABLE, Bucket.REDEEMED, from_lots, key=key, hold=new)
    posting.transfer(kind, Bucket.OWED, Bucket.REDEEMED, points - from_lots, key=f"{key}:owed", hold=new)
    posting.post()
    return points


def _lock_with_points(version: ProgramVersion, member_id: str, points: Points, purchase: str) -> Posting:
    """Lock an account only if it can redeem so many points: one conditional UPDATE decides.

    The database checks its conditions again after waiting for the lock, so they hold for what is available then.
    Otherwise overdue points expire first, so that a missed sweep gives no free points.
    """
    cause: dict[str, Any] = {"purchase": purchase, "version_id": version.pk}
    now = DatabaseTime()
    own = Account.objects.filter(program=version.program, member_id=member_id)
    ready = own.filter(~Exists(overdue_lots(OuterRef("pk"), now)), available__gte=points, blocked=False)
    if ready.update(last_activity_at=now):
        return Posting.read(own, **cause)
    account = own_account(version.program.site_key, member_id)
    if account is None:
        raise InsufficientPoints(f"0 points available, {points} requested")
    posting = Posting.lock(account.pk, follow_merge=False, **cause)
    if posting.account.has_ended:
        raise AccountMerged("the account was merged into another one")
    posting.expire_due()
    if posting.account.blocked:
        raise AccountBlocked("the account is blocked")
    if posting.account.available < points:
        raise InsufficientPoints(f"{posting.account.available} points available, {points} requested")
    return posting


def _allocate(hold: Hold, parts: list[tuple[Lot, int]]) -> None:
    Allocation.objects.bulk_create(Allocation(hold=hold, lot=lot, points=part) for lot, part in parts)


def _newest_hold(purchase: str) -> Hold | None:
    return Hold.objects.filter(purchase=purchase).order_by("-pk").first()


def _resolve(hold: Hold, state: HoldState, **fields: int) -> bool:
    """Resolve a hold once; return False where another process has just done so."""
    return bool(Hold.objects.filter(pk=hold.pk, state=HoldState.ACTIVE).update(state=state, **fields))


def _return_to_lots(posting: Posting, hold: Hold, points: int, *, key: str, captured: bool = False) -> None:
    """Return held points to their lots, to the lots that were used last first."""
    missing, parts = points, []
    for allocation in hold.allocations.select_related("lot").order_by("-pk") if points else ():
        part = min(allocation.points, missing)
        allocation.points -= part
        allocation.lot.remaining += part
        missing -= part
        parts += [allocation] if part else []
    Lot.objects.bulk_update([allocation.lot for allocation in parts], ["remaining"])
    if captured:  # a released hold keeps the record of what it had reserved
        Allocation.objects.bulk_update(parts, ["points"])
    posting.transfer(EntryKind.RELEASE, Bucket.HELD, Bucket.AVAILABLE, points, key=key, hold=hold)
    posting.repay()


def _same(earlier: T, is_same: bool) -> T:
    if not is_same:
        raise LedgerConflict(f"recorded before with other figures: {earlier}")
    return earlier


# Earned points


def award(
    *,
    site_key: str,
    member_id: str,
    purchase: str,
    order: OrderSnapshot,
    version_id: int | None = None,
    occasion: str = "",
) -> Points:
    """Award what a purchase earns under the rules that its customer was shown; return the whole points, once.

    0 where the member's account had ended by a merge before the order began (``order.at``); an older order earns for
    the account that stays. A refund that came before the award is applied to it. ``occasion`` names the award where an
    earlier one of the same purchase was withdrawn. Raises ``LedgerConflict`` where the purchase was awarded before on
    another basis or to another member.
    """
    version = get_version(version_id) if version_id else current_version(site_key)
    rules, cause = version.rules, {"purchase": purchase, "version_id": version.pk}
    posting = lock_account_of_order(site_key, member_id, began_at=order.at, **cause)
    if posting is None:
        earlier = OrderAward.objects.filter(program=version.program, purchase=purchase).first()
        return earlier.points if earlier else Points(0)
    account = posting.account
    earned = order.earned(rules, tier=account.tier, history=order_history(account, rules, purchase=purchase))
    row = _award_row(
        version, earned, program=account.program, purchase=purchase, account=account, awarded_at=time_of(account)
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return _awarded_before(row, order)
    available_at = time_of(account) + timedelta(days=rules.pending_days)
    key = f"award:{purchase}#{occasion}" if occasion else f"award:{purchase}"
    posting.credit(
        EntryKind.EARN, Bucket.ISSUED, earned.points, key=key, available_at=available_at,
        expires_at=rules.expires_at(available_at),
    )  # fmt: skip
    if occasion:  # refunds find the lot of a purchase by this name
        Lot.objects.filter(source=key).update(source=f"award:{purchase}")
    _apply_earlier_refund(posting, row, order)
    update_tier(posting, current_version(site_key).rules)
    posting.post()
    return earned.points


def preview_award(
    *, site_key: str, purchase: str, order: OrderSnapshot, version_id: int | None = None
) -> tuple[Points, Points]:
    """Return what a purchase earns for a new member, and how much of it earlier refunds leave. Writes nothing."""
    version = get_version(version_id) if version_id else current_version(site_key)
    earned = order.earned(version.rules, history=order_history(None, version.rules))
    parts = refunded_parts(purchase, subtotal=order.subtotal, shipping=order.shipping)
    if not parts.refunded_subtotal + parts.refunded_shipping:
        return earned.points, earned.points
    return earned.points, Points(earned.points - clawed_back_in_all(_award_row(version, earned), parts).points)


def _award_row(version: ProgramVersion, earned: Earned, **more: Any) -> OrderAward:
    return OrderAward(
        version=version, proportional=earned.proportional, fixed=earned.fixed, basis=earned.basis,
        shipping_proportional=earned.shipping_proportional, shipping_basis=earned.shipping_basis, **more,
    )  # fmt: skip


def activate(account_id: int) -> Points:
    """Make the points of an account available whose pending time is over; return how many."""
    posting = Posting.lock(account_id)
    due = due_for_activation(time_of(posting.account))
    lots = list(Lot.objects.filter(due, account=account_id).order_by("available_at", "pk"))
    points = sum(lot.pending for lot in lots)
    for lot in lots:
        key = f"activate:{lot.pk}"
        posting.transfer(EntryKind.ACTIVATE, Bucket.PENDING, Bucket.AVAILABLE, lot.pending, key=key, lot=lot)
        lot.remaining, lot.pending = lot.remaining + lot.pending, 0
    Lot.objects.bulk_update(lots, ["remaining", "pending"])
    posting.repay()
    posting.post()
    return Points(points)


def _apply_earlier_refund(posting: Posting, row: OrderAward, order: OrderSnapshot) -> None:
    """Claw back for a refund that was applied before the award."""
    newest = RefundApplied.objects.filter(purchase=row.purchase).order_by("-pk").first()
    if newest is not None:
        posting.refund_ref = newest.refund_ref
        claw_back(posting, row, refunded_parts(row.purchase, subtotal=order.subtotal, shipping=order.shipping))


def _awarded_before(row: OrderAward, order: OrderSnapshot) -> Points:
    awards = OrderAward.objects.select_related("account", "version")
    earlier = awards.get(program=row.program, purchase=row.purchase)
    basis = order.earned(earlier.version.rules).basis  # by the earlier rules: they may have changed since
    survivor = surviving_account(earlier.account)
    if basis != earlier.basis or (survivor != row.account and not survivor.is_void):
        raise LedgerConflict(f"awarded before with other figures: {earlier}")
    return earlier.points
