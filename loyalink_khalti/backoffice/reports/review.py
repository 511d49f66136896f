"""The payments that staff must review, and the options for each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django_filters import ChoiceFilter

from loyalink_khalti import flow
from loyalink_khalti.backoffice.listing import EXPORT_CHUNK
from loyalink_khalti.payments import models, reports
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.states import FlagReason
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.labels import RESOLUTIONS_IN_SHORT

from .base import Figure, Report
from .charts import Series, bar_chart
from .columns import (
    LabelColumn,
    MoneyColumn,
    NumberColumn,
    PaymentColumn,
    ReportColumn,
    ReportTable,
    TimeColumn,
    format_number,
)
from .filters import PaymentFilters


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRow:
    """A Flag to review as staff read it; it may be resolved, while its payment has money without an order."""

    flag: models.Flag
    site: str

    @property
    def payment(self) -> models.Payment:
        return self.flag.payment

    @property
    def reason(self) -> str:
        reason, number = str(REASONS[FlagReason(self.flag.reason)]), self.flag.count
        if number == 1:
            return reason
        return f"{reason} " + ngettext("(%(number)s time)", "(%(number)s times)", number) % {"number": number}

    @property
    def waiting_for(self) -> str:
        return timesince(self.flag.raised_at, depth=1)

    @property
    def options(self) -> str:
        if self.flag.resolved_at is not None:
            return gettext("Closed, but the money is still here without an order")
        labels = [str(RESOLUTIONS_IN_SHORT[option]) for option in flow.resolution_options(self.flag)]
        return " · ".join(labels) or gettext("None yet: it is retried automatically")


class ReviewFilters(PaymentFilters):
    reason = ChoiceFilter(label=_("Reason"), choices=[(reason.value, label) for reason, label in REASONS.items()])


class ReviewReport(Report):
    page_title = _("Payments to review")
    header_icon = "warning"
    permission, export_permission = permissions.VIEW_PAYMENTS, permissions.EXPORT_PAYMENTS
    index_url_name = "loyalink_khalti_report_review"
    index_results_url_name = "loyalink_khalti_report_review_results"
    export_filename = "payments-to-review"
    filterset_class = ReviewFilters
    period = ""
    description = _("Payments that staff must review, the oldest first. No money moves until then.")
    empty_message = _("No payment needs review. Payments that cannot be completed automatically are listed here.")
    columns = (
        PaymentColumn("name", _("Payment"), read=lambda row: row.payment.purchase_order_id),
        MoneyColumn("amount", _("Amount"), heading=_("Amount (Rs)"), read=lambda row: row.payment.amount),
        ReportColumn("reason", _("Reason")),
        ReportColumn("options", _("Options")),
        TimeColumn("raised_at", _("Since"), read=lambda row: row.flag.raised_at),
        ReportColumn("waiting_for", _("Waiting for")),
    )
    export_only = (
        ReportColumn("number", _("Flag"), read=lambda row: row.flag.pk),
        ReportColumn("site", _("Site")),
    )

    @cached_property
    def rows(self) -> Any:
        return reports.to_review(site_key=self.site_key, reason=self.filter_values.get("reason") or "")

    def prepare(self, rows: Iterable[models.Flag]) -> Sequence[FlagRow]:
        return [self._row(flag) for flag in rows]

    def export_rows(self) -> Iterable[FlagRow]:
        return (self._row(flag) for flag in self.rows.iterator(chunk_size=EXPORT_CHUNK))

    def _row(self, flag: models.Flag) -> FlagRow:
        key = flag.payment.purchase.site_key
        return FlagRow(flag=flag, site=self.site_names.get(key, key))

    @cached_property
    def reason_totals(self) -> list[tuple[FlagReason, int]]:
        return reports.by_reason(self.rows)

    @property
    def figures(self) -> list[Figure]:
        return [
            Figure(label=_("To review"), value=format_number(sum(number for _reason, number in self.reason_totals)))
        ]

    @property
    def chart_table(self) -> ReportTable:
        columns = [
            LabelColumn("reason", _("Reason"), read=lambda row: str(REASONS[row[0]])),
            NumberColumn("number", _("To review"), read=lambda row: row[1]),
        ]
        return ReportTable(columns, self.reason_totals, caption=_("Totals by reason"))

    @property
    def chart(self) -> SafeString:
        series = [Series(name=gettext("To review"), values=[number for _reason, number in self.reason_totals])]
        labels = [str(REASONS[reason]) for reason, _number in self.reason_totals]
        return bar_chart("review-by-reason", gettext("Payments to review by reason"), labels, series, format_number)
