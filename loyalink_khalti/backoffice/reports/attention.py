"""The payments that wait for somebody to decide, and what may be decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_filters import ChoiceFilter

from loyalink_khalti import flow
from loyalink_khalti.backoffice.listing import CHUNK
from loyalink_khalti.payments import models, reports
from loyalink_khalti.payments.states import Reason
from loyalink_khalti.payments.words import REASONS
from loyalink_khalti.staff import may
from loyalink_khalti.staff.words import IN_SHORT

from .base import Figure, Report
from .charts import Bars, chart
from .columns import Cell, Money, Named, Number, Payment, ReportTable, When, signed
from .filters import AskedOfPayments


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An open Flag, as staff read it."""

    flag: models.Flag
    site: str

    @property
    def payment(self) -> models.Payment:
        return self.flag.payment

    @property
    def reason(self) -> str:
        return str(REASONS[Reason(self.flag.reason)])

    @property
    def waited(self) -> str:
        return timesince(self.flag.raised_at, depth=1)

    @property
    def choices(self) -> str:
        words = [str(IN_SHORT[choice]) for choice in flow.choices(self.flag)]
        return ", ".join(words) or gettext("nothing yet: it is tried again by itself")


class AskedOfAttention(AskedOfPayments):
    reason = ChoiceFilter(label=_("Reason"), choices=[(reason.value, words) for reason, words in REASONS.items()])


class AttentionReport(Report):
    page_title = _("Waiting for a decision")
    header_icon = "warning"
    permission, export_permission = may.VIEW_PAYMENTS, may.EXPORT_PAYMENTS
    index_url_name = "loyalink_khalti_report_attention"
    index_results_url_name = "loyalink_khalti_report_attention_results"
    export_filename = "waiting-for-a-decision"
    filterset_class = AskedOfAttention
    period = ""
    about = _(
        "Where nothing decides by itself. What has waited longest is on top; money stays where it is until then."
    )
    empty = _("Nothing waits for a decision. When Khalti or the shop cannot settle a payment alone, it is here.")
    columns = (
        Payment("name", _("Payment"), read=lambda row: row.payment.purchase_order_id),
        Money("amount", _("Amount"), heading=_("Amount (Rs)"), read=lambda row: row.payment.amount),
        Cell("reason", _("What happened")),
        Cell("choices", _("What may be decided")),
        When("raised_at", _("Since"), read=lambda row: row.flag.raised_at),
        Cell("waited", _("Waited")),
    )
    sheet_only = (
        Cell("number", _("Number of the flag"), read=lambda row: row.flag.pk),
        Cell("site", _("Site")),
    )

    @cached_property
    def rows(self) -> Any:
        return reports.open_flags(site_key=self.site_key, reason=self.chosen.get("reason") or "")

    def told(self, rows: Iterable[models.Flag]) -> Sequence[Waiting]:
        return [self._row(flag) for flag in rows]

    def exported(self) -> Iterable[Waiting]:
        return (self._row(flag) for flag in self.rows.iterator(chunk_size=CHUNK))

    def _row(self, flag: models.Flag) -> Waiting:
        key = flag.payment.purchase.site_key
        return Waiting(flag=flag, site=self.site_names.get(key, key))

    @cached_property
    def sums(self) -> list[tuple[Reason, int]]:
        return reports.by_reason(self.rows)

    @property
    def figures(self) -> list[Figure]:
        return [Figure(label=_("Waiting"), value=signed(sum(number for _reason, number in self.sums)))]

    @property
    def drawn_table(self) -> ReportTable:
        columns = [
            Named("reason", _("What happened"), read=lambda row: str(REASONS[row[0]])),
            Number("number", _("Waiting"), read=lambda row: row[1]),
        ]
        return ReportTable(columns, self.sums, caption=_("Sums by what happened"))

    @property
    def chart(self) -> SafeString:
        kinds = [Bars(name=gettext("Waiting"), values=[number for _reason, number in self.sums])]
        labels = [str(REASONS[reason]) for reason, _number in self.sums]
        return chart("flags-by-reason", gettext("What waits for a decision, by what happened"), labels, kinds, signed)
