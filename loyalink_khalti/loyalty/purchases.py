"""The points of one purchase: hold, capture and release what it redeems; award what it earns."""

from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import F

from loyalink_khalti.clock import now_in_sql, time_of
from loyalink_khalti.errors import AccountBlocked, AccountMerged, InsufficientPoints, LedgerConflict
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.returning import Given, Update, insert, insert_new

from .accounts import erased_scope, find_account, own_account, surviving_account
from .buckets import Bucket, EntryKind, HoldState
from .closed_months import awarded_late
from .earning import Earned, OrderSnapshot, order_history, update_tier
from .locks import lock, lock_new, lock_own, lock_where
from .lots import PIECES
from .models import Account, Allocation, Hold, IdempotencyKey, Lot
from .orders import OrderAward, OrderRedemption, RefundApplied
from .posting import Posting, run
from .program import ProgramVersion, current_version, get_version
from .refunds import claw_back, refunded_parts

T = TypeVar("T")
_HOLD_FIELDS = [field.attname for field in Hold._meta.concrete_fields]


def _resolving(values: dict[str, Any], **more: Any) -> Update:
    """An UPDATE that resolves the active hold of a purchase, once, and reads it."""
    of_purchase = {"purchase": Given("purchase"), "state": HoldState.ACTIVE, **more}
    return Update(Hold, lambda: Hold.objects.filter(**of_purchase), values, _HOLD_FIELDS)


_RELEASE = _resolving({"state": HoldState.RELEASED})
_CAPTURE = _resolving({"state": HoldState.CAPTURED, "captured": F("points")})
_CAPTURE_PART = _resolving({"state": HoldState.CAPTURED, "captured": Given("points")}, points__gte=Given("points"))


def hold(
    *, site_key: str, member_id: str, purchase: str, points: Points, version_id: int | None = None, occasion: str = ""
) -> Hold:
    """Reserve whole points for a purchase; return its hold, the earlier one where they are held or captured.

    Points that were released can be held again. ``occasion`` names the hold where an earlier one was set aside. The
    caller has locked the purchase. Raises ``InsufficientPoints`` where fewer are available, ``AccountBlocked`` for a
    blocked account, ``AccountMerged`` for one that has ended, and ``LedgerConflict`` where the purchase holds another
    number of points or those of another member.
    """
    version = get_version(version_id) if version_id else current_version(site_key)
    posting = _lock_with_points(version, member_id, points, purchase)
    if posting is None:
        earlier = Hold.objects.filter(purchase=purchase).exclude(state=HoldState.RELEASED).first()
        if earlier is not None:
            same_member = surviving_account(earlier.account) == find_account(site_key, member_id)
            return same_figures(earlier, earlier.points == points and same_member)
        posting = _lock_and_expire(version, member_id, points, purchase)
    new = Hold(account=posting.account, version=version, purchase=purchase, points=points)
    insert(new)
    allocate(posting, new, points)
    key = f"hold:{purchase}:{posting.account.earlier_holds}" + (f"#{occasion}" if occasion else "")
    posting.transfer(EntryKind.HOLD, Bucket.AVAILABLE, Bucket.HELD, points, key=key, hold=new)
    posting.post()
    return new


def capture(*, purchase: str, value: Paisa, points: Points | None = None) -> Points:
    """Redeem the points held for a purchase, or only ``points`` of them; return how many, 0 where none were held.

    ``value`` is what they took off, in paisa. The rest is released. Raises ``LedgerConflict`` where they were
    released, where another number was captured before, and where fewer than ``points`` are held.
    """
    if points is None:
        resolved = _CAPTURE.run(purchase=purchase)
    else:
        resolved = _CAPTURE_PART.run(purchase=purchase, points=points) if points > 0 else []
    if not resolved:
        return _captured_before(purchase, points)
    row = Hold(**dict(zip(_HOLD_FIELDS, resolved[0], strict=True)))
    posting = Posting.lock(row.account_id, purchase=purchase, version_id=row.version_id)
    redemption = OrderRedemption(
        program_id=posting.account.program_id, purchase=purchase, account=posting.account, points=row.captured,
        value=value, version_id=row.version_id,
    )  # fmt: skip
    insert(redemption)
    key = f"capture:{row.pk}"
    posting.transfer(EntryKind.CAPTURE, Bucket.HELD, Bucket.REDEEMED, row.captured, key=key, hold=row)
    _return_rest(posting, row, row.points - row.captured, key=f"{key}:rest")
    posting.post()
    return Points(row.captured)


def _captured_before(purchase: str, points: Points | None) -> Points:
    """The answer where no points are held of which so many can be captured."""
    newest = newest_hold(purchase)
    if newest is None:
        return Points(0)
    if newest.state == HoldState.ACTIVE:
        raise LedgerConflict(f"{points} points to be captured of {newest.points} held for {purchase}")
    expected = newest.points if points is None else points
    return Points(same_figures(newest, newest.state == HoldState.CAPTURED and newest.captured == expected).captured)


