"""What a basket costs in paisa, and what points do to it.

Points are a discount on the whole order, goods and shipping, so they enter Oscar as a negative surcharge: a coupon
could be swallowed by an exclusive offer, would stay on a basket that is given back, and cannot pay shipping.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy
from oscar.apps.checkout.applicator import SurchargeApplicator as OscarSurchargeApplicator
from oscar.apps.checkout.applicator import SurchargeList, SurchargePrice
from oscar.apps.checkout.surcharges import FlatCharge
from oscar.core.loading import get_class, get_model
from oscar.core.prices import Price

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.money import Paisa, Points, paisa, rupees
from loyalink_khalti.ports import Line, Method

from .choice import Choice
from .options import CURRENCY

POINTS_CODE = "loyalty-points"
POINTS_NAME = gettext_lazy("Loyalty points")


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a basket costs before points, in paisa."""

    goods: Paisa
    shipping: Paisa
    """Delivery, and whatever the shop adds of its own (a fee, say)."""
    discount: Paisa
    lines: tuple[Line, ...]

    @property
    def total(self) -> Paisa:
        return Paisa(self.goods + self.shipping)


class SurchargeApplicator(OscarSurchargeApplicator):
    """The shop's own surcharges and, where points are spent, what they are worth, below zero."""

    def __init__(self, request: HttpRequest | None = None, context: Any = None, *, worth: Paisa = Paisa(0)) -> None:
        super().__init__(request, context)
        self.worth = worth

    def get_applicable_surcharges(self, basket: Any, **kwargs: Any) -> Any:
        shops_own = get_class("checkout.applicator", "SurchargeApplicator")(self.request, self.context)
        charges = list(shops_own.get_applicable_surcharges(basket, **kwargs) or [])
        if self.worth:
            points = PointsDiscount(self.worth)
            charges.append(SurchargePrice(points, points.calculate(basket=basket)))
        return SurchargeList(charges) if charges else None


class PointsDiscount(FlatCharge):
    """The worth of the points spent, as a surcharge below zero."""

    code = POINTS_CODE
    name = POINTS_NAME

    def __init__(self, worth: Paisa) -> None:
        super().__init__(excl_tax=-rupees(worth), incl_tax=-rupees(worth))


def costs(basket: Any, shipping_charge: Any, surcharges: Any = None) -> Costs:
    """Count a basket in paisa; ``surcharges`` are the shop's own. Raises ``CannotPay`` where it is not in rupees."""
    if basket.currency not in {CURRENCY, None}:
        raise CannotPay(gettext("This shop takes payment in Nepalese rupees only."))
    goods = rounded(basket.total_incl_tax)
    return Costs(
        goods=goods,
        shipping=Paisa(
            rounded(shipping_charge.incl_tax) + sum(rounded(one.price.incl_tax) for one in surcharges or ())
        ),
        discount=rounded(basket.total_discount),
        lines=_lines(basket, goods),
    )


def _lines(basket: Any, goods: Paisa) -> tuple[Line, ...]:
    lines = list(basket.all_lines())
    tags = categories([line.product for line in lines])
    totals = shares([line.line_price_incl_tax_incl_discounts for line in lines], goods)
    return tuple(
        Line(
            sku=line.stockrecord.partner_sku if line.stockrecord else str(line.product_id),
            title=line.product.get_title(),
            quantity=line.quantity,
            unit=rounded(rupees(total) / line.quantity),
            total=total,
            tags=tags.get(line.product_id, ()),
        )
        for line, total in zip(lines, totals, strict=True)
        if line.quantity
    )


def categories(products: Iterable[Any]) -> dict[int, tuple[str, ...]]:
    """The slugs of products' categories and of those above them, by their pks; a child is in those of its parent."""
    Category, through = get_model("catalogue", "Category"), get_model("catalogue", "ProductCategory")
    shelved = {product.pk: product.parent_id or product.pk for product in products}
    paths: dict[int, set[str]] = {}
    for pk, path in through.objects.filter(product__in=set(shelved.values())).values_list("product", "category__path"):
        above = {path[:end] for end in range(Category.steplen, len(path) + 1, Category.steplen)}
        paths[pk] = paths.get(pk, set()) | above
    every = Category.objects.filter(path__in=set().union(*paths.values())).order_by("path")
    slugs = dict(every.values_list("path", "slug"))
    return {pk: tuple(slugs[path] for path in slugs if path in paths.get(owner, ())) for pk, owner in shelved.items()}


def rounded(amount: Decimal) -> Paisa:
    """Rupees as whole paisa, half a paisa up, as Oscar rounds its totals."""
    return paisa(amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def shares(amounts: Sequence[Decimal], total: Paisa) -> list[Paisa]:
    """Each amount in paisa, so that together they are exactly ``total``: what rounding leaves over goes along."""
    taken, so_far, result = 0, Decimal(0), []
    for index, amount in enumerate(amounts, start=1):
        so_far += amount
        upto = total if index == len(amounts) else min(rounded(so_far), total)
        result.append(Paisa(upto - taken))
        taken = upto
    return result


def price(amount: Paisa) -> Price:
    return Price(currency=CURRENCY, excl_tax=rupees(amount), incl_tax=rupees(amount))


def quote(request: HttpRequest, costs: Costs, choice: Choice) -> flow.Quote:
    """Ask the flow what this would earn, cost and leave to pay; raises ``PointsDoNotFit``."""
    return flow.quote(
        site_key=conf.site_key(request),
        member_id=member_id(request),
        goods=costs.goods,
        shipping=costs.shipping,
        lines=costs.lines,
        discount=costs.discount,
        points=choice.points,
        method=choice.method,
    )


def best(request: HttpRequest, costs: Costs) -> tuple[flow.Quote, Paisa]:
    """A quote without points, and what the most points that fit would be worth."""
    plain = quote(request, costs, Choice())
    if not plain.spendable:
        return plain, Paisa(0)
    return plain, quote(request, costs, Choice(method=Method.KHALTI, points=Points(plain.spendable))).worth


def member_id(request: HttpRequest) -> str | None:
    return str(request.user.pk) if request.user.is_authenticated else None
