"""The payments that staff must review, and the options for each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django_filters import ChoiceFilter

from loyalink_khalti import flow
from loyalink_khalti.backoffice import links
from loyalink_khalti.payments import cancelled_orders, missing_orders, models, received, reports
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.states import FlagReason
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.labels import RESOLUTIONS_IN_SHORT
from loyalink_khalti.staff.links import payment_url
from loyalink_khalti.staff.listing import EXPORT_CHUNK

from .base import Figure, Report
from .charts import Series, bar_chart
from .columns import (
    LabelColumn,
    MoneyColumn,
    NumberColumn,
    PageColumn,
    ReportColumn,
    ReportTable,
    TimeColumn,
    format_money,
    format_number,
)
from .filters import PaymentFilters

SURPLUS = _("Cash or a bank transfer was received that the order does not need.")
"""The reason of an order with a surplus; it has no Flag."""


MISSING = _("The order was deleted in the shop.")
"""The reason of a placed order that does not exist any more; it has no Flag."""
CANCELLED = _("The order was cancelled in the shop, and is not refunded.")
"""The reason of a placed order that the shop has cancelled by itself; it has no Flag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRow:
    """A Flag to review as staff read it; it may be resolved, while its payment has money without an order."""

    flag: models.Flag
    site: str

    @property
    def payment(self) -> models.Payment:
        return self.flag.payment

    @property
    def name(self) -> str:
        return self.payment.purchase_order_id

    @property
    def amount(self) -> int:
        return self.payment.amount

    @property
    def url(self) -> str:
        return payment_url(self.payment.pk)

    @property
    def raised_at(self) -> datetime:
        return self.flag.raised_at

    @property
    def number(self) -> int | None:
        return self.flag.pk

    @property
    def reason(self) -> str:
        reason, number = str(REASONS[FlagReason(self.flag.reason)]), self.flag.count
        if self.flag.resolved_at is not None:
            return gettext("Closed, no order, not refunded: %s") % reason
        if number == 1:
            return reason
        return f"{reason} " + ngettext("(%(number)s time)", "(%(number)s times)", number) % {"number": number}

    @property
    def waiting_for(self) -> str:
        return timesince(self.flag.raised_at, depth=1)

    @property
    def options(self) -> str:
        labels = [str(RESOLUTIONS_IN_SHORT[option]) for option in flow.resolution_options(self.flag)]
        return " · ".join(labels) or gettext("None yet: it is retried automatically")


