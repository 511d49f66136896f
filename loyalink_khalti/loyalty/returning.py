"""What a refund would do to points, before it is made. Writes nothing."""

from loyalink_khalti.money import Paisa, Points

from .arithmetic import cumulative
from .orders import OrderAward, OrderRedemption
from .refunding import Returned


def refund_quote(*, purchase: str, so_far: Paisa, goods_total: Paisa) -> Returned:
    """What would come back and be taken back if ``so_far`` paisa of goods were refunded in all."""
    redemption = OrderRedemption.objects.select_related("version").filter(purchase=purchase).first()
    award = OrderAward.objects.select_related("version").filter(purchase=purchase).first()
    restored = _restored(redemption, so_far, goods_total) - redemption.restored if redemption else 0
    clawed = _clawed(award, so_far, goods_total) - award.clawed if award else 0
    return Returned(restored=Points(max(restored, 0)), clawed=Points(max(clawed, 0)))


def _restored(redemption: OrderRedemption, so_far: Paisa, goods_total: Paisa) -> int:
    return cumulative(redemption.points, so_far, goods_total, redemption.version.rules.refund_rounding)


def _clawed(award: OrderAward, so_far: Paisa, goods_total: Paisa) -> int:
    if so_far >= goods_total:
        return award.proportional + award.fixed
    if not award.basis:
        return 0
    rounding = award.version.rules.refund_rounding
    refunded = cumulative(award.basis, so_far, goods_total, rounding)
    return cumulative(award.proportional, refunded, award.basis, rounding)
