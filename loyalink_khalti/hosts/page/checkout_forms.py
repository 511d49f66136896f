"""The forms of the checkout: who orders and where it goes, and how it is paid."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from loyalink_khalti.errors import InvalidDetails
from loyalink_khalti.hosts.common.payment_choice import PaymentMethodForm
from loyalink_khalti.staff.fields import WholeNumberField, text_input

from . import details
from .details import LONGEST, Details
from .open_basket import PageBasket


def _input(kind: str, autocomplete: str, **attrs: str) -> forms.TextInput:
    widget = forms.TextInput(attrs={"autocomplete": autocomplete, **attrs})
    widget.input_type = kind
    return widget


class DetailsForm(forms.Form):
    """Contact and delivery. What is needed depends on the delivery option: ``details.check`` says it."""

    name = forms.CharField(label=gettext_lazy("Name"), required=False, widget=_input("text", "name"))
    email = forms.CharField(
        label=gettext_lazy("E-mail"),
        required=False,
        widget=_input("email", "email", inputmode="email", autocapitalize="none"),
        help_text=gettext_lazy("Your receipt is sent there."),
    )
    phone = forms.CharField(label=gettext_lazy("Phone"), required=False, widget=_input("tel", "tel", inputmode="tel"))
    delivery = forms.CharField(label=gettext_lazy("Delivery"), required=False)
    address = forms.CharField(
        label=gettext_lazy("Address"),
        required=False,
        widget=forms.Textarea(attrs={"rows": "3", "autocomplete": "street-address"}),
        help_text=gettext_lazy("Street or tole, ward, city; a landmark helps."),
    )
    note = forms.CharField(
        label=gettext_lazy("Note to the shop"), required=False, widget=forms.Textarea(attrs={"rows": "2"})
    )

    def __init__(self, data: Any = None, *, basket: PageBasket, initial: Any = None) -> None:
        super().__init__(data, auto_id="lk-%s", initial=initial)
        self.options = basket.delivery_options
        self.checked = Details()
        if not self.options:
            del self.fields["delivery"], self.fields["address"]
        for name, field in self.fields.items():
            if name in LONGEST:
                field.widget.attrs["maxlength"] = str(LONGEST[name])

    @property
    def needs_address(self) -> bool:
        """Whether any of the delivery options needs an address."""
        return any(option.needs_address for option in self.options)

    @property
    def typed(self) -> Details:
        """What the customer has typed, as it is, to be shown and priced."""
        names = ("name", "email", "phone", "address", "note", "delivery")
        return Details(**{name: str(self[name].value() or "") for name in names if name in self.fields})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        delivery = None
        try:
            delivery = details.choose_delivery(self.typed.delivery, self.options) if self.options else None
        except InvalidDetails as exc:
            self._add_errors(exc)
        try:
            self.checked = details.check(self.typed, delivery=delivery)
        except InvalidDetails as exc:
            self._add_errors(exc)
        return cleaned

    def _add_errors(self, refusal: InvalidDetails) -> None:
        for name, sentences in refusal.fields.items():
            for sentence in sentences:
                self.add_error(name if name in self.fields else None, sentence)


class PaymentForm(PaymentMethodForm):
    """The payment method and the points of a member, who may type "1,200" or "१२००"."""

    points = WholeNumberField(label=gettext_lazy("Points to use"), required=False, widget=text_input("numeric", 10))

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, auto_id="lk-%s", **kwargs)
