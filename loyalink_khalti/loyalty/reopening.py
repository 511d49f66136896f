"""Let a purchase redeem late, or redeem and earn a second time, after all that it moved has been moved back.

Entries never change. What the ledger keeps of the first time gets another name (``shop:ref#…``), so that the purchase
can be recorded again under its own.
"""

from typing import Any

from loyalink_khalti.clock import time_of
from loyalink_khalti.errors import LedgerConflict
from loyalink_khalti.money import Paisa, Points

from .buckets import Bucket, EntryKind, HoldState
from .closed_months import move_awarded
from .earning import update_tier
from .locks import lock_account
from .models import Entry, Hold, Lot
from .orders import OrderAward, OrderRedemption, RefundApplied
from .posting import Posting
from .program import current_version
from .purchases import allocate, newest_hold, same_figures
from .refunds import reverse_points
from .rules import Shortfall


def late_capture(
    *, site_key: str, member_id: str, purchase: str, points: Points, value: Paisa, version_id: int | None = None
) -> Points:
    """Redeem points for a purchase that is fulfilled after its release; return how many.

    Available points come first, and the member owes the rest; points that were released and then lost by leaving the
    programme are taken from those that are lost. They are those of the account that held points for it
    before, also after a merge. ``value`` is what they took off, in paisa. The caller has locked the purchase. Raises
    ``LedgerConflict`` where points are still held, or where another number was redeemed before, and ``AccountMerged``
    for an account that has ended.
    """
    version_id = version_id or current_version(site_key).pk
    cause: dict[str, Any] = {"purchase": purchase, "version_id": version_id}
    before = newest_hold(purchase)
    if before is not None:
        posting = Posting.lock(before.account_id, **cause)
    else:
        posting = Posting(account=lock_account(site_key, member_id, purchase=purchase), **cause)
    earlier = OrderRedemption.objects.filter(purchase=purchase).first()
    if earlier is not None:
        return Points(same_figures(earlier, earlier.points == points).points)
    if before is not None and before.state == HoldState.ACTIVE:
        raise LedgerConflict(f"points are held for {purchase}: capture them")
    posting.expire_due()
    given_up = points if before is not None and _released_and_given_up(posting, before) else 0
    lost = min(given_up, posting.account.forfeited)
    from_lots = min(points - lost, posting.account.available)
    # A hold like any other, although the points that are owed never were in a lot.
    new = Hold.objects.create(
        account=posting.account, version_id=version_id, purchase=purchase, points=points, captured=points,
        state=HoldState.CAPTURED,
    )  # fmt: skip
    allocate(posting, new, from_lots)
    OrderRedemption.objects.create(
        program_id=posting.account.program_id, purchase=purchase, account=posting.account, points=points, value=value,
        version_id=version_id,
    )  # fmt: skip
    key, kind = f"late:{purchase}", EntryKind.LATE_CAPTURE
    posting.pay_with_lost(kind, Bucket.REDEEMED, lost, key=f"{key}:lost", hold=new)
    posting.transfer(kind, Bucket.AVAILABLE, Bucket.REDEEMED, from_lots, key=key, hold=new)
    posting.transfer(kind, Bucket.OWED, Bucket.REDEEMED, points - lost - from_lots, key=f"{key}:owed", hold=new)
    posting.post()
    return points


def _released_and_given_up(posting: Posting, hold: Hold) -> bool:
    """Whether the points of a hold were released before its member left, and has joined again since."""
    if not posting.account.forfeited:
        return False
    released = Entry.objects.filter(hold=hold, kind=EntryKind.RELEASE).order_by("-pk").first()
    return released is not None and posting.gave_up(hold.account_id, released.at) is not None


def set_aside(*, purchase: str, mark: str) -> None:
    """Rename what was recorded of a purchase whose points are all moved back; ``mark`` makes the name unique.

    The caller has locked the purchase. Raises ``LedgerConflict`` while points of it are held, used or earned.
    """
    redemption = OrderRedemption.objects.filter(purchase=purchase).first()
    award = OrderAward.objects.filter(purchase=purchase).first()
    is_held = Hold.objects.filter(purchase=purchase, state=HoldState.ACTIVE).exists()
    is_used = redemption is not None and redemption.points_restored < redemption.points
    is_earned = award is not None and award.points_clawed_back < award.proportional + award.fixed
    if is_held or is_used or is_earned:
        raise LedgerConflict(f"points of {purchase} are still held, used or earned")
    name = f"{purchase}#{mark}"
    for model in (Hold, OrderRedemption, OrderAward, RefundApplied):
        model.objects.filter(purchase=purchase).update(purchase=name)
    Lot.objects.filter(source=f"award:{purchase}").update(source=f"withdrawn:{name}")


def withdraw_award(*, purchase: str, mark: str) -> Points:
    """Reverse what a purchase earned, which turns out not to be paid; return how many points.

    What the member no longer has is owed. The award is renamed, with ``mark`` to make the name unique, so that
    ``award`` can award the purchase again. The caller has locked the purchase. Raises ``LedgerConflict`` where it was
    refunded.
    """
    award = OrderAward.objects.filter(purchase=purchase).first()
    if award is None:
        return Points(0)
    if RefundApplied.objects.filter(purchase=purchase).exists():
        raise LedgerConflict(f"{purchase} was refunded: its award cannot be withdrawn")
    ref = f"received:{mark}"
    posting = Posting.lock(award.account_id, purchase=purchase, refund_ref=ref, version_id=award.version_id)
    posting.expire_due()
    points = award.proportional + award.fixed
    if points:
        reverse_points(posting, award, points, Shortfall.OWE)
    name = f"{purchase}#{mark}"
    OrderAward.objects.filter(pk=award.pk).update(
        purchase=name, points_clawed_back=points, refunded=award.basis, shipping_refunded=award.shipping_basis,
        shipping_clawed_back=award.shipping_proportional,
    )  # fmt: skip
    move_awarded(award, award.points_clawed_back - points, now=time_of(posting.account))
    Lot.objects.filter(source=f"award:{purchase}").update(source=f"withdrawn:{name}")
    update_tier(posting.account, posting.rules)
    posting.post()
    return Points(points)
