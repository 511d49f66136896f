"""Orders and payments: every purchase, newest first, however it is paid; searched, filtered, sorted and exported."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages
from wagtail.admin.ui.tables import BaseColumn, Column, TitleColumn

from loyalink_khalti.backoffice.links import order_page_url
from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.program import ProgramVersion
from loyalink_khalti.money import Paisa, rupees
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.listing import Listing
from loyalink_khalti.staff.payment_search import search_purchases

from . import conditions
from .filters import OrderFilters
from .rows import ExportRows, ListedOrder, OrderRows
from .saved_filters import kept_query, saved_filters

SELECTED, ONLY_SELECTED = "selected", "only_selected"
"""Of the form that exports the rows that are ticked."""
MOST_SELECTED = 1_000


class SelectColumn(BaseColumn):
    """A box to tick, for the export of some rows; Wagtail's own script ticks all of a page."""

    header_template_name = "loyalink_khalti/backoffice/orders/select_header.html"
    cell_template_name: Any = "loyalink_khalti/backoffice/orders/select_cell.html"


class OrderColumn(TitleColumn):
    """The number, linked to the order's page, and how often its customer tried to pay."""

    cell_template_name = "loyalink_khalti/backoffice/orders/order_cell.html"


class CustomerColumn(Column):
    """The customer's name and tier."""

    cell_template_name = "loyalink_khalti/backoffice/orders/customer_cell.html"


class StatusColumn(Column):
    """The state of an order, and whether it needs review."""

    cell_template_name = "loyalink_khalti/backoffice/payments/status_cell.html"


COLUMNS: list[BaseColumn] = [
    OrderColumn(
        "name", label=gettext_lazy("Order"), get_url=lambda order: order_page_url(order.pk), sort_key="number"
    ),
    Column(
        "created_at", label=gettext_lazy("Created"), accessor=lambda order: formats.moment(order.purchase.created_at),
        classname="desk-nowrap",
        sort_key="created_at",
    ),
    CustomerColumn("customer", label=gettext_lazy("Customer")),
    Column("method", label=gettext_lazy("Payment method"), sort_key="method"),
    Column(
        "amount", label=gettext_lazy("To pay"), accessor=lambda order: npr(Paisa(order.purchase.amount_due)),
        classname="w-text-right", sort_key="amount_due",
    ),
    StatusColumn("status", label=gettext_lazy("Status")),
    Column("transaction_id", label=gettext_lazy("Khalti's transaction"), classname="desk-code desk-wide"),
]  # fmt: skip
EXPORT_COLUMNS = {
    "created_at": gettext_lazy("Created"), "placed_at": gettext_lazy("Placed"), "order": gettext_lazy("Order"),
    "method": gettext_lazy("Payment method"), "status": gettext_lazy("Status"), "customer": gettext_lazy("Customer"),
    "email": gettext_lazy("E-mail"), "phone": gettext_lazy("Phone"), "tier": gettext_lazy("Tier"),
    "products": gettext_lazy("Products"), "total_rupees": gettext_lazy("Total (Rs)"),
    "points_used": gettext_lazy("Points used"), "points_rupees": gettext_lazy("Points used (Rs)"),
    "amount_rupees": gettext_lazy("To pay (Rs)"), "received_rupees": gettext_lazy("Received (Rs)"),
    "fee_rupees": gettext_lazy("Khalti's fee (Rs)"), "refunded_rupees": gettext_lazy("Refunded (Rs)"),
    "points_earned": gettext_lazy("Points earned"), "attempts": gettext_lazy("Attempts at Khalti"),
    "transaction_id": gettext_lazy("Khalti's transaction"), "pidx": gettext_lazy("Khalti's pidx"),
    "paid_at": gettext_lazy("Paid at"), "environment": gettext_lazy("Server"), "site_key": gettext_lazy("Site"),
    "needs_review": gettext_lazy("Needs review"),
}  # fmt: skip


