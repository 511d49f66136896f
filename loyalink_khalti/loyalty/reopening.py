"""Let a purchase redeem and earn a second time, after all that it moved has been moved back.

Entries never change. What the ledger keeps of the first time gets another name (``shop:ref#…``), so that the purchase
can be recorded again under its own.
"""

from loyalink_khalti.errors import LedgerConflict
from loyalink_khalti.money import Points

from .buckets import HoldState
from .models import Hold, Lot
from .orders import OrderAward, OrderRedemption, RefundApplied
from .posting import Posting, surviving_account, update_tier
from .program import current_version
from .refunds import reverse_points
from .rules import Shortfall


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
    award = OrderAward.objects.select_related("account").filter(purchase=purchase).first()
    if award is None:
        return Points(0)
    if RefundApplied.objects.filter(purchase=purchase).exists():
        raise LedgerConflict(f"{purchase} was refunded: its award cannot be withdrawn")
    account = surviving_account(award.account)
    posting = Posting.lock(account.pk, purchase=purchase, refund_ref=f"received:{mark}", version_id=award.version_id)
    posting.expire_due()
    points = award.proportional + award.fixed
    if points:
        reverse_points(posting, award, points, Shortfall.OWE)
    name = f"{purchase}#{mark}"
    OrderAward.objects.filter(pk=award.pk).update(
        purchase=name, points_clawed_back=points, refunded=award.basis, shipping_refunded=award.shipping_basis,
        shipping_clawed_back=award.shipping_proportional,
    )  # fmt: skip
    Lot.objects.filter(source=f"award:{purchase}").update(source=f"withdrawn:{name}")
    update_tier(posting, current_version(account.program.site_key).rules)
    posting.post()
    return Points(points)
