from collections.abc import Collection, Sequence
from typing import Any

from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Costs, Line
from loyalink_khalti.shown_points import unit_of

from .models import Tea
from .shop import TeaShop


class TeaShopWithPoints(TeaShop):
    def unit_lines(
        self, products: Sequence[Any], *, request: Any, tags: Collection[str]
    ) -> Sequence[Sequence[Line] | None]:
        return [[unit_of(Paisa(each.price))] if isinstance(each, Tea) else None for each in products]

    def basket_costs(self, basket: Any, *, request: Any) -> Costs | None:
        return None
