"""From an open basket to a held order and its Cart, in the flow's own transaction.

Nothing that was computed before the lock is trusted: the basket is read again, its offers are applied again, and
prices, stock, coupons and points are checked under lock.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any, Protocol

from django.conf import settings
from django.db import connection
from django.db.models import prefetch_related_objects
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model
from phonenumbers import PhoneNumberType, number_type

from loyalink_khalti import conf
from loyalink_khalti.errors import BasketTaken, CannotPay, SoldOut, TotalChanged
from loyalink_khalti.hosts.common.checkout import PaymentChoice, new_order_number, order_name
from loyalink_khalti.hosts.common.payment_methods import method_options
from loyalink_khalti.hosts.common.titles import other_titles
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, Costs, Customer, Line, MethodOption, PaymentMethod

from . import events, pickup, pricing, reservations
from .settings import SHOP, options

NEPAL = 977
"""The country code of Nepal."""


class Checkout(Protocol):
    """The view of the customer who places the order."""

    request: Any

    def build_submission(self, **kwargs: Any) -> dict[str, Any]: ...

    def generate_order_number(self, basket: Any) -> Any: ...


class OscarBasket:
    """The basket of a checkout, as ``ports.OpenBasket``: Oscar's or the shop's own view computes what it costs."""

    def __init__(self, checkout: Checkout, *, submission: dict[str, Any] | None = None) -> None:
        self.checkout = checkout
        self.request = checkout.request
        self.site_key = conf.site_key(self.request)
        self.member_id = pricing.member_id(self.request)
        basket = submission["basket"] if submission else self.request.basket
        self.origin = str(basket.pk)
        self._submission = submission

    def costs(self) -> Costs:
        return pricing.costs(self._submission or self.checkout.build_submission())

    def methods(self, *, khalti_unavailable_reason: str) -> list[MethodOption]:
        return method_options(options(), self, khalti_unavailable_reason=khalti_unavailable_reason)

    def freeze(self, *, method: PaymentMethod, points: Points, expected_due: Paisa | None) -> "Freeze":
        choice = PaymentChoice(method=method, points=points)
        return Freeze(self.checkout, basket_id=int(self.origin), choice=choice, expected_due=expected_due)


class Freeze:
    """Hold an order for the basket of a checkout. The flow may call it twice.

    Raises ``BasketTaken``, ``SoldOut``, or ``CannotPay`` with a message for the customer.
    """

    def __init__(
        self, checkout: Checkout, *, basket_id: int, choice: PaymentChoice, expected_due: Paisa | None = None
    ) -> None:
        self.checkout = checkout
        self.request = checkout.request
        self.basket_id = basket_id
        self.choice = choice
        self.expected_due = expected_due

    def __call__(self) -> Cart:
        basket = self._lock()
        rows = self._lock_stock(basket)
        _read_lines(basket)
        get_class("offer.applicator", "Applicator")().apply(basket, self.request.user, self.request)
        self._check_lines(basket)
        submission = self._submission(basket)
        if submission["shipping_method"] is None:
            raise CannotPay(_("Please choose a delivery method."))
        if not pickup.can_deliver(submission):
            raise CannotPay(_("Please enter the address for the delivery."))
        costs = self._price(submission)
        vouchers = reservations.check_promotions(basket, self.request.user)
        order = self._create_order(submission)
        reservations.record_promotions(order, basket, vouchers, submission["shipping_method"])
        order_lines = _create_lines(order, basket)
        reservations.allocate_stock(_quantities(basket), rows)
        basket.freeze()
        titles = {str(line.pk): other_titles(line.product.get_title) for line in basket.all_lines()}
        lines = (replace(line, id=str(order_lines[line.id]), titles=titles[line.id]) for line in costs.lines)
        return self._cart(order, reservations.with_stock(lines, rows), costs)

    def _lock(self) -> Any:
        baskets = get_model("basket", "Basket").objects.select_for_update(of=("self",))
        basket = baskets.filter(pk=self.basket_id).first()
        if basket is None or basket.status != basket.OPEN:
            raise BasketTaken(_("This basket is being ordered already."))
        basket.strategy = self.request.strategy
        return basket

    def _lock_stock(self, basket: Any) -> dict[int, Any]:
        """Lock the stock before the basket's lines are read, so that they show the current stock level."""
        return reservations.lock_stock(basket.lines.values("stockrecord"))

    def _check_lines(self, basket: Any) -> None:
        quantities = _quantities(basket)
        for line in basket.all_lines():
            info = self.request.strategy.fetch_for_line(line)
            permitted, _reason = info.availability.is_purchase_permitted(quantities[line.stockrecord_id])
            if not permitted or line.stockrecord is None:
                raise SoldOut(
                    _("“%(title)s” is no longer available in that quantity. No order was placed and nothing was paid.")
                    % {"title": line.product.get_title()}
                )

    def _submission(self, basket: Any) -> dict[str, Any]:
        """Return what Oscar and the shop compute for the locked basket. Oscar (4.2) reads the request's in places."""
        seen, self.request.basket = self.request.basket, basket
        try:
            return self.checkout.build_submission(basket=basket)
        finally:
            self.request.basket = seen

    def _price(self, submission: dict[str, Any]) -> Costs:
        """Apply the points to a submission and return its costs before points."""
        costs = pricing.costs(submission)
        quote = pricing.quote(self.request, costs, self.choice)
        if self.expected_due is not None and self.expected_due != quote.amount_due:
            raise TotalChanged(_("The total has changed. Please review your order again."))
        pricing.apply_points(submission, quote.points_value)
        return costs

    def _create_order(self, submission: dict[str, Any]) -> Any:
        """Create the order with this checkout's addresses and e-mail. ``confirm`` sends Oscar's ``order_placed``."""
        addresses = submission["shipping_address"], submission["billing_address"]
        for address in addresses:
            if address is not None:
                address.save()
        more = {name: value for name, value in submission["order_kwargs"].items() if name not in {"status", "request"}}
        order = get_class("order.utils", "OrderCreator")().create_order_model(
            submission["user"],
            submission["basket"],
            addresses[0],
            submission["shipping_method"],
            submission["shipping_charge"],
            addresses[1],
            submission["order_total"],
            self._number(submission["basket"]),
            options().held,
            self.request,
            surcharges=submission["surcharges"],
            **more,
        )
        if order.user_id is not None and order.user_id == self.request.user.pk:
            order.user = self.request.user
        return order

    def _number(self, basket: Any) -> str:
        """Return a number that no order has: the shop's own, if it has a generator of its own, or a random one.

        Oscar's own generator (4.2) counts baskets: its numbers can be guessed, and a basket that was released and is
        ordered again would get the same one. Where a shop's generator repeats itself, "-2" and so on follow it.
        """
        orders = get_model("order", "Order").objects

        def is_taken(number: str) -> bool:
            return bool(orders.filter(number=number).exists())

        if not events.numbers_are_the_shops(self.checkout):
            return new_order_number(options().number_prefix, is_taken=is_taken)
        own = number = str(self.checkout.generate_order_number(basket))
        for again in count(2):
            if not is_taken(number):
                break
            number = f"{own}-{again}"
        return number

    def _cart(self, order: Any, lines: tuple[Line, ...], costs: Costs) -> Cart:
        return Cart(
            shop=SHOP,
            ref=order.number,
            origin=str(self.basket_id),
            site_key=conf.site_key(self.request),
            language=get_language() or settings.LANGUAGE_CODE,
            name=order_name(str(settings.OSCAR_SHOP_NAME), order.number),
            lines=lines,
            shipping=costs.shipping,
            discount=costs.discount,
            total=costs.total,
            customer=_customer(order),
            member_id=pricing.member_id(self.request),
            points_redeemed=self.choice.points,
        )


