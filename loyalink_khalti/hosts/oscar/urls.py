"""What this host adds to Oscar's ``checkout`` URLs. For a checkout whose AppConfig is not ours."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.urls import path

from .checkout import OscarPaymentReturnView
from .payment_page import PaymentMethodView

_payment_method = PaymentMethodView.as_view()

urlpatterns = [
    path(
        "payment-method/",
        _payment_method if settings.OSCAR_ALLOW_ANON_CHECKOUT else login_required(_payment_method),
        name="payment-method",
    ),
    path("khalti/<payment_token:token>/", OscarPaymentReturnView.as_view(), name="khalti"),
]
