"""When points expire."""

from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.loyalty import reports
from loyalink_khalti.money import Paisa
from loyalink_khalti.staff import may

from .base import Figure, Report
from .charts import Bars, chart
from .columns import Money, Named, Number, money, signed
from .filters import Asked

MOST_DRAWN = 24


def name_of(row: reports.Ageing) -> str:
    if row.overdue:
        return gettext("Overdue")
    return date_format(row.month, "F Y") if row.month else gettext("Never")


class AgeingReport(Report):
    page_title = _("Expiring points")
    header_icon = "time"
    permission, export_permission = may.VIEW_BOOKS, may.EXPORT_MEMBERS
    index_url_name = "loyalink_khalti_report_ageing"
    index_results_url_name = "loyalink_khalti_report_ageing_results"
    export_filename = "expiring-points"
    filterset_class = Asked
    paginate_by = None
    period = ""
    about = _(
        "The points that members hold now, by the month on whose last days they expire. Overdue ones go with the next"
        " run of loyalty_run. Points on hold for a payment under way are not in here."
    )
    empty = _("As soon as members have points, the months in which these expire are here, with what they are worth.")
    columns = (
        Named("month", _("Expires in"), read=name_of),
        Number("points", _("Points")),
        Number("available", _("Ready to spend")),
        Number("pending", _("Pending")),
        Number("lots", _("Awards")),
        Money("gross", _("Worth"), heading=_("Worth (Rs)")),
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
        soon = next((row for row in self.rows if row.month), None)
        told = [Figure(label=_("Points"), value=signed(self.totals.points), note=money(self.totals.gross))]
        if soon is not None:
            told.append(Figure(label=name_of(soon), value=signed(soon.points), note=_("points expire next")))
        return told

    @property
    def chart(self) -> SafeString:
        drawn = self.rows[:MOST_DRAWN]
        kinds = [Bars(name=gettext("Points"), values=[row.points for row in drawn])]
        title, labels = gettext("Points by the month in which they expire"), [name_of(row) for row in drawn]
        return chart("expiring-points", title, labels, kinds, signed)
