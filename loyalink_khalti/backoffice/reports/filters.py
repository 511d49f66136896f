"""The filter forms of the reports: days, site, server. The reports read their values; the forms filter nothing."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django_filters import ChoiceFilter, DateFromToRangeFilter
from wagtail.admin.filters import DateRangePickerWidget, WagtailFilterSet

from loyalink_khalti.loyalty import reports as points
from loyalink_khalti.loyalty.models import Entry
from loyalink_khalti.payments import reports as payments
from loyalink_khalti.staff.sites import site_names

TEST = "test"


class SiteFilters(WagtailFilterSet):
    """The site, where there are several."""

    def __init__(self, data: Any = None, queryset: Any = None, **kwargs: Any) -> None:
        super().__init__(data, queryset, **kwargs)
        sites = self.sites()
        if len(sites) > 1:
            names = site_names()
            choices = [(key, names.get(key, key)) for key in sites]
            self.filters["site"] = _choice_filter(_("Site"), choices, _("All"))

    def sites(self) -> list[str]:
        """Return the site keys to choose from."""
        return points.sites()

    class Meta:
        model = Entry
        fields: list[str] = []


class DayFilters(SiteFilters):
    """Whole days in Nepal, the last one included."""

    days = DateFromToRangeFilter(label=_("Days"), widget=DateRangePickerWidget)


class PaymentFilters(SiteFilters):
    """The sites that take payments."""

    def sites(self) -> list[str]:
        return payments.sites()


class MoneyFilters(PaymentFilters):
    """Days, and Khalti's server where the shop has used both: on the test server no money moves."""

    days = DateFromToRangeFilter(label=_("Days"), widget=DateRangePickerWidget)

    def __init__(self, data: Any = None, queryset: Any = None, **kwargs: Any) -> None:
        super().__init__(data, queryset, **kwargs)
        self.environments = payments.environments()
        if len(self.environments) > 1:
            choices = [(TEST, _("Test: no money moves"))]
            self.filters["environment"] = _choice_filter(_("Khalti's server"), choices, _("Live"))


def _choice_filter(label: Any, choices: Any, empty_label: Any) -> ChoiceFilter:
    return ChoiceFilter(label=label, choices=choices, empty_label=empty_label, widget=forms.RadioSelect)
