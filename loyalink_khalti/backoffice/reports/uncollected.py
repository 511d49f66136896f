"""Who orders cash on delivery and does not take it: orders that were cancelled unpaid, by customer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalink_khalti import flow
from loyalink_khalti.backoffice.links import order_page_url
from loyalink_khalti.staff import permissions

from .base import Figure, Report
from .columns import (
    LabelColumn,
    MoneyColumn,
    NumberColumn,
    ReportColumn,
    TimeColumn,
    format_money,
    format_number,
    link,
)
from .filters import DayFilters

PERIOD = timedelta(days=365)
"""The days of the report if none are chosen."""
SHOWN = 5
"""How many orders of a customer the page links to; the spreadsheet names all."""


class UncollectedFilters(DayFilters):
    """Whole days in Nepal, and the site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A customer as staff read it."""

    customer: flow.UncollectedCustomer
    collected: int

    def contact(self, field: str) -> str:
        """Return ``name``, ``email`` or ``phone`` of the newest order."""
        return str((self.customer.newest.cart.get("customer") or {}).get(field) or "")

    @property
    def number(self) -> int:
        return len(self.customer.orders)

    @property
    def amount(self) -> int:
        return self.customer.amount

    @property
    def newest_at(self) -> datetime:
        return self.customer.newest.created_at


class CustomerColumn(LabelColumn):
    """The name, linked to all orders with the customer's phone number or address."""

    def get_value(self, instance: Any) -> Any:
        query = instance.contact("phone") or instance.contact("email")
        url = f"{reverse('loyalink_khalti_payments')}?{urlencode({'q': query})}" if query else ""
        return link(url, self._read(instance) or query or "–")


class OrdersColumn(ReportColumn):
    """The orders, each linked to its page."""

    cell_template_name: Any = "loyalink_khalti/backoffice/reports/orders_cell.html"

    def get_value(self, instance: Row) -> Any:
        shown = instance.customer.orders[:SHOWN]
        links = [{"url": order_page_url(each.pk), "name": each.number or each.ref} for each in shown]
        return {"links": links, "more": instance.number - len(links)}

    def get_export_value(self, row: Row) -> Any:
        return ", ".join(each.number or each.ref for each in row.customer.orders)


class UncollectedReport(Report):
    page_title = _("Cash on delivery not taken")
    header_icon = "cross"
    permission, export_permission = permissions.VIEW_PAYMENTS, permissions.EXPORT_PAYMENTS
    reads_replica = True
    index_url_name = "loyalink_khalti_report_uncollected"
    index_results_url_name = "loyalink_khalti_report_uncollected_results"
    export_filename = "cash-on-delivery-not-taken"
    filterset_class = UncollectedFilters
    description = _(
        "Customers whose orders by cash on delivery were cancelled before any money arrived, in these days. Orders are"
        " one customer's if they share the member, the phone number or the e-mail address. An order that was cancelled"
        " for another reason counts, too: look at its notes before you judge."
    )
    empty_message = _("No order by cash on delivery was cancelled unpaid in these days.")
    columns = (
        CustomerColumn("customer", _("Customer"), read=lambda row: row.contact("name")),
        ReportColumn("phone", _("Phone"), read=lambda row: row.contact("phone")),
        ReportColumn("email", _("E-mail"), read=lambda row: row.contact("email")),
        NumberColumn("number", _("Not taken")),
        NumberColumn("collected", _("Taken and paid")),
        MoneyColumn("amount", _("Value"), heading=_("Value (Rs)")),
        TimeColumn("newest_at", _("Newest")),
        OrdersColumn("orders", _("Orders")),
    )

    @cached_property
    def rows(self) -> list[flow.UncollectedCustomer]:
        since, until = self.days
        return flow.uncollected_customers(since=since, until=until, site_key=self.site_key)

    def default_since(self) -> date:
        return self.today - PERIOD

    def prepare(self, rows: Iterable[flow.UncollectedCustomer]) -> Sequence[Row]:
        customers = list(rows)
        collected = flow.collected_of(customers)
        return [Row(customer=each, collected=collected[each.newest.pk]) for each in customers]

    def export_rows(self) -> Iterable[Row]:
        for start in range(0, len(self.rows), self.paginate_by):
            yield from self.prepare(self.rows[start : start + self.paginate_by])

    @property
    def figures(self) -> list[Figure]:
        rows = self.rows
        repeated = sum(1 for each in rows if len(each.orders) > 1)
        return [
            Figure(label=gettext("Customers"), value=format_number(len(rows))),
            Figure(label=gettext("More than once"), value=format_number(repeated)),
            Figure(
                label=gettext("Orders not taken"),
                value=format_number(sum(len(each.orders) for each in rows)),
                note=format_money(sum(each.amount for each in rows)),
            ),
        ]
