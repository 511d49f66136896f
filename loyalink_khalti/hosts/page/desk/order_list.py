"""The list of orders, newest first; searched by number, name, e-mail, phone or one of Khalti's ids."""

from collections.abc import Sequence
from typing import Any

import django_filters
from django.db.models import OuterRef, QuerySet, Subquery
from django.forms import CheckboxSelectMultiple, DateInput
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, TitleColumn

from loyalink_khalti.conf.formats import npr
from loyalink_khalti.hosts.page.models import Order, OrderStatus
from loyalink_khalti.hosts.page.site_settings import SHOP
from loyalink_khalti.money import Paisa, rupees
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.staff.listing import DaysAndSite, Listing
from loyalink_khalti.staff.payment_search import payments_with_id
from loyalink_khalti.staff.sites import site_choices

from . import order_permissions
from .order_labels import METHODS, NOT_PLACED, STATUSES, method_label, order_statuses, with_statuses

_SHOWN_PRODUCTS = 3
"""How many products of an order the list names."""


class StatusColumn(Column):
    """The status of an order, and that it is refunded in part or was a test."""

    cell_template_name = "loyalink_khalti/page/desk/status_cell.html"


class OrderFilters(DaysAndSite, WagtailFilterSet):
    """Status, payment method, days and, where there are several sites, the site."""

    status = django_filters.MultipleChoiceFilter(
        label=_("Status"),
        choices=[(code, status.label) for code, status in STATUSES.items()],
        method="filter_status",
        widget=CheckboxSelectMultiple,
    )
    method = django_filters.MultipleChoiceFilter(
        label=_("Payment method"), choices=list(METHODS.items()), widget=CheckboxSelectMultiple
    )
    since = django_filters.DateFilter(
        label=_("From"), method="filter_since", widget=DateInput(attrs={"type": "date"})
    )  # fmt: skip
    until = django_filters.DateFilter(
        label=_("To"), method="filter_until", widget=DateInput(attrs={"type": "date"})
    )  # fmt: skip
    site = django_filters.ChoiceFilter(label=_("Site"), field_name="site_key", choices=site_choices)

    class Meta:
        model = Order
        fields: list[str] = []

    def filter_status(self, orders: "QuerySet[Order]", _name: str, chosen: Sequence[str]) -> "QuerySet[Order]":
        return orders.filter(with_statuses(chosen)) if chosen else orders


class OrdersView(Listing):
    """The orders that were placed; with the filter, those that await their payment or were never placed."""

    model = Order
    permission = order_permissions.VIEW_ORDERS
    export_permission = order_permissions.EXPORT_ORDERS
    page_title = _("Orders")
    header_icon = "list-ul"
    index_url_name = "loyalink_khalti_page_orders"
    index_results_url_name = "loyalink_khalti_page_orders_results"
    results_template_name = "loyalink_khalti/page/desk/order_results.html"
    verbose_name = _("order")
    verbose_name_plural = _("orders")
    default_ordering = ("-created_at", "-pk")
    is_searchable = True
    filterset_class = OrderFilters
    columns = [
        TitleColumn("number", label=_("Order"), get_url=lambda order: order_url(order.pk), classname="desk-nowrap"),
        Column("created_at", label=_("Created"), accessor=lambda order: order.created_at),
        Column("name", label=_("Customer")),
        Column("products", label=_("Products"), accessor=lambda order: products_text(order, most=_SHOWN_PRODUCTS)),
        Column("total", label=_("To pay"), accessor=lambda order: npr(Paisa(order.total)), classname="w-text-right"),
        Column("method", label=_("Payment method"), accessor=method_label),
        StatusColumn("status", label=_("Status"), accessor=order_statuses),
    ]
    export_filename = "orders"
    export_headings = {
        "created_at": _("Created"), "placed_at": _("Placed"), "number": _("Order"), "status": _("Status"),
        "method": _("Payment method"), "name": _("Customer"), "email": _("E-mail"), "phone": _("Phone"),
        "delivery_title": _("Delivery"), "address": _("Address"), "note": _("The customer's note"),
        "products": _("Products"), "subtotal": _("Subtotal (Rs)"), "shipping": _("Delivery charge (Rs)"),
        "points_value": _("Points used (Rs)"), "total": _("To pay (Rs)"), "paid": _("Paid (Rs)"),
        "refunded": _("Refunded (Rs)"), "transaction_id": _("Khalti's transaction"), "is_test": _("Test"),
        "site_key": _("Site"),
    }  # fmt: skip
    list_export = list(export_headings)
    _amounts = frozenset({"subtotal", "shipping", "points_value", "total", "paid", "refunded"})

    def get_base_queryset(self) -> "QuerySet[Order]":
        orders = Order.objects.prefetch_related("lines")
        return orders.annotate(transaction_id=_transaction_id()) if self.is_export else orders

    def filter_queryset(self, queryset: "QuerySet[Order]") -> "QuerySet[Order]":
        """Leave out what was not placed, unless a status is chosen."""
        found: QuerySet[Order] = super().filter_queryset(queryset)
        is_chosen = self.filters.is_valid() and self.filters.form.cleaned_data.get("status")
        return found if is_chosen else found.filter(placed_at__isnull=False)

    def search_queryset(self, queryset: "QuerySet[Order]") -> "QuerySet[Order]":
        """Search by one of Khalti's ids, pasted whole, or by the beginnings of words."""
        query = self.search_query.strip()
        if not query:
            return queryset
        purchases = Purchase.objects.filter(shop=SHOP)
        if exact := payments_with_id(query):
            purchases = purchases.filter(payments__in=exact)
        else:
            purchases = purchases.filter(search_text__matches=query)
        return queryset.filter(number__in=purchases.values("ref"))

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        return {**context, "not_placed_url": self._not_placed_url()}

    def _not_placed_url(self) -> str:
        """Return the URL of the same search among orders that were not placed; "" where they are searched already."""
        if not self.is_searching or self.is_filtering:
            return ""
        query = self.request.GET.copy()
        query.setlist("status", [OrderStatus.HELD.value, NOT_PLACED])
        return f"{reverse(self.index_url_name)}?{query.urlencode()}"

    def to_row_dict(self, order: Any) -> Any:
        computed = {
            "status": ", ".join(str(status.label) for status in order_statuses(order)),
            "method": method_label(order),
            "products": products_text(order),
            "site_key": self.site_names.get(order.site_key, order.site_key),
        }
        row = {name: computed[name] if name in computed else getattr(order, name) for name in self.list_export}
        return {name: rupees(Paisa(value)) if name in self._amounts else value for name, value in row.items()}


def order_url(pk: int) -> str:
    """Return the URL of an order's page."""
    return reverse("loyalink_khalti_page_order", args=[pk])


def products_text(order: Order, *, most: int | None = None) -> str:
    """Return the products of an order with their quantities, at most ``most`` of them."""
    lines = list(order.lines.all())
    named = [f"{line.quantity} × {line.title}{f' ({line.options})' if line.options else ''}" for line in lines[:most]]
    return ", ".join([*named, *(["…"] if len(lines) > len(named) else [])])


def _transaction_id() -> Subquery:
    payments = Payment.objects.filter(
        purchase__shop=SHOP, purchase__ref=OuterRef("number"), transaction_id__isnull=False
    )
    return Subquery(payments.order_by("-fulfilled_at", "-pk").values("transaction_id")[:1])
