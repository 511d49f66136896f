"""The filters of the list of orders and payments."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.forms import CheckboxSelectMultiple, DateInput, RadioSelect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from wagtail.admin.active_filters import BaseFilterAdapter, filter_adapter_class_registry
from wagtail.admin.filters import WagtailFilterSet

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import Environment
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.loyalty.program import ProgramVersion
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of, midnight, midnight_after
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.staff.fields import RupeesField
from loyalink_khalti.staff.listing import DaysAndSite
from loyalink_khalti.staff.sites import site_choices

from . import conditions, periods
from .labels import EARLIER_STATES, METHODS, ORDER_STATUSES


class RupeesFilter(django_filters.Filter):
    """An amount that is typed in rupees and compared in paisa."""

    field_class = RupeesField


class RupeesFilterAdapter(BaseFilterAdapter):
    """Above the list the amount stands as it was meant, not in paisa."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.value = npr(Paisa(self.value))


filter_adapter_class_registry.register(RupeesFilter, RupeesFilterAdapter)


class OrderFilters(DaysAndSite, WagtailFilterSet):
    """Period, days, amount, method, state, tier, server, site; links to the earlier list of payments filter, too."""

    period = django_filters.ChoiceFilter(
        label=_("Period"), method="filter_period", widget=RadioSelect, empty_label=_("All")
    )
    since = django_filters.DateFilter(
        label=_("From"), method="filter_since", widget=DateInput(attrs={"type": "date"})
    )  # fmt: skip
    until = django_filters.DateFilter(
        label=_("To"), method="filter_until", widget=DateInput(attrs={"type": "date"})
    )  # fmt: skip
    amount_from = RupeesFilter(label=_("At least, in rupees"), field_name="amount_due", lookup_expr="gte")
    amount_to = RupeesFilter(label=_("At most, in rupees"), field_name="amount_due", lookup_expr="lte")
    method = django_filters.MultipleChoiceFilter(
        label=_("Payment method"), choices=list(METHODS.items()), distinct=False, widget=CheckboxSelectMultiple
    )
    state = django_filters.MultipleChoiceFilter(
        label=_("Status"),
        choices=[(state.value, status.label) for state, status in ORDER_STATUSES.items()],
        method="filter_state",
        widget=CheckboxSelectMultiple,
    )
    needs_review = django_filters.BooleanFilter(label=_("Needs review"), method="filter_needs_review")
    tier = django_filters.MultipleChoiceFilter(
        label=_("Tier"), method="filter_tier", widget=CheckboxSelectMultiple
    )  # fmt: skip
    environment = django_filters.ChoiceFilter(
        label=_("Khalti's server"), choices=Environment.choices, method="filter_environment"
    )
    site = django_filters.ChoiceFilter(label=_("Site"), field_name="site_key", choices=site_choices)

    class Meta:
        model = Purchase
        fields: list[str] = []

    def __init__(self, data: Any = None, *args: Any, versions: Sequence[ProgramVersion] = (), **kwargs: Any) -> None:
        super().__init__(_with_states_of_today(data), *args, **kwargs)
        self.versions = versions
        self.today: date = day_of(timezone.now())
        period = self.filters["period"].extra
        period["choices"] = periods.choices(self.today)
        period["help_text"] = periods.missing_reason(self.today)
        if versions:
            self.filters["tier"].extra["choices"] = _tier_choices(versions)
        else:
            del self.filters["tier"]

    def filter_period(self, rows: "QuerySet[Purchase]", _name: str, name: str) -> "QuerySet[Purchase]":
        days = periods.days_of(periods.Period(name), self.today)
        return rows.filter(created_at__gte=midnight(days.first), created_at__lt=midnight_after(days.last))

    def filter_state(self, rows: "QuerySet[Purchase]", _name: str, chosen: Sequence[str]) -> "QuerySet[Purchase]":
        return rows.filter(flow.in_states([flow.ReceiptState(state) for state in chosen])) if chosen else rows

    def filter_needs_review(self, rows: "QuerySet[Purchase]", _name: str, wanted: bool) -> "QuerySet[Purchase]":
        return rows.filter(conditions.to_review()) if wanted else rows.exclude(conditions.to_review())

    def filter_tier(self, rows: "QuerySet[Purchase]", _name: str, chosen: Sequence[str]) -> "QuerySet[Purchase]":
        return rows.filter(conditions.in_tiers(chosen, self.versions)) if chosen else rows

    def filter_environment(self, rows: "QuerySet[Purchase]", _name: str, chosen: str) -> "QuerySet[Purchase]":
        return rows.filter(conditions.on_server(chosen))


def _tier_choices(versions: Sequence[ProgramVersion]) -> list[tuple[str, Any]]:
    """Return the tiers of all sites by name, and the customers without an account."""
    names = dict.fromkeys(tier.name for version in versions for tier in version.rules.tiers)
    return [*((name, _(name)) for name in names), (conditions.GUEST, _("guest"))]


def _with_states_of_today(data: Any) -> Any:
    """Return the filters of a URL with the states of the earlier list of payments as those of orders."""
    if data is None or not set(data.getlist("state")) & EARLIER_STATES.keys():
        return data
    data = data.copy()
    states = [new for each in data.getlist("state") for new in EARLIER_STATES.get(each, (each,))]
    data.setlist("state", list(dict.fromkeys(str(state) for state in states)))
    return data
