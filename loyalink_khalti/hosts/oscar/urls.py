"""What the adapter adds to Oscar's ``checkout`` URLs; a shop with a checkout of its own includes this in them."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.urls import path

from .back import BackView
from .checkout import PaymentMethodView

_payment_method = PaymentMethodView.as_view()

urlpatterns = [
    path(
        "payment-method/",
        _payment_method if settings.OSCAR_ALLOW_ANON_CHECKOUT else login_required(_payment_method),
        name="payment-method",
    ),
    path("khalti/<str:token>/", BackView.as_view(), name="khalti"),
]
