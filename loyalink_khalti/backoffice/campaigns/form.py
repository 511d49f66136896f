"""The form of a campaign, as sentences, and its worked example."""

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

from loyalink_khalti.backoffice.categories import known
from loyalink_khalti.backoffice.example import Example, ExampleForm, WithExample, typed
from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.backoffice.sentence import Sentence
from loyalink_khalti.loyalty import programmes
from loyalink_khalti.loyalty.example import order_of
from loyalink_khalti.loyalty.expiry import KATHMANDU
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa
from loyalink_khalti.staff.fields import FactorField, WholeField

from .rows import made_by_code, mark, others, rule
from .sites import editable
from .words import categories, gives, moment, overlaps, period

MOST_TIMES = 100
FIRST_YEAR, LAST_YEAR = 2000, 2100
OTHER = "-"
"""The choice of goods in no category."""


class TimesField(FactorField):
    """A multiplier of two decimals, as its column keeps it."""

    def clean(self, value: Any) -> Any:
        factor = super().clean(value)
        if factor is None:
            return Decimal(1)
        if factor * 100 % 1:
            raise ValidationError(_("Two decimals and no more, 1.25 say."))
        if factor > MOST_TIMES:
            raise ValidationError(_("At most %(most)s times.") % {"most": MOST_TIMES})
        return Decimal(int(factor * 100)).scaleb(-2)


class NepalTimeField(forms.DateTimeField):
    """A moment by the clocks of Nepal, whatever zone the editor's profile has."""

    widget = AdminDateTimeInput

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(KATHMANDU):
            at = super().to_python(value)
        if at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR:
            words = {"first": FIRST_YEAR, "last": LAST_YEAR}
            raise ValidationError(_("Choose a day in the years %(first)s to %(last)s.") % words)
        return at

    def prepare_value(self, value: Any) -> Any:
        with timezone.override(KATHMANDU):
            return super().prepare_value(value)


class CampaignExampleForm(ExampleForm):
    """An order to try a campaign on."""

    example_tag = forms.ChoiceField(label=gettext_lazy("Category of the example"), required=False)
    example_at = NepalTimeField(
        label=gettext_lazy("When it is placed"),
        required=False,
        widget=AdminDateTimeInput(attrs={"placeholder": gettext_lazy("as soon as it runs")}),
    )
    sentence = gettext_lazy("An order of Rs {example_order} of {example_tag} placed on {example_at}")

    def __init__(self, *args: Any, tags: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("its goods")), (OTHER, _("other goods")), *tags.items()]
        self.fields["example_tag"].choices = choices  # type: ignore[attr-defined]  # it has them


