"""Points that were added or deducted, by whom and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_filters import ChoiceFilter

from loyalink_khalti import flow
from loyalink_khalti.loyalty import reports
from loyalink_khalti.loyalty.buckets import Bucket
from loyalink_khalti.loyalty.models import Entry
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.choices import AdjustReason, reason_label
from loyalink_khalti.staff.listing import EXPORT_CHUNK

from .base import Figure, Report
from .charts import Series, bar_chart
from .columns import LabelColumn, MemberColumn, NumberColumn, ReportColumn, ReportTable, TimeColumn, format_number
from .filters import DayFilters

BARS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """One adjustment, with the e-mail addresses of the member and the actor."""

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


def reason_name(total: reports.ReasonTotal) -> str:
    return reason_label(total.reason) or gettext("no reason")


def reason_choices() -> list[tuple[str, str]]:
    """Return the reasons that staff choose from, and any other that was used."""
    codes = dict.fromkeys([*AdjustReason.values, *reports.reasons()])
    return [(code, reason_label(code)) for code in codes if code]


class AdjustmentFilters(DayFilters):
    reason = ChoiceFilter(label=_("Reason"), choices=reason_choices)


class AdjustmentsReport(Report):
    reads_replica = True
    page_title = _("Adjustments")
    header_icon = "edit"
    permission, export_permission = permissions.VIEW_ENTRIES, permissions.EXPORT_MEMBERS
    index_url_name = "loyalink_khalti_report_adjustments"
    index_results_url_name = "loyalink_khalti_report_adjustments_results"
    export_filename = "staff-adjustments"
    filterset_class = AdjustmentFilters
    description = _(
        "Points that were added or deducted by staff, by an import or as a bonus: who, for which member, and why."
        " Newest first. Their sum is the column Adjusted of the report Points and liability."
    )
    empty_message = _("When points are added or deducted, the adjustment is listed here with name and reason.")
    columns = (
        TimeColumn("at", _("Time"), read=lambda row: row.entry.at),
        MemberColumn("member", _("Member")),
        NumberColumn("points", _("Points")),
        ReportColumn("reason", _("Reason"), read=lambda row: reason_label(row.entry.reason_code)),
        ReportColumn("actor", _("By")),
        ReportColumn("note", _("Note")),
    )
    export_only = (ReportColumn("site", _("Site")),)

    @cached_property
    def rows(self) -> Any:
        since, until = self.days
        reason = self.filter_values.get("reason") or ""
        return reports.adjustments(since=since, until=until, site_key=self.site_key, reason=reason)

    def prepare(self, rows: Iterable[Entry]) -> Sequence[Adjustment]:
        entries = list(rows)
        ids = chain.from_iterable((entry.account.member_id, entry.actor) for entry in entries)
        names = flow.member_emails(ids)
        return [self._adjustment(entry, names) for entry in entries]

    def _adjustment(self, entry: Entry, names: dict[str, str]) -> Adjustment:
        account, site = entry.account, entry.account.program.site_key
        return Adjustment(
            entry=entry,
            member=names.get(account.member_id or "", account.member_id or gettext("Erased member")),
            actor=names.get(entry.actor, entry.actor) if entry.actor else gettext("the system, or a command"),
            site=self.site_names.get(site, site),
        )

    def export_rows(self) -> Iterable[Adjustment]:
        for chunk in flow.chunked(self.rows.iterator(chunk_size=EXPORT_CHUNK)):
            yield from self.prepare(chunk)

    @cached_property
    def reason_totals(self) -> list[reports.ReasonTotal]:
        return reports.by_reason(self.rows)

    @property
    def figures(self) -> list[Figure]:
        return [
            Figure(label=_("Added"), value=format_number(sum(row.added for row in self.reason_totals))),
            Figure(label=_("Deducted"), value=format_number(sum(row.deducted for row in self.reason_totals))),
            Figure(label=_("Net"), value=format_number(sum(row.net for row in self.reason_totals))),
        ]

    @property
    def chart_table(self) -> ReportTable:
        columns = [
            LabelColumn("reason", _("Reason"), read=reason_name),
            NumberColumn("number", _("Adjustments")),
            NumberColumn("added", _("Added")),
            NumberColumn("deducted", _("Deducted")),
            NumberColumn("net", _("Net")),
        ]
        return ReportTable(columns, self.reason_totals, caption=_("Totals by reason"))

    @property
    def chart(self) -> SafeString:
        rows = self.reason_totals[:BARS]
        series = [
            Series(name=gettext("Added"), values=[row.added for row in rows]),
            Series(name=gettext("Deducted"), values=[-row.deducted for row in rows]),
        ]
        title, labels = gettext("Points added and deducted by reason"), [reason_name(row) for row in rows]
        return bar_chart("adjustments-by-reason", title, labels, series, format_number)
