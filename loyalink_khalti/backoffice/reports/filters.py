"""What a report may be asked: which days, which site, and what else it says itself. A form alone: nothing filters."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django_filters import ChoiceFilter, DateFromToRangeFilter
from wagtail.admin.filters import DateRangePickerWidget, WagtailFilterSet

from loyalink_khalti.backoffice.sites import site_names
from loyalink_khalti.loyalty import reports as points
from loyalink_khalti.loyalty.models import Entry
from loyalink_khalti.payments import reports as payments

TEST = "test"


class Asked(WagtailFilterSet):
    """The sites, where there are several."""

    def __init__(self, data: Any = None, queryset: Any = None, **more: Any) -> None:
        super().__init__(data, queryset, **more)
        sites = self.sites()
        if len(sites) > 1:
            names = site_names()
            choices = [(key, names.get(key, key)) for key in sites]
            self.filters["site"] = _choice(_("Site"), choices, _("All"))

    def sites(self) -> list[str]:
        return points.sites()

    class Meta:
        model = Entry
        fields: list[str] = []


class AskedOfDays(Asked):
    """Whole days of Kathmandu, the last included."""

    days = DateFromToRangeFilter(label=_("Days"), widget=DateRangePickerWidget)


class AskedOfPayments(Asked):
    """The same of payments, which may have gone to Khalti's test server, where no money moves."""

    def sites(self) -> list[str]:
        return payments.sites()


class AskedOfMoney(AskedOfPayments):
    days = DateFromToRangeFilter(label=_("Days"), widget=DateRangePickerWidget)

    def __init__(self, data: Any = None, queryset: Any = None, **more: Any) -> None:
        super().__init__(data, queryset, **more)
        self.environments = payments.environments()
        if len(self.environments) > 1:
            choices = [(TEST, _("Test: no money moves"))]
            self.filters["environment"] = _choice(_("Khalti's server"), choices, _("Live"))


def _choice(label: Any, choices: Any, otherwise: Any) -> ChoiceFilter:
    return ChoiceFilter(label=label, choices=choices, empty_label=otherwise, widget=forms.RadioSelect)
