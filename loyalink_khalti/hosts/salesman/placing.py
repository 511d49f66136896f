"""Salesman's checkout by the flow: what its API answers, a second click, and a basket that has changed since."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.hosts.common.checkout import HostCheckout, PaymentChoice
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Outcome, PaymentMethod
from loyalink_khalti.session_payments import network_id, remember_payment

from . import freeze, orders, pricing
from .baskets import SalesmanBasket
from .settings import SHOP

URL = "loyalink_khalti_salesman"
"""How the names of our URLs below ``payment/khalti/`` begin."""


class Answer(HttpResponse):
    """What Salesman's API answers, as JSON data."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(json.dumps(data), content_type="application/json")
        self.data = data


@dataclass(frozen=True)
class SalesmanCheckout(HostCheckout):
    """Answers in place of pages: the client shows its own."""

    shop: ClassVar[str] = SHOP
    return_to: str = ""
    """The address of an app."""

    def order_page(self, request: HttpRequest, purchase: Purchase) -> HttpResponse:
        return Answer(_order_data(purchase))

    def basket_page(self, request: HttpRequest, message: str) -> HttpResponse:
        return Answer({"detail": message})

    def reopen_basket(self, request: HttpRequest, purchase: Purchase) -> None:
        """Do nothing: the basket was never taken."""

    def customer_ids(self, request: HttpRequest) -> dict[str, str]:
        if has_session(request):
            return super().customer_ids(request)
        return {"browser_session": "", "network": network_id(request)}

    def return_address(self) -> str:
        if self.return_to and not conf.is_return_address(self.return_to):
            raise CannotPay(_("This return address is not allowed."))
        return self.return_to

    def payment_page(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        if has_session(request):
            remember_payment(request, payment)
        return Answer(payment_data(payment))


def has_session(request: HttpRequest) -> bool:
    """Return whether the client keeps a session. One with a token alone gets none: each request would make a new one.

    A guest has one in any case, because Salesman keeps the guest's basket there.
    """
    session = getattr(request, "session", None)
    if not isinstance(session, SessionBase):
        return False
    return settings.SESSION_COOKIE_NAME in request.COOKIES or not request.user.is_authenticated


def place(basket: SalesmanBasket, *, method: PaymentMethod) -> dict[str, Any]:
    """Place the order of a basket, or hold it and open a payment; return what the API answers.

    A repeated call gets the same answer. Where the customer has changed the basket, the addresses or the method while
    a payment is pending, that payment is cancelled first. Raises ``CannotPay`` with a message for the customer.
    """
    request = pricing.django_request(basket.request)
    basket.costs()
    points = pricing.applied_points(basket.basket).points
    pending = flow.live_payment_of(SHOP, basket.origin)
    if pending is not None and not _is_same(pending.purchase, basket, method):
        outcome = flow.cancel_payment(pending)
        if outcome is Outcome.PAID:
            return _order_data(pending.purchase)
        if outcome in {Outcome.CONFIRMING, Outcome.FLAGGED}:
            raise CannotPay(_("An earlier payment for this basket is still being confirmed. Please try again soon."))
    checkout = SalesmanCheckout(return_to=_return_to(basket.request))
    answer = checkout.place_order(request, basket, PaymentChoice.of(method.value, points=points))
    assert isinstance(answer, Answer)
    return answer.data


def _return_to(request: Any) -> str:
    """Return the address that an app has sent with its checkout, "" for none. Salesman itself ignores it."""
    data = getattr(request, "data", None)
    address = data.get("return_to", "") if isinstance(data, Mapping) else ""
    return address if isinstance(address, str) else "?"


def continue_payment(order: Any) -> dict[str, Any]:
    """Return the pending payment of a held order. Raises ``CannotPay`` for any other order."""
    payment = pending_payment_of(order)
    if payment is None:
        raise CannotPay(_("This order cannot be paid like this. Please order again, or contact the shop."))
    return payment_data(payment)


def pending_payment_of(order: Any) -> Payment | None:
    """Return the live payment of an order, None where there is none."""
    purchase = Purchase.objects.filter(shop=SHOP, ref=order.ref).first()
    payment = flow.live_payment_of(SHOP, purchase.origin) if purchase is not None else None
    return payment if payment is not None and payment.purchase.ref == order.ref else None


def payment_data(payment: Payment) -> dict[str, Any]:
    """Return what a client needs to let the customer pay, and to ask what became of it.

    While Khalti has not opened its page yet, ``url`` is that of our status page, which forwards to it.
    """
    status = conf.absolute_url(payment.purchase.site_key, reverse("loyalink_khalti:status", args=[payment.token]))
    return {
        "url": payment.payment_url or status,
        **_reference(payment.purchase),
        "payment": payment.token,
        "status_url": _absolute(payment.purchase, f"{URL}_status", payment.token),
        "cancel_url": _absolute(payment.purchase, f"{URL}_cancel", payment.token),
        "receipt_url": status,
    }


def _order_data(purchase: Purchase) -> dict[str, Any]:
    """Return what a client needs to show a placed order: Salesman's own address of it, with the guest's token."""
    reference = _reference(purchase)
    query = f"?token={reference['token']}" if reference["token"] else ""
    return {"url": _absolute(purchase, "salesman-order-detail", purchase.ref) + query, **reference}


def _reference(purchase: Purchase) -> dict[str, str]:
    token = orders.rows().filter(ref=purchase.ref).values_list("token", flat=True).first()
    return {"ref": purchase.ref, "token": token or ""}


def _absolute(purchase: Purchase, name: str, *args: str) -> str:
    return conf.absolute_url(purchase.site_key, reverse(name, args=args))


def _is_same(purchase: Purchase, basket: SalesmanBasket, method: PaymentMethod) -> bool:
    """Return whether a purchase was frozen from what the basket contains now."""
    order = orders.rows().filter(ref=purchase.ref).first()
    return order is not None and orders.record_of(order).get("contents") == freeze.contents(basket.basket, method)