class OrdersView(Listing):
    """All purchases, one row for each; the attempts to pay it are on its page."""

    reads_replica = True
    model = Purchase
    permission = permissions.VIEW_PAYMENTS
    export_permission = permissions.EXPORT_PAYMENTS
    page_title = gettext_lazy("Orders and payments")
    header_icon = "loyalink-rupee"
    index_url_name = "loyalink_khalti_payments"
    index_results_url_name = "loyalink_khalti_payments_results"
    results_template_name = "loyalink_khalti/backoffice/orders/results.html"
    verbose_name = gettext_lazy("order")
    verbose_name_plural = gettext_lazy("orders")
    default_ordering = "-created_at"
    is_searchable = True
    filterset_class = OrderFilters
    export_filename = "orders"
    export_headings = EXPORT_COLUMNS
    list_export = list(EXPORT_COLUMNS)

    @cached_property
    def columns(self) -> list[BaseColumn]:  # type: ignore[override]  # Wagtail's is an attribute
        may_export = self.has_permission(self.export_permission)
        return [SelectColumn("select", label=gettext_lazy("Select")), *COLUMNS] if may_export else COLUMNS

    @cached_property
    def versions(self) -> list[ProgramVersion]:
        """The current rules of each site, for the tiers."""
        return ledger.current_versions()

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.is_export and ONLY_SELECTED in request.GET and not self._selected:
            messages.warning(request, _("Tick the orders to export first."))
            return HttpResponseRedirect(self.index_url)
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    @cached_property
    def _selected(self) -> list[int]:
        """The rows that are ticked, by the purchase's pk."""
        typed = self.request.GET.getlist(SELECTED)[:MOST_SELECTED]
        return [int(pk) for pk in typed if pk.isascii() and pk.isdigit() and len(pk) < 19]

    def get_base_queryset(self) -> "QuerySet[Purchase]":
        purchases = Purchase.objects.all()
        return purchases.filter(pk__in=self._selected) if ONLY_SELECTED in self.request.GET else purchases

    def get_filterset_kwargs(self) -> dict[str, Any]:
        return {**super().get_filterset_kwargs(), "versions": self.versions}

    def search_queryset(self, queryset: "QuerySet[Purchase]") -> "QuerySet[Purchase]":
        return search_purchases(queryset, self.search_query) if self.is_searching else queryset

    def order_queryset(self, queryset: "QuerySet[Purchase]") -> "QuerySet[Purchase]":
        return queryset.order_by(*conditions.ORDERINGS[self.ordering])

    def get_table(self, object_list: Any) -> Any:
        return super().get_table(OrderRows(self.versions).of(object_list))

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        if self.is_export:
            return context
        return {
            **context,
            "saved_filters": saved_filters(self.request.user),
            "current_query": kept_query(self.request.GET),
            "results_url": self.index_results_url,
        }

    # Spreadsheet

    def stream_csv(self, queryset: Any) -> Iterator[bytes]:
        return super().stream_csv(ExportRows(queryset, self.versions))

    def write_xlsx(self, queryset: Any, output: Any) -> None:
        super().write_xlsx(ExportRows(queryset, self.versions), output)

    def to_row_dict(self, item: ListedOrder) -> Any:
        purchase, payment = item.purchase, item.row.payment
        fees = [each.fee for each in item.row.payments if each.fee is not None]
        values = {
            "created_at": purchase.created_at,
            "placed_at": purchase.placed_at,
            "order": item.name,
            "method": item.method,
            "status": str(item.status.label),
            "customer": item.customer,
            "email": item.contact("email"),
            "phone": item.contact("phone"),
            "tier": item.tier,
            "products": item.products,
            "total_rupees": _rupees(purchase.total),
            "points_used": purchase.points_redeemed,
            "points_rupees": _rupees(purchase.points_value),
            "amount_rupees": _rupees(purchase.amount_due),
            "received_rupees": _rupees(item.row.received),
            "fee_rupees": _rupees(sum(fees)) if fees else None,
            "refunded_rupees": _rupees(item.row.refunded),
            "points_earned": purchase.earned,
            "attempts": item.attempts,
            "transaction_id": item.transaction_id,
            "pidx": payment.pidx if payment else "",
            "paid_at": (payment.paid_at if payment else None) or purchase.received_at,
            "environment": payment.environment if payment else "",
            "site_key": self.site_names.get(purchase.site_key, purchase.site_key),
            "needs_review": item.needs_review,
        }
        return {name: values[name] for name in self.list_export}


def _rupees(paisa: int) -> Decimal:
    return rupees(Paisa(paisa))
