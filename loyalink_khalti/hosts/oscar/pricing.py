"""What a basket costs in paisa, and how points lower it.

Points are a discount on the whole order, products and delivery, so Oscar gets them as a negative surcharge. A coupon
would not do: an exclusive offer could suppress it, it would stay on a basket that is opened again, and it cannot pay
for delivery.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, cast

from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy
from oscar.apps.checkout.applicator import SurchargeApplicator as OscarSurchargeApplicator
from oscar.apps.checkout.applicator import SurchargeList, SurchargePrice
from oscar.apps.checkout.surcharges import FlatCharge
from oscar.core.loading import get_class, get_model
from oscar.core.prices import Price

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.hosts.common.checkout import PaymentChoice
from loyalink_khalti.money import Paisa, Points, paisa, rupees
from loyalink_khalti.ports import Line, PaymentMethod

from .settings import CURRENCY, SHOP

POINTS_CODE = "loyalty-points"
POINTS_NAME = gettext_lazy("Points used")
_SESSION_NAMESPACE = "loyalink_khalti"


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a basket costs before points, in paisa."""

    subtotal: Paisa
    shipping: Paisa
    """Delivery, and the shop's own surcharges (a fee, for example)."""
    discount: Paisa
    lines: tuple[Line, ...]

    @property
    def total(self) -> Paisa:
        return Paisa(self.subtotal + self.shipping)


class SurchargeApplicator(OscarSurchargeApplicator):
    """The shop's own surcharges and, if points are used, their value as a surcharge below zero."""

    def __init__(
        self, request: HttpRequest | None = None, context: Any = None, *, points_value: Paisa = Paisa(0)
    ) -> None:
        super().__init__(request, context)
        self.points_value = points_value

    def get_applicable_surcharges(self, basket: Any, **kwargs: Any) -> Any:
        own = get_class("checkout.applicator", "SurchargeApplicator")(self.request, self.context)
        charges = list(own.get_applicable_surcharges(basket, **kwargs) or [])
        if self.points_value:
            points = PointsDiscount(self.points_value)
            charges.append(SurchargePrice(points, points.calculate(basket=basket)))
        return SurchargeList(charges) if charges else None


class PointsDiscount(FlatCharge):
    """The value of the points used, as a surcharge below zero."""

    code = POINTS_CODE
    name = POINTS_NAME

    def __init__(self, points_value: Paisa) -> None:
        super().__init__(excl_tax=-rupees(points_value), incl_tax=-rupees(points_value))


class PricedCheckoutMixin:
    """A checkout view that applies the customer's points: they lower the order total."""

    request: Any
    checkout_session: Any

    @property
    def choice(self) -> PaymentChoice:
        """The payment choice that this checkout's session stores."""
        session = self.checkout_session
        return PaymentChoice.from_stored(session.payment_method(), session._get(_SESSION_NAMESPACE, "points", 0))

    def store_choice(self, choice: PaymentChoice) -> None:
        self.checkout_session.pay_by(str(choice.method) if choice.method else None)
        self.checkout_session._set(_SESSION_NAMESPACE, "points", int(choice.points))

    def build_submission(self, **kwargs: Any) -> dict[str, Any]:
        submission = cast(dict[str, Any], super().build_submission(**kwargs))  # type: ignore[misc]  # Oscar's
        submission["quote"] = None
        if submission["shipping_charge"] is None or submission["basket"].is_empty:
            return submission
        try:
            found = quote(self.request, self.costs(submission), self.choice)
        except CannotPay:
            return submission  # check_payment_data_is_captured and the freeze show the reason
        submission["quote"] = found
        self._set_surcharges(submission, points_value=found.points_value)
        return submission

    def costs(self, submission: dict[str, Any]) -> Costs:
        """Return a submission's costs before points. Raises ``CannotPay`` if it is not in rupees."""
        self._set_surcharges(submission, points_value=Paisa(0))
        return costs(submission["basket"], submission["shipping_charge"], submission["surcharges"])

    def _set_surcharges(self, submission: dict[str, Any], *, points_value: Paisa) -> None:
        basket, shipping = submission["basket"], submission["shipping_charge"]
        applicator = SurchargeApplicator(self.request, submission, points_value=points_value)
        submission["surcharges"] = applicator.get_applicable_surcharges(basket, shipping_charge=shipping)
        submission["order_total"] = self.get_order_totals(  # type: ignore[attr-defined]  # Oscar's
            basket, shipping_charge=shipping, surcharges=submission["surcharges"]
        )