@dataclass(frozen=True, slots=True, kw_only=True)
class SurplusRow:
    """An order with money received outside Khalti that it does not need, as staff read it."""

    purchase: Any
    site: str
    number: int | None = None
    """It has no Flag."""

    @property
    def name(self) -> str:
        return str(self.purchase.number or self.purchase.ref)

    @property
    def amount(self) -> int:
        return int(self.purchase.surplus)

    @property
    def url(self) -> str:
        """The order in the shop's own back office, where staff refund it."""
        return links.order_or_missing_url(self.purchase)

    @property
    def raised_at(self) -> Any:
        return self.purchase.since or self.purchase.created_at

    @property
    def waiting_for(self) -> str:
        return timesince(self.raised_at, depth=1)

    @property
    def reason(self) -> str:
        return str(SURPLUS)

    @property
    def options(self) -> str:
        return gettext("Refund") if self.purchase.received_at else gettext("Refund, or place the order again")


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingOrderRow(SurplusRow):
    """A placed order that was deleted in the shop, as staff read it."""

    @property
    def amount(self) -> int:
        return int(self.purchase.amount_due)

    @property
    def url(self) -> str:
        return links.missing_order_url(self.purchase.pk)

    @property
    def reason(self) -> str:
        return str(MISSING)

    @property
    def options(self) -> str:
        return gettext("Refund, or close the matter")


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledOrderRow(MissingOrderRow):
    """A placed order that the shop has cancelled by itself, as staff read it."""

    @property
    def raised_at(self) -> Any:
        return self.purchase.cancelled_order.noticed_at

    @property
    def reason(self) -> str:
        return str(CANCELLED)


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
        PageColumn("name", _("Payment")),
        MoneyColumn("amount", _("Amount"), heading=_("Amount (Rs)")),
        ReportColumn("reason", _("Reason")),
        ReportColumn("options", _("Options")),
        TimeColumn("raised_at", _("Since")),
        ReportColumn("waiting_for", _("Waiting for")),
    )
    export_only = (
        ReportColumn("number", _("Flag")),
        ReportColumn("site", _("Site")),
    )

    @cached_property
    def flags(self) -> Any:
        return reports.to_review(site_key=self.site_key, reason=self.filter_values.get("reason") or "")

    @cached_property
    def surpluses(self) -> list[models.Purchase]:
        """Orders with a surplus: few, and none while a reason of Flags is chosen."""
        return [] if self.filter_values.get("reason") else list(received.surpluses(site_key=self.site_key))

    @cached_property
    def missing(self) -> list[models.Purchase]:
        """Placed orders that were deleted in the shop: few, and none while a reason of Flags is chosen."""
        return [] if self.filter_values.get("reason") else list(missing_orders.to_close(site_key=self.site_key))

    @cached_property
    def cancelled(self) -> list[models.Purchase]:
        """Placed orders that the shop has cancelled by itself: few, and none while a reason of Flags is chosen."""
        if self.filter_values.get("reason"):
            return []
        found = [row.purchase for row in cancelled_orders.to_close(site_key=self.site_key)]
        return [purchase for purchase in found if purchase not in self.missing]

    @property
    def orders(self) -> list[models.Purchase]:
        """What has no Flag: an order once, with its surplus if it was deleted or cancelled, too."""
        orders = [*self.missing, *self.cancelled]
        return [*orders, *(each for each in self.surpluses if each not in orders)]

    @cached_property
    def rows(self) -> Any:
        orders = self.orders
        return [*orders, *self.flags] if orders else self.flags

    def prepare(self, rows: Iterable[models.Flag | models.Purchase]) -> Sequence[FlagRow | SurplusRow]:
        return [self._row(row) for row in rows]

    def export_rows(self) -> Iterable[FlagRow | SurplusRow]:
        return map(self._row, chain(self.orders, self.flags.iterator(chunk_size=EXPORT_CHUNK)))

    def _row(self, row: models.Flag | models.Purchase) -> FlagRow | SurplusRow:
        if isinstance(row, models.Purchase):
            kind = CancelledOrderRow if row in self.cancelled else SurplusRow
            kind = MissingOrderRow if row in self.missing else kind
            return kind(purchase=row, site=self.site_names.get(row.site_key, row.site_key))
        key = row.payment.purchase.site_key
        return FlagRow(flag=row, site=self.site_names.get(key, key))

    @cached_property
    def reason_totals(self) -> list[tuple[str, int]]:
        """Each reason as staff read it, with its number."""
        missing, cancelled = len(self.missing), len(self.cancelled)
        orders = [
            (str(SURPLUS), len(self.orders) - missing - cancelled),
            (str(MISSING), missing),
            (str(CANCELLED), cancelled),
        ]
        flags = [(str(REASONS[reason]), number) for reason, number in reports.by_reason(self.flags)]
        return flags + [row for row in orders if row[1]]

    @property
    def figures(self) -> list[Figure]:
        number = sum(number for _reason, number in self.reason_totals)
        figures = [Figure(label=_("To review"), value=format_number(number))]
        if self.surpluses:
            total = format_money(sum(purchase.surplus for purchase in self.surpluses))
            figures.append(Figure(label=_("Surplus received"), value=total, note=_("in cash or by bank transfer")))
        return figures

    @property
    def chart_table(self) -> ReportTable:
        columns = [
            LabelColumn("reason", _("Reason"), read=lambda row: row[0]),
            NumberColumn("number", _("To review"), read=lambda row: row[1]),
        ]
        return ReportTable(columns, self.reason_totals, caption=_("Totals by reason"))

    @property
    def chart(self) -> SafeString:
        series = [Series(name=gettext("To review"), values=[number for _reason, number in self.reason_totals])]
        labels = [reason for reason, _number in self.reason_totals]
        return bar_chart("review-by-reason", gettext("Payments to review by reason"), labels, series, format_number)
