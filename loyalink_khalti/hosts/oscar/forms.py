"""The form of the payment page: a method and, for members, points."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import conf
from loyalink_khalti.money import Points
from loyalink_khalti.ports import Method

from .choice import Choice
from .options import options

TITLES = {
    Method.COD: gettext_lazy("Cash on delivery"),
    Method.BANK_TRANSFER: gettext_lazy("Bank transfer"),
}
_TEXTS = {
    Method.COD: gettext_lazy("Pay in cash when your order arrives."),
    Method.BANK_TRANSFER: gettext_lazy("Transfer the amount to our account; we send your order when it has come."),
}
_NOT_POINTS = gettext_lazy("Enter a whole number of points, without a comma or a fraction.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedMethod:
    """A payment method as the checkout shows it; ``off`` says why it cannot be chosen, "" where it can."""

    code: Method
    title: str
    text: str
    off: str = ""
    test_mode: bool = False


def offered(site_key: str, *, khalti_off: str) -> list[OfferedMethod]:
    """The methods of this shop, in the shopkeeper's order."""
    return [_offered(Method(code), site_key, khalti_off) for code in options().methods]


def _offered(code: Method, site_key: str, khalti_off: str) -> OfferedMethod:
    text = options().texts.get(code, "")
    if code is not Method.KHALTI:
        return OfferedMethod(code=code, title=str(TITLES[code]), text=text or str(_TEXTS[code]))
    khalti = conf.khalti_options(site_key)
    return OfferedMethod(
        code=code,
        # What editors left as it came speaks the shopper's language; their own words are as they wrote them.
        title=_(khalti.title),
        text=text or _(khalti.text),
        off=khalti_off,
        test_mode=khalti.test_mode,
    )


class PaymentMethodForm(forms.Form):
    """How to pay, and with how many points; whether the points fit is the flow's to say."""

    payment_method = forms.ChoiceField(
        label=gettext_lazy("How would you like to pay?"),
        widget=forms.RadioSelect,
        error_messages={
            "required": gettext_lazy("Please choose how to pay."),
            "invalid_choice": gettext_lazy("Please choose one of the ways to pay below."),
        },
    )
    points = forms.IntegerField(
        label=gettext_lazy("Points to spend"),
        required=False,
        min_value=0,
        error_messages={
            "invalid": _NOT_POINTS,
            "min_value": gettext_lazy("The number of points cannot be negative."),
        },
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "maxlength": "12"}),
    )

    def __init__(self, *args: Any, methods: Sequence[OfferedMethod], member: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.methods = methods
        self.member = member
        choices = forms.ChoiceField(choices=[(method.code.value, method.title) for method in methods])
        self.fields["payment_method"].choices = choices.choices  # type: ignore[attr-defined]  # it is a ChoiceField
        if not member:
            del self.fields["points"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        typed = str(self.data.get("points", "")).strip()
        if not self.member and typed not in {"", "0"}:
            self.add_error(None, _("Log in to spend points."))
        return cleaned

    @property
    def choice(self) -> Choice:
        return Choice(
            method=Method(self.cleaned_data["payment_method"]), points=Points(self.cleaned_data.get("points") or 0)
        )
