"""Address forms for Nepal: a tole and a house, a landmark, a city; seldom a postcode."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from oscar.apps.address import forms

LABELS = {
    "line1": _("Tole and house"),
    "line2": _("Landmark"),
    "line4": _("City or municipality"),
    "state": _("District"),
    "postcode": _("Postcode"),
    "phone_number": _("Mobile number"),
    "notes": _("Note for the delivery"),
}
HINTS = {
    "line2": _("A temple, a chowk or a school nearby."),
    "phone_number": _("We call before we deliver: 98… or 97…"),
}
AUTOCOMPLETE = {
    "first_name": "given-name",
    "last_name": "family-name",
    "line1": "address-line1",
    "line2": "address-line2",
    "line4": "address-level2",
    "state": "address-level1",
    "postcode": "postal-code",
    "phone_number": "tel",
}


class AbstractAddressForm(forms.AbstractAddressForm):
    """Oscar's form without the lines that addresses in Nepal do not use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("line3", None)
        if "notes" in self.fields:
            self.fields["notes"].widget.attrs["rows"] = 3
        adapt_fields(self)


class UserAddressForm(AbstractAddressForm, forms.UserAddressForm):
    class Meta(forms.UserAddressForm.Meta):
        exclude = ["line3"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        adapt_fields(self)


def adapt_fields(form: Any) -> None:
    """Set labels, hints and the browser's autocomplete for an address in Nepal."""
    for name, label in LABELS.items():
        if name in form.fields:
            form.fields[name].label = label
    for name, hint in HINTS.items():
        if name in form.fields:
            form.fields[name].help_text = hint
    for name, token in AUTOCOMPLETE.items():
        if name in form.fields:
            form.fields[name].widget.attrs["autocomplete"] = token
    if "phone_number" in form.fields:
        form.fields["phone_number"].widget.input_type = "tel"
