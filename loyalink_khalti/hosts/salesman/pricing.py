"""What a basket costs in paisa, and how points lower it. Prices are those of Salesman and of the shop's modifiers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.hosts.common.titles import other_titles
from loyalink_khalti.money import Paisa, Points, paisa, rupees, shares
from loyalink_khalti.points_choices import chosen_points
from loyalink_khalti.ports import Costs, Line, PaymentMethod

from .settings import SHOP, options

LONGEST_OPTIONS = 200
"""Characters of what a customer has chosen or typed for a product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedPoints:
    """What the modifier has subtracted from a basket; ``value`` in paisa."""

    points: Points = Points(0)
    value: Paisa = Paisa(0)


NO_POINTS = AppliedPoints()


def django_request(request: Any) -> HttpRequest:
    """Return Django's request of one of the REST framework's, which is another object around it."""
    found: HttpRequest = getattr(request, "_request", request)
    return found


def member_id(request: Any) -> str | None:
    """Return the authenticated member's id, by session or token; None for a guest."""
    user = getattr(request, "user", None)
    return str(user.pk) if user is not None and user.is_authenticated else None


def applied_points(basket: Any) -> AppliedPoints:
    """Return what the modifier has subtracted at the basket's last ``update``."""
    found = getattr(basket, "loyalink_points", NO_POINTS)
    return found if isinstance(found, AppliedPoints) else NO_POINTS


def costs(basket: Any) -> Costs:
    """Return what a basket costs before points. Raises ``CannotPay`` where a price is below zero or missing."""
    items = basket.get_items()
    if any(item.product is None for item in items):
        raise CannotPay(_("A product in your basket is not available any more. Please remove it."))
    whole = rounded(basket.total) + applied_points(basket).value
    prices = [rounded(item.total) for item in items]
    if whole < 0 or any(price < 0 for price in prices):
        raise CannotPay(_("This basket cannot be ordered: its price is below zero. Please contact the shop."))
    subtotal, shipping = _parts(basket, sum(prices), whole)
    before = sum(rounded(item.subtotal) for item in items)
    return Costs(
        lines=_lines(items, shares(subtotal, prices)),
        subtotal=subtotal,
        shipping=shipping,
        discount=Paisa(max(before - subtotal, 0)),
    )


def _parts(basket: Any, of_items: int, whole: int) -> tuple[Paisa, Paisa]:
    """Split the total, in paisa, into products and delivery: other charges are like delivery, reductions are not."""
    rows = {
        name: rounded(row.instance["amount"]) for name, row in basket.extra_rows.items() if name != "loyalty-points"
    }
    delivery: int = sum(amount for name, amount in rows.items() if name in options().shipping_rows)
    if of_items + sum(rows.values()) != whole:  # some rows are shown and not charged
        delivery = min(delivery, max(whole - of_items, 0))
    others = whole - of_items - delivery
    subtotal = min(max(of_items + min(others, 0), 0), whole)
    return Paisa(subtotal), Paisa(whole - subtotal)


def _lines(items: Sequence[Any], totals: Sequence[int]) -> tuple[Line, ...]:
    return tuple(
        Line(
            id=str(number),
            sku=str(item.code),
            title=str(item.name),
            titles=other_titles(partial(getattr, item, "name")),
            options=_options(item.extra),
            quantity=item.quantity,
            unit=rounded(rupees(Paisa(total)) / item.quantity),
            total=Paisa(total),
            tags=(product_tag(item.product._meta.label),),
        )
        for number, (item, total) in enumerate(zip(items, totals, strict=True))
    )


def _options(extra: Mapping[str, Any]) -> str:
    """Return what the customer has chosen for an item, as text; the JSON is theirs and can be anything."""
    chosen = [f"{name}: {value}" for name, value in extra.items() if isinstance(value, str | int | float)]
    return ", ".join(chosen)[:LONGEST_OPTIONS]


def product_tag(label: str) -> str:
    """Return the tag of a product type: "salesman:tea.Product"."""
    return f"{SHOP}:{label}"


def unit_lines(products: Sequence[Any], *, request: HttpRequest | None) -> list[Sequence[Line] | None]:
    """Return one unit of each product as a line, for what it earns; see ``shown_points.ShowsPoints``.

    A product of the shop has ``get_price`` and ``code``, as Salesman asks.
    """
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


def rounded(amount: Any) -> Paisa:
    """Return rupees as whole paisa, half a paisa up."""
    return paisa(Decimal(amount).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def quote(request: Any, costs: Costs, *, points: Points, method: PaymentMethod | None = None) -> flow.Quote:
    """Return the flow's quote. Raises ``PointsDoNotFit`` if the purchase cannot redeem the points."""
    return flow.quote(
        site_key=conf.site_key(django_request(request)),
        member_id=member_id(request),
        subtotal=costs.subtotal,
        shipping=costs.shipping,
        lines=costs.lines,
        discount=costs.discount,
        points=points,
        method=method,
    )


def wanted_points(basket: Any, request: Any) -> Points:
    """Return how many points a basket is to use: what a checkout names, or what the member has chosen before."""
    if hasattr(basket, "loyalink_wanted"):
        return Points(basket.loyalink_wanted)
    if basket.pk is None or member_id(request) is None:
        return Points(0)
    from .origins import origin_of  # it reads purchases, which load after Salesman's settings

    return chosen_points(shop=SHOP, origin=origin_of(basket))


def fitting(request: Any, costs: Costs, wanted: Points) -> AppliedPoints:
    """Return the most points up to ``wanted`` that the purchase can redeem."""
    if not wanted:
        return NO_POINTS
    try:
        found = quote(request, costs, points=wanted)
    except flow.PointsDoNotFit as exc:
        lower = [points for points in exc.nearest if points < wanted]
        return fitting(request, costs, max(lower)) if lower else NO_POINTS
    return AppliedPoints(points=wanted, value=found.points_value)
