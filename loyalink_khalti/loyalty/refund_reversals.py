"""Take back what a refund did to the points of a purchase: the refund was recorded, and was not made.

Entries never change: what the refund restored is redeemed again, and what it clawed back is earned again. Cumulative,
as refunds are: the caller says how much of each part is refunded *so far* without it.
"""

from copy import copy
from datetime import datetime

from django.db.models import F, Q, Sum

from loyalink_khalti.clock import time_of
from loyalink_khalti.errors import LedgerConflict
from loyalink_khalti.money import Points

from .buckets import Bucket, EntryKind, HoldState
from .closed_months import move_awarded
from .models import Allocation, Entry, Lot
from .orders import OrderAward, OrderRedemption, RefundApplied
from .posting import Posting
from .refunds import (
    EARNED,
    REDEEMED,
    ClawedBack,
    RefundedParts,
    RefundedPoints,
    clawed_back_in_all,
    different_postings,
    finish,
    lock_accounts,
    moved_by,
    refunded_parts,
    restored_in_all,
)

_LOST = ":lost"
"""The end of the keys of entries of points that the member has lost by leaving the programme."""


def reverse_refund(*, purchase: str, refund_ref: str, parts: RefundedParts) -> RefundedPoints:
    """Apply a reversal to the points of a purchase, once; return the points that it moved, as negative numbers.

    ``parts`` is what is refunded in all without the refund that is taken back. The caller has locked the purchase.
    Points that the member has used meanwhile are owed. Raises ``LedgerConflict`` where more would be refunded.
    """
    postings = lock_accounts(purchase, refund_ref)
    earlier = RefundApplied.objects.filter(purchase=purchase, refund_ref=refund_ref).first()
    if earlier is not None:
        return moved_by(earlier)
    before = refunded_parts(purchase, subtotal=parts.subtotal, shipping=parts.shipping)
    after = (parts.refunded_subtotal, parts.refunded_shipping)
    if not (0 <= after[0] <= before.refunded_subtotal and 0 <= after[1] <= before.refunded_shipping):
        raise LedgerConflict(f"a reversal of {purchase} to {after} paisa, of {before}")
    row = RefundApplied(
        purchase=purchase, refund_ref=refund_ref, cumulative=parts.refunded_subtotal,
        shipping_cumulative=parts.refunded_shipping, amount=parts.refunded_subtotal - before.refunded_subtotal,
    )  # fmt: skip
    moved = _reverse(postings, purchase, parts)
    row.points_restored, row.points_clawed_back = -moved.points_restored, -moved.points_clawed_back
    row.save(force_insert=True)
    return moved_by(row)


def preview_reversal(purchase: str, parts: RefundedParts) -> RefundedPoints:
    """Return the points that ``reverse_refund`` would take again, and those that it would give again."""
    award, redemption = _rows(purchase)
    return RefundedPoints(
        points_restored=Points(redemption.points_restored - sum(_restored(redemption, parts)) if redemption else 0),
        points_clawed_back=Points(award.points_clawed_back - _clawed_back(award, parts).points if award else 0),
    )


def _rows(purchase: str) -> tuple[OrderAward | None, OrderRedemption | None]:
    award = OrderAward.objects.select_related("version").filter(purchase=purchase).first()
    return award, OrderRedemption.objects.select_related("version").filter(purchase=purchase).first()


def _reverse(postings: dict[str, Posting], purchase: str, parts: RefundedParts) -> RefundedPoints:
    """Earn again first, so that these points can pay for what is redeemed again; then repay debts."""
    award, redemption = _rows(purchase)
    different = different_postings(postings)
    for posting in different:
        posting.expire_due()
    earned = _earn_again(postings[EARNED], award, parts) if award else 0
    redeemed = _redeem_again(postings[REDEEMED], redemption, parts) if redemption else 0
    finish(different)
    return RefundedPoints(points_restored=Points(redeemed), points_clawed_back=Points(earned))


def _clawed_back(award: OrderAward, parts: RefundedParts) -> ClawedBack:
    """What is clawed back of an award when so much is refunded, whatever was clawed back before."""
    fresh = copy(award)
    fresh.points_clawed_back = fresh.shipping_clawed_back = fresh.refunded = fresh.shipping_refunded = 0
    return clawed_back_in_all(fresh, parts)


def _restored(redemption: OrderRedemption, parts: RefundedParts) -> tuple[int, int]:
    fresh = copy(redemption)
    fresh.points_restored = fresh.shipping_points_restored = 0
    return restored_in_all(fresh, parts)


