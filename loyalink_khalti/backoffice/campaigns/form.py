"""The form of a campaign, laid out as sentences, with a live example."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.admin.widgets import AdminDateTimeInput

from loyalink_khalti import flow
from loyalink_khalti.backoffice.example import Example, ExampleForm, PanelsWithExample, example_form
from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.backoffice.sentence import Sentence
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import KATHMANDU
from loyalink_khalti.staff.fields import MultiplierField, WholeNumberField

from .editors import editable_sites
from .labels import benefit_label, categories_label, nepal_time, overlap_warnings, period_label
from .services import fingerprint, overlapping, to_rule, unmanaged_names

MAX_MULTIPLIER = 100
FIRST_YEAR, LAST_YEAR = 2000, 2100
OTHER_PRODUCTS = "-"
"""The example's choice for products in none of the shop's categories."""


class DecimalMultiplierField(MultiplierField):
    """A multiplier of at most two decimals, as the column stores it."""

    def clean(self, value: Any) -> Any:
        factor = super().clean(value)
        if factor is None:
            return Decimal(1)
        if factor * 100 % 1:
            raise ValidationError(_("At most two decimals, for example 1.25."))
        if factor > MAX_MULTIPLIER:
            raise ValidationError(_("At most %(most)s times.") % {"most": MAX_MULTIPLIER})
        return Decimal(int(factor * 100)).scaleb(-2)


class NepalTimeField(forms.DateTimeField):
    """A time in Nepal, whatever time zone the user's Wagtail profile has."""

    widget = AdminDateTimeInput

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(KATHMANDU):
            at = super().to_python(value)
        if at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR:
            years = {"first": FIRST_YEAR, "last": LAST_YEAR}
            raise ValidationError(_("Choose a day in the years %(first)s to %(last)s.") % years)
        return at

    def prepare_value(self, value: Any) -> Any:
        with timezone.override(KATHMANDU):
            return super().prepare_value(value)


class CampaignExampleForm(ExampleForm):
    """The order that the example of a campaign computes."""

    example_tag = forms.ChoiceField(label=gettext_lazy("Category of the example"), required=False)
    example_at = NepalTimeField(
        label=gettext_lazy("Time of the order"),
        required=False,
        widget=AdminDateTimeInput(attrs={"placeholder": gettext_lazy("the start of the campaign")}),
    )
    sentence = gettext_lazy("An order of Rs {example_order} of {example_tag} placed on {example_at}")

    def __init__(self, *args: Any, tags: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("its products")), (OTHER_PRODUCTS, _("other products")), *tags.items()]
        self.fields["example_tag"].choices = choices  # type: ignore[attr-defined]  # a ChoiceField