def release(*, purchase: str) -> Points:
    """Return the points held for a purchase to their lots; return how many, 0 where none were held.

    Raises ``LedgerConflict`` where they were captured.
    """
    resolved = _RELEASE.run(purchase=purchase)
    if not resolved:
        newest = newest_hold(purchase)
        return Points(same_figures(newest, newest.state == HoldState.RELEASED).points) if newest else Points(0)
    row = Hold(**dict(zip(_HOLD_FIELDS, resolved[0], strict=True)))
    posting = Posting.lock(row.account_id, purchase=purchase, version_id=row.version_id)
    run(_RETURN_ALLOCATED, [row.pk, row.pk])
    _transfer_released(posting, row, row.points, key=f"release:{row.pk}")
    posting.post()
    return Points(row.points)


_READY = f"""
    program_id = %s AND member_id = %s AND available >= %s AND NOT blocked
    AND NOT EXISTS (SELECT 1 FROM {Lot._meta.db_table} lot WHERE lot.account_id = {Account._meta.db_table}.id
        AND lot.remaining > 0 AND lot.expires_at <= (SELECT {{now}}))
    AND NOT EXISTS (SELECT 1 FROM {Hold._meta.db_table} hold WHERE hold.purchase = %s AND hold.state <> 'released')"""  # noqa: S608
"""An account that can hold points for a purchase: enough are available, none are overdue, and it holds none yet."""


def _lock_with_points(version: ProgramVersion, member_id: str, points: Points, purchase: str) -> Posting | None:
    """Lock an account only if it can redeem so many points: one conditional UPDATE decides.

    The database checks its conditions again after waiting for the lock, so they hold for what is available then.
    """
    now, now_params = now_in_sql()
    params = [version.program_id, member_id, points, *now_params, purchase]
    account = lock_where(_READY.format(now=now), params, purchase=purchase)
    return Posting(account=account, purchase=purchase, version_id=version.pk) if account else None


def _lock_and_expire(version: ProgramVersion, member_id: str, points: Points, purchase: str) -> Posting:
    """Lock an account that seems unable to redeem so many points, and expire what is overdue.

    So a missed sweep gives no free points. Raises what ``hold`` raises where it is unable indeed.
    """
    account = own_account(version.program.site_key, member_id)
    if account is None:
        raise InsufficientPoints(f"0 points available, {points} requested")
    posting = Posting.lock(account.pk, follow_merge=False, purchase=purchase, version_id=version.pk)
    if posting.account.has_ended:
        raise AccountMerged("the account was merged into another one")
    posting.expire_due()
    if posting.account.blocked:
        raise AccountBlocked("the account is blocked")
    if posting.account.available < points:
        raise InsufficientPoints(f"{posting.account.available} points available, {points} requested")
    return posting


def newest_hold(purchase: str) -> Hold | None:
    return Hold.objects.filter(purchase=purchase).order_by("-pk").first()


# Parts of lots


_LOT, _ALLOCATION = Lot._meta.db_table, Allocation._meta.db_table
_FREE = f"""
    SELECT id, remaining, expires_at, available_at, expires_at IS NULL AS lasts FROM {_LOT} lot
    WHERE account_id = %s AND remaining > 0
    AND NOT EXISTS (SELECT 1 FROM {_ALLOCATION} part WHERE part.hold_id = %s AND part.lot_id = lot.id)"""  # noqa: S608
# Each half is in the order of an index; SQLite has none with the empty expiry last. Those that never expire are not
# reached while there may be more of the others than were read.
_ALLOCATE = f"""
    INSERT INTO {_ALLOCATION} (hold_id, lot_id, points, points_restored)
    SELECT %s, id, CASE WHEN total > %s THEN %s - total + remaining ELSE remaining END, 0 FROM (
        SELECT id, remaining,
        CAST(SUM(remaining) OVER (ORDER BY lasts, expires_at, available_at, id) AS bigint) AS total FROM (
            WITH ending AS ({_FREE} AND expires_at IS NOT NULL ORDER BY expires_at, available_at, id LIMIT %s)
            SELECT * FROM ending
            UNION ALL
            SELECT * FROM ({_FREE} AND expires_at IS NULL AND (SELECT COUNT(*) FROM ending) < %s
                ORDER BY available_at, id LIMIT %s) AS lasting
        ) AS free
    ) AS summed WHERE total - remaining < %s ORDER BY total RETURNING points"""  # noqa: S608 - our names
_OF_HOLD = f"(SELECT part.points FROM {_ALLOCATION} part WHERE part.hold_id = %s AND part.lot_id = {_LOT}.id)"  # noqa: S608
_ALLOCATED = f"WHERE id IN (SELECT lot_id FROM {_ALLOCATION} WHERE hold_id = %s)"  # noqa: S608
_TAKE_ALLOCATED = f"UPDATE {_LOT} SET remaining = remaining - {_OF_HOLD} {_ALLOCATED}"  # noqa: S608
_RETURN_ALLOCATED = f"UPDATE {_LOT} SET remaining = remaining + {_OF_HOLD} {_ALLOCATED}"  # noqa: S608
"""Return the points of a hold, given twice, to its lots."""


