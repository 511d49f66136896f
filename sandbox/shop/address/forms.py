"""Addresses as people in Nepal write them: a tole and a house, a landmark, a city; seldom a postcode."""

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
    "notes": _("A word for whoever delivers"),
}
HINTS = {
    "line2": _("What is it near? A temple, a chowk, a school."),
    "phone_number": _("We call when we are close: 98… or 97…"),
}
BROWSER = {
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
    """Oscar's, without the lines nobody here fills in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("line3", None)
        if "notes" in self.fields:
            self.fields["notes"].widget.attrs["rows"] = 3
        dress(self)


class UserAddressForm(AbstractAddressForm, forms.UserAddressForm):
    class Meta(forms.UserAddressForm.Meta):
        exclude = ["line3"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        dress(self)


def dress(form: Any) -> None:
    """Give the fields of an address form the words, hints and browser's help of this country."""
    for name, label in LABELS.items():
        if name in form.fields:
            form.fields[name].label = label
    for name, hint in HINTS.items():
        if name in form.fields:
            form.fields[name].help_text = hint
    for name, token in BROWSER.items():
        if name in form.fields:
            form.fields[name].widget.attrs["autocomplete"] = token
