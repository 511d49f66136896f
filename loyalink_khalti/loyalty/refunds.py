"""Apply a refund to points: restore the redeemed ones to their lots, claw back the earned ones.

Refunds are cumulative: the caller says how much of each part of the order, products and delivery, is refunded *so
far*, and the ledger moves the difference to what it moved before. So any number of refunds sums to the whole. Nothing
crosses from one part to the other: points that paid delivery, and points that it earned, follow its refund.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import CharField, F, Value

from loyalink_khalti.clock import time_of
from loyalink_khalti.errors import LedgerConflict
from loyalink_khalti.money import Paisa, Points, Rounding, cumulative, points_by_part
from loyalink_khalti.nepal import day_of, midnight_after

from .buckets import Bucket, EntryKind, HoldState
from .closed_months import move_awarded
from .earning import update_tier
from .models import Allocation, Lot
from .orders import OrderAward, OrderRedemption, RefundApplied
from .posting import Posting
from .rules import Rules, Shortfall


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundedPoints:
    """What one refund moves: points restored, and points clawed back (owed and written-off ones included)."""

    points_restored: Points
    points_clawed_back: Points


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundedParts:
    """How much of the products and of the delivery of an order is refunded so far; in paisa, before points."""

    refunded_subtotal: Paisa
    subtotal: Paisa
    refunded_shipping: Paisa
    shipping: Paisa

    def of_products(self, total: int, mode: Rounding) -> int:
        """Return how much of ``total``, which belongs to the products, is refunded so far."""
        return cumulative(total, self.refunded_subtotal, self.subtotal, mode) if self.subtotal else 0

    def of_shipping(self, total: int, mode: Rounding) -> int:
        """Return how much of ``total``, which belongs to the delivery, is refunded so far."""
        return cumulative(total, self.refunded_shipping, self.shipping, mode) if self.shipping else 0

    @property
    def has_all_products(self) -> bool:
        """Whether all products are refunded; of an order whose products are free, whether its delivery is."""
        if not self.subtotal:
            return self.refunded_shipping >= self.shipping
        return self.refunded_subtotal >= self.subtotal

    @property
    def has_all_shipping(self) -> bool:
        """Whether the delivery, which was not free, is refunded."""
        return 0 < self.shipping <= self.refunded_shipping


def refund(
    *,
    purchase: str,
    refund_ref: str,
    refunded_so_far: Paisa,
    subtotal: Paisa,
    shipping_so_far: Paisa = Paisa(0),
    shipping: Paisa = Paisa(0),
) -> RefundedPoints:
    """Apply a refund to the points of a purchase, once; return the points that it moved.

    ``refunded_so_far`` is what is refunded of the subtotal in all, this refund included, and ``shipping_so_far`` what
    is refunded of the delivery; all in paisa before points. The caller has locked the purchase. Raises
    ``LedgerConflict`` where the refund was applied with other figures, where it would lower what is refunded, and
    where it is more than the subtotal or the delivery.
    """
    parts = RefundedParts(
        refunded_subtotal=refunded_so_far, subtotal=subtotal, refunded_shipping=shipping_so_far, shipping=shipping
    )
    postings = lock_accounts(purchase, refund_ref)
    row = RefundApplied(
        purchase=purchase, refund_ref=refund_ref, cumulative=refunded_so_far, shipping_cumulative=shipping_so_far
    )
    if (earlier := _applied_before(row)) is not None:
        return earlier
    before = refunded_parts(purchase, subtotal=subtotal, shipping=shipping)
    _check_cumulative(purchase, before, parts)
    row.amount = refunded_so_far - before.refunded_subtotal
    row.points_restored, row.points_clawed_back = _apply(postings, purchase, parts)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # only for a purchase without points, where there was no account to lock
        earlier = _applied_before(row)
        if earlier is None:
            raise
        return earlier
    return moved_by(row)


def refunded_parts(purchase: str, *, subtotal: Paisa, shipping: Paisa) -> RefundedParts:
    """Return how much of a purchase the refunds applied so far have refunded, in paisa before points."""
    rows = RefundApplied.objects.filter(purchase=purchase).order_by("-pk")
    newest_first = list(rows.values_list("cumulative", "shipping_cumulative"))  # a reversal lowers them again
    deliveries = [delivery for _products, delivery in newest_first if delivery is not None]
    return RefundedParts(
        refunded_subtotal=Paisa(newest_first[0][0] if newest_first else 0), subtotal=subtotal,
        refunded_shipping=Paisa(deliveries[0] if deliveries else 0), shipping=shipping,
    )  # fmt: skip


def _check_cumulative(purchase: str, before: RefundedParts, after: RefundedParts) -> None:
    """Refuse a refund that would lower what is refunded, or that is more than there is."""
    for first, then, whole in (
        (before.refunded_subtotal, after.refunded_subtotal, after.subtotal),
        (before.refunded_shipping, after.refunded_shipping, after.shipping),
    ):
        if not first <= then <= whole:
            raise LedgerConflict(f"refunds of {purchase} go from {first} to {then} of {whole} paisa")


def preview_refund(
    *,
    purchase: str,
    refunded_so_far: Paisa,
    subtotal: Paisa,
    shipping_so_far: Paisa = Paisa(0),
    shipping: Paisa = Paisa(0),
) -> RefundedPoints:
    """Return what ``refund`` with these figures (in paisa) would move. Writes nothing."""
    parts = RefundedParts(
        refunded_subtotal=refunded_so_far, subtotal=subtotal, refunded_shipping=shipping_so_far, shipping=shipping
    )
    redemption = OrderRedemption.objects.select_related("version").filter(purchase=purchase).first()
    award = OrderAward.objects.select_related("version").filter(purchase=purchase).first()
    restored = clawed_back = 0
    if redemption is not None:
        restored = sum(restored_in_all(redemption, parts)) - redemption.points_restored
    if award is not None:
        clawed_back = clawed_back_in_all(award, parts).points - award.points_clawed_back
    return RefundedPoints(points_restored=Points(restored), points_clawed_back=Points(clawed_back))


def claw_back(posting: Posting, award: OrderAward, parts: RefundedParts) -> int:
    """Claw back what the refunded parts of a purchase earned; fixed bonuses only when all products are refunded."""
    whole = clawed_back_in_all(award, parts)
    points = whole.points - award.points_clawed_back
    forgiven = reverse_points(posting, award, points, award.version.rules.shortfall) if points else 0
    OrderAward.objects.filter(pk=award.pk).update(
        refunded=whole.basis,
        points_clawed_back=whole.points,
        points_forgiven=F("points_forgiven") + forgiven,
        shipping_refunded=whole.shipping_basis,
        shipping_clawed_back=whole.shipping_points,
    )
    move_awarded(award, -points, now=time_of(posting.account))
    return points


REDEEMED, EARNED = "redeemed", "earned"
"""What an account did with a purchase, for ``lock_accounts``."""


def lock_accounts(purchase: str, refund_ref: str) -> dict[str, Posting]:
    """Lock the account that redeemed and the one that earned; empty where the purchase did neither.

    They are one and the same, unless a member was erased between the two.
    """
    rows = [
        model.objects.filter(purchase=purchase).annotate(part=Value(part, CharField())).values_list("account", "part")
        for part, model in ((REDEEMED, OrderRedemption), (EARNED, OrderAward))
    ]
    parts: dict[str, Posting] = {}
    locked: dict[int, Posting] = {}
    for account_id, part in sorted(rows[0].union(rows[1])):
        if account_id not in locked:
            posting = Posting.lock(account_id, purchase=purchase, refund_ref=refund_ref)
            locked[account_id] = locked.setdefault(posting.account.pk, posting)  # two may have been merged since
        parts[part] = locked[account_id]
    return parts


def different_postings(parts: dict[str, Posting]) -> list[Posting]:
    """Return the postings of ``lock_accounts``, each once."""
    return list({id(posting): posting for posting in parts.values()}.values())


def finish(postings: Iterable[Posting]) -> None:
    """Repay debts, update tiers, and write everything."""
    for posting in postings:
        posting.repay()
        update_tier(posting.account, posting.rules)
        posting.post()


def _applied_before(row: RefundApplied) -> RefundedPoints | None:
    earlier = RefundApplied.objects.filter(purchase=row.purchase, refund_ref=row.refund_ref).first()
    if earlier is None:
        return None
    if earlier.cumulative != row.cumulative or earlier.shipping_cumulative not in {None, row.shipping_cumulative}:
        raise LedgerConflict(f"refund {row.refund_ref} of {row.purchase} was applied with other figures")
    return moved_by(earlier)


def moved_by(row: RefundApplied) -> RefundedPoints:
    restored, clawed_back = Points(row.points_restored), Points(row.points_clawed_back)
    return RefundedPoints(points_restored=restored, points_clawed_back=clawed_back)


def _apply(postings: dict[str, Posting], purchase: str, parts: RefundedParts) -> tuple[int, int]:
    """Restore first, so that restored points can pay for a claw-back; then claw back, and repay debts."""
    redemption = OrderRedemption.objects.select_related("version").filter(purchase=purchase).first()
    award = OrderAward.objects.select_related("version").filter(purchase=purchase).first()
    different = different_postings(postings)
    for posting in different:
        posting.expire_due()
    restored = _restore(postings[REDEEMED], redemption, parts) if redemption else 0
    clawed_back = claw_back(postings[EARNED], award, parts) if award else 0
    finish(different)
    return restored, clawed_back


def _before(whole: int, shipping: int, most: int) -> tuple[int, int]:
    """What earlier refunds did, for products and for delivery.

    Products come first: the previous version recorded only the ``whole``, which may be more than the ``most`` that
    belongs to the products.
    """
    products = min(whole - shipping, most)
    return products, whole - products


def restored_in_all(redemption: OrderRedemption, parts: RefundedParts) -> tuple[int, int]:
    """The points that are restored so far for products and for delivery; never less than before."""
    mode = redemption.version.rules.refund_rounding
    paid = points_by_part(redemption.points, redemption.value, subtotal=parts.subtotal, shipping=parts.shipping)
    before = _before(redemption.points_restored, redemption.shipping_points_restored, paid.products)
    return (
        max(parts.of_products(paid.products, mode), before[0]),
        max(parts.of_shipping(paid.shipping, mode), before[1]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClawedBack:
    """What is clawed back of an award so far: paisa of its basis and points, and those of the delivery among them."""

    basis: int
    points: int
    shipping_basis: int
    shipping_points: int


def clawed_back_in_all(award: OrderAward, parts: RefundedParts) -> ClawedBack:
    """Return what is clawed back so far, for each part by its own share of the basis; never less than before."""
    mode = award.version.rules.refund_rounding
    basis, points = award.basis - award.shipping_basis, award.proportional - award.shipping_proportional
    basis_before = _before(award.refunded, award.shipping_refunded, basis)
    points_before = _before(award.points_clawed_back, award.shipping_clawed_back, points + award.fixed)
    of_products = max(parts.of_products(basis, mode), basis_before[0])
    of_shipping = max(parts.of_shipping(award.shipping_basis, mode), basis_before[1])
    points = points + award.fixed if parts.has_all_products else _share(points, of_products, basis, mode)
    shipping_points = award.shipping_proportional
    if not parts.has_all_shipping:
        shipping_points = _share(shipping_points, of_shipping, award.shipping_basis, mode)
    shipping_points = max(shipping_points, points_before[1])
    return ClawedBack(
        basis=of_products + of_shipping,
        points=max(points, points_before[0]) + shipping_points,
        shipping_basis=of_shipping,
        shipping_points=shipping_points,
    )


def _share(points: int, refunded: int, basis: int, mode: Rounding) -> int:
    """How many of ``points``, which were earned on ``basis`` paisa, belong to what is refunded of it."""
    return cumulative(points, refunded, basis, mode) if basis else 0


def _restore(posting: Posting, redemption: OrderRedemption, parts: RefundedParts) -> int:
    rules = redemption.version.rules
    of_products, of_shipping = restored_in_all(redemption, parts)
    points = of_products + of_shipping - redemption.points_restored
    if not points:
        return 0
    OrderRedemption.objects.filter(pk=redemption.pk).update(
        points_restored=of_products + of_shipping, shipping_points_restored=of_shipping
    )
    key = f"restore:{redemption.purchase}:{posting.refund_ref}"
    missing, returned = points, []
    allocations = Allocation.objects.filter(hold__purchase=redemption.purchase, hold__state=HoldState.CAPTURED)
    for allocation in allocations.select_related("lot").order_by("-pk"):  # last used first
        part = min(allocation.points - allocation.points_restored, missing)
        if part:
            allocation.points_restored += part
            missing -= part
            returned.append((allocation, part))
    Allocation.objects.bulk_update([allocation for allocation, _ in returned], ["points_restored"])
    _refill_lots(posting, [(allocation.lot, part) for allocation, part in returned], rules, source=key)
    if missing:  # points that were owed when they were redeemed never were in a lot
        now = time_of(posting.account)
        posting.new_lot(missing, source=key, available_at=now, expires_at=rules.expires_at(now))
    posting.transfer(EntryKind.RESTORE, Bucket.REDEEMED, Bucket.AVAILABLE, points, key=key)
    return points


def _refill_lots(posting: Posting, parts: Sequence[tuple[Lot, int]], rules: Rules, *, source: str) -> None:
    """Return points to their lots with their own expiry, but not before the grace period of the rules ends."""
    now = time_of(posting.account)
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
    """Reverse pending points of the purchase first, those lost by leaving, then available ones, its own lot first.

    The rest follows the policy of the rules. Returns the points that are written off.
    """
    key, kind = f"claw_back:{award.purchase}:{posting.refund_ref}", EntryKind.CLAW_BACK
    own = list(Lot.objects.filter(source=f"award:{award.purchase}", account=posting.account))
    pending = min(points, sum(lot.pending for lot in own))
    if pending:
        Lot.objects.filter(pk=own[0].pk).update(pending=F("pending") - pending)
        posting.transfer(kind, Bucket.PENDING, Bucket.REVERSED, pending, key=f"{key}:pending")
    rest = points - pending - posting.reverse_lost(award, points - pending, key=f"{key}:lost")
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
