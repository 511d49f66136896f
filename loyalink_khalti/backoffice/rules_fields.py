"""A field for every rule that editors choose; money is typed in rupees, and each says in words what it cannot be."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from wagtail.admin.widgets import SwitchInput

from loyalink_khalti.loyalty.arithmetic import Rounding
from loyalink_khalti.loyalty.rules import Shortfall, TierBasis
from loyalink_khalti.money import Paisa
from loyalink_khalti.staff.fields import EitherField, FactorField, RupeesField, WholeField

A_YEAR = 366
LONGEST_NAME = 40
_ROUNDINGS = [
    (Rounding.FLOOR.value, _("is dropped")),
    (Rounding.HALF_UP.value, _("of a half and more counts as one")),
    (Rounding.CEIL.value, _("counts as one")),
]
_REFUND_ROUNDINGS = [
    (Rounding.HALF_UP.value, _("to the nearest point")),
    (Rounding.FLOOR.value, _("down")),
    (Rounding.CEIL.value, _("up")),
]
_SHORTFALLS = [
    (Shortfall.OWE.value, _("the member owes the rest, and the next points pay it")),
    (Shortfall.FORGIVE.value, _("the rest is forgiven")),
    (Shortfall.PENDING_ONLY.value, _("only points that still wait are taken back")),
]
_BASES = [
    (TierBasis.LIFETIME.value, _("all points ever earned")),
    (TierBasis.ROLLING_YEAR.value, _("the points of the last 365 days")),
]


def _ticked(label: Any) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False)


class RuleFields(forms.Form):
    """The names are those of ``loyalty.rules.Rules``."""

    points = WholeField(
        label=_("Points earned"), least=1, too_little=_("At least 1. To give no points for a while, pause earning.")
    )
    per = RupeesField(label=_("Rupees for which points are earned"), least=Paisa(1), too_little=_("More than Rs 0."))
    stepwise = EitherField(label=_("How points are counted"), no=_("in proportion"), yes=_("for whole steps only"))
    rounding = forms.TypedChoiceField(label=_("A fraction of a point"), choices=_ROUNDINGS, coerce=Rounding)
    earn_before_discounts = _ticked(_("Points on the price before offers"))
    earn_on_shipping = _ticked(_("Delivery earns points"))
    earn_on_points = _ticked(_("What is paid with points earns points"))
    vat_percent = WholeField(label=_("VAT in the prices, in per cent"), most=100)
    minimum_order = RupeesField(label=_("Smallest order that earns"))
    most_earned = WholeField(
        label=_("Most points of one order"),
        required=False,
        least=1,
        too_little=_("At least 1, or empty for no limit."),
        placeholder=_("any number of"),
    )
    first_order_bonus = WholeField(label=_("Bonus for the first order"))
    sign_up_bonus = WholeField(label=_("Bonus for signing up"))
    excluded_tags = forms.MultipleChoiceField(
        label=_("Categories that earn nothing"), required=False, widget=forms.CheckboxSelectMultiple
    )

    redeem_points = WholeField(label=_("Points"), least=1)
    redeem_value = RupeesField(
        label=_("Worth of the points"), least=Paisa(1), too_little=_("More than Rs 0: points are worth something.")
    )
    step = WholeField(label=_("Step"), least=1)
    least_spent = WholeField(label=_("Fewest points spent"), least=1)
    most_spent = WholeField(
        label=_("Most points spent"),
        required=False,
        least=1,
        too_little=_("At least 1, or empty for no limit."),
        placeholder=_("any number of"),
    )
    most_percent = WholeField(
        label=_("Per cent of an order"),
        least=1,
        most=100,
        too_little=_("At least 1 %. To let no points be spent for a while, pause spending."),
        too_much=_("At most 100 %: points cannot pay more than there is to pay."),
    )

    waiting_days = WholeField(label=_("Days until points can be spent"), most=A_YEAR)
    valid_months = WholeField(
        label=_("Months that points are valid"),
        required=False,
        least=1,
        most=240,
        too_little=_("At least 1 month, or empty where points never expire."),
        too_much=_("At most 240 months, or empty where points never expire."),
        placeholder=_("endless"),
    )
    month_end = EitherField(label=_("The last day"), no=_("to the same day"), yes=_("to the end of that month"))
    notice_days = WholeField(label=_("Days before they expire"), most=A_YEAR)

    tier_basis = forms.TypedChoiceField(label=_("What counts for a level"), choices=_BASES, coerce=TierBasis)
    tier_grace_days = WholeField(label=_("Days until a level is lost"), most=A_YEAR)

    refund_rounding = forms.TypedChoiceField(
        label=_("Rounding of points taken back"), choices=_REFUND_ROUNDINGS, coerce=Rounding
    )
    shortfall = forms.TypedChoiceField(label=_("Points that are spent already"), choices=_SHORTFALLS, coerce=Shortfall)
    restore_grace_days = WholeField(label=_("Days for points that come back"), most=A_YEAR)

    earn_paused = forms.BooleanField(label=_("Earning is paused"), required=False, widget=SwitchInput)
    redeem_paused = forms.BooleanField(label=_("Spending is paused"), required=False, widget=SwitchInput)


def keep_as_shown(form: forms.BaseForm, names: Iterable[str]) -> None:
    """What was not typed over stays as it is stored: code may have chosen what no form would take."""
    for name in names:
        bound = form[name]
        if bound.initial is None or not isinstance(bound.field.widget, forms.TextInput):
            continue
        shown = bound.field.widget.format_value(bound.field.prepare_value(bound.initial))
        if (bound.data or "") == (shown or ""):
            form.cleaned_data[name] = bound.initial
            form.errors.pop(name, None)


class Row(forms.Form):
    """One row; what is stored in it stays unless it is typed over."""

    def clean(self) -> dict[str, Any]:
        super().clean()
        keep_as_shown(self, self.fields)
        return self.cleaned_data


class TierRow(Row):
    """One level of membership."""

    name = forms.CharField(
        label=_("Name of the level"),
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"size": "12", "autocomplete": "off"}),
        error_messages={"required": _("Give the level a name, or tick “Remove”.")},
    )
    threshold = WholeField(label=_("Points to reach it"))
    multiplier = FactorField(
        label=_("Times the points"), required=False, least=Fraction(1, 100), too_little=_("More than 0.")
    )


class BoostRow(Row):
    """A category that earns more."""

    tag = forms.ChoiceField(
        label=_("Category"), error_messages={"required": _("Choose a category, or tick “Remove”.")}
    )
    factor = FactorField(
        label=_("Times the points"),
        least=Fraction(101, 100),
        too_little=_("More than 1. For less, let the category earn nothing, or leave it out."),
    )


class Rows(forms.BaseFormSet):  # type: ignore[type-arg]  # of whichever row
    """Rows of which empty ones are none."""

    def kept(self) -> list[dict[str, Any]]:
        """What is typed in the rows that are to stay."""
        going = self.deleted_forms
        return [form.cleaned_data for form in self.staying(going) if form.cleaned_data]

    def staying(self, going: Any = None) -> list[Any]:
        going = self.deleted_forms if going is None else going
        return [form for form in self.forms if form not in going and (form.has_changed() or not form.empty_permitted)]


TierRows = forms.formset_factory(TierRow, formset=Rows, extra=1, can_delete=True, max_num=20)
BoostRows = forms.formset_factory(BoostRow, formset=Rows, extra=1, can_delete=True, max_num=50)
