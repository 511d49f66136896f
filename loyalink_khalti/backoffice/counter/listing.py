"""The list of counter sales, with its filters and export."""

from decimal import Decimal
from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, TitleColumn
from wagtail.admin.widgets import AdminDateInput
from wagtail.admin.widgets.button import HeaderButton

from loyalink_khalti import flow
from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa, rupees
from loyalink_khalti.nepal import midnight, midnight_after, nepali_mobile
from loyalink_khalti.payments.counter_sales import CounterMethod, CounterSale
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.links import counter_sale_url as sale_url
from loyalink_khalti.staff.listing import Listing, clamp_day
from loyalink_khalti.staff.sites import has_several_sites, site_choices

UNCLAIMED = "unclaimed"


class CounterSalesFilterSet(WagtailFilterSet):
    """Filter by days, by how a bill was paid and, where there are several sites, by site."""

    since = django_filters.DateFilter(label=_("From"), method="filter_since", widget=AdminDateInput)
    until = django_filters.DateFilter(label=_("To"), method="filter_until", widget=AdminDateInput)
    method = django_filters.ChoiceFilter(
        label=_("Paid by"), choices=CounterMethod.choices, widget=forms.RadioSelect, empty_label=_("All")
    )
    points = django_filters.MultipleChoiceFilter(
        label=_("Points"),
        choices=[(UNCLAIMED, _("Points not claimed yet"))],
        method="filter_unclaimed",
        widget=forms.CheckboxSelectMultiple,
    )
    site = django_filters.ChoiceFilter(
        label=_("Site"), field_name="site_key", choices=site_choices, widget=forms.RadioSelect, empty_label=_("All")
    )

    class Meta:
        model = CounterSale
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_several_sites():
            del self.filters["site"]

    def filter_since(self, sales: "QuerySet[CounterSale]", _name: str, day: Any) -> "QuerySet[CounterSale]":
        return sales.filter(sold_at__gte=midnight(clamp_day(day)))

    def filter_until(self, sales: "QuerySet[CounterSale]", _name: str, day: Any) -> "QuerySet[CounterSale]":
        return sales.filter(sold_at__lt=midnight_after(clamp_day(day)))

    def filter_unclaimed(self, sales: "QuerySet[CounterSale]", _name: str, chosen: Any) -> "QuerySet[CounterSale]":
        return sales.filter(member_id=None, claimed_by=None) if UNCLAIMED in chosen else sales


class CounterSalesView(Listing):
    """List counter sales, the newest first; search by the number of a bill, an address or a mobile number."""

    permission = permissions.USE_COUNTER
    export_permission = permissions.EXPORT_PAYMENTS
    model = CounterSale
    page_title = _("Counter sales")
    header_icon = "pick"
    index_url_name = "loyalink_khalti_counter_sales"
    index_results_url_name = "loyalink_khalti_counter_sales_results"
    verbose_name = _("counter sale")
    verbose_name_plural = _("counter sales")
    default_ordering = ("-sold_at", "-pk")
    is_searchable = True
    filterset_class = CounterSalesFilterSet
    columns = [
        TitleColumn("bill_number", label=_("Bill"), width="110", get_url=lambda sale: sale_url(sale.pk)),
        Column("sold_at", label=_("Recorded"), accessor=lambda sale: formats.moment(sale.sold_at)),
        Column("customer", label=_("Customer")),
        Column("amount", label=_("Amount"), accessor=lambda sale: npr(sale.amount), classname="w-text-right"),
        Column("earned", label=_("Points given"), accessor=lambda sale: formats.number(sale.points_earned)),
        Column(
            "redeemed",
            label=_("Points used"),
            accessor=lambda sale: formats.number(sale.points_redeemed) if sale.points_redeemed else "",
        ),
        Column(
            "refunded",
            label=_("Refunded"),
            accessor=lambda sale: npr(sale.refunded) if sale.refunded else "",
            classname="w-text-right",
        ),
        Column("colleague", label=_("Colleague")),
    ]
    export_filename = "counter-sales"
    export_headings = {
        "bill_number": _("Bill"), "bill_day": _("Day of the bill"), "sold_at": _("Recorded"),
        "customer": _("Customer"), "amount_rupees": _("Amount (Rs)"),
        "points_value_rupees": _("Paid with points (Rs)"),
        "due_rupees": _("Paid (Rs)"), "method_label": _("Paid by"), "refunded_rupees": _("Refunded (Rs)"),
        "points_earned": _("Points given"), "points_redeemed": _("Points used"), "colleague": _("Colleague"),
        "site": _("Site"),
    }  # fmt: skip
    list_export = list(export_headings)

    @cached_property
    def _people(self) -> dict[str, str]:
        """The names that an export has read so far: one query for each person, not for each sale."""
        return {}

    def get_base_queryset(self) -> "QuerySet[CounterSale]":
        return CounterSale.objects.all()

    def search_queryset(self, queryset: "QuerySet[CounterSale]") -> "QuerySet[CounterSale]":
        """Search whole values, each by an index: a bill, an address, a mobile number."""
        typed = self.search_query.strip()
        if not typed:
            return queryset
        number = flow.bill_number_of(typed)
        found = Q(bill_number__in={number, typed}) | Q(email=typed.lower()) | Q(email=typed)
        users = flow.find_members([typed]).get(typed, []) if "@" in typed else []
        if users:
            found |= Q(member_id__in=users) | Q(claimed_by__in=users)
        if phone := nepali_mobile(typed):
            found |= Q(phone=phone)
        return queryset.filter(found)

    def get_header_buttons(self) -> list[Any]:
        url = reverse("loyalink_khalti_counter")
        return [HeaderButton(_("New sale"), url=url, icon_name="plus"), *super().get_header_buttons()]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        if not self.is_export:
            sales = context["object_list"]
            people = _people_of(list(sales))
            for sale in sales:
                _name(sale, people)
        return context

    def to_row_dict(self, sale: CounterSale) -> Any:
        if not {sale.actor, sale.earner} - {None} <= self._people.keys():
            self._people |= _people_of([sale])
        _name(sale, self._people)
        computed: dict[str, Any] = {
            "amount_rupees": _rupees(sale.amount), "points_value_rupees": _rupees(sale.points_value),
            "due_rupees": _rupees(sale.amount_due), "refunded_rupees": _rupees(sale.refunded),
            "method_label": sale.get_method_display(), "site": self.site_names.get(sale.site_key, sale.site_key),
        }  # fmt: skip
        return {name: computed[name] if name in computed else getattr(sale, name) for name in self.list_export}


def _people_of(sales: list[CounterSale]) -> dict[str, str]:
    """Return the names of members and colleagues by their pks, the pk where there is none; one query."""
    pks = {pk for sale in sales for pk in (sale.actor, sale.earner) if pk}
    found = flow.contacts(pks)
    return {pk: str(found.get(pk, "")) or pk for pk in pks}


def _name(sale: Any, people: dict[str, str]) -> None:
    """Give a sale ``customer`` and ``colleague``."""
    sale.customer = people.get(sale.earner, "") or sale.email or sale.phone
    sale.colleague = people[sale.actor]


def _rupees(paisa: int) -> Decimal:
    return rupees(Paisa(paisa))
