"""Points month by month, and what the shop owes its members for them."""

from calendar import monthrange
from datetime import date
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_filters import NumberFilter

from loyalink_khalti.loyalty import reports
from loyalink_khalti.loyalty.expiry import add_months
from loyalink_khalti.staff import may

from .base import Figure, Report
from .charts import Bars, chart
from .columns import Cell, Money, Named, Number, Percent, day, money, percent, signed
from .filters import AskedOfDays

MONTHS = 12
"""So many are shown where no days are chosen, and so many are drawn."""


class AskedOfMovement(AskedOfDays):
    breakage = NumberFilter(
        label=_("Expected breakage, per cent"),
        help_text=_(
            "How many of the outstanding points will never be spent, as you expect it. Your accountant decides."
        ),
        decimal_places=0,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )


class MovementReport(Report):
    page_title = _("Points and liability")
    header_icon = "history"
    permission, export_permission = may.VIEW_BOOKS, may.EXPORT_MEMBERS
    index_url_name = "loyalink_khalti_report_movement"
    index_results_url_name = "loyalink_khalti_report_movement_results"
    export_filename = "points-by-month"
    filterset_class = AskedOfMovement
    paginate_by = None
    about = _(
        "How points came and went in each month of Kathmandu, and what the outstanding ones are worth by the rules of"
        " its last day. Opening and movements always make the closing. Choose days for another year than this one."
    )
    empty = _(
        "As soon as the first points are earned, each month is here with what came, what went and what it is worth."
    )

    @cached_property
    def columns(self) -> list[Cell]:  # type: ignore[override]  # with what is asked
        return [
            Named("month", _("Month"), read=self.name_of, heading=_("Month")),
            Number("opening", _("Opening")),
            Number("earned", _("Earned")),
            Number("restored", _("Restored")),
            Number("adjusted", _("Adjusted")),
            Number("redeemed", _("Redeemed")),
            Number("expired", _("Expired")),
            Number("clawed_back", _("Taken back")),
            Number("written_off", _("Written off")),
            Number("closing", _("Closing")),
            Money("gross", _("Liability"), heading=_("Liability (Rs)")),
            Money("net", _("Net of breakage"), heading=_("Net of breakage (Rs)"), read=self.net_of),
            Percent("redemption", _("Redeemed, of earned"), heading=_("Redeemed, of earned (%)")),
            Percent("breakage", _("Expired, of earned"), heading=_("Expired, of earned (%)")),
        ]

    sheet_only = (
        Cell("since", _("First day")),
        Cell("until", _("Last day")),
        Number("pending", _("Pending")),
        Number("available", _("Available")),
        Number("held", _("On hold")),
        Number("owed", _("Owed")),
    )

    @cached_property
    def rows(self) -> list[reports.Movement]:
        """The newest first."""
        since, until = self.days
        return reports.movements(since=since, until=until, site_key=self.site_key)[::-1]

    def usually_since(self) -> date:
        return add_months(self.today.replace(day=1), 1 - MONTHS)

    @property
    def expected_breakage(self) -> int:
        return int(self.chosen.get("breakage") or 0)

    def net_of(self, month: reports.Movement) -> int:
        return month.net(self.expected_breakage)

    def name_of(self, month: reports.Movement) -> str:
        """The month, or its days where it is not a whole one; the present one is as whole as it can be."""
        ends = month.until.day == monthrange(month.until.year, month.until.month)[1] or month.until == self.today
        if month.since.day == 1 and ends:
            return date_format(month.since, "F Y")
        return f"{month.since.day}–{day(month.until)}"

    @property
    def totals(self) -> reports.Movement | None:
        return reports.total(self.rows[::-1]) if self.rows else None

    @property
    def figures(self) -> list[Figure]:
        if not self.rows:
            return []
        newest, whole = self.rows[0], reports.total(self.rows[::-1])
        expected = {"percent": self.expected_breakage}
        rates = [
            Figure(label=label, value=percent(rate), note=_("of what was earned in all these days"))
            for label, rate in ((_("Redeemed"), whole.redemption), (_("Expired"), whole.breakage))
            if rate is not None
        ]
        return [
            Figure(label=_("Outstanding"), value=signed(newest.closing), note=_("points at the end")),
            Figure(label=_("Pending"), value=signed(newest.pending), note=_("of these, not ready yet")),
            Figure(label=_("On hold"), value=signed(newest.held), note=_("of these, for payments under way")),
            Figure(label=_("Owed"), value=signed(newest.owed), note=_("by members, taken off")),
            Figure(label=_("Liability"), value=money(newest.gross), note=_("if all of it is spent")),
            Figure(
                label=_("Net liability"),
                value=money(self.net_of(newest)),
                note=gettext("with %(percent)s %% breakage expected (set it in the filters)") % expected,
            ),
            *rates,
        ]

    @property
    def chart(self) -> SafeString:
        drawn = self.rows[:MONTHS]
        kinds = [
            Bars(name=gettext("Outstanding at the end"), values=[max(month.closing, 0) for month in drawn]),
            Bars(name=gettext("Came"), values=[self._part(month, 1) for month in drawn]),
            Bars(name=gettext("Went"), values=[self._part(month, -1) for month in drawn]),
        ]
        labels = [self.name_of(month) for month in drawn]
        return chart("points-by-month", gettext("Points outstanding, come and gone by month"), labels, kinds, signed)

    def _part(self, month: reports.Movement, sign: int) -> int:
        """What came, or what went, in all columns; above 0."""
        moved: list[Any] = [sign * getattr(month, name) for name in reports.COLUMNS]
        return sum(points for points in moved if points > 0)
