"""From an open basket to a held order and its Cart, in the flow's own transaction.

Nothing that was computed before the lock is believed: the basket is read again, its offers applied again, and prices,
stock, coupons and points are asked for under lock.
"""

from collections import Counter
from typing import Any, Protocol

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.money import Paisa, paisa
from loyalink_khalti.ports import Cart, Customer

from . import numbers, offers, pricing, stock
from .choice import Choice
from .options import SHOP, options


class BasketTaken(Exception):
    """The basket is no longer open: another click is already buying it."""


class SoldOut(CannotPay):
    """Something in the basket is no longer to be had."""


class Checkout(Protocol):
    """The view whose shopper is buying."""

    request: Any

    def build_submission(self, **kwargs: Any) -> dict[str, Any]: ...


class Freeze:
    """Hold an order for the basket of a checkout; called by the flow, perhaps twice."""

    def __init__(self, checkout: Checkout, *, basket_id: int, choice: Choice, seen: Paisa | None = None) -> None:
        self.checkout = checkout
        self.request = checkout.request
        self.basket_id = basket_id
        self.choice = choice
        self.seen = seen

    def __call__(self) -> Cart:
        basket = self._lock()
        rows = self._lock_stock(basket)
        get_class("offer.applicator", "Applicator")().apply(basket, self.request.user, self.request)
        self._check_lines(basket)
        submission = self.checkout.build_submission(basket=basket)
        if submission["shipping_method"] is None:
            raise CannotPay(_("Please choose a delivery method."))
        costs, worth = self._price(submission)
        vouchers = offers.check(basket, self.request.user)
        order = self._write(submission, costs, worth)
        offers.record(order, basket, vouchers, submission["shipping_method"])
        creator = get_class("order.utils", "OrderCreator")()
        for line in basket.all_lines():
            creator.create_line_models(order, line)
        stock.allocate(_wanted(basket), rows)
        basket.freeze()
        return self._cart(order, submission, costs)

    def _lock(self) -> Any:
        baskets = get_model("basket", "Basket").objects.select_for_update(of=("self",))
        basket = baskets.filter(pk=self.basket_id).first()
        if basket is None or basket.status != basket.OPEN:
            raise BasketTaken
        basket.strategy = self.request.strategy
        if basket.is_empty:
            raise CannotPay(_("Your basket is empty."))
        return basket

    def _lock_stock(self, basket: Any) -> dict[int, Any]:
        """Lock the stock before the basket's lines are read, so that they show what is there now."""
        return stock.lock(pk for pk in basket.lines.values_list("stockrecord_id", flat=True) if pk)

    def _check_lines(self, basket: Any) -> None:
        wanted = _wanted(basket)
        for line in basket.all_lines():
            info = self.request.strategy.fetch_for_line(line)
            permitted, _reason = info.availability.is_purchase_permitted(wanted[line.stockrecord_id])
            if not permitted or line.stockrecord is None:
                raise SoldOut(
                    _("“%(title)s” is no longer available in that quantity. Nothing was ordered or paid.")
                    % {"title": line.product.get_title()}
                )

    def _price(self, submission: dict[str, Any]) -> tuple[pricing.Costs, Paisa]:
        """Count the basket and its points, and see that both are as the order will say."""
        costs = pricing.costs(
            submission["basket"], submission["shipping_charge"], _without_points(submission["surcharges"])
        )
        quote = pricing.quote(self.request, costs, self.choice)
        surcharge = sum(paisa(-one.price.incl_tax) for one in _points(submission["surcharges"]))
        if surcharge != quote.worth or quote.payable != costs.total - surcharge:
            raise CannotPay(_("Your points could not be taken into account. Please choose again how to pay."))
        if self.seen is not None and self.seen != quote.payable:
            raise CannotPay(_("The total has changed since you looked. Please check your order once more."))
        return costs, quote.worth

    def _write(self, submission: dict[str, Any], costs: pricing.Costs, worth: Paisa) -> Any:
        """Write the order with this checkout's address and e-mail. Oscar's ``order_placed`` waits for ``confirm``."""
        addresses = submission["shipping_address"], submission["billing_address"]
        for address in addresses:
            if address is not None:
                address.save()
        return get_class("order.utils", "OrderCreator")().create_order_model(
            submission["user"],
            submission["basket"],
            addresses[0],
            submission["shipping_method"],
            submission["shipping_charge"],
            addresses[1],
            pricing.price(Paisa(costs.total - worth)),
            numbers.fresh(),
            options().held,
            self.request,
            surcharges=submission["surcharges"],
            **submission["order_kwargs"],
        )

    def _cart(self, order: Any, submission: dict[str, Any], costs: pricing.Costs) -> Cart:
        return Cart(
            shop=SHOP,
            ref=order.number,
            origin=str(self.basket_id),
            site_key=conf.site_key(self.request),
            language=get_language() or settings.LANGUAGE_CODE,
            name=f"{settings.OSCAR_SHOP_NAME}, {order.number}",
            lines=costs.lines,
            shipping=costs.shipping,
            discount=costs.discount,
            total=costs.total,
            customer=_customer(order),
            member_id=pricing.member_id(self.request),
            spends=self.choice.points,
        )


def _wanted(basket: Any) -> "Counter[int]":
    wanted: Counter[int] = Counter()
    for line in basket.all_lines():
        if line.stockrecord_id:
            wanted[line.stockrecord_id] += line.quantity
    return wanted


def _points(surcharges: Any) -> list[Any]:
    return [one for one in surcharges or () if one.surcharge.code == pricing.POINTS_CODE]


def _without_points(surcharges: Any) -> list[Any]:
    return [one for one in surcharges or () if one.surcharge.code != pricing.POINTS_CODE]


def _customer(order: Any) -> Customer:
    address = order.shipping_address or order.billing_address
    name = order.user.get_full_name() if order.user else ""
    phone = getattr(address, "phone_number", None)
    return Customer(
        name=name or (address.name if address else ""),
        email=order.email,
        phone=str(phone.national_number) if phone else "",
    )