def _earn_again(posting: Posting, award: OrderAward, parts: RefundedParts) -> int:
    """What was written off when it was clawed back stays with the shop: the member had used it."""
    whole = _clawed_back(award, parts)
    points = award.points_clawed_back - whole.points
    forgiven = min(points, award.points_forgiven)
    OrderAward.objects.filter(pk=award.pk).update(
        refunded=whole.basis,
        points_clawed_back=whole.points,
        points_forgiven=F("points_forgiven") - forgiven,
        shipping_refunded=whole.shipping_basis,
        shipping_clawed_back=whole.shipping_points,
    )
    move_awarded(award, points, now=time_of(posting.account))
    key, kind = f"earn_again:{award.purchase}:{posting.refund_ref}", EntryKind.EARN_AGAIN
    posting.transfer(kind, Bucket.REVERSED, Bucket.WRITTEN_OFF, forgiven, key=f"{key}:forgiven")
    lost = _lost_again(posting, award, points - forgiven)
    posting.transfer(kind, Bucket.REVERSED, Bucket.AVAILABLE, lost, key=f"{key}{_LOST}")
    posting.lose(lost)
    pending, available = _refill(posting, award, points - forgiven - lost, source=key)
    posting.transfer(kind, Bucket.REVERSED, Bucket.PENDING, pending, key=f"{key}:pending")
    posting.transfer(kind, Bucket.REVERSED, Bucket.AVAILABLE, available, key=f"{key}:available")
    return points


def _lost_again(posting: Posting, award: OrderAward, points: int) -> int:
    """How many of the points that are earned again the member has given up, and does not get back.

    Of an award from before they joined again they get what was clawed back of other points since; that comes first.
    """
    rejoined_at = posting.gave_up(award.account_id, award.awarded_at)
    if rejoined_at is None or posting.account.left_at is not None:  # who has left loses all of them, with their lots
        return 0
    theirs = _moved_since(award.purchase, rejoined_at, EntryKind.CLAW_BACK, EntryKind.EARN_AGAIN)
    return points - min(points, theirs)


def _moved_since(purchase: str, moment: datetime, kind: EntryKind, back: EntryKind) -> int:
    """How many points a purchase moved since then, less those moved back; without those lost by leaving."""
    entries = Entry.objects.filter(purchase=purchase, at__gte=moment).exclude(key__endswith=_LOST)
    sums = entries.exclude(dst=Bucket.WRITTEN_OFF).aggregate(
        moved=Sum("amount", filter=Q(kind=kind), default=0), back=Sum("amount", filter=Q(kind=back), default=0)
    )
    return max(int(sums["moved"] - sums["back"]), 0)


def _refill(posting: Posting, award: OrderAward, points: int, *, source: str) -> tuple[int, int]:
    """Return points to the award's own lot as far as it has room, else to a new one; return how many are pending."""
    now, rules = time_of(posting.account), award.version.rules
    own = Lot.objects.filter(source=f"award:{award.purchase}", account=posting.account).order_by("pk").first()
    part = min(points, own.original - own.pending - own.remaining) if own else 0
    if own is not None and part:
        is_pending = own.available_at > now
        own.pending, own.remaining = own.pending + part * is_pending, own.remaining + part * (not is_pending)
        own.save(update_fields=["pending", "remaining"])
    available_at = own.available_at if own else now
    if points > part:
        expires_at = own.expires_at if own else rules.expires_at(now)
        posting.new_lot(points - part, source=source, available_at=available_at, expires_at=expires_at)
    return (points, 0) if available_at > now else (0, points)


def _redeem_again(posting: Posting, redemption: OrderRedemption, parts: RefundedParts) -> int:
    of_products, of_shipping = _restored(redemption, parts)
    points = redemption.points_restored - of_products - of_shipping
    OrderRedemption.objects.filter(pk=redemption.pk).update(
        points_restored=of_products + of_shipping, shipping_points_restored=of_shipping
    )
    allocations = Allocation.objects.filter(hold__purchase=redemption.purchase, hold__state=HoldState.CAPTURED)
    missing, changed = points, []
    for allocation in allocations.filter(points_restored__gt=0).order_by("pk"):  # restored last
        part = min(allocation.points_restored, missing)
        if part:
            allocation.points_restored -= part
            missing -= part
            changed.append(allocation)
    Allocation.objects.bulk_update(changed, ["points_restored"])
    key, kind = f"redeem_again:{redemption.purchase}:{posting.refund_ref}", EntryKind.REDEEM_AGAIN
    given_up = _restored_and_given_up(posting, redemption, points)
    rest = points - posting.pay_with_lost(kind, Bucket.REDEEMED, given_up, key=f"{key}{_LOST}")
    available = min(rest, posting.account.available)
    posting.take_from_lots(available, first={allocation.lot_id for allocation in changed})
    posting.transfer(kind, Bucket.AVAILABLE, Bucket.REDEEMED, available, key=f"{key}:available")
    posting.transfer(kind, Bucket.OWED, Bucket.REDEEMED, rest - available, key=f"{key}:owed")
    return points


def _restored_and_given_up(posting: Posting, redemption: OrderRedemption, points: int) -> int:
    """How many of the points that are redeemed again were restored before the member left and joined again."""
    if not posting.account.forfeited:
        return 0
    rejoined_at = posting.gave_up(redemption.account_id, redemption.redeemed_at)
    if rejoined_at is None:
        return 0
    theirs = _moved_since(redemption.purchase, rejoined_at, EntryKind.RESTORE, EntryKind.REDEEM_AGAIN)
    return points - min(points, theirs)
