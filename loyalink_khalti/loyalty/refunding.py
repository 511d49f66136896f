"""What a refund does to points: those spent come back to their lots, those earned are taken back.

Refunds are cumulative: the caller says how much of the goods has been refunded *so far*, and the difference to what
was moved before is moved now, so that the parts always sum to the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from loyalink_khalti.errors import Conflict
from loyalink_khalti.money import Paisa, Points

from . import programmes, tiers
from .accounts import survivor
from .arithmetic import cumulative
from .book import Book
from .expiry import day_of, expires_at, midnight_after
from .models import Account, Allocation, Bucket, Hold, Kind, Lot
from .orders import OrderAward, OrderRedemption, RefundApplied
from .rules import Rules, Shortfall


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What one refund moved: points given back, and points taken back (owed and forgiven ones included)."""

    restored: Points
    clawed: Points


def refund(*, purchase: str, refund_ref: str, so_far: Paisa, goods_total: Paisa) -> Returned:
    """Carry a refund into the points, once: ``so_far`` paisa of goods are refunded in all, this time included.

    The caller has locked the purchase.
    """
    account = _account(purchase)
    book = Book.locked(account.pk, purchase=purchase, refund_ref=refund_ref) if account else None
    row = RefundApplied(purchase=purchase, refund_ref=refund_ref, cumulative=so_far)
    earlier = _applied_before(row)
    if earlier is not None:
        return earlier
    newest = RefundApplied.objects.filter(purchase=purchase).order_by("-cumulative").first()
    before = newest.cumulative if newest else 0
    if not before <= so_far <= goods_total:
        raise Conflict(f"refunds of {purchase} go from {before} to {so_far} of {goods_total} paisa")
    row.amount = so_far - before
    if book is not None:
        row.restored, row.clawed = _carry(book, so_far=so_far, goods_total=goods_total)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # only where there are no points whose account could be locked
        earlier = _applied_before(row)
        if earlier is None:
            raise
        return earlier
    return Returned(restored=Points(row.restored), clawed=Points(row.clawed))


def _account(purchase: str) -> Account | None:
    """The account that refunds of a purchase go to, None where it neither spent nor earned."""
    for model in (OrderRedemption, OrderAward):
        row = model.objects.select_related("account").filter(purchase=purchase).first()
        if row is not None:
            return survivor(row.account)
    return None


def _applied_before(row: RefundApplied) -> Returned | None:
    earlier = RefundApplied.objects.filter(purchase=row.purchase, refund_ref=row.refund_ref).first()
    if earlier is None:
        return None
    if earlier.cumulative != row.cumulative:
        raise Conflict(f"refund {row.refund_ref} of {row.purchase} was applied with other figures")
    return Returned(restored=Points(earlier.restored), clawed=Points(earlier.clawed))


def _carry(book: Book, *, so_far: Paisa, goods_total: Paisa) -> tuple[int, int]:
    """Restore, then claw back: what comes back may serve to pay what is taken."""
    redemption = OrderRedemption.objects.select_related("version").filter(purchase=book.purchase).first()
    award = OrderAward.objects.select_related("version").filter(purchase=book.purchase).first()
    book.expire_due()
    restored = _restore(book, redemption, so_far, goods_total) if redemption else 0
    clawed = claw_back(book, award, so_far=so_far, goods_total=goods_total) if award else 0
    book.repay()
    tiers.follow(book, programmes.current(book.account.program.site_key).rules)
    book.close()
    return restored, clawed


def restored_by(redemption: OrderRedemption, *, so_far: Paisa, goods_total: Paisa) -> int:
    """The points that come back in all, once ``so_far`` paisa of goods are refunded."""
    return cumulative(redemption.points, so_far, goods_total, redemption.version.rules.refund_rounding)


def clawed_by(award: OrderAward, *, so_far: Paisa, goods_total: Paisa) -> tuple[int, int]:
    """The paisa of its basis that are refunded, and the points that are taken back for them in all."""
    mode = award.version.rules.refund_rounding
    refunded = cumulative(award.basis, so_far, goods_total, mode)
    if so_far >= goods_total:
        return refunded, award.proportional + award.fixed
    return refunded, cumulative(award.proportional, refunded, award.basis, mode) if award.basis else 0


def _restore(book: Book, redemption: OrderRedemption, so_far: Paisa, goods_total: Paisa) -> int:
    rules = redemption.version.rules
    whole = restored_by(redemption, so_far=so_far, goods_total=goods_total)
    points = whole - redemption.restored
    if not points:
        return 0
    OrderRedemption.objects.filter(pk=redemption.pk).update(restored=whole)
    key = f"restore:{redemption.purchase}:{book.refund_ref}"
    missing, parts = points, []
    held = Allocation.objects.filter(hold__purchase=redemption.purchase, hold__state=Hold.State.CAPTURED)
    for allocation in held.select_related("lot").order_by("-pk"):  # last consumed first
        part = min(allocation.points - allocation.restored, missing)
        if part:
            allocation.restored += part
            missing -= part
            parts.append((allocation, part))
    Allocation.objects.bulk_update([allocation for allocation, _ in parts], ["restored"])
    _refill(book, [(allocation.lot, part) for allocation, part in parts], rules, source=key)
    if missing:  # what was owed when it was spent never lay in a lot
        now = timezone.now()
        expiry = expires_at(now, months=rules.valid_months, month_end=rules.month_end)
        book.new_lot(missing, source=key, available_at=now, expires_at=expiry)
    book.move(Kind.RESTORE, Bucket.REDEEMED, Bucket.AVAILABLE, points, key=key)
    return points


def _refill(book: Book, parts: Sequence[tuple[Lot, int]], rules: Rules, *, source: str) -> None:
    """Back into the lots with their own expiry; with a grace, not gone before that is over."""
    now = timezone.now()
    grace = midnight_after(day_of(now) + timedelta(days=rules.restore_grace_days))
    own = []
    for lot, part in parts:
        too_soon = rules.restore_grace_days and lot.expires_at is not None and lot.expires_at < grace
        if too_soon or lot.account_id != book.account.pk:
            expiry = grace if too_soon else lot.expires_at
            book.new_lot(part, source=source, available_at=now, expires_at=expiry)
        else:
            lot.remaining += part
            own.append(lot)
    Lot.objects.bulk_update(own, ["remaining"])


def claw_back(book: Book, award: OrderAward, *, so_far: Paisa, goods_total: Paisa) -> int:
    """Take back what the refunded part of a purchase had earned; fixed bonuses only when all of it is refunded."""
    refunded, whole = clawed_by(award, so_far=so_far, goods_total=goods_total)
    points = whole - award.clawed
    short = _take_back(book, award, points, award.version.rules.shortfall) if points else 0
    OrderAward.objects.filter(pk=award.pk).update(refunded=refunded, clawed=whole, short=F("short") + short)
    return points


def _take_back(book: Book, award: OrderAward, points: int, policy: Shortfall) -> int:
    """Pending points of the purchase first, then available ones, its own lot first; the rest by policy."""
    key = f"claw_back:{award.purchase}:{book.refund_ref}"
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
