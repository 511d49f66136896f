"""The payment step of a checkout: the form in which the customer chooses a method, and how many points to use."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.money import Points
from loyalink_khalti.ports import MethodOption, OpenBasket, PaymentMethod
from loyalink_khalti.staff.fields import WholeNumberField

from .checkout import PaymentChoice, quote

MOST_TYPED = 10**50
"""Above it a number of points is not compared with the balance any more."""
OFFERED = "use_points"
"""The name of the buttons that each offer one number of points."""


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
    points = WholeNumberField(
        label=gettext_lazy("Points to use"),
        required=False,
        minimum_error=gettext_lazy("The number of points cannot be negative."),
        maximum=MOST_TYPED,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "maxlength": "15"}),
    )

    def __init__(
        self, data: Any = None, *args: Any, options: Sequence[MethodOption], is_member: bool, **kwargs: Any
    ) -> None:
        super().__init__(_with_offered_number(data), *args, **kwargs)
        self.options = options
        self.is_member = is_member
        self.nearest: tuple[Points, ...] = ()
        choices = forms.ChoiceField(choices=[(str(option.method), option.title) for option in options])
        self.fields["payment_method"].choices = choices.choices  # type: ignore[attr-defined]  # it is a ChoiceField
        if not is_member:
            del self.fields["points"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        typed = str(self.data.get("points", "")).strip()
        if not self.is_member and typed not in {"", "0"}:
            self.add_error(None, _("Log in to use your points."))
        option = next((each for each in self.options if each.method == cleaned.get("payment_method")), None)
        if option is None:
            return cleaned
        if cleaned.get("points") and not option.takes_points:
            self.add_error("points", _("Points cannot be used with this payment method."))
        # Whether Khalti can take the payment depends on the points: `fits` says it.
        if option.unavailable_reason and option.method != PaymentMethod.KHALTI:
            self.add_error("payment_method", option.unavailable_reason)
        return cleaned

    def fits(self, basket: OpenBasket) -> bool:
        """Return whether a valid form's method can take what its points leave to pay; add the reason to the form."""
        choice = self.choice
        try:
            quoted = quote(basket, choice)
        except flow.PointsDoNotFit as exc:
            self.nearest = exc.nearest
            self.add_error("points" if self.is_member else None, str(exc))
        except CannotPay as exc:
            self.add_error(None, str(exc))
        else:
            if quoted.amount_due and choice.method is PaymentMethod.KHALTI and quoted.khalti_unavailable_reason:
                self.add_error("payment_method", quoted.khalti_unavailable_reason)
        return self.is_valid()

    @property
    def choice_so_far(self) -> PaymentChoice:
        """Return what the form shows, sent or not, as far as it can be read."""
        if self.is_bound:
            self.is_valid()
        values = self.cleaned_data if self.is_bound else self.initial
        code, points = str(values.get("payment_method") or ""), Points(values.get("points") or 0)
        return PaymentChoice.of(code, points=points) if code else PaymentChoice(points=points)

    @property
    def takes_points(self) -> bool:
        """Whether orders with the method that the form shows use points; where it shows none, they may."""
        code = self.choice_so_far.code
        return next((option.takes_points for option in self.options if option.method == code), True)

    @property
    def points_error(self) -> str:
        """Return why the number of points cannot be read or used, "" where nothing was sent or all is well."""
        return " ".join(str(each) for each in self.errors.get("points", ()))

    @property
    def choice(self) -> PaymentChoice:
        """Return the choice of a valid form."""
        points = Points(self.cleaned_data.get("points") or 0)
        return PaymentChoice.of(self.cleaned_data["payment_method"], points=points)


def asks_for_figures(data: Any) -> bool:
    """Return whether a sent form only asks what its choice would cost: "Apply", "Use all", the script."""
    return data.get("action") == "update" or OFFERED in data


def _with_offered_number(data: Any) -> Any:
    """Return the data of a form with the number of the button that was pressed: "Use all (1,200)", "Use none"."""
    if data is None or OFFERED not in data:
        return data
    changed = data.copy()
    changed["points"] = data[OFFERED]
    return changed
