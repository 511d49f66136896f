"""One unit of each product of Salesman as a line, for what it earns: see ``shown_points.ShowsPoints``."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest

from loyalink_khalti.ports import Line

from .pricing import product_tag, rounded


def unit_lines(products: Sequence[Any], *, request: HttpRequest | None) -> list[Sequence[Line] | None]:
    """Return the line of each product type of the shop: what has ``get_price`` and ``code``, as Salesman asks."""
    return [
        [_line(each, request)] if callable(getattr(each, "get_price", None)) and hasattr(each, "code") else None
        for each in products
    ]


def _line(product: Any, request: HttpRequest | None) -> Line:
    amount = rounded(product.get_price(request))
    return Line(
        sku=str(product.code),
        title="",
        quantity=1,
        unit=amount,
        total=amount,
        tags=(product_tag(product._meta.label),),
    )
