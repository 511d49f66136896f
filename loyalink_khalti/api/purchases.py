"""Quote and begin: what a basket costs and earns, and the order that it becomes, with Khalti or without.

The figures come from the shop and the flow; the client sends what it wants to buy and the amount that its customer
has agreed to. Amounts are paisa.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from django.http import HttpRequest
from django.urls import reverse

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Costs, MethodOption, OpenBasket, PaymentMethod

from .bodies import invalid
from .callers import Caller, secret_of
from .idempotency import AlreadyBegun, Claim, claim, first_payment
from .problems import Kind, Problem, problem_of

METHODS = tuple(PaymentMethod)


class SellsByApi(Protocol):
    """What a Shop has besides, so that a headless shop or an app can buy there through ``api/``."""

    def open_basket(self, request: HttpRequest, wanted: Mapping[str, Any]) -> OpenBasket:
        """Return the basket that a request means: the products, customer and delivery that ``wanted`` names.

        ``wanted`` is JSON data from outside, of any shape. Raises ``InvalidDetails``, by field, for what cannot be
        used, and ``CannotPay``.
        """

    def basket_schema(self) -> Mapping[str, Any]:
        """Return the JSON Schema (2020-12) of ``wanted``, with a description of each field, for OpenAPI."""


def selling_shops() -> dict[str, SellsByApi]:
    """Return the shops in ``SHOPS`` that sell through the API, by their names."""
    return {name: cast(SellsByApi, shop) for name, shop in conf.shops().items() if hasattr(shop, "open_basket")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """An open basket with its figures, as the shop prices it now."""

    basket: OpenBasket
    costs: Costs
    quote: flow.Quote
    methods: Sequence[MethodOption]
    """Those that an order through the API can have: a shop's own methods are placed by the shop's own pages."""


def price(caller: Caller, body: Mapping[str, Any]) -> Priced:
    """Return the figures of the basket in a body. Raises ``Problem`` for all that the shop or the flow refuses."""
    shop = selling_shops().get(body["shop"])
    if shop is None:
        raise invalid("#/shop", "No shop of this name sells through the API.")
    try:
        basket = shop.open_basket(caller.request, body["basket"])
        costs = basket.costs()
        quote = flow.quote(
            site_key=basket.site_key,
            member_id=basket.member_id,
            subtotal=costs.subtotal,
            shipping=costs.shipping,
            lines=costs.lines,
            discount=costs.discount,
            points=Points(body["points"]),
            method=PaymentMethod(body["method"]) if body["method"] else None,
        )
    except CannotPay as exc:
        raise problem_of(exc, owns=caller.owns) from exc
    methods = basket.methods(khalti_unavailable_reason=quote.khalti_unavailable_reason)
    return Priced(
        basket=basket, costs=costs, quote=quote, methods=[each for each in methods if each.method in METHODS]
    )


def show_price(priced: Priced) -> dict[str, Any]:
    """Return the answer to "quote"."""
    costs, quote = priced.costs, priced.quote
    lines = ("sku", "title", "options", "quantity", "unit", "total")
    methods = ("method", "title", "text", "unavailable_reason", "test_mode")
    return {
        "lines": [{name: getattr(line, name) for name in lines} for line in costs.lines],
        "subtotal": costs.subtotal,
        "shipping": costs.shipping,
        "discount": costs.discount,
        "total": costs.total,
        "points": {
            "redeemed": quote.points,
            "value": quote.points_value,
            "earned": quote.points_earned,
            "balance": quote.points_balance,
            "redeemable": quote.redeemable,
            "minimum": quote.minimum,
            "increment": quote.increment,
            "steps": show_steps(quote),
            "blocked": quote.points_blocked,
        },
        "amount_due": quote.amount_due,
        "methods": [{name: getattr(each, name) for name in methods} for each in priced.methods],
    }


def show_steps(quote: flow.Quote) -> dict[str, Any]:
    """Return every number of points that fits: a control of an app stops at these and at no other."""
    steps = quote.steps
    return {name: getattr(steps, name) for name in ("first", "last", "increment", "whole")}


def begin(caller: Caller, body: Mapping[str, Any], *, key: str) -> dict[str, Any]:
    """Begin the purchase in a body, once for an idempotency key, and return the answer, the same each time.

    Raises ``Problem`` for all that the shop or the flow refuses; nothing is held then.
    """
    if body["return_to"] and not conf.is_return_address(body["return_to"]):
        raise invalid("#/return_to", "The shop's settings do not have this return address.")
    claimed = claim(scope=caller.scope, key=key, body=body)
    if isinstance(claimed, Purchase):
        return show_begun(claimed, caller)
    begun = None
    try:
        begun = _begin(caller, body, claimed)
    except AlreadyBegun as exc:
        raise Problem(Kind.IN_PROGRESS, retry_after=1) from exc
    except CannotPay as exc:
        raise problem_of(exc, owns=caller.owns) from exc
    finally:
        if begun is None:
            claimed.free()
    return show_begun(begun, caller)


def _begin(caller: Caller, body: Mapping[str, Any], claimed: Claim) -> Purchase:
    priced = price(caller, body)
    method = _method(priced, PaymentMethod(body["method"]))
    due = priced.quote.amount_due
    if body["expected_due"] != due:
        raise Problem(Kind.TOTAL_CHANGED, amount_due=due)
    freeze = claimed.freeze(
        priced.basket.freeze(method=method, points=Points(body["points"]), expected_due=Paisa(due))
    )
    if method is not PaymentMethod.KHALTI:
        return flow.place_order(freeze, method=method, **caller.limits())
    payment = flow.begin_payment(freeze, return_to=body["return_to"], **caller.limits())
    caller.remember(payment)
    return payment.purchase


def _method(priced: Priced, chosen: PaymentMethod) -> PaymentMethod:
    """Return how the order is paid: by points alone where they cover it. Raises ``Problem`` for one not offered."""
    if not priced.quote.amount_due:
        return PaymentMethod.POINTS
    if chosen is PaymentMethod.POINTS:
        return chosen  # the flow says that points do not cover it
    option = next((each for each in priced.methods if each.method == chosen), None)
    if option is None or option.unavailable_reason:
        raise Problem(Kind.METHOD_UNAVAILABLE, option.unavailable_reason if option else "")
    return chosen


def show_begun(purchase: Purchase, caller: Caller) -> dict[str, Any]:
    """Return the answer to "begin": nothing in it changes later, so that it is the same for the same key."""
    payment = first_payment(purchase)
    return {
        "shop": purchase.shop,
        "reference": purchase.ref,
        "order_number": (purchase.number or None) if payment is None else None,
        "method": purchase.method,
        "total": purchase.total,
        "points_redeemed": purchase.points_redeemed,
        "points_value": purchase.points_value,
        "amount_due": purchase.amount_due,
        "payment": None if payment is None else _show_opened(payment, caller),
    }


def _show_opened(payment: Payment, caller: Caller) -> dict[str, Any]:
    return {
        "id": payment.token,
        # A member needs none, and what a browser's session began is that session's.
        "secret": None if caller.member_id is not None else secret_of(payment),
        "payment_url": payment.payment_url,
        "expires_at": payment.expires_at,
        "status_page": status_page(payment),
    }


def status_page(payment: Payment) -> str:
    """Return the public address of a payment's status page, for people: it is also the receipt."""
    path = reverse("loyalink_khalti:status", args=[payment.token])
    return conf.absolute_url(payment.purchase.site_key, path)
