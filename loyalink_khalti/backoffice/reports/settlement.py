"""What Khalti captured, charged and refunded, by day."""

from datetime import date

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from loyalink_khalti import conf
from loyalink_khalti.payments import received, reports
from loyalink_khalti.payments.without_order import MoneyWithoutOrder
from loyalink_khalti.staff import permissions

from .base import Figure, Report
from .charts import Series, bar_chart
from .columns import DayColumn, MoneyColumn, NumberColumn, format_day, format_money, format_number, link
from .filters import MoneyFilters
from .review import ReviewReport

BARS = 14


class SettlementReport(Report):
    reads_replica = True
    page_title = _("Settlement by day")
    header_icon = "calendar"
    permission, export_permission = permissions.VIEW_PAYMENTS, permissions.EXPORT_PAYMENTS
    index_url_name = "loyalink_khalti_report_settlement"
    index_results_url_name = "loyalink_khalti_report_settlement_results"
    export_filename = "settlement-by-day"
    filterset_class = MoneyFilters
    description = _(
        "Payments on the day on which they were paid, and refunds on the day on which they were made, in Nepal time."
        " Compare it with Khalti's statement, which has all but what was received and refunded outside Khalti."
    )
    empty_message = _(
        "No money was captured or refunded on these days. Each day with payments is listed here with captured amount,"
        " fees and refunds; choose earlier days in the filters."
    )
    columns = (
        DayColumn("day", _("Day")),
        NumberColumn("payments", _("Payments")),
        MoneyColumn("captured", _("Captured"), heading=_("Captured (Rs)")),
        MoneyColumn("fees", _("Fees"), heading=_("Fees (Rs)")),
        NumberColumn("refunds", _("Refunds")),
        MoneyColumn("refunded", _("Refunded"), heading=_("Refunded (Rs)")),
        MoneyColumn("net", _("Net"), heading=_("Net (Rs)")),
        MoneyColumn("received", _("Received"), heading=_("Received in cash or by transfer (Rs)")),
        MoneyColumn("by_hand", _("Refunded outside Khalti"), heading=_("Refunded outside Khalti (Rs)")),
    )
    export_only = (NumberColumn("without_fee", _("Payments without a fee")),)

    @cached_property
    def environment(self) -> str | None:
        """Live, unless the shop has only used the test server or it is chosen."""
        if self.filter_values.get("environment"):
            return str(self.filter_values["environment"])
        used: list[str] = self.filters.environments
        return conf.LIVE if conf.LIVE in used else next(iter(used), None)

    @cached_property
    def rows(self) -> list[reports.SettlementDay]:
        since, until = self.days
        return reports.settlement(
            since=since,
            until=until,
            site_key=self.site_key,
            environment=self.environment,
            with_received=self.environment != conf.TEST,
        )

    def default_since(self) -> date:
        return self.today.replace(day=1)

    @cached_property
    def totals(self) -> reports.SettlementDay:
        return reports.total(self.rows)

    @property
    def figures(self) -> list[Figure]:
        totals = self.totals
        return [
            Figure(label=_("Captured"), value=format_money(totals.captured), note=_payments(totals.payments)),
            Figure(label=_("Fees"), value=format_money(totals.fees), note=_without_fee(totals.without_fee)),
            Figure(label=_("Refunded"), value=format_money(totals.refunded), note=_refunds(totals.refunds)),
            Figure(label=_("Net"), value=format_money(totals.net)),
            Figure(label=_("Received"), value=format_money(totals.received), note=_("in cash or by bank transfer")),
            Figure(label=_("Refunded outside Khalti"), value=format_money(totals.by_hand)),
        ]

    @property
    def warning(self) -> str:
        parts: list[str] = []
        if self.environment == conf.TEST:
            parts.append(gettext("These payments went to Khalti's test server: no money has moved."))
        unsettled = [text for text in (self._undecided(), self._undated(), self._surplus()) if text]
        if unsettled:
            parts += [*unsettled, link(reverse(ReviewReport.index_url_name), ReviewReport.page_title)]
        return format_html_join(" ", "{}", ((part,) for part in parts))

    def _undecided(self) -> str:
        """Money in the sums that may have to be refunded."""
        since, until = self.days
        money = reports.undecided(since=since, until=until, site_key=self.site_key, environment=self.environment)
        text = ngettext(
            "%(number)s payment (%(amount)s) is included but needs review: the money may have to be refunded.",
            "%(number)s payments (%(amount)s) are included but need review: the money may have to be refunded.",
            money.payments,
        )
        return text % _values(money) if money.payments else ""

    def _undated(self) -> str:
        """Money that the sums cannot include."""
        money = reports.undated(site_key=self.site_key, environment=self.environment)
        text = ngettext(
            "%(number)s payment (%(amount)s) is not included on any day because it needs review.",
            "%(number)s payments (%(amount)s) are not included on any day because they need review.",
            money.payments,
        )
        return text % _values(money) if money.payments else ""

    def _surplus(self) -> str:
        """Money received outside Khalti that has to be refunded by hand."""
        money = received.surplus_total(site_key=self.site_key)
        text = ngettext(
            "%(number)s order has a surplus (%(amount)s) in cash or by bank transfer that bought nothing.",
            "%(number)s orders have a surplus (%(amount)s) in cash or by bank transfer that bought nothing.",
            money.payments,
        )
        return text % _values(money) if money.payments else ""

    @property
    def chart(self) -> SafeString:
        rows = self.rows[:BARS]
        series = [
            Series(name=gettext("Captured"), values=[row.captured for row in rows]),
            Series(name=gettext("Refunded"), values=[row.refunded for row in rows]),
        ]
        title, labels = gettext("Captured and refunded by day"), [format_day(row.day) for row in rows if row.day]
        return bar_chart("settlement-by-day", title, labels, series, format_money)


def _values(money: MoneyWithoutOrder) -> dict[str, str]:
    return {"number": format_number(money.payments), "amount": format_money(money.refundable)}


def _payments(number: int) -> str:
    return ngettext("%(number)s payment", "%(number)s payments", number) % {"number": format_number(number)}


def _refunds(number: int) -> str:
    return ngettext("%(number)s refund", "%(number)s refunds", number) % {"number": format_number(number)}


def _without_fee(number: int) -> str:
    text = ngettext("unknown for %(number)s payment", "unknown for %(number)s payments", number)
    return text % {"number": format_number(number)} if number else ""
