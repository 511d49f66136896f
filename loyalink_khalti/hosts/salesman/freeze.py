"""From an open basket to a held order and its Cart, in the flow's own transaction.

Nothing that was computed before the lock is trusted: the basket is read again, the shop's modifiers run again, and
prices, stock and points are checked under lock.
"""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from salesman.conf import app_settings
from salesman.core.utils import get_salesman_model
from salesman.orders.utils import generate_ref as salesmans_generate_ref

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import BasketTaken, CannotPay, SoldOut, TotalChanged
from loyalink_khalti.hosts.common.checkout import order_name
from loyalink_khalti.money import Paisa, Points, rupees
from loyalink_khalti.ports import Cart, Costs, Customer, Line, PaymentMethod

from . import orders, origins, pricing, stock
from .settings import SHOP, options

MOST_DETAILS = 120
"""Characters of the customer's name and phone that the flow keeps."""


@dataclass(slots=True, kw_only=True)
class Freeze:
    """Hold an order for a basket. The flow may call it twice.

    Raises ``BasketTaken``, ``SoldOut``, or ``CannotPay`` with a message for the customer.
    """

    request: Any
    basket: Any
    """Salesman's basket; one without a pk is in no table, so that no other request can have it."""
    origin: str
    details: dict[str, Any]
    """What the checkout adds to the basket's ``extra``: e-mail and addresses, for example."""
    method: PaymentMethod
    points: Points
    expected_due: Paisa | None

    def __call__(self) -> Cart:
        basket = self._lock()
        levels = stock.lock(stock.key_of(label, pk) for label, pk in _products(basket))
        basket.update(self.request)
        if not basket.get_items():
            raise CannotPay(_("Your basket is empty."))
        costs = pricing.costs(basket)
        _check_stock(basket, levels)
        quote = self._quote(basket, costs)
        fingerprint = contents(basket, self.method)
        order = self._create_order(basket, quote, fingerprint)
        items = orders.items(order)
        record: dict[str, Any] = orders.record_of(order) | {
            "reserved": {orders.line_key(item): item.quantity for item in items}
        }
        orders.save(order, record)
        stock.change({key: -number for key, number in _wanted(basket).items() if key in levels})
        lines = tuple(
            replace(line, id=orders.line_key(item), stock=_level(item, levels))
            for line, item in zip(costs.lines, items, strict=True)
        )
        return self._cart(order, basket, lines, costs, quote)

    def _lock(self) -> Any:
        """Return the basket as it is in the database, locked, with the details of this checkout."""
        basket = self.basket
        if basket.pk is not None:
            basket = orders.lock_basket(basket.pk)
            if basket is None or origins.origin_of(basket) != self.origin or origins.is_open(self.origin):
                raise BasketTaken(_("This basket is being ordered already."))
        basket.extra = {**basket.extra, **self.details}
        basket.loyalink_wanted = self.points
        return basket

    def _quote(self, basket: Any, costs: Costs) -> flow.Quote:
        quote = pricing.quote(self.request, costs, points=self.points, method=self.method)
        if pricing.applied_points(basket).points != self.points:
            raise CannotPay(_("Points cannot be used in this shop at the moment. Please contact the shop."))
        if self.expected_due is not None and self.expected_due != quote.amount_due:
            raise TotalChanged(_("The total has changed. Please review your order again."))
        return quote

    def _create_order(self, basket: Any, quote: flow.Quote, fingerprint: str) -> Any:
        """Create the held order. It belongs to no user yet, so that no list of Salesman's shows it."""
        Order = get_salesman_model("Order")
        extra = {name: value for name, value in basket.extra.items() if name not in {orders.RECORD, "rows"}}
        for name in ("email", "shipping_address", "billing_address"):
            extra.pop(name, None)
        record: dict[str, Any] = {
            "state": orders.HELD,
            "member": pricing.member_id(self.request),
            "method": (self.method if quote.amount_due else PaymentMethod.POINTS).value,
            "contents": fingerprint,
            "refunds": {},
        }
        order = Order(ref=self._number(), status=options().held)
        more = {"user": None, "total": rupees(quote.amount_due), "extra": extra | {orders.RECORD: record}}
        order.populate_from_basket(basket, self.request, **more)
        return order

    def _number(self) -> str:
        """Return a reference that no order has: the shop's own, if it has a generator of its own, or a random one."""
        generator = app_settings.SALESMAN_ORDER_REFERENCE_GENERATOR
        if generator is salesmans_generate_ref or generator is orders.generate_ref:
            return orders.generate_ref()
        own = number = str(generator(self.request))
        for again in count(2):
            if not orders.rows().filter(ref=number).exists():
                break
            number = f"{own}-{again}"
        return number

    def _cart(self, order: Any, basket: Any, lines: tuple[Line, ...], costs: Costs, quote: flow.Quote) -> Cart:
        return Cart(
            shop=SHOP,
            ref=order.ref,
            origin=self.origin,
            site_key=conf.site_key(pricing.django_request(self.request)),
            language=get_language() or settings.LANGUAGE_CODE,
            name=order_name(options().name, order.ref),
            lines=lines,
            shipping=costs.shipping,
            discount=costs.discount,
            total=costs.total,
            customer=_customer(self.request, order, basket),
            member_id=pricing.member_id(self.request),
            points_redeemed=quote.points,
        )


