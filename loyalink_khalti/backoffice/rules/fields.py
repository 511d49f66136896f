"""A field for each rule, named as in ``loyalty.rules.Rules``; amounts are typed in rupees."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from wagtail.admin.widgets import SwitchInput

from loyalink_khalti.loyalty.rules import Shortfall, TierBasis
from loyalink_khalti.money import Paisa, Rounding
from loyalink_khalti.staff.fields import BooleanChoiceField, MultiplierField, RupeesField, WholeNumberField

DAYS_PER_YEAR = 366
MAX_NAME_LENGTH = 40
ROUNDINGS = [
    (Rounding.FLOOR.value, _("is dropped")),
    (Rounding.HALF_UP.value, _("is rounded to the nearest point")),
    (Rounding.CEIL.value, _("is rounded up")),
]
REFUND_ROUNDINGS = [
    (Rounding.HALF_UP.value, _("to the nearest point")),
    (Rounding.FLOOR.value, _("down")),
    (Rounding.CEIL.value, _("up")),
]
SHORTFALLS = [
    (Shortfall.OWE.value, _("the member owes the rest, and the next points repay it")),
    (Shortfall.FORGIVE.value, _("the rest is forgiven")),
    (Shortfall.PENDING_ONLY.value, _("only pending points are reversed")),
]
TIER_BASES = [
    (TierBasis.LIFETIME.value, _("all points ever earned")),
    (TierBasis.ROLLING_YEAR.value, _("the points earned in the last 365 days")),
]


def _checkbox(label: Any) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False)


def _switch(label: Any) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, widget=SwitchInput)


class RuleFields(forms.Form):
    """The rules that the page offers."""

    points = WholeNumberField(
        label=_("Points earned"),
        minimum=1,
        minimum_error=_("At least 1. To award no points for a while, pause earning."),
    )
    per = RupeesField(
        label=_("Rupees for which points are earned"), minimum=Paisa(1), minimum_error=_("More than Rs 0.")
    )
    stepwise = BooleanChoiceField(
        label=_("How points are counted"), no=_("in proportion"), yes=_("for whole steps only")
    )
    rounding = forms.TypedChoiceField(label=_("A fraction of a point"), choices=ROUNDINGS, coerce=Rounding)
    earn_before_discounts = _checkbox(_("Points on the price before offers"))
    earn_on_shipping = _checkbox(_("Delivery earns points"))
    earn_on_points = _checkbox(_("The part paid with points earns points"))
    vat_percent = WholeNumberField(label=_("VAT included in the prices, in per cent"), maximum=100)
    minimum_order = RupeesField(label=_("Minimum order that earns points"))
    maximum_earned = WholeNumberField(
        label=_("Maximum points earned per order"),
        required=False,
        minimum=1,
        minimum_error=_("At least 1. Leave empty for no limit."),
        placeholder=_("any number of"),
    )
    first_order_bonus = WholeNumberField(label=_("First-order bonus"))
    signup_bonus = WholeNumberField(label=_("Sign-up bonus"))
    excluded_tags = forms.MultipleChoiceField(
        label=_("Categories that earn no points"), required=False, widget=forms.CheckboxSelectMultiple
    )

    redeem_points = WholeNumberField(label=_("Points"), minimum=1)
    redeem_value = RupeesField(
        label=_("Value of the points"), minimum=Paisa(1), minimum_error=_("More than Rs 0: points must have a value.")
    )
    increment = WholeNumberField(label=_("Increment"), minimum=1)
    minimum_points = WholeNumberField(label=_("Minimum points per order"), minimum=1)
    maximum_points = WholeNumberField(
        label=_("Maximum points per order"),
        required=False,
        minimum=1,
        minimum_error=_("At least 1. Leave empty for no limit."),
        placeholder=_("any number of"),
    )
    maximum_percent = WholeNumberField(
        label=_("Maximum share of an order, in per cent"),
        minimum=1,
        maximum=100,
        minimum_error=_("At least 1 %. To accept no points for a while, pause their use."),
        maximum_error=_("At most 100 %: points cannot pay more than the order costs."),
    )

    pending_days = WholeNumberField(label=_("Days until points can be used"), maximum=DAYS_PER_YEAR)
    valid_months = WholeNumberField(
        label=_("Months until points expire"),
        required=False,
        minimum=1,
        maximum=240,
        minimum_error=_("At least 1 month. Leave empty if points never expire."),
        maximum_error=_("At most 240 months. Leave empty if points never expire."),
        placeholder=_("unlimited"),
    )
    month_end = BooleanChoiceField(label=_("The last day"), no=_("to the same day"), yes=_("to the end of that month"))
    notice_days = WholeNumberField(label=_("Days of notice before points expire"), maximum=DAYS_PER_YEAR)

    tier_basis = forms.TypedChoiceField(label=_("Points that count for a tier"), choices=TIER_BASES, coerce=TierBasis)
    tier_grace_days = WholeNumberField(label=_("Days until a tier is lost"), maximum=DAYS_PER_YEAR)

    refund_rounding = forms.TypedChoiceField(
        label=_("Rounding of reversed points"), choices=REFUND_ROUNDINGS, coerce=Rounding
    )
    shortfall = forms.TypedChoiceField(label=_("Points that are already used"), choices=SHORTFALLS, coerce=Shortfall)
    restore_grace_days = WholeNumberField(label=_("Days for returned points"), maximum=DAYS_PER_YEAR)

    earn_paused = _switch(_("Earning is paused"))
    redeem_paused = _switch(_("The use of points is paused"))


def keep_unchanged(form: forms.BaseForm, names: Iterable[str]) -> None:
    """Keep the stored value of each field whose text was not changed, even one that the field would not accept.

    Code may have chosen such a value.
    """
    for name in names:
        bound = form[name]
        if bound.initial is None or not isinstance(bound.field.widget, forms.TextInput):
            continue
        shown = bound.field.widget.format_value(bound.field.prepare_value(bound.initial))
        if (bound.data or "") == (shown or ""):
            form.cleaned_data[name] = bound.initial
            form.errors.pop(name, None)


class RowForm(forms.Form):
    """One row of a formset; unchanged values are kept as they are stored."""

    def clean(self) -> dict[str, Any]:
        super().clean()
        keep_unchanged(self, self.fields)
        return self.cleaned_data


class TierForm(RowForm):
    """One tier."""

    name = forms.CharField(
        label=_("Name of the tier"),
        max_length=MAX_NAME_LENGTH,
        widget=forms.TextInput(attrs={"size": "12", "autocomplete": "off"}),
        error_messages={"required": _("Enter a name for the tier, or select “Remove”.")},
    )
    threshold = WholeNumberField(label=_("Points to reach the tier"))
    multiplier = MultiplierField(
        label=_("Points multiplier"), required=False, minimum=Fraction(1, 100), minimum_error=_("More than 0.")
    )


class CategoryMultiplierForm(RowForm):
    """A category that earns more points."""

    tag = forms.ChoiceField(
        label=_("Category"), error_messages={"required": _("Choose a category, or select “Remove”.")}
    )
    factor = MultiplierField(
        label=_("Points multiplier"),
        minimum=Fraction(101, 100),
        minimum_error=_("More than 1. For fewer points, remove the category here or let it earn no points."),
    )


class RowFormSet(forms.BaseFormSet):  # type: ignore[type-arg]  # of either row
    """A formset that ignores empty rows."""

    def kept_forms(self) -> list[Any]:
        """Return the rows that are filled in and not marked for removal."""
        deleted = self.deleted_forms
        return [
            form for form in self.forms if form not in deleted and (form.has_changed() or not form.empty_permitted)
        ]

    def kept_data(self) -> list[dict[str, Any]]:
        """Return the cleaned data of these rows."""
        return [form.cleaned_data for form in self.kept_forms() if form.cleaned_data]


TierFormSet = forms.formset_factory(TierForm, formset=RowFormSet, extra=1, can_delete=True, max_num=20)
CategoryMultiplierFormSet = forms.formset_factory(
    CategoryMultiplierForm, formset=RowFormSet, extra=1, can_delete=True, max_num=50
)
