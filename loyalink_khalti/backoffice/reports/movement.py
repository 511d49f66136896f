"""Points by month, and the shop's liability for them."""

from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_filters import NumberFilter

from loyalink_khalti.conf import formats
from loyalink_khalti.loyalty import reports
from loyalink_khalti.nepal import add_months, first_of_month, last_of_month
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.fields import WholeNumberField

from .base import Figure, Report
from .charts import Series, bar_chart
from .columns import (
    LabelColumn,
    MoneyColumn,
    NumberColumn,
    PercentColumn,
    ReportColumn,
    format_day,
    format_money,
    format_number,
    format_percent,
)
from .filters import DayFilters

MONTHS = 12
"""Months in the table if no days are chosen, and in the chart."""


class WholeNumberFilter(NumberFilter):
    field_class: Any = WholeNumberField


class MovementFilters(DayFilters):
    breakage = WholeNumberFilter(
        label=_("Expected breakage, percent"),
        help_text=_("The share of outstanding points that you expect never to be used. Ask your accountant."),
        maximum=100,
    )


class MovementReport(Report):
    reads_replica = True
    page_title = _("Points and liability")
    header_icon = "history"
    permission, export_permission = permissions.VIEW_ENTRIES, permissions.EXPORT_MEMBERS
    index_url_name = "loyalink_khalti_report_movement"
    index_results_url_name = "loyalink_khalti_report_movement_results"
    export_filename = "points-by-month"
    filterset_class = MovementFilters
    paginate_by = None
    description = _(
        "Points added and removed in each month, in Nepal time, and the liability for the outstanding points by the"
        " rules of its last day. Opening plus all movements equals closing. Debts are points that members newly owe,"
        " less those that they repaid; they never lower the points of others. Redemption rate: points used, less those"
        " returned, of the opening points and those earned or added. Breakage: points expired, of the same. Choose"
        " days to see another year."
    )
    empty_message = _("When the first points are earned, each month is listed here with its movements and liability.")

    @cached_property
    def columns(self) -> list[ReportColumn]:  # type: ignore[override]  # with the filters' values
        return [
            LabelColumn("month", _("Month"), read=self.month_name),
            NumberColumn("opening", _("Opening")),
            NumberColumn("earned", _("Earned")),
            NumberColumn("restored", _("Returned")),
            NumberColumn("adjusted", _("Adjusted")),
            NumberColumn("redeemed", _("Used")),
            NumberColumn("debts", _("Debts")),
            NumberColumn("expired", _("Expired")),
            NumberColumn("clawed_back", _("Reversed")),
            NumberColumn("written_off", _("Written off")),
            NumberColumn("closing", _("Closing")),
            MoneyColumn("gross", _("Liability"), heading=_("Liability (Rs)")),
            MoneyColumn("net", _("Net of breakage"), heading=_("Net of breakage (Rs)"), read=self.net_liability),
            PercentColumn("redemption", _("Redemption rate"), heading=_("Redemption rate (%)")),
            PercentColumn("breakage", _("Breakage"), heading=_("Breakage (%)")),
        ]

    export_only = (
        ReportColumn("since", _("First day")),
        ReportColumn("until", _("Last day")),
        NumberColumn("pending", _("Pending")),
        NumberColumn("available", _("Available")),
        NumberColumn("held", _("Reserved")),
        NumberColumn("owed", _("Owed")),
    )

    @cached_property
    def rows(self) -> list[reports.MonthlyMovement]:
        """The months, the newest first."""
        since, until = self.days
        return reports.movements(since=since, until=until, site_key=self.site_key)[::-1]

    def default_since(self) -> date:
        return add_months(first_of_month(self.today), 1 - MONTHS)

    @property
    def expected_breakage(self) -> int:
        """In percent."""
        return int(self.filter_values.get("breakage") or 0)

    def net_liability(self, month: reports.MonthlyMovement) -> int:
        return month.net(self.expected_breakage)

    def month_name(self, month: reports.MonthlyMovement) -> str:
        """Return the month; the days if it is only a part of one. The current month counts as whole."""
        is_until_end = month.until in {last_of_month(month.until), self.today}
        if month.since.day == 1 and is_until_end:
            return formats.digits(date_format(month.since, "F Y"))
        return f"{month.since.day}–{format_day(month.until)}"

    @property
    def totals(self) -> reports.MonthlyMovement | None:
        return reports.total(self.rows[::-1]) if self.rows else None

    @property
    def figures(self) -> list[Figure]:
        if not self.rows:
            return []
        newest, totals = self.rows[0], reports.total(self.rows[::-1])
        rates = [
            Figure(label=label, value=format_percent(rate), note=_("of the points that could be used in this period"))
            for label, rate in ((_("Redemption rate"), totals.redemption), (_("Breakage"), totals.breakage))
            if rate is not None
        ]
        return [*self._balances(newest), *self._liabilities(newest), *rates]

    def _balances(self, newest: reports.MonthlyMovement) -> list[Figure]:
        return [
            Figure(label=_("Outstanding"), value=format_number(newest.closing), note=_("points at the end")),
            Figure(label=_("Pending"), value=format_number(newest.pending), note=_("of these, not available yet")),
            Figure(label=_("Reserved"), value=format_number(newest.held), note=_("of these, for unpaid orders")),
            Figure(label=_("Owed"), value=format_number(newest.owed), note=_("by members, not deducted")),
        ]

    def _liabilities(self, newest: reports.MonthlyMovement) -> list[Figure]:
        note = gettext("with %(percent)s %% expected breakage (set it in the filters)")
        return [
            Figure(label=_("Liability"), value=format_money(newest.gross), note=_("if all points are used")),
            Figure(
                label=_("Net liability"),
                value=format_money(self.net_liability(newest)),
                note=note % {"percent": self.expected_breakage},
            ),
        ]

    @property
    def chart(self) -> SafeString:
        rows = self.rows[:MONTHS]
        series = [
            Series(name=gettext("Outstanding at the end"), values=[max(month.closing, 0) for month in rows]),
            Series(name=gettext("Added"), values=[_moved(month, 1) for month in rows]),
            Series(name=gettext("Removed"), values=[_moved(month, -1) for month in rows]),
        ]
        title, labels = gettext("Points outstanding, added and removed by month"), [self.month_name(m) for m in rows]
        return bar_chart("points-by-month", title, labels, series, format_number)


def _moved(month: reports.MonthlyMovement, sign: int) -> int:
    """Return the sum of the additions (1) or of the removals (-1) in all columns, as a positive number."""
    moved: list[Any] = [sign * getattr(month, name) for name in reports.MOVEMENT_COLUMNS]
    return sum(points for points in moved if points > 0)
