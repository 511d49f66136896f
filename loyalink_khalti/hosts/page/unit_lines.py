"""One unit of each page that sells as a line, for what it earns: see ``shown_points.ShowsPoints``."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Costs, Line

from .open_basket import PageBasket
from .pricing import category_tag
from .product import KhaltiProductMixin
from .products import category_pks


def unit_lines(products: Sequence[Any], *, tags: Collection[str]) -> list[Sequence[Line] | None]:
    """Return the lines of each page: one for each choice. Where customers choose the amount, the least amount.

    With ``tags`` a query for each page model; without any, none.
    """
    pages = [getattr(each, "specific", each) for each in products]
    selling = [page for page in pages if isinstance(page, KhaltiProductMixin)]
    categories = category_pks(selling) if tags else {}
    return [_lines(page, categories) if isinstance(page, KhaltiProductMixin) else None for page in pages]


def basket_costs(basket: PageBasket) -> Costs:
    """Return what the items that can be bought cost, without delivery: it is chosen at the checkout."""
    lines = tuple(line.as_line() for line in basket.lines if not line.problem)
    return Costs(lines=lines, subtotal=basket.subtotal, shipping=Paisa(0))


def _lines(page: Any, categories: dict[int, list[int]]) -> Sequence[Line]:
    tags = tuple(map(category_tag, categories.get(page.pk, ())))
    return [
        Line(sku="", title="", quantity=1, unit=price, total=price, tags=tags, earns=bool(page.earns_points))
        for price in _prices(page)
    ]


def _prices(page: Any) -> Iterator[Paisa]:
    choices = page.product_choices()
    if choices:
        yield from (choice.price for choice in choices if choice.price)
    elif page.free_amount:
        yield from (page.least_amount, page.most_amount)  # "1 point or more"
    elif page.price:
        yield Paisa(page.price)
