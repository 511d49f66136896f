"""What a refund would do to points, before it is made. Writes nothing."""

from loyalink_khalti.money import Paisa, Points

from .orders import OrderAward, OrderRedemption
from .refunding import Returned, clawed_by, restored_by


def refund_quote(*, purchase: str, so_far: Paisa, goods_total: Paisa) -> Returned:
    """What would come back and be taken back if ``so_far`` paisa of goods were refunded in all."""
    redemption = OrderRedemption.objects.select_related("version").filter(purchase=purchase).first()
    award = OrderAward.objects.select_related("version").filter(purchase=purchase).first()
    restored = clawed = 0
    if redemption is not None:
        restored = restored_by(redemption, so_far=so_far, goods_total=goods_total) - redemption.restored
    if award is not None:
        clawed = clawed_by(award, so_far=so_far, goods_total=goods_total)[1] - award.clawed
    return Returned(restored=Points(max(restored, 0)), clawed=Points(max(clawed, 0)))
