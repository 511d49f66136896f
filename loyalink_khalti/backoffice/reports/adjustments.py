"""What staff have added to members' points and taken from them, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_filters import ChoiceFilter

from loyalink_khalti.backoffice.listing import CHUNK
from loyalink_khalti.flow import people
from loyalink_khalti.loyalty import reports
from loyalink_khalti.loyalty.models import Bucket, Entry
from loyalink_khalti.staff import may
from loyalink_khalti.staff.reasons import AdjustReason, reason_in_words

from .base import Figure, Report
from .charts import Bars, chart
from .columns import Cell, Member, Named, Number, ReportTable, When, signed
from .filters import AskedOfDays

MOST_DRAWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """One adjustment, with the people in it named."""

    entry: Entry
    member: str
    actor: str
    site: str

    @property
    def points(self) -> int:
        return self.entry.amount if self.entry.src == Bucket.ADJUSTED else -self.entry.amount

    @property
    def note(self) -> str:
        return self.entry.note.text if hasattr(self.entry, "note") else ""


def name_of(sum_of: reports.ByReason) -> str:
    return reason_in_words(sum_of.reason) or gettext("no reason")


def reasons() -> list[tuple[str, str]]:
    """Those that staff choose from, and whatever else has been a reason here."""
    codes = dict.fromkeys([*AdjustReason.values, *reports.reasons()])
    return [(code, reason_in_words(code)) for code in codes if code]


class AskedOfAdjustments(AskedOfDays):
    reason = ChoiceFilter(label=_("Reason"), choices=reasons)


class AdjustmentsReport(Report):
    page_title = _("Staff adjustments")
    header_icon = "edit"
    permission, export_permission = may.VIEW_BOOKS, may.EXPORT_MEMBERS
    index_url_name = "loyalink_khalti_report_adjustments"
    index_results_url_name = "loyalink_khalti_report_adjustments_results"
    export_filename = "staff-adjustments"
    filterset_class = AskedOfAdjustments
    about = _("Points that people of the shop have added and taken by hand: who, for whom, why. The newest first.")
    empty = _("When somebody adds or takes points by hand, it is here with their name and their reason.")
    columns = (
        When("at", _("When"), read=lambda row: row.entry.at),
        Member("member", _("Member")),
        Number("points", _("Points")),
        Cell("reason", _("Reason"), read=lambda row: reason_in_words(row.entry.reason_code)),
        Cell("actor", _("By")),
        Cell("note", _("Note")),
    )
    sheet_only = (Cell("site", _("Site")),)

    @cached_property
    def rows(self) -> Any:
        since, until = self.days
        reason = self.chosen.get("reason") or ""
        return reports.adjustments(since=since, until=until, site_key=self.site_key, reason=reason)

    def told(self, rows: Iterable[Entry]) -> Sequence[Adjusted]:
        entries = list(rows)
        names = people.emails(chain.from_iterable((entry.account.member_id, entry.actor) for entry in entries))
        return [self._row(entry, names) for entry in entries]

    def _row(self, entry: Entry, names: dict[str, str]) -> Adjusted:
        account, site = entry.account, entry.account.program.site_key
        return Adjusted(
            entry=entry,
            member=names.get(account.member_id or "", account.member_id or gettext("somebody erased")),
            actor=names.get(entry.actor or "", entry.actor or ""),
            site=self.site_names.get(site, site),
        )

    def exported(self) -> Iterable[Adjusted]:
        for chunk in people.chunks(self.rows.iterator(chunk_size=CHUNK)):
            yield from self.told(chunk)

    @cached_property
    def sums(self) -> list[reports.ByReason]:
        return reports.by_reason(self.rows)

    @property
    def figures(self) -> list[Figure]:
        return [
            Figure(label=_("Added"), value=signed(sum(row.added for row in self.sums))),
            Figure(label=_("Taken"), value=signed(sum(row.taken for row in self.sums))),
            Figure(label=_("Net"), value=signed(sum(row.net for row in self.sums))),
        ]

    @property
    def drawn_table(self) -> ReportTable:
        columns = [
            Named("reason", _("Reason"), read=name_of),
            Number("number", _("Adjustments")),
            Number("added", _("Added")),
            Number("taken", _("Taken")),
            Number("net", _("Net")),
        ]
        return ReportTable(columns, self.sums, caption=_("Sums by reason"))

    @property
    def chart(self) -> SafeString:
        drawn = self.sums[:MOST_DRAWN]
        kinds = [
            Bars(name=gettext("Added"), values=[row.added for row in drawn]),
            Bars(name=gettext("Taken"), values=[-row.taken for row in drawn]),
        ]
        title, labels = gettext("Points added and taken by reason"), [name_of(row) for row in drawn]
        return chart("adjustments-by-reason", title, labels, kinds, signed)
