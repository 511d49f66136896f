"""Apply a refund to points: restore the redeemed ones to their lots, claw back the earned ones.

Refunds are cumulative: the caller says how much of the subtotal is refunded *so far*, and the ledger moves the
difference to what it moved before. So the parts always sum to the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from loyalink_khalti.errors import LedgerConflict
from loyalink_khalti.money import Paisa, Points, cumulative
from loyalink_khalti.nepal import day_of, midnight_after

from .buckets import Bucket, EntryKind, HoldState
from .models import Account, Allocation, Lot
from .orders import OrderAward, OrderRedemption, RefundApplied
from .posting import Posting, surviving_account, update_tier
from .program import current_version
from .rules import Rules, Shortfall


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundedPoints:
    """What one refund moves: points restored, and points clawed back (owed and written-off ones included)."""

    points_restored: Points
    points_clawed_back: Points


def refund(*, purchase: str, refund_ref: str, refunded_so_far: Paisa, subtotal: Paisa) -> RefundedPoints:
    """Apply a refund to the points of a purchase, once; return the points that it moved.

    ``refunded_so_far`` is what is refunded of the subtotal in all, this refund included, in paisa. The caller has
    locked the purchase. Raises ``LedgerConflict`` where the refund was applied with other figures, where it would
    lower what is refunded, and where it is more than the subtotal.
    """
    account = _account_of(purchase)
    posting = Posting.lock(account.pk, purchase=purchase, refund_ref=refund_ref) if account else None
    row = RefundApplied(purchase=purchase, refund_ref=refund_ref, cumulative=refunded_so_far)
    earlier = _applied_before(row)
    if earlier is not None:
        return earlier
    newest = RefundApplied.objects.filter(purchase=purchase).order_by("-cumulative").first()
    before = newest.cumulative if newest else 0
    if not before <= refunded_so_far <= subtotal:
        raise LedgerConflict(f"refunds of {purchase} go from {before} to {refunded_so_far} of {subtotal} paisa")
    row.amount = refunded_so_far - before
    if posting is not None:
        row.points_restored, row.points_clawed_back = _apply(posting, refunded_so_far, subtotal)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # only for a purchase without points, where there was no account to lock
        earlier = _applied_before(row)
        if earlier is None:
            raise
        return earlier
    return _moved(row)


def preview_refund(*, purchase: str, refunded_so_far: Paisa, subtotal: Paisa) -> RefundedPoints:
    """Return what ``refund`` with these figures (in paisa) would move. Writes nothing."""
    redemption = OrderRedemption.objects.select_related("version").filter(purchase=purchase).first()
    award = OrderAward.objects.select_related("version").filter(purchase=purchase).first()
    restored = clawed_back = 0
    if redemption is not None:
        restored = _restored_in_all(redemption, refunded_so_far, subtotal) - redemption.points_restored
    if award is not None:
        clawed_back = _clawed_back_in_all(award, refunded_so_far, subtotal)[1] - award.points_clawed_back
    return RefundedPoints(
        points_restored=Points(max(restored, 0)), points_clawed_back=Points(max(clawed_back, 0))
    )  # fmt: skip


def claw_back(posting: Posting, award: OrderAward, *, refunded_so_far: Paisa, subtotal: Paisa) -> int:
    """Claw back what the refunded part of a purchase earned; fixed bonuses only when all of it is refunded."""
    refunded_basis, whole = _clawed_back_in_all(award, refunded_so_far, subtotal)
    points = whole - award.points_clawed_back
    forgiven = reverse_points(posting, award, points, award.version.rules.shortfall) if points else 0
    OrderAward.objects.filter(pk=award.pk).update(
        refunded=refunded_basis, points_clawed_back=whole, points_forgiven=F("points_forgiven") + forgiven
    )
    return points


def _account_of(purchase: str) -> Account | None:
    """The account that refunds of a purchase go to; None where it neither redeemed nor earned."""
    for model in (OrderRedemption, OrderAward):
        row = model.objects.select_related("account").filter(purchase=purchase).first()
        if row is not None:
            return surviving_account(row.account)
    return None


def _applied_before(row: RefundApplied) -> RefundedPoints | None:
    earlier = RefundApplied.objects.filter(purchase=row.purchase, refund_ref=row.refund_ref).first()
    if earlier is None:
        return None
    if earlier.cumulative != row.cumulative:
        raise LedgerConflict(f"refund {row.refund_ref} of {row.purchase} was applied with other figures")
    return _moved(earlier)


def _moved(row: RefundApplied) -> RefundedPoints:
    return RefundedPoints(
        points_restored=Points(row.points_restored), points_clawed_back=Points(row.points_clawed_back)
    )  # fmt: skip


def _apply(posting: Posting, refunded_so_far: Paisa, subtotal: Paisa) -> tuple[int, int]:
    """Restore first, then claw back, so that restored points can pay for what is clawed back."""
    redemption = OrderRedemption.objects.select_related("version").filter(purchase=posting.purchase).first()
    award = OrderAward.objects.select_related("version").filter(purchase=posting.purchase).first()
    posting.expire_due()
    restored = _restore(posting, redemption, refunded_so_far, subtotal) if redemption else 0
    clawed_back = claw_back(posting, award, refunded_so_far=refunded_so_far, subtotal=subtotal) if award else 0
    posting.repay()
    update_tier(posting, current_version(posting.account.program.site_key).rules)
    posting.post()
    return restored, clawed_back


def _restored_in_all(redemption: OrderRedemption, refunded_so_far: Paisa, subtotal: Paisa) -> int:
    return cumulative(redemption.points, refunded_so_far, subtotal, redemption.version.rules.refund_rounding)


def _clawed_back_in_all(award: OrderAward, refunded_so_far: Paisa, subtotal: Paisa) -> tuple[int, int]:
    """The refunded part of the basis in paisa, and the points that are clawed back for it."""
    mode = award.version.rules.refund_rounding
    refunded_basis = cumulative(award.basis, refunded_so_far, subtotal, mode)
    if refunded_so_far >= subtotal:
        return refunded_basis, award.proportional + award.fixed
    return refunded_basis, cumulative(award.proportional, refunded_basis, award.basis, mode) if award.basis else 0


def _restore(posting: Posting, redemption: OrderRedemption, refunded_so_far: Paisa, subtotal: Paisa) -> int:
    rules = redemption.version.rules
    whole = _restored_in_all(redemption, refunded_so_far, subtotal)
    points = whole - redemption.points_restored
    if not points:
        return 0
    OrderRedemption.objects.filter(pk=redemption.pk).update(points_restored=whole)
    key = f"restore:{redemption.purchase}:{posting.refund_ref}"
    missing, parts = points, []
    allocations = Allocation.objects.filter(hold__purchase=redemption.purchase, hold__state=HoldState.CAPTURED)
    for allocation in allocations.select_related("lot").order_by("-pk"):  # last used first
        part = min(allocation.points - allocation.points_restored, missing)
        if part:
            allocation.points_restored += part
            missing -= part
            parts.append((allocation, part))
    Allocation.objects.bulk_update([allocation for allocation, _ in parts], ["points_restored"])
    _refill_lots(posting, [(allocation.lot, part) for allocation, part in parts], rules, source=key)
    if missing:  # points that were owed when they were redeemed never were in a lot
        now = timezone.now()
        posting.new_lot(missing, source=key, available_at=now, expires_at=rules.expires_at(now))
    posting.transfer(EntryKind.RESTORE, Bucket.REDEEMED, Bucket.AVAILABLE, points, key=key)
    return points


def _refill_lots(posting: Posting, parts: Sequence[tuple[Lot, int]], rules: Rules, *, source: str) -> None:
    """Return points to their lots with their own expiry, but not before the grace period of the rules ends."""
    now = timezone.now()
    grace_end = midnight_after(day_of(now) + timedelta(days=rules.restore_grace_days))
    refilled = []
    for lot, part in parts:
        too_soon = rules.restore_grace_days and lot.expires_at is not None and lot.expires_at < grace_end
        if too_soon or lot.account_id != posting.account.pk:
            expires_at = grace_end if too_soon else lot.expires_at
            posting.new_lot(part, source=source, available_at=now, expires_at=expires_at)
        else:
            lot.remaining += part
            refilled.append(lot)
    Lot.objects.bulk_update(refilled, ["remaining"])


def reverse_points(posting: Posting, award: OrderAward, points: int, policy: Shortfall) -> int:
    """Reverse pending points of the purchase first, then available ones, from its own lot first.

    The rest follows the policy of the rules. Returns the points that are written off.
    """
    key, kind = f"claw_back:{award.purchase}:{posting.refund_ref}", EntryKind.CLAW_BACK
    own = list(Lot.objects.filter(source=f"award:{award.purchase}", account=posting.account))
    pending = min(points, sum(lot.pending for lot in own))
    if pending:
        Lot.objects.filter(pk=own[0].pk).update(pending=F("pending") - pending)
        posting.transfer(kind, Bucket.PENDING, Bucket.REVERSED, pending, key=f"{key}:pending")
    rest = points - pending
    available = 0 if policy is Shortfall.PENDING_ONLY else min(rest, posting.account.available)
    if available:
        posting.take_from_lots(available, first={lot.pk for lot in own})
        posting.transfer(kind, Bucket.AVAILABLE, Bucket.REVERSED, available, key=f"{key}:available")
    missing = rest - available
    if policy is Shortfall.OWE:
        posting.transfer(kind, Bucket.OWED, Bucket.REVERSED, missing, key=f"{key}:owed")
        return 0
    posting.transfer(EntryKind.FORGIVE, Bucket.WRITTEN_OFF, Bucket.REVERSED, missing, key=f"{key}:forgiven")
    return missing
