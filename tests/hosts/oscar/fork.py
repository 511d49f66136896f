"""A shop that has forked Oscar's checkout: its own views, with our mixin and our URLs."""

from typing import Any

from django.apps import apps
from django.urls import include, path
from oscar.apps.checkout.views import PaymentDetailsView as OscarPaymentDetailsView

from loyalink_khalti.hosts.oscar.checkout import KhaltiCheckoutMixin
from sandbox.urls import urlpatterns as shop


class PaymentDetailsView(KhaltiCheckoutMixin, OscarPaymentDetailsView):
    """The shop's own preview."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"our_own": "kept"}


config: Any = apps.get_app_config("checkout")

checkout = [
    path("", include("loyalink_khalti.hosts.oscar.urls")),
    path("preview/", PaymentDetailsView.as_view(preview=True), name="preview"),
    path("payment-details/", PaymentDetailsView.as_view(), name="payment-details"),
    path("", config.index_view.as_view(), name="index"),
    path("shipping-address/", config.shipping_address_view.as_view(), name="shipping-address"),
    path("shipping-method/", config.shipping_method_view.as_view(), name="shipping-method"),
    path("thank-you/", config.thankyou_view.as_view(), name="thank-you"),
]

urlpatterns = [path("shop/checkout/", include((checkout, "checkout"))), *shop]
