"""Where the shopper comes back to, by the payment's token: the thank-you page, or the basket as it was."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.browser import is_mine
from loyalink_khalti.door import Door, UnknownToken
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Outcome, Why

from . import again, browser
from .options import SHOP

_TOLD = {
    Why.CANCELLED: _("You cancelled the payment at Khalti. Nothing was paid; your basket is as you left it."),
    Why.EXPIRED: _("The time to pay at Khalti is over. Nothing was paid; your basket is as you left it."),
    Why.ABANDONED: _("That payment is closed and nothing was paid. Your basket is as you left it."),
}
_FAILED = _("Khalti could not take the payment. Nothing was paid; your basket is as you left it.")
_SAVED = _("That payment was not made. What you had picked is kept under your saved basket.")


class BackView(Door):
    """Lead the member, or the browser that began the payment, on; any other browser sees the receipt only."""

    http_method_names = ("get", "head", "options")

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        payment = Payment.objects.select_related("purchase").filter(token=token, purchase__shop=SHOP).first()
        if payment is None:
            raise UnknownToken
        purchase = payment.purchase
        if is_mine(request, payment):
            if purchase.state == Purchase.State.PLACED and payment.outcome is Outcome.PAID:
                return again.thank_you(request, purchase.ref)
            if purchase.state == Purchase.State.RELEASED and payment.outcome is not Outcome.FLAGGED:
                return _to_basket(request, payment)
        return redirect("loyalink_khalti:status", token)


def _to_basket(request: Any, payment: Payment) -> HttpResponse:
    browser.give_back(request, payment.purchase)
    if request.basket.is_empty and request.user.is_authenticated:
        messages.warning(request, _SAVED)
    else:
        messages.warning(request, _TOLD.get(Why(payment.why), _FAILED) if payment.why else _FAILED)
    return redirect("basket:summary")
