"""The second of two clicks on "place order", and the way to the thank-you page.

The click that lost finds its basket frozen, or sees a new, empty one: it goes where the first click goes.
"""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone
from oscar.core.loading import get_class, get_model

from loyalink_khalti import flow
from loyalink_khalti.browser import remember
from loyalink_khalti.payments.models import Payment, Purchase

from . import browser, orders
from .options import SHOP

JUST_NOW = timedelta(hours=1)
"""How long a repeated click on "place order" leads to the order that it placed."""


def response(request: HttpRequest) -> HttpResponse | None:
    """Where a click with an empty basket belongs; None where it is not the second of two."""
    if not request.basket.is_empty:  # type: ignore[attr-defined]  # Oscar's middleware
        return None
    basket_id = _taken_basket(request)
    return follow(request, basket_id) if basket_id else None


def follow(request: HttpRequest, basket_id: int) -> HttpResponse | None:
    """Go where the click goes that has the basket: to Khalti, to the thank-you page, or nowhere."""
    payment = flow.join(SHOP, str(basket_id))
    if payment is not None:
        return to_khalti(request, payment)
    order = orders.placed().filter(basket_id=basket_id, date_placed__gt=timezone.now() - JUST_NOW).first()
    if order is not None:
        return thank_you(request, order.number)
    purchase = Purchase.objects.filter(shop=SHOP, origin=str(basket_id)).order_by("-pk").first()
    if purchase is not None and purchase.state == Purchase.State.RELEASED:
        browser.give_back(request, purchase)  # the first click failed; its basket is open again
    return None


def to_khalti(request: HttpRequest, payment: Payment) -> HttpResponse:
    """Send the shopper to the payment's page at Khalti, and note that it was begun in this browser."""
    remember(request, payment)
    if not payment.payment_url:
        return redirect("loyalink_khalti:status", payment.token)
    return HttpResponseRedirect(payment.payment_url)


def thank_you(request: HttpRequest, number: str) -> HttpResponse:
    """Oscar's thank-you page for a placed order, which the caller has seen to be this shopper's."""
    get_class("checkout.utils", "CheckoutSessionData")(request).flush()
    order = get_model("order", "Order").objects.get(number=number)
    request.session["checkout_order_id"] = order.pk
    return redirect("checkout:thank-you")


def _taken_basket(request: HttpRequest) -> Any:
    """The basket that this shopper's other click has: a member's newest, or the one of this guest's browser."""
    if request.user.is_authenticated:
        baskets = get_model("basket", "Basket").objects.filter(status__in=["Frozen", "Submitted"])
        return baskets.filter(owner=request.user).order_by("-pk").values_list("pk", flat=True).first()
    pk = browser.cookie_basket_id(request)
    if pk is not None and get_model("basket", "Basket").objects.filter(pk=pk, owner=None).exists():
        return pk
    # Oscar deletes the cookie of a frozen basket, so a third click may come without one.
    return _bought_here(request)


def _bought_here(request: HttpRequest) -> int | None:
    if request.session.session_key is None:
        return None
    mine = Purchase.objects.filter(
        shop=SHOP, visitor=browser.visitor(request), created_at__gt=timezone.now() - JUST_NOW
    )
    origin = mine.order_by("-pk").values_list("origin", flat=True).first()
    return None if origin is None else int(origin)
