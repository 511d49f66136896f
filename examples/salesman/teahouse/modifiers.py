"""Apart from the serializers: Salesman imports those while its own modules are only half imported."""

from decimal import Decimal
from typing import Any

from salesman.basket.modifiers import BasketModifier


class Delivery(BasketModifier):
    """Rs 100 for the delivery; free from Rs 2,000."""

    identifier = "shipping"

    def process_basket(self, basket: Any, request: Any) -> None:
        if basket.count and basket.subtotal < 2000:
            self.add_extra_row(basket, request, "Delivery", Decimal(100))
