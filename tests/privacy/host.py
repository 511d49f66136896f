"""The least careful of hosts: that a purchase cannot be paid, too, becomes an error page."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from loyalink_khalti import conf, flow
from loyalink_khalti.browser import remember
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Private
from loyalink_khalti.testing import FakeShop

from .payer import CUSTOMER


def buy(request: HttpRequest, ref: str) -> HttpResponse:
    """Begin a payment of Rs 2,500 for somebody whom no log may name."""
    shop = conf.shop("fake")
    assert isinstance(shop, FakeShop)
    payment = flow.begin(shop.freeze(shop.cart(ref, customer=CUSTOMER)), visitor=ref)
    remember(request, payment)
    return HttpResponse(payment.token)


@method_decorator(sensitive_post_parameters("mobile"), name="dispatch")
class GiveBack(View):
    """Give a purchase back to the Khalti account of a number that was typed."""

    def post(self, request: HttpRequest, ref: str) -> HttpResponse:
        purchase = Purchase.objects.get(ref=ref)
        left = Paisa(purchase.frozen_cart.goods)
        words = {"key": f"{ref}:1", "by": "1", "mobile": Private(request.POST["mobile"])}
        try:
            refund = flow.undo(purchase, goods=left, shipping=Paisa(0), **words)
        except CannotRefund as exc:
            return HttpResponse(str(exc), status=409)
        return HttpResponse(refund.state)


urlpatterns = [
    path("khalti/", include("loyalink_khalti.storefront.urls")),
    path("buy/<str:ref>/", buy),
    path("back/<str:ref>/", GiveBack.as_view()),
    path("", include("sandbox.urls")),  # its layout leads all over the shop
]
