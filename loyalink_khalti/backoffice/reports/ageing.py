"""When the outstanding points expire."""

from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.conf import formats
from loyalink_khalti.loyalty import reports
from loyalink_khalti.money import Paisa
from loyalink_khalti.staff import permissions

from .base import Figure, Report
from .charts import Series, bar_chart
from .columns import LabelColumn, MoneyColumn, NumberColumn, format_money, format_number
from .filters import SiteFilters

BARS = 24


def month_name(row: reports.Ageing) -> str:
    if row.overdue:
        return gettext("Overdue")
    return formats.digits(date_format(row.month, "F Y")) if row.month else gettext("Never")


class AgeingReport(Report):
    reads_replica = True
    page_title = _("Points ageing")
    header_icon = "time"
    permission, export_permission = permissions.VIEW_ENTRIES, permissions.EXPORT_MEMBERS
    index_url_name = "loyalink_khalti_report_ageing"
    index_results_url_name = "loyalink_khalti_report_ageing_results"
    export_filename = "points-ageing"
    filterset_class = SiteFilters
    paginate_by = None
    period = ""
    description = _(
        "The points that members have now, by the month in which they expire. Overdue points expire with the next"
        " daily run. Points that are reserved for a payment are not included."
    )
    empty_message = _("When members have points, the months in which they expire are listed here with their value.")
    columns = (
        LabelColumn("month", _("Expires in"), read=month_name),
        NumberColumn("points", _("Points")),
        NumberColumn("available", _("Available")),
        NumberColumn("pending", _("Pending")),
        NumberColumn("lots", _("Entries")),
        MoneyColumn("gross", _("Value"), heading=_("Value (Rs)")),
    )

    @cached_property
    def rows(self) -> list[reports.Ageing]:
        return reports.ageing(site_key=self.site_key)

    @property
    def totals(self) -> reports.Ageing:
        return reports.Ageing(
            month=None,
            lots=sum(row.lots for row in self.rows),
            available=sum(row.available for row in self.rows),
            pending=sum(row.pending for row in self.rows),
            gross=Paisa(sum(row.gross for row in self.rows)),
        )

    @property
    def figures(self) -> list[Figure]:
        totals, next_month = self.totals, next((row for row in self.rows if row.month), None)
        figures = [Figure(label=_("Points"), value=format_number(totals.points), note=format_money(totals.gross))]
        if next_month is not None:
            points = format_number(next_month.points)
            figures.append(Figure(label=month_name(next_month), value=points, note=_("points expire next")))
        return figures

    @property
    def chart(self) -> SafeString:
        rows = self.rows[:BARS]
        series = [Series(name=gettext("Points"), values=[row.points for row in rows])]
        title, labels = gettext("Points by the month in which they expire"), [month_name(row) for row in rows]
        return bar_chart("points-ageing", title, labels, series, format_number)
