"""Money at Khalti that came back to the shop and that no payment here is: the list, and what became of each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, IntegerField, Value, When
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django_filters import ChoiceFilter

from loyalink_khalti.backoffice import links
from loyalink_khalti.payments.unmatched import UnmatchedPayment, UnmatchedState, unmatched_total
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.listing import EXPORT_CHUNK

from .base import Figure, Report
from .columns import MoneyColumn, PageColumn, ReportColumn, TimeColumn, format_money, format_number
from .filters import PaymentFilters


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmatchedRow:
    """An unmatched payment as staff read it."""

    row: UnmatchedPayment
    site: str

    @property
    def pidx(self) -> str:
        return self.row.pidx

    @property
    def url(self) -> str:
        return links.unmatched_url(self.row.pk)

    @property
    def amount(self) -> int | None:
        return self.row.amount

    @property
    def state(self) -> str:
        return str(UnmatchedState(self.row.state).label)

    @property
    def status(self) -> str:
        return self.row.status

    @property
    def transaction_id(self) -> str:
        return self.row.transaction_id

    @property
    def claimed(self) -> str:
        return self.row.claimed_order_id

    @property
    def seen_at(self) -> Any:
        return self.row.seen_at


class UnmatchedFilters(PaymentFilters):
    state = ChoiceFilter(label=_("Status"), choices=UnmatchedState.choices)


class UnmatchedReport(Report):
    page_title = _("Unmatched payments")
    header_icon = "help"
    permission, export_permission = permissions.VIEW_PAYMENTS, permissions.EXPORT_PAYMENTS
    index_url_name = "loyalink_khalti_report_unmatched"
    index_results_url_name = "loyalink_khalti_report_unmatched_results"
    export_filename = "unmatched-payments"
    filterset_class = UnmatchedFilters
    period = ""
    description = _(
        "Customers came back from Khalti with payments of which this shop has no record. That happens after the"
        " database was restored or another server took over, and when Khalti's answer was lost. The shop looks them up"
        " by itself; what Khalti has money for waits for you. It may belong to another shop that uses the same key."
    )
    empty_message = _("Every payment that came back from Khalti belongs to an order.")
    columns = (
        PageColumn("pidx", _("Khalti's pidx")),
        MoneyColumn("amount", _("Amount"), heading=_("Amount (Rs)")),
        ReportColumn("state", _("Status")),
        ReportColumn("claimed", _("Order ID, as the browser claims")),
        TimeColumn("seen_at", _("Came back")),
    )
    export_only = (
        ReportColumn("transaction_id", _("Khalti's transaction")),
        ReportColumn("status", _("Khalti's status")),
        ReportColumn("site", _("Site")),
    )

    @cached_property
    def rows(self) -> Any:
        state, site_key = self.filter_values.get("state"), self.site_key
        rows = UnmatchedPayment.objects.filter(state=state) if state else UnmatchedPayment.objects.all()
        if not state:
            rows = rows.exclude(state=UnmatchedState.ENDED)
        if site_key:
            rows = rows.filter(site_key=site_key)
        first = Case(When(state=UnmatchedState.FOUND, then=Value(0)), default=Value(1), output_field=IntegerField())
        return rows.order_by(first, "-seen_at", "-pk")

    def prepare(self, rows: Iterable[UnmatchedPayment]) -> Sequence[UnmatchedRow]:
        return [self._row(row) for row in rows]

    def export_rows(self) -> Iterator[UnmatchedRow]:
        return map(self._row, self.rows.iterator(chunk_size=EXPORT_CHUNK))

    def _row(self, row: UnmatchedPayment) -> UnmatchedRow:
        return UnmatchedRow(row=row, site=self.site_names.get(row.site_key, row.site_key))

    @property
    def figures(self) -> list[Figure]:
        total = unmatched_total()
        return [Figure(label=_("To review"), value=format_number(total.payments), note=format_money(total.refundable))]
