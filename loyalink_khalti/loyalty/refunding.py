"""What a refund does to points: those spent come back to their lots, those earned are taken back.

Refunds are cumulative: the caller says how much of the goods has been refunded *so far*, and the difference to what
was moved before is moved now, so that the parts always sum to the whole.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from loyalink_khalti.errors import Conflict
from loyalink_khalti.money import Paisa, Points

from . import tiers
from .arithmetic import cumulative
from .book import Book
from .expiry import expires_at
from .models import Account, Allocation, Bucket, Hold, Kind, Lot
from .orders import OrderAward, OrderRedemption, RefundApplied
from .rules import Rules, Shortfall


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What one refund moved: points given back, and points taken back (owed and forgiven ones included)."""

    restored: Points
    clawed: Points


def refund(*, purchase: str, refund_ref: str, so_far: Paisa, goods_total: Paisa) -> Returned:
    """Carry a refund into the points, once: ``so_far`` paisa of goods are refunded in all, this time included."""
    earlier = list(RefundApplied.objects.filter(purchase=purchase).order_by("cumulative", "pk"))
    for row in earlier:
        if row.refund_ref == refund_ref:
            if row.cumulative != so_far:
                raise Conflict(f"refund {refund_ref} of {purchase} was applied with other figures")
            return Returned(restored=Points(row.restored), clawed=Points(row.clawed))
    before = earlier[-1].cumulative if earlier else 0
    if not before <= so_far <= goods_total:
        raise Conflict(f"refunds of {purchase} go from {before} to {so_far} of {goods_total} paisa")
    row = RefundApplied.objects.create(
        purchase=purchase, refund_ref=refund_ref, amount=so_far - before, cumulative=so_far
    )
    redemption = OrderRedemption.objects.select_related("version").filter(purchase=purchase).first()
    award = OrderAward.objects.select_related("version").filter(purchase=purchase).first()
    account = _account(redemption or award)
    if account is None:
        return Returned(restored=Points(0), clawed=Points(0))
    book = Book.locked(account.pk, purchase=purchase, refund_ref=refund_ref)
    # Restore first: what comes back may serve to pay what is taken.
    restored = _restore(book, redemption, so_far, goods_total, refund_ref) if redemption else Points(0)
    clawed = claw_back(book, award, so_far=so_far, goods_total=goods_total, ref=refund_ref) if award else Points(0)
    book.repay()
    if award is not None:
        tiers.follow(book.account, award.version.rules, timezone.now())
    book.close()
    RefundApplied.objects.filter(pk=row.pk).update(restored=restored, clawed=clawed)
    return Returned(restored=restored, clawed=clawed)


def _account(row: OrderRedemption | OrderAward | None) -> Account | None:
    """The account that refunds of a purchase go to: the one that stayed, where two were merged."""
    if row is None:
        return None
    account = row.account
    while account.successor is not None:
        account = account.successor
    return account


def _restore(book: Book, redemption: OrderRedemption, so_far: Paisa, goods_total: Paisa, ref: str) -> Points:
    rules = redemption.version.rules
    whole = cumulative(redemption.points, so_far, goods_total, rules.refund_rounding)
    points = whole - redemption.restored
    OrderRedemption.objects.filter(pk=redemption.pk).update(restored=whole)
    missing = points
    held = Allocation.objects.filter(hold__purchase=redemption.purchase, hold__state=Hold.State.CAPTURED)
    for allocation in held.select_related("lot").order_by("-pk") if points else []:  # last consumed first
        part = min(allocation.points - allocation.restored, missing)
        if part:
            Allocation.objects.filter(pk=allocation.pk).update(restored=F("restored") + part)
            _refill(book, allocation.lot, part, rules, ref)
            missing -= part
    if missing:  # what was owed when it was spent never lay in a lot
        now = timezone.now()
        expiry = expires_at(now, months=rules.valid_months, month_end=rules.month_end)
        book.new_lot(missing, source=f"restore:{redemption.purchase}:{ref}", available_at=now, expires_at=expiry)
    key = f"restore:{redemption.purchase}:{ref}"
    book.move(Kind.RESTORE, Bucket.REDEEMED, Bucket.AVAILABLE, points, key=key)
    return Points(points)


def _refill(book: Book, lot: Lot, points: int, rules: Rules, ref: str) -> None:
    """Back into the lot with its own expiry; with a grace, not gone before that is over."""
    grace = timezone.now() + timedelta(days=rules.restore_grace_days)
    too_soon = rules.restore_grace_days and lot.expires_at is not None and lot.expires_at < grace
    if too_soon or lot.account_id != book.account.pk:
        expiry = grace if too_soon else lot.expires_at
        book.new_lot(points, source=f"restore:{lot.pk}:{ref}", available_at=timezone.now(), expires_at=expiry)
    else:
        Lot.objects.filter(pk=lot.pk).update(remaining=F("remaining") + points)


def claw_back(book: Book, award: OrderAward, *, so_far: Paisa, goods_total: Paisa, ref: str) -> Points:
    """Take back what the refunded part of a purchase had earned; fixed bonuses only when all of it is refunded."""
    rules = award.version.rules
    refunded = cumulative(award.basis, so_far, goods_total, rules.refund_rounding)
    whole = cumulative(award.proportional, refunded, award.basis, rules.refund_rounding) if award.basis else 0
    if so_far >= goods_total:
        whole = award.proportional + award.fixed
    points = whole - award.clawed
    short = _take_back(book, award, points, rules.shortfall, ref) if points else 0
    OrderAward.objects.filter(pk=award.pk).update(refunded=refunded, clawed=whole, short=F("short") + short)
    return Points(points)


def _take_back(book: Book, award: OrderAward, points: int, policy: Shortfall, ref: str) -> int:
    """Pending points of the purchase first, then available ones, its own lot first; the rest by policy."""
    key = f"claw_back:{award.purchase}:{ref}"
    own = list(Lot.objects.filter(source=f"award:{award.purchase}", account=book.account))
    pending = min(points, sum(lot.pending for lot in own))
    if pending:
        Lot.objects.filter(pk=own[0].pk).update(pending=F("pending") - pending)
        book.move(Kind.CLAW_BACK, Bucket.PENDING, Bucket.REVERSED, pending, key=f"{key}:pending")
    rest = points - pending
    available = 0 if policy is Shortfall.PENDING_ONLY else min(rest, book.account.available)
    if available:
        book.take(available, first={lot.pk for lot in own})
        book.move(Kind.CLAW_BACK, Bucket.AVAILABLE, Bucket.REVERSED, available, key=f"{key}:available")
    missing = rest - available
    if policy is Shortfall.OWE:
        book.move(Kind.CLAW_BACK, Bucket.OWED, Bucket.REVERSED, missing, key=f"{key}:owed")
        return 0
    book.move(Kind.FORGIVE, Bucket.WRITTEN_OFF, Bucket.REVERSED, missing, key=f"{key}:forgiven")
    return missing
