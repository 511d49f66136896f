"""Takings: what came in on each day, by payment method, and what should arrive at the bank and lie in the drawer."""

from collections.abc import Sequence
from datetime import date, timedelta

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from loyalink_khalti import conf
from loyalink_khalti.nepal import add_months, first_of_month, last_of_month
from loyalink_khalti.payments import takings
from loyalink_khalti.payments.takings import Taking
from loyalink_khalti.staff import permissions

from .base import Figure, Report
from .charts import Series, bar_chart
from .columns import (
    DayColumn,
    LabelColumn,
    MoneyColumn,
    ReportColumn,
    ReportTable,
    format_day,
    format_money,
    format_number,
    link,
)
from .filters import MoneyFilters
from .settlement import SettlementReport

WEEKS = ((1, 7), (8, 14), (15, 21), (22, 31))
"""The days of a month by which the chart compares it with the one before."""


class TakingsReport(Report):
    reads_replica = True
    page_title = _("Takings")
    header_icon = "loyalink-rupee"
    permission, export_permission = permissions.VIEW_PAYMENTS, permissions.EXPORT_PAYMENTS
    index_url_name = "loyalink_khalti_report_takings"
    index_results_url_name = "loyalink_khalti_report_takings_results"
    export_filename = "takings"
    filterset_class = MoneyFilters
    description = _(
        "All money of each day in Nepal time, by payment method: payments by Khalti on the day on which they were"
        " paid, cash and transfers on the day on which they arrived, sales and refunds at the counter on the day on"
        " which they were recorded, other refunds on the day on which they were made. Net is what was received, less"
        " fees and refunds. What was paid with points is no money and is not in the sums."
    )
    empty_message = _(
        "No money came in or went out on these days. Choose earlier days in the filters, or record received money on"
        " the page of an order."
    )
    columns: Sequence[ReportColumn] = (
        DayColumn("day", _("Day")),
        ReportColumn("method", _("Payment method"), read=lambda row: row.method.label if row.method else None),
        MoneyColumn("received", _("Received"), heading=_("Received (Rs)")),
        MoneyColumn("fees", _("Fees"), heading=_("Fees (Rs)")),
        MoneyColumn("refunded", _("Refunded"), heading=_("Refunded (Rs)")),
        MoneyColumn("net", _("Net"), heading=_("Net (Rs)")),
    )

    @cached_property
    def environment(self) -> str | None:
        """The chosen environment of Khalti's, or the one that takings count."""
        if self.filter_values.get("environment"):
            return str(self.filter_values["environment"])
        used: list[str] = self.filters.environments
        return conf.LIVE if conf.LIVE in used else next(iter(used), None)

    @cached_property
    def rows(self) -> list[Taking]:
        since, until = self.days
        return [row for row in self._with_months if row.day is not None and since <= row.day <= until]

    @cached_property
    def _months(self) -> tuple[date, date]:
        """The first days of the month of the report's end, and of the one before."""
        this = first_of_month(self.days[1])
        return this, add_months(this, -1)

    @cached_property
    def _with_months(self) -> list[Taking]:
        """The days of the report and, for the chart, all of two months: read at once."""
        (since, _until), (this, before) = self.days, self._months
        if self.is_export:
            before, this = since, self.days[1]
        return takings.takings(
            since=min(since, before), until=max(self.days[1], min(last_of_month(this), self.today)),
            site_key=self.site_key, environment=self.environment,
            with_received=self.filter_values.get("environment") != conf.TEST,
        )  # fmt: skip

    def default_since(self) -> date:
        return first_of_month(self.today)

    @cached_property
    def totals(self) -> Taking:
        return takings.total(self.rows)

    @property
    def figures(self) -> list[Figure]:
        since, until = self.days
        placed = takings.placed_orders(since=since, until=until, site_key=self.site_key)
        number = ngettext("%(number)s order placed", "%(number)s orders placed", placed.orders)
        return [
            Figure(label=_("Received"), value=format_money(self.totals.received)),
            Figure(label=_("Fees"), value=format_money(self.totals.fees)),
            Figure(label=_("Refunded"), value=format_money(self.totals.refunded)),
            Figure(label=_("Net"), value=format_money(self.totals.net)),
            Figure(
                label=_("Expected at the bank"),
                value=format_money(takings.at_the_bank(self.rows)),
                note=_("from Khalti, transfers and cards, net"),
            ),
            Figure(label=_("Cash"), value=format_money(takings.cash(self.rows)), note=_("in the drawer, net")),
            Figure(
                label=_("Paid with points"),
                value=format_money(placed.points_value),
                note=number % {"number": format_number(placed.orders)},
            ),
        ]

    @property
    def warning(self) -> str:
        parts: list[str] = []
        if self.environment == conf.TEST:
            parts.append(gettext("Payments by Khalti went to its test server: no money has moved."))
        without_fee = self._without_fee
        if without_fee:
            text = ngettext(
                "Khalti has not reported the fee of %(number)s payment: less will arrive at the bank.",
                "Khalti has not reported the fee of %(number)s payments: less will arrive at the bank.",
                without_fee,
            )
            parts.append(text % {"number": format_number(without_fee)})
        if parts:
            parts.append(link(reverse(SettlementReport.index_url_name), SettlementReport.page_title))
        return format_html_join(" ", "{}", ((part,) for part in parts))

    @cached_property
    def _without_fee(self) -> int:
        since, until = self.days
        return takings.payments_without_fee(
            since=since, until=until, site_key=self.site_key, environment=self.environment
        )  # fmt: skip

    @property
    def chart_table(self) -> ReportTable:
        """The sums of each method."""
        columns = [
            LabelColumn("method", _("Payment method"), read=lambda row: row.method.label),
            *self.columns[2:],
        ]
        return ReportTable(columns, takings.by_method(self.rows), caption=gettext("Totals by payment method"))

    @property
    def chart(self) -> SafeString:
        """This month against the one before, week by week."""
        series = [
            Series(name=format_month(month), values=[max(_net(self._with_months, month, *week), 0) for week in WEEKS])
            for month in self._months
        ]
        labels = [gettext("Days %(first)s to %(last)s") % {"first": first, "last": last} for first, last in WEEKS]
        return bar_chart("takings", gettext("Net of the month and of the one before"), labels, series, format_money)


def format_month(month: date) -> str:
    """Return the days of a month in words."""
    return f"{format_day(month)} – {format_day(last_of_month(month))}"


def _net(rows: Sequence[Taking], month: date, first: int, last: int) -> int:
    days = {month + timedelta(days=day - 1) for day in range(first, min(last, last_of_month(month).day) + 1)}
    return takings.total(row for row in rows if row.day in days).net
