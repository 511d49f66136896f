"""Where a checkout of pages ends: the order's page, the basket, and the return from Khalti."""

from typing import ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from loyalink_khalti.hosts.common.checkout import HostCheckout, PaymentReturnView
from loyalink_khalti.payments.models import Purchase

from .basket import SessionBasket
from .models import Order, OrderLine
from .order_access import remember_order
from .site_settings import SHOP
from .typed import forget_choices


class PageCheckout(HostCheckout):
    """The order's page, and the basket of the session."""

    shop = SHOP

    def order_page(self, request: HttpRequest, purchase: Purchase) -> HttpResponse:
        SessionBasket(request).forget_placed()
        if not Order.objects.filter(number=purchase.ref).exists():
            return self._page_without_order(request, purchase)
        remember_order(request, purchase.ref)
        forget_choices(request)
        return redirect("loyalink_khalti_page:order", purchase.ref)

    def _page_without_order(self, request: HttpRequest, purchase: Purchase) -> HttpResponse:
        """Return the receipt of an order that was deleted in the shop; without a payment at Khalti, a message."""
        payment = purchase.payments.order_by("-pk").first()
        if payment is not None:
            return redirect("loyalink_khalti:status", payment.token)
        message = _("Order %(number)s is not found in the shop any more. Please contact the shop.")
        messages.error(request, message % {"number": purchase.ref})
        return redirect("loyalink_khalti_page:basket")

    def basket_page(self, request: HttpRequest, message: str) -> HttpResponse:
        messages.warning(request, message)
        return redirect("loyalink_khalti_page:basket")

    def has_basket(self, purchase: Purchase) -> bool:
        """Return whether a page of the released order still exists."""
        return OrderLine.objects.filter(order__number=purchase.ref, page__isnull=False).exists()

    def reopen_basket(self, request: HttpRequest, purchase: Purchase) -> None:
        """Fill the basket again where the session has lost it: the customer came back in another browser."""
        order = Order.objects.filter(number=purchase.ref).prefetch_related("lines").first()
        if order is not None:
            SessionBasket(request).restore(order)


page_checkout = PageCheckout()


class PagePaymentReturnView(PaymentReturnView):
    """The order's page, or the basket as it was."""

    checkout: ClassVar[HostCheckout] = page_checkout
