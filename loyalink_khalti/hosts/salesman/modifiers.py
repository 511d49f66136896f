"""Points as a row of the basket. List it last in ``SALESMAN_BASKET_MODIFIERS``."""

from typing import Any

from django.utils.translation import gettext as _
from salesman.basket.modifiers import BasketModifier

from loyalink_khalti.errors import CannotPay
from loyalink_khalti.money import rupees

from . import pricing


class PointsModifier(BasketModifier):
    """Subtract the points that the member has chosen, at most as many as the purchase can redeem.

    The number is the server's: ``basket.extra`` is written by the customer and is not read. At "place order" the flow
    checks it again, under lock.
    """

    identifier = "loyalty-points"

    def finalize_basket(self, basket: Any, request: Any) -> None:
        basket.loyalink_points = pricing.NO_POINTS
        wanted = pricing.wanted_points(basket, request)
        if not wanted:
            return
        try:
            costs = pricing.costs(basket)
        except CannotPay:  # the checkout shows the reason
            return
        key = (wanted, costs.subtotal, costs.shipping)
        known, applied = getattr(basket, "_loyalink_fitting", (None, pricing.NO_POINTS))
        if known != key:  # Salesman updates the basket once for each item that it shows
            applied = pricing.fitting(request, costs, wanted)
            basket._loyalink_fitting = key, applied
        if applied.points:
            extra = {"points": int(applied.points), "chosen": int(wanted)}
            self.add_extra_row(basket, request, str(_("Points used")), -rupees(applied.value), extra=extra)
        basket.loyalink_points = applied