class CampaignForm(WagtailAdminModelForm):
    """One campaign of a site."""

    site = forms.ChoiceField(label=gettext_lazy("Site"))
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=80, error_messages={"required": gettext_lazy("Give it a name.")}
    )
    starts_at = NepalTimeField(label=gettext_lazy("From"))
    ends_at = NepalTimeField(label=gettext_lazy("To"))
    multiplier = TimesField(label=gettext_lazy("Times the points"), required=False, least=Fraction(1))
    addition = WholeField(label=gettext_lazy("Points added to an order"), required=False)
    tags = forms.MultipleChoiceField(
        label=gettext_lazy("Categories"), required=False, widget=forms.CheckboxSelectMultiple
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    """What was stored when it was shown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen"] = mark(self.instance) if self.instance.pk else ""
        self.names = known(self.instance.tags)
        self.fields["tags"].choices = list(self.names.items())  # type: ignore[attr-defined]  # it has them
        self.sites = editable(self.for_user)
        if self.instance.pk or len(self.sites) < 2:
            del self.fields["site"]
            self.instance.site_key = self.instance.site_key if self.instance.pk else next(iter(self.sites))
        else:
            self.fields["site"].choices = list(self.sites.items())  # type: ignore[attr-defined]  # it has them

    def clean_addition(self) -> int:
        return int(self.cleaned_data["addition"] or 0)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self.instance.site_key = cleaned.get("site") or self.instance.site_key
        for name, words in (*self._times(cleaned), *self._gift(cleaned), *self._names(cleaned)):
            self.add_error(name, words)
        return cleaned

    def _times(self, cleaned: dict[str, Any]) -> Any:
        starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
        if starts_at and ends_at and ends_at <= starts_at:
            yield "ends_at", _("It ends before it begins.")
        elif ends_at and ends_at <= timezone.now():
            yield "ends_at", _("This is over already: nobody would have anything of it.")

    def _gift(self, cleaned: dict[str, Any]) -> Any:
        times, added = cleaned.get("multiplier"), cleaned.get("addition")
        if times is not None and added is not None and times <= 1 and not added:
            yield "multiplier", _("This gives nothing more: multiply points by more than 1, or add some to an order.")

    def _names(self, cleaned: dict[str, Any]) -> Any:
        same = Campaign.objects.filter(site_key=self.instance.site_key, name=cleaned.get("name", ""))
        if same.exclude(pk=self.instance.pk).exists():
            yield "name", _("There is a campaign of this name already.")
        elif "site" not in self.errors and cleaned.get("name") in made_by_code(self.instance.site_key):
            yield "name", _("A campaign of this name that was not made here is in the rules. Take another name.")

    # What somebody else has done since

    def refuse_name(self) -> None:
        """After ``NameTaken``: say by what."""
        for name, words in self._names(self.cleaned_data):
            self.add_error(name, words)

    def look_again(self, now: Campaign) -> None:
        """After ``Outrun``: say what is stored now; the second time this is meant."""
        self.data: Any = self.data.copy()
        self.data["seen"] = mark(now)
        what = {"name": now.name, "period": period(now), "gives": gives(now), "tags": categories(now, self.names)}
        text = (
            _("Somebody else has changed this campaign meanwhile: “%(name)s”, %(period)s, %(gives)s, %(tags)s.") % what
        )
        again = _("What you typed is still here: look at it again, and save again if it is to hold instead.")
        self.add_error(None, f"{text} {again}")

    # What follows from it

    def example(self) -> Example:
        """What an order would earn with this campaign, and what without it."""
        right = self.is_valid() if self.is_bound else bool(self.instance.pk)
        form = typed(self.data if self.is_bound else None, CampaignExampleForm, tags=self.names)
        order = form.order()
        context: dict[str, Any] = {"complaints": self._complaints(), "is_new": not right and not self.is_bound}
        if right and order:
            context |= self._compared(form, order) | {"overlaps": overlaps(others(self.instance))}
        pk = (self.instance.pk,) if self.instance.pk else ()
        return Example(
            url=reverse("loyalink_khalti_campaign_example", args=pk),
            form=form,
            context=context,
            template="loyalink_khalti/backoffice/example_campaign.html",
            heading=_("Try it on an order"),
        )

    def _complaints(self) -> list[str]:
        return [
            f"{self.fields[name].label}: {error}" if name in self.fields else str(error)
            for name, found in self.errors.items()
            for error in found
        ]

    def _compared(self, form: ExampleForm, order: Paisa) -> dict[str, Any]:
        at = form.cleaned_data["example_at"] or max(self.instance.starts_at, timezone.now())
        bought = order_of(order, at=at, tags=self._goods(form.cleaned_data["example_tag"]))
        plain = programmes.current(self.instance.site_key).rules
        names = {self.instance.name, *Campaign.objects.filter(pk=self.instance.pk).values_list("name", flat=True)}
        without = replace(plain, campaigns=tuple(one for one in plain.campaigns if one.name not in names))
        with_it = replace(without, campaigns=(*without.campaigns, rule(self.instance)))
        earned, usual = (_points(rules, bought) for rules in (with_it, without))
        return {"earned": earned, "usual": usual, "more": earned - usual, "rules": plain, "at": moment(at)}

    def _goods(self, tag: str) -> tuple[str, ...]:
        """The tags of the example's goods; those of the campaign where none are chosen."""
        if tag == OTHER:
            return ()
        return (tag,) if tag else tuple(self.instance.tags[:1])


def _points(rules: Rules, bought: Any) -> int:
    return int(bought.earns(rules, tier="", first=False).points)


PANELS = WithExample(
    [
        MultiFieldPanel(
            [
                Sentence(gettext_lazy("In the shop {site}")),
                FieldPanel("name"),
                Sentence(
                    gettext_lazy("From {starts_at} to {ends_at}"),
                    help_text=gettext_lazy("By the clocks of Nepal; the end is the first minute without it."),
                ),
                Sentence(
                    gettext_lazy(
                        "Goods earn {multiplier} times the points, and an order gets {addition} points more."
                    ),
                    help_text=gettext_lazy("One of the two is enough: 1 times and 0 points are as usual."),
                ),
            ],
            heading=gettext_lazy("Campaign"),
            icon="calendar-alt",
        ),
        MultiFieldPanel(
            [
                Sentence(
                    gettext_lazy("It is for goods in {tags}"),
                    help_text=gettext_lazy("None chosen: for all goods, delivery never."),
                )
            ],
            heading=gettext_lazy("Categories"),
            icon="folder-open-inverse",
        ),
    ],
    base_form_class=CampaignForm,
)


@cache
def panels() -> Any:
    """The panels as Campaign has them."""
    return PANELS.bind_to_model(Campaign)