class CampaignForm(WagtailAdminModelForm):
    """A campaign of a site that the user may edit."""

    site = forms.ChoiceField(label=gettext_lazy("Site"))
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=80, error_messages={"required": gettext_lazy("Enter a name.")}
    )
    starts_at = NepalTimeField(label=gettext_lazy("From"))
    ends_at = NepalTimeField(label=gettext_lazy("To"))
    multiplier = DecimalMultiplierField(label=gettext_lazy("Points multiplier"), required=False, minimum=Fraction(1))
    addition = WholeNumberField(label=gettext_lazy("Bonus points per order"), required=False)
    tags = forms.MultipleChoiceField(
        label=gettext_lazy("Categories"), required=False, widget=forms.CheckboxSelectMultiple
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    """The fingerprint of the campaign when the form was opened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen"] = fingerprint(self.instance) if self.instance.pk else ""
        self.category_names = flow.category_names(self.instance.tags)
        self.fields["tags"].choices = list(self.category_names.items())  # type: ignore[attr-defined]
        self.sites = editable_sites(self.for_user)
        if self.instance.pk or len(self.sites) < 2:
            del self.fields["site"]
            self.instance.site_key = self.instance.site_key if self.instance.pk else next(iter(self.sites))
        else:
            self.fields["site"].choices = list(self.sites.items())  # type: ignore[attr-defined]  # a ChoiceField

    def clean_addition(self) -> int:
        return int(self.cleaned_data["addition"] or 0)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self.instance.site_key = cleaned.get("site") or self.instance.site_key
        errors = (*self._period_errors(cleaned), *self._benefit_errors(cleaned), *self._name_errors(cleaned))
        for field, message in errors:
            self.add_error(field, message)
        return cleaned

    def _period_errors(self, cleaned: dict[str, Any]) -> Iterator[tuple[str, str]]:
        starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            yield "ends_at", _("The end must be after the start.")
        elif ends_at and ends_at <= timezone.now():
            yield "ends_at", _("The end is in the past.")

    def _benefit_errors(self, cleaned: dict[str, Any]) -> Iterator[tuple[str, str]]:
        multiplier, addition = cleaned.get("multiplier"), cleaned.get("addition")
        if multiplier is not None and addition is not None and multiplier <= 1 and not addition:
            yield "multiplier", _("This campaign adds no points. Enter a multiplier above 1 or bonus points above 0.")

    def _name_errors(self, cleaned: dict[str, Any]) -> Iterator[tuple[str, str]]:
        same = Campaign.objects.filter(site_key=self.instance.site_key, name=cleaned.get("name", ""))
        if same.exclude(pk=self.instance.pk).exists():
            yield "name", _("A campaign with this name already exists.")
        elif "site" not in self.errors and cleaned.get("name") in unmanaged_names(self.instance.site_key):
            message = _("The rules contain a campaign with this name that was not created here. Choose another name.")
            yield "name", message

    # Another user was faster

    def add_name_error(self) -> None:
        """After ``NameTaken``: say which campaign has the name."""
        for field, message in self._name_errors(self.cleaned_data):
            self.add_error(field, message)

    def show_stored(self, stored: Campaign) -> None:
        """After ``CampaignChanged``: show what is stored now. Saving once more replaces it."""
        self.data: Any = self.data.copy()
        self.data["seen"] = fingerprint(stored)
        now = {
            "name": stored.name,
            "period": period_label(stored),
            "benefit": benefit_label(stored),
            "categories": categories_label(stored, self.category_names),
        }
        changed = _(
            "Another user has changed this campaign since you opened it: “%(name)s”, %(period)s, %(benefit)s, "
            "%(categories)s."
        )
        again = _("Your changes are still in the form. Check them, and save again to replace the other changes.")
        self.add_error(None, f"{changed % now} {again}")

    # The example

    def example(self) -> Example:
        """Return what an order earns with this campaign and without it."""
        is_complete = self.is_valid() if self.is_bound else bool(self.instance.pk)
        form = example_form(self.data if self.is_bound else None, CampaignExampleForm, tags=self.category_names)
        amount = form.amount()
        context: dict[str, Any] = {"errors": self._error_list(), "is_new": not is_complete and not self.is_bound}
        if is_complete and amount:
            context |= self._compare(form, amount) | {"overlaps": overlap_warnings(overlapping(self.instance))}
        pk = (self.instance.pk,) if self.instance.pk else ()
        return Example(
            url=reverse("loyalink_khalti_campaign_example", args=pk),
            form=form,
            context=context,
            template="loyalink_khalti/backoffice/campaigns/example.html",
            heading=_("Try it on an order"),
        )

    def _error_list(self) -> list[str]:
        return [
            f"{self.fields[name].label}: {error}" if name in self.fields else str(error)
            for name, errors in self.errors.items()
            for error in errors
        ]

    def _compare(self, form: ExampleForm, amount: Paisa) -> dict[str, Any]:
        at = form.cleaned_data["example_at"] or max(self.instance.starts_at, timezone.now())
        order = ledger.example_order(amount, at=at, tags=self._example_tags(form.cleaned_data["example_tag"]))
        current = ledger.current_version(self.instance.site_key).rules
        names = {self.instance.name, *Campaign.objects.filter(pk=self.instance.pk).values_list("name", flat=True)}
        without = replace(current, campaigns=tuple(rule for rule in current.campaigns if rule.name not in names))
        with_it = replace(without, campaigns=(*without.campaigns, to_rule(self.instance)))
        earned, usual = (int(order.earned(rules).points) for rules in (with_it, without))
        return {"earned": earned, "usual": usual, "extra": earned - usual, "rules": current, "at": nepal_time(at)}

    def _example_tags(self, chosen: str) -> tuple[str, ...]:
        """Return the categories of the example's products; by default the first category of the campaign."""
        if chosen == OTHER_PRODUCTS:
            return ()
        return (chosen,) if chosen else tuple(self.instance.tags[:1])


CAMPAIGN_PANELS = PanelsWithExample(
    [
        MultiFieldPanel(
            [
                Sentence(gettext_lazy("In the shop {site}")),
                FieldPanel("name"),
                Sentence(
                    gettext_lazy("From {starts_at} to {ends_at}"),
                    help_text=gettext_lazy("Nepal time; ends at this minute."),
                ),
                Sentence(
                    gettext_lazy(
                        "Products earn {multiplier} times the points, and an order earns {addition} bonus points."
                    ),
                    help_text=gettext_lazy("One of the two is enough. 1 times and 0 points change nothing."),
                ),
            ],
            heading=gettext_lazy("Campaign"),
            icon="calendar-alt",
        ),
        MultiFieldPanel(
            [
                Sentence(
                    "{tags}",
                    help_text=gettext_lazy("None selected: all products. Delivery is never included."),
                )
            ],
            heading=gettext_lazy("Categories"),
            icon="folder-open-inverse",
        ),
    ],
    base_form_class=CampaignForm,
)


@cache
def campaign_panels() -> Any:
    """Return the panels bound to the model, once per process."""
    return CAMPAIGN_PANELS.bind_to_model(Campaign)