def allocate(posting: Posting, hold: Hold, points: int) -> None:
    """Take available points out of lots for a hold, the earliest expiry first; it reads the lots that it needs.

    Raises ``LedgerConflict`` where the lots have fewer points than the account: its rows contradict each other.
    """
    missing = points
    for size in PIECES:
        if not missing:
            break
        piece = [posting.account.pk, hold.pk, size]
        params = [hold.pk, missing, missing, *piece, *piece, size, missing]
        missing -= sum(part for (part,) in run(_ALLOCATE, params))
    posting.check_none_missing(missing, points)
    if points:
        run(_TAKE_ALLOCATED, [hold.pk, hold.pk])


def _return_rest(posting: Posting, hold: Hold, points: int, *, key: str) -> None:
    """Return what is not captured of held points to their lots, to the lots that were used last first."""
    if not points:
        return
    missing, parts = points, []
    for allocation in hold.allocations.select_related("lot").order_by("-pk"):
        part = min(allocation.points, missing)
        allocation.points -= part
        allocation.lot.remaining += part
        missing -= part
        parts += [allocation] if part else []
    Lot.objects.bulk_update([allocation.lot for allocation in parts], ["remaining"])
    Allocation.objects.bulk_update(parts, ["points"])  # a released hold keeps the record of what it had reserved
    _transfer_released(posting, hold, points, key=key)


def _transfer_released(posting: Posting, hold: Hold, points: int, *, key: str) -> None:
    posting.transfer(EntryKind.RELEASE, Bucket.HELD, Bucket.AVAILABLE, points, key=key, hold=hold)
    posting.repay()


def same_figures(earlier: T, is_same: bool) -> T:
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
    the account that stays. 0 too for a member who has left the programme, and for an order that began while they had.
    A refund that came before the award is applied to it. ``occasion`` names the award where an
    earlier one of the same purchase was withdrawn. Raises ``LedgerConflict`` where the purchase was awarded before on
    another basis or to another member.
    """
    version = get_version(version_id) if version_id else current_version(site_key)
    rules = version.rules
    account = lock_account_of_order(site_key, member_id, began_at=order.at, purchase=purchase)
    if account is None:
        earlier = OrderAward.objects.filter(program_id=version.program_id, purchase=purchase).first()
        return earlier.points if earlier else Points(0)
    posting = Posting(account=account, purchase=purchase, version_id=version.pk)
    earned = order.earned(rules, tier=account.tier, history=order_history(account, rules, purchase=purchase))
    if not _earns(account, site_key, member_id, order):
        earned = Earned(basis=earned.basis, proportional=Points(0), fixed=Points(0))
    row = award_row(
        version, earned, program_id=account.program_id, purchase=purchase, account=account, awarded_at=time_of(account)
    )
    if not insert_new(row):
        return _awarded_before(row, order)
    available_at, source = time_of(account) + timedelta(days=rules.pending_days), f"award:{purchase}"
    posting.credit(
        EntryKind.EARN, Bucket.ISSUED, earned.points, key=f"{source}#{occasion}" if occasion else source,
        source=source, available_at=available_at, expires_at=rules.expires_at(available_at),
    )  # fmt: skip
    if account.is_refunded:
        _apply_earlier_refund(posting, row, order)
    if account.is_late:
        awarded_late(account.pk)
    update_tier(account, posting.rules)
    posting.post()
    return earned.points


def lock_account_of_order(site_key: str, member_id: str, *, began_at: datetime, purchase: str) -> Account | None:
    """Lock the account that gets what an order earns: that which its member had when the order began.

    After a merge that is the account that stays; after an erasure the erased one. None where the order began on an
    account that had ended before: it earns nothing.
    """
    own = lock_own(site_key, member_id, purchase)
    if own is None or own.joined_at > began_at:  # the member had another account then, or none
        program_id = own.program_id if own else current_version(site_key).program_id
        erased = IdempotencyKey.objects.filter(scope=erased_scope(program_id), key=purchase).first()
        if erased is not None:
            return lock(erased.result["account"], purchase=purchase)
    if own is None:
        return lock_new(site_key, member_id, purchase)
    if own.successor_id is None:
        return own
    return lock(own.pk, purchase=purchase) if own.merged_at is None or began_at <= own.merged_at else None


def _earns(account: Account, site_key: str, member_id: str, order: OrderSnapshot) -> bool:
    """Whether an order earns; its member's own account knows when they left, also where it was merged since."""
    own = account if account.member_id == member_id else own_account(site_key, member_id)
    return account.left_at is None and (own or account).rejoined_since(order.at) is None


def award_row(version: ProgramVersion, earned: Earned, **more: Any) -> OrderAward:
    return OrderAward(
        version=version, proportional=earned.proportional, fixed=earned.fixed, basis=earned.basis,
        shipping_proportional=earned.shipping_proportional, shipping_basis=earned.shipping_basis, **more,
    )  # fmt: skip


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
