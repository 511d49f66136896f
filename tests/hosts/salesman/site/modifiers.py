"""What the shop has in SALESMAN_BASKET_MODIFIERS besides ours."""

from decimal import Decimal
from typing import Any

from salesman.basket.modifiers import BasketModifier


class DeliveryModifier(BasketModifier):
    """Rs 100 for the delivery of anything."""

    identifier = "shipping"

    def process_basket(self, basket: Any, request: Any) -> None:
        if basket.count:
            self.add_extra_row(basket, request, "Delivery", Decimal(100))
