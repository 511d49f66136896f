"""The least careful host: it catches no error, so even a refused payment becomes an error page."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.payments.states import RefundState
from loyalink_khalti.ports import PrivateText
from loyalink_khalti.session_payments import remember_payment
from loyalink_khalti.testing import FakeShop

from .customer import CUSTOMER


def buy(request: HttpRequest, ref: str) -> HttpResponse:
    """Begin a payment of Rs 2,500 for a customer whom no log may name."""
    shop = conf.shop("fake")
    assert isinstance(shop, FakeShop)
    payment = flow.begin_payment(shop.freeze(shop.cart(ref, customer=CUSTOMER)), browser_session=ref)
    remember_payment(request, payment)
    return HttpResponse(payment.token)


def let_khalti_ask(purchase: Purchase) -> None:
    """Khalti has refused a refund and asked for the number, so that the flow accepts one."""
    asked = {"state": RefundState.REFUSED, "mobile_requested": True, "subtotal": 0, "shipping": 0, "amount": 0}
    for payment in purchase.payments.all():
        Refund.objects.get_or_create(
            key=f"asked:{payment.pk}", defaults={"purchase": purchase, "payment": payment, **asked}
        )


@method_decorator(sensitive_post_parameters("mobile"), name="dispatch")
class RefundView(View):
    """Refund a purchase to the Khalti account of a mobile number."""

    def post(self, request: HttpRequest, ref: str) -> HttpResponse:
        purchase = Purchase.objects.get(ref=ref)
        let_khalti_ask(purchase)
        left = Paisa(purchase.frozen_cart.subtotal)
        options = {"key": f"{ref}:1", "actor": "1", "mobile": PrivateText(request.POST["mobile"])}
        try:
            refund = flow.refund_order(purchase, subtotal=left, shipping=Paisa(0), **options)
        except CannotRefund as exc:
            return HttpResponse(str(exc), status=409)
        return HttpResponse(refund.state)


urlpatterns = [
    path("khalti/", include("loyalink_khalti.storefront.urls")),
    path("buy/<str:ref>/", buy),
    path("refund/<str:ref>/", RefundView.as_view()),
    path("", include("sandbox.urls")),  # its layout links to all of the shop
]