def contents(basket: Any, method: PaymentMethod) -> str:
    """Return a fingerprint of a basket as it was last updated: items, prices, points, the checkout's details, method.

    Where it is the same, a second "place order" is a second click; otherwise the customer has changed something.
    """
    described = {
        "method": method.value,
        "items": [
            [item.product_content_type_id, item.product_id, item.quantity, str(item.total), item.extra]
            for item in basket.get_items()
        ],
        "total": str(basket.total),
        "points": pricing.applied_points(basket).points,
        "extra": {name: value for name, value in basket.extra.items() if name not in {orders.RECORD, "rows"}},
    }
    text = json.dumps(described, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _products(basket: Any) -> list[tuple[str, int]]:
    """Return model label and pk of each product, read without the products themselves."""
    if basket.pk is None:
        return [(item.product._meta.label, item.product_id) for item in basket.get_items() if item.product]
    items = get_salesman_model("BasketItem")._default_manager.filter(basket_id=basket.pk)
    found = []
    for item in items.select_related("product_content_type"):
        model = item.product_content_type.model_class()
        if model is not None:
            found.append((model._meta.label, item.product_id))
    return found


def _wanted(basket: Any) -> "Counter[stock.Key]":
    wanted: Counter[stock.Key] = Counter()
    for item in basket.get_items():
        key = stock.key_of(item.product._meta.label, item.product_id)
        if key is not None:
            wanted[key] += item.quantity
    return wanted


def _check_stock(basket: Any, levels: dict[stock.Key, int]) -> None:
    wanted = _wanted(basket)
    for item in basket.get_items():
        key = stock.key_of(item.product._meta.label, item.product_id)
        if key in levels and levels[key] < wanted[key]:
            raise SoldOut(
                _("“%(title)s” is no longer available in that quantity. No order was placed and nothing was paid.")
                % {"title": item.name}
            )


def _level(item: Any, levels: dict[stock.Key, int]) -> int | None:
    key = stock.key_of(item.product_type, item.product_id)
    return levels.get(key) if key else None


def _customer(request: Any, order: Any, basket: Any) -> Customer:
    """Return the customer: Salesman asks for an e-mail address alone; name and phone may be in ``extra``."""
    user = getattr(request, "user", None)
    own = user.get_full_name() if user is not None and user.is_authenticated else ""
    lines = order.shipping_address.strip().splitlines() or [""]
    return Customer(
        name=(own or _text(basket.extra.get("name")) or lines[0].strip())[:MOST_DETAILS],
        email=order.email,
        phone=(_text(basket.extra.get("phone")) or _text(basket.extra.get("phone_number")))[:MOST_DETAILS],
    )


def _text(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
