"""What Khalti took, kept and gave back, day by day."""

from datetime import date

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from loyalink_khalti import conf
from loyalink_khalti.payments import reports
from loyalink_khalti.staff import may

from .attention import AttentionReport
from .base import Figure, Report
from .charts import Bars, chart
from .columns import Day, Money, Number, day, linked, money, signed
from .filters import AskedOfMoney

MOST_DRAWN = 14


class SettlementReport(Report):
    page_title = _("Settlement by day")
    header_icon = "calendar"
    permission, export_permission = may.VIEW_PAYMENTS, may.EXPORT_PAYMENTS
    index_url_name = "loyalink_khalti_report_settlement"
    index_results_url_name = "loyalink_khalti_report_settlement_results"
    export_filename = "settlement-by-day"
    filterset_class = AskedOfMoney
    about = _(
        "Payments on the day of Kathmandu on which they were paid, and refunds on the day on which they were done."
        " Compare it with Khalti's statement."
    )
    empty = _(
        "Nothing has come or gone in these days. As soon as a payment comes, its day is here with what Khalti took,"
        " kept and gave back; for earlier days, choose them in the filters."
    )
    columns = (
        Day("day", _("Day")),
        Number("payments", _("Payments")),
        Money("captured", _("Taken"), heading=_("Taken (Rs)")),
        Money("fees", _("Khalti's fees"), heading=_("Khalti's fees (Rs)")),
        Number("refunds", _("Refunds")),
        Money("refunded", _("Given back"), heading=_("Given back (Rs)")),
        Money("net", _("Left for the shop"), heading=_("Left for the shop (Rs)")),
    )
    sheet_only = (Number("without_fee", _("Payments without a fee")),)

    @cached_property
    def environment(self) -> str | None:
        """Live, unless the shop has only ever tried it out, or the test server is asked for."""
        if self.chosen.get("environment"):
            return str(self.chosen["environment"])
        known: list[str] = self.filters.environments
        return conf.LIVE if conf.LIVE in known else next(iter(known), None)

    @cached_property
    def rows(self) -> list[reports.Settled]:
        since, until = self.days
        return reports.settlement(
            since=since, until=until, site_key=self.site_key, environment=self.environment
        )  # fmt: skip

    def usually_since(self) -> date:
        return self.today.replace(day=1)

    @cached_property
    def totals(self) -> reports.Settled:
        return reports.total(self.rows)

    @property
    def figures(self) -> list[Figure]:
        whole = self.totals
        return [
            Figure(label=_("Taken"), value=money(whole.captured), note=_payments(whole.payments)),
            Figure(label=_("Khalti's fees"), value=money(whole.fees), note=_unsaid(whole.without_fee)),
            Figure(label=_("Given back"), value=money(whole.refunded), note=_refunds(whole.refunds)),
            Figure(label=_("Left for the shop"), value=money(whole.net)),
        ]

    @property
    def warning(self) -> str:
        words: list[str] = []
        if self.environment == conf.TEST:
            words.append(gettext("These payments went to Khalti's test server: no money has moved."))
        doubts = [words for words in (self._undecided(), self._undated()) if words]
        if doubts:
            link = linked(reverse(AttentionReport.index_url_name), AttentionReport.page_title)
            words += [*doubts, link]
        return format_html_join(" ", "{}", ((each,) for each in words))

    def _undecided(self) -> str:
        """What is in the sums and may have to go back."""
        since, until = self.days
        doubted = reports.undecided(since=since, until=until, site_key=self.site_key, environment=self.environment)
        words = ngettext(
            "%(number)s payment (%(amount)s) is counted here and waits for a decision: the money may go back.",
            "%(number)s payments (%(amount)s) are counted here and wait for a decision: the money may go back.",
            doubted.payments,
        )
        return words % _told(doubted) if doubted.payments else ""

    def _undated(self) -> str:
        """What cannot be in the sums."""
        doubted = reports.undated(site_key=self.site_key, environment=self.environment)
        words = ngettext(
            "%(number)s payment (%(amount)s) is not in here, whatever the days: it waits for a decision.",
            "%(number)s payments (%(amount)s) are not in here, whatever the days: they wait for a decision.",
            doubted.payments,
        )
        return words % _told(doubted) if doubted.payments else ""

    @property
    def chart(self) -> SafeString:
        drawn = self.rows[:MOST_DRAWN]
        kinds = [
            Bars(name=gettext("Taken"), values=[row.captured for row in drawn]),
            Bars(name=gettext("Given back"), values=[row.refunded for row in drawn]),
        ]
        labels = [day(row.day) for row in drawn if row.day]
        return chart(
            "settlement-by-day", gettext("Money taken and given back on the newest days"), labels, kinds, money
        )


def _told(doubted: reports.Doubted) -> dict[str, str]:
    return {"number": signed(doubted.payments), "amount": money(doubted.left)}


def _payments(number: int) -> str:
    return ngettext("%(number)s payment", "%(number)s payments", number) % {"number": signed(number)}


def _refunds(number: int) -> str:
    return ngettext("%(number)s refund", "%(number)s refunds", number) % {"number": signed(number)}


def _unsaid(number: int) -> str:
    """Of how many payments the fee is not known."""
    words = ngettext("not known of %(number)s payment", "not known of %(number)s payments", number)
    return words % {"number": signed(number)} if number else ""
