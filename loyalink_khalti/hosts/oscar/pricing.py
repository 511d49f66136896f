"""What a basket costs in paisa, and how points lower it.

Points are a discount on the whole order, products and delivery, so Oscar gets them as a negative surcharge. A coupon
would not do: an exclusive offer could suppress it, it would stay on a basket that is opened again, and it cannot pay
for delivery. Everything else is what Oscar, or the shop's own ``build_submission``, has computed.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, cast

from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy
from oscar.apps.checkout.applicator import SurchargeList, SurchargePrice
from oscar.apps.checkout.surcharges import FlatCharge
from oscar.core.loading import get_model
from oscar.core.prices import Price

from loyalink_khalti import conf, flow
from loyalink_khalti.after_response import once_per_request
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.hosts.common.checkout import PaymentChoice, quote_costs
from loyalink_khalti.money import Paisa, paisa, rupees
from loyalink_khalti.ports import Costs, Line

from .settings import CURRENCY, SHOP, options

POINTS_CODE = "loyalty-points"
POINTS_NAME = gettext_lazy("Points used")
_SESSION_NAMESPACE = "loyalink_khalti"


class PointsDiscount(FlatCharge):
    """The value of the points used, as a surcharge below zero."""

    code = POINTS_CODE
    name = POINTS_NAME


class PricedCheckoutMixin:
    """A checkout view that applies the customer's points: they lower the order total.

    Oscar's and the shop's own ``build_submission`` compute prices, taxes, surcharges and the total, without points.
    """

    request: Any
    checkout_session: Any

    @property
    def choice(self) -> PaymentChoice:
        """The payment choice that this checkout's session stores, as far as the shop offers it."""
        session, chosen = self.checkout_session, options()
        points = session._get(_SESSION_NAMESPACE, "points", 0)
        return PaymentChoice.from_stored(session.payment_method(), points, offered=chosen.offered)

    def store_choice(self, choice: PaymentChoice) -> None:
        self.checkout_session.pay_by(choice.code or None)
        self.checkout_session._set(_SESSION_NAMESPACE, "points", int(choice.points))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = cast(dict[str, Any], super().get_context_data(**kwargs))  # type: ignore[misc]  # Oscar's
        context["quote"] = None
        if context["shipping_charge"] is not None and not context["basket"].is_empty:
            with suppress(CannotPay):  # check_payment_data_is_captured and the freeze show the reason
                context["quote"] = quote(self.request, costs(context), self.choice)
                apply_points(context, context["quote"].points_value)
        return context


def costs(submission: Mapping[str, Any]) -> Costs:
    """Return what a submission costs before points.

    Raises ``CannotPay`` if it is not in rupees, or if its tax is not known yet.
    """
    basket, total = submission["basket"], submission["order_total"]
    if basket.currency not in {CURRENCY, None}:
        raise CannotPay(gettext("This shop accepts payment in Nepalese rupees only."))
    if total is None or not total.is_tax_known or not basket.is_tax_known:
        raise CannotPay(gettext("The tax on your order is not known yet. Please check your delivery address."))
    whole = rounded(total.incl_tax)
    subtotal = Paisa(min(rounded(basket.total_incl_tax), max(whole, 0)))
    return Costs(
        subtotal=subtotal,
        shipping=Paisa(whole - subtotal),
        discount=rounded(basket.total_discount),
        lines=_lines(basket, subtotal),
    )


def basket_costs(basket: Any) -> Costs:
    """Return what a basket costs before delivery is chosen. Raises ``CannotPay`` as ``costs`` does."""
    if basket.is_empty:
        return Costs(lines=(), subtotal=Paisa(0), shipping=Paisa(0))
    total = Price(currency=basket.currency or CURRENCY, excl_tax=basket.total_excl_tax, incl_tax=basket.total_incl_tax)
    return costs({"basket": basket, "order_total": total if basket.is_tax_known else None})


def apply_points(submission: dict[str, Any], points_value: Paisa) -> None:
    """Lower the total of a submission by ``points_value`` paisa, and round it to whole paisa.

    Points are a discount, so the tax falls with the price: the total without tax keeps its share of the total with
    tax, to the paisa, and the tax is the rest. (Rs 1,130 with 13 % tax, Rs 113 by points: 900 without tax, tax 117.)
    """
    total = submission["order_total"]
    before, excl_tax = rounded(total.incl_tax), rounded(total.excl_tax)
    due = before - points_value
    excl_due = (2 * excl_tax * due + before) // (2 * before) if points_value else excl_tax  # half a paisa rounds up
    submission["order_total"] = Price(
        currency=total.currency,
        excl_tax=rupees(Paisa(excl_due)),
        incl_tax=rupees(Paisa(due)),
        tax_code=total.tax_code,
    )
    if points_value:
        discount = PointsDiscount(excl_tax=-rupees(Paisa(excl_tax - excl_due)), incl_tax=-rupees(points_value))
        price = Price(currency=total.currency, excl_tax=discount.excl_tax, incl_tax=discount.incl_tax)
        own = list(submission["surcharges"] or ())
        submission["surcharges"] = SurchargeList([*own, SurchargePrice(discount, price)])


def _lines(basket: Any, subtotal: Paisa) -> tuple[Line, ...]:
    lines = list(basket.all_lines())
    tags = category_tags([line.product for line in lines])
    totals = shares([line.line_price_incl_tax_incl_discounts for line in lines], subtotal)
    return tuple(
        Line(
            id=str(line.pk),
            sku=line.stockrecord.partner_sku if line.stockrecord else str(line.product_id),
            title=line.product.get_title(),
            options=", ".join(f"{each.option.name}: {each.value}" for each in line.attributes.all()),
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
    owners = {product.pk: product.parent_id or product.pk for product in products}
    return once_per_request(("category_tags", frozenset(owners.items())), lambda: _category_tags(owners))


def _category_tags(owners: dict[int, int]) -> dict[int, tuple[str, ...]]:
    Category, through = get_model("catalogue", "Category"), get_model("catalogue", "ProductCategory")
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


def quote(request: HttpRequest, costs: Costs, choice: PaymentChoice) -> flow.Quote:
    """Return the flow's quote. Raises ``PointsDoNotFit`` if the purchase cannot redeem the chosen points."""
    return quote_costs(costs, choice, site_key=conf.site_key(request), member_id=member_id(request))


def member_id(request: HttpRequest) -> str | None:
    """Return the logged-in member's id, None for a guest."""
    return str(request.user.pk) if request.user.is_authenticated else None
