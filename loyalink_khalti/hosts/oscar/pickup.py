"""Collecting an order at the shop: a name and a phone number, and no address.

Oscar (4.2) wants an address before it shows any delivery method. So the page for the address offers the methods of the
setting ``PICKUP`` beside it. The order keeps who collects it as an address without a street.
"""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy
from oscar.apps.checkout.views import ShippingAddressView as OscarShippingAddressView
from oscar.apps.checkout.views import ShippingMethodView as OscarShippingMethodView
from oscar.core.loading import get_class, get_model
from phonenumber_field.formfields import PhoneNumberField

from loyalink_khalti import conf
from loyalink_khalti.nepal import ascii_digits

from .settings import options

_PLACE = ("line1", "line2", "line3", "line4", "state", "postcode")
BUTTON = "collect"
"""The name of the button; its value is the code of the method."""


def is_pickup(code: str | None) -> bool:
    """Return whether the customer collects an order with this delivery method."""
    return code in options().pickup


def has_place(address: Any) -> bool:
    """Return whether an address says where to deliver to; that of who collects an order does not."""
    return address is not None and any(getattr(address, name, "") for name in _PLACE)


def can_deliver(submission: Mapping[str, Any]) -> bool:
    """Return whether the address of a submission is enough for its delivery method."""
    address, method = submission["shipping_address"], submission["shipping_method"]
    return address is None or has_place(address) or is_pickup(method.code)


class _PhoneField(PhoneNumberField):
    def to_python(self, value: Any) -> Any:
        return super().to_python(ascii_digits(value) if isinstance(value, str) else value)


class PickupForm(forms.Form):
    """Who collects the order."""

    first_name = forms.CharField(
        label=gettext_lazy("Name"), max_length=255, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    phone_number = _PhoneField(
        label=gettext_lazy("Phone"),
        region="NP",
        widget=forms.TextInput(attrs={"autocomplete": "tel", "type": "tel", "inputmode": "tel"}),
    )


class KhaltiShippingAddressMixin:
    """For ``ShippingAddressView``: collect the order instead of typing an address."""

    request: Any
    checkout_session: Any
    render_to_response: Any
    template_name: Any = "loyalink_khalti/oscar/shipping_address.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        code = request.POST.get(BUTTON, "")
        if not code or code not in {method.code for method in self.pickup_methods()}:
            return cast(HttpResponse, super().post(request, *args, **kwargs))  # type: ignore[misc]  # Oscar's
        form = PickupForm(request.POST, prefix=BUTTON)
        if not form.is_valid():
            return cast(HttpResponse, self.render_to_response(self.get_context_data(pickup_form=form)))
        self.checkout_session.reset_shipping_data()
        country = get_model("address", "Country").objects.filter(is_shipping_country=True).first()
        self.checkout_session.ship_to_new_address({**form.cleaned_data, "country_id": country.pk if country else None})
        self.checkout_session.use_shipping_method(code)
        return redirect("checkout:payment-method")

    def pickup_methods(self) -> list[Any]:
        """Return the methods with which this basket can be collected."""
        methods = get_class("shipping.repository", "Repository")().get_shipping_methods(
            basket=self.request.basket, user=self.request.user, shipping_addr=None, request=self.request
        )
        return [method for method in methods if is_pickup(method.code)]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = cast(dict[str, Any], super().get_context_data(**kwargs))  # type: ignore[misc]  # Oscar's
        user = self.request.user
        initial = {"first_name": user.get_full_name()} if user.is_authenticated else {}
        return context | {
            "pickup_methods": self.pickup_methods(),
            "pickup_form": kwargs.get("pickup_form") or PickupForm(prefix=BUTTON, initial=initial),
            "shop_details": conf.shop_details(conf.site_key(self.request)),
        }

    def get_initial(self) -> dict[str, Any]:
        """Return what was typed as an address before, not who was to collect the order."""
        initial = super().get_initial()  # type: ignore[misc]  # Oscar's
        return dict(initial) if initial and any(initial.get(name) for name in _PLACE) else {}


class KhaltiShippingMethodMixin:
    """For ``ShippingMethodView``: without an address the order can only be collected."""

    request: Any
    get_shipping_address: Any

    def get_available_shipping_methods(self) -> list[Any]:
        methods = list(super().get_available_shipping_methods())  # type: ignore[misc]  # Oscar's
        if has_place(self.get_shipping_address(self.request.basket)):
            return methods
        return [method for method in methods if is_pickup(method.code)]


class ShippingAddressView(KhaltiShippingAddressMixin, OscarShippingAddressView):
    """Stock Oscar's page for the address, with a way to collect the order."""


class ShippingMethodView(KhaltiShippingMethodMixin, OscarShippingMethodView):
    """Stock Oscar's page for the delivery method."""