def _read_lines(basket: Any) -> None:
    """Read the lines of a locked basket and what their prices need, for all of them at once.

    Oscar (4.2) reads stock records and product class for each line, several times. Raises ``CannotPay`` for no lines.
    """
    products = [line.product for line in basket.all_lines()]
    if not products:
        raise CannotPay(_("Your basket is empty."))
    prefetch_related_objects(products, "stockrecords", "product_class", "parent__product_class")


def _create_lines(order: Any, basket: Any) -> dict[str, int]:
    """Create the lines of an order. Return the pk of each by the pk of the basket's line, as text."""
    creator = get_class("order.utils", "OrderCreator")()
    pks = {}
    for line in basket.all_lines():
        created = creator.create_line_models(order, line) or order.lines.order_by("pk").last()
        pks[str(line.pk)] = created.pk
    return pks


def _quantities(basket: Any) -> "Counter[int]":
    """Return how many of each stock row a basket takes."""
    quantities: Counter[int] = Counter()
    for line in basket.all_lines():
        if line.stockrecord_id:
            quantities[line.stockrecord_id] += line.quantity
    return quantities


def _customer(order: Any) -> Customer:
    address = order.shipping_address or order.billing_address
    name = order.user.get_full_name() if order.user else ""
    return Customer(
        name=name or (address.name if address else ""),
        email=order.email,
        phone=phone_of(address),
    )


def phone_of(address: Any) -> str:
    """Return the phone number of an address: a Nepali mobile as ``+9779…``, any other as it was typed; "" for none.

    As Oscar keeps it: of a valid number the spaces are the library's.
    """
    number = getattr(address, "phone_number", None)
    if not number:
        return ""
    is_mobile = number_type(number) == PhoneNumberType.MOBILE and not number.extension
    if number.country_code == NEPAL and is_mobile:
        return str(number.as_e164)
    return str(number.as_international if number.is_valid() else number.raw_input)


def misread_phones() -> Iterator[tuple[str, str, str]]:
    """Yield order number, national number and phone of each order whose phone is not a Nepali mobile."""
    Order = get_model("order", "Order")
    if Order._meta.db_table not in connection.introspection.table_names():
        return  # nothing is installed yet
    # A migration calls this, perhaps before those of Oscar: other columns may not be there yet.
    orders = Order.objects.filter(shipping_address__isnull=False).select_related("shipping_address")
    for order in orders.only("number", "shipping_address__phone_number").order_by("pk").iterator(chunk_size=1000):
        phone = phone_of(order.shipping_address)
        if phone and not phone.startswith(f"+{NEPAL}9"):
            yield order.number, str(order.shipping_address.phone_number.national_number), phone
