"""The payment step of a checkout: the methods that a shop offers, and the form in which the customer chooses one."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import conf
from loyalink_khalti.money import Points
from loyalink_khalti.ports import MethodOption, PaymentMethod

from .checkout import PaymentChoice

TITLES = {
    PaymentMethod.COD: gettext_lazy("Cash on delivery"),
    PaymentMethod.BANK_TRANSFER: gettext_lazy("Bank transfer"),
}
_TEXTS = {
    PaymentMethod.COD: gettext_lazy("Pay in cash when your order arrives."),
    PaymentMethod.BANK_TRANSFER: gettext_lazy(
        "Transfer the amount to our account. We send your order once the payment has arrived."
    ),
}
_NOT_A_NUMBER = gettext_lazy("Enter a whole number of points, without a comma or a fraction.")


def method_options(
    site_key: str,
    methods: Sequence[str],
    *,
    own_methods: Mapping[str, str],
    texts: Mapping[str, str],
    khalti_unavailable_reason: str,
) -> list[MethodOption]:
    """Return a shop's payment methods in its own order.

    ``own_methods`` are the titles of the shop's own, by their codes; ``texts`` are its lines below a method.
    ``khalti_unavailable_reason`` is the one of a `Quote`, "" if the customer can choose Khalti.
    """
    return [
        MethodOption(method=code, title=str(own_methods[code]), text=str(texts.get(code, "")), takes_points=False)
        if code in own_methods
        else _option(PaymentMethod(code), site_key, texts.get(code, ""), khalti_unavailable_reason)
        for code in methods
    ]


def _option(method: PaymentMethod, site_key: str, text: str, khalti_unavailable_reason: str) -> MethodOption:
    if method is not PaymentMethod.KHALTI:
        return MethodOption(method=method, title=str(TITLES[method]), text=text or str(_TEXTS[method]))
    khalti = conf.khalti_options(site_key)
    return MethodOption(
        method=method,
        # The default texts are translated for the customer; texts that an editor wrote are shown as written.
        title=_(khalti.title),
        text=text or _(khalti.text),
        unavailable_reason=khalti_unavailable_reason,
        test_mode=khalti.test_mode,
    )


class PaymentMethodForm(forms.Form):
    """Choose a payment method and, for members, how many points to use. The flow decides whether they fit."""

    payment_method = forms.ChoiceField(
        label=gettext_lazy("How would you like to pay?"),
        widget=forms.RadioSelect,
        error_messages={
            "required": gettext_lazy("Please choose a payment method."),
            "invalid_choice": gettext_lazy("Please choose one of the payment methods below."),
        },
    )
    points = forms.IntegerField(
        label=gettext_lazy("Points to use"),
        required=False,
        min_value=0,
        error_messages={
            "invalid": _NOT_A_NUMBER,
            "min_value": gettext_lazy("The number of points cannot be negative."),
        },
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "maxlength": "12"}),
    )

    def __init__(self, *args: Any, options: Sequence[MethodOption], is_member: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.options = options
        self.is_member = is_member
        choices = forms.ChoiceField(choices=[(str(option.method), option.title) for option in options])
        self.fields["payment_method"].choices = choices.choices  # type: ignore[attr-defined]  # it is a ChoiceField
        if not is_member:
            del self.fields["points"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        typed = str(self.data.get("points", "")).strip()
        if not self.is_member and typed not in {"", "0"}:
            self.add_error(None, _("Log in to use your points."))
        method = cleaned.get("payment_method")
        if cleaned.get("points") and method and method not in set(PaymentMethod):
            self.add_error("points", _("Points cannot be used with this payment method."))
        return cleaned

    @property
    def choice(self) -> PaymentChoice:
        """Return the choice of a valid form."""
        points = Points(self.cleaned_data.get("points") or 0)
        return PaymentChoice.of(self.cleaned_data["payment_method"], points=points)