def costs(basket: Any, shipping_charge: Any, surcharges: Any = None) -> Costs:
    """Return what a basket costs; ``surcharges`` are the shop's own. Raises ``CannotPay`` if it is not in rupees."""
    if basket.currency not in {CURRENCY, None}:
        raise CannotPay(gettext("This shop accepts payment in Nepalese rupees only."))
    subtotal = rounded(basket.total_incl_tax)
    fees = sum(rounded(surcharge.price.incl_tax) for surcharge in surcharges or ())
    return Costs(
        subtotal=subtotal,
        shipping=Paisa(rounded(shipping_charge.incl_tax) + fees),
        discount=rounded(basket.total_discount),
        lines=_lines(basket, subtotal),
    )


def _lines(basket: Any, subtotal: Paisa) -> tuple[Line, ...]:
    lines = list(basket.all_lines())
    tags = category_tags([line.product for line in lines])
    totals = shares([line.line_price_incl_tax_incl_discounts for line in lines], subtotal)
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


def category_tags(products: Iterable[Any]) -> dict[int, tuple[str, ...]]:
    """Return the tags of products' categories and their ancestors, by product pk; a child has those of its parent."""
    Category, through = get_model("catalogue", "Category"), get_model("catalogue", "ProductCategory")
    owners = {product.pk: product.parent_id or product.pk for product in products}
    paths: dict[int, set[str]] = {}
    for pk, path in through.objects.filter(product__in=set(owners.values())).values_list("product", "category__path"):
        with_ancestors = {path[:end] for end in range(Category.steplen, len(path) + 1, Category.steplen)}
        paths[pk] = paths.get(pk, set()) | with_ancestors
    categories = Category.objects.filter(path__in=set().union(*paths.values())).order_by("path")
    pks = dict(categories.values_list("path", "pk"))
    return {
        pk: tuple(category_tag(pks[path]) for path in pks if path in paths.get(owner, ()))
        for pk, owner in owners.items()
    }


def category_tag(pk: int) -> str:
    """Return the tag of a category. Its slug and its name are an editor's; two categories may have the same."""
    return f"{SHOP}:{pk}"


def rounded(amount: Decimal) -> Paisa:
    """Return rupees as whole paisa, half a paisa up, as Oscar rounds its totals."""
    return paisa(amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def shares(amounts: Sequence[Decimal], total: Paisa) -> list[Paisa]:
    """Return each amount of rupees in paisa so that their sum is ``total``: rounding carries over to the next."""
    allotted, running, result = 0, Decimal(0), []
    for index, amount in enumerate(amounts, start=1):
        running += amount
        upto = total if index == len(amounts) else min(rounded(running), total)
        result.append(Paisa(upto - allotted))
        allotted = upto
    return result


def price(amount: Paisa) -> Price:
    """Return an amount of paisa as Oscar's price."""
    return Price(currency=CURRENCY, excl_tax=rupees(amount), incl_tax=rupees(amount))


def quote(request: HttpRequest, costs: Costs, choice: PaymentChoice) -> flow.Quote:
    """Return the flow's quote. Raises ``PointsDoNotFit`` if the purchase cannot redeem the chosen points."""
    return flow.quote(
        site_key=conf.site_key(request),
        member_id=member_id(request),
        subtotal=costs.subtotal,
        shipping=costs.shipping,
        lines=costs.lines,
        discount=costs.discount,
        points=choice.points,
        method=choice.method,
    )


def best_quote(request: HttpRequest, costs: Costs) -> tuple[flow.Quote, Paisa]:
    """Return a quote without points, and the value in paisa of the most points that the purchase can redeem."""
    without_points = quote(request, costs, PaymentChoice())
    if not without_points.redeemable:
        return without_points, Paisa(0)
    most = PaymentChoice(method=PaymentMethod.KHALTI, points=Points(without_points.redeemable))
    return without_points, quote(request, costs, most).points_value


def member_id(request: HttpRequest) -> str | None:
    """Return the logged-in member's id, None for a guest."""
    return str(request.user.pk) if request.user.is_authenticated else None
