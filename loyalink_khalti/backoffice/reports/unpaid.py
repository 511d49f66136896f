"""What unpaid customers have reserved: who holds what, and a link to release it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import prefetch_related_objects
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from loyalink_khalti import flow
from loyalink_khalti.backoffice import links
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.links import payment_url

from .base import Figure, Report
from .charts import Series, bar_chart
from .columns import MoneyColumn, ReportColumn, TimeColumn, TotalRow, format_money, format_number, link
from .filters import PaymentFilters

METHODS = {
    PaymentMethod.KHALTI: gettext_noop("Khalti"),
    PaymentMethod.COD: gettext_noop("Cash on delivery"),
    PaymentMethod.BANK_TRANSFER: gettext_noop("Bank transfer"),
}
ID_LENGTH = 6
"""Characters of an id: enough to recognise one network or browser in the table."""
BARS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """An unpaid purchase as staff read it; ``of_network`` is what its network reserves in all, in paisa."""

    purchase: Purchase
    payment: Payment | None
    of_network: Paisa
    site: str

    @property
    def order(self) -> str:
        return self.purchase.number or self.purchase.ref

    @property
    def method(self) -> str:
        return gettext(METHODS.get(PaymentMethod(self.purchase.method), ""))

    @property
    def products(self) -> str:
        return ", ".join(f"{line['title']} × {line['quantity']}" for line in self.purchase.cart.get("lines", ()))

    @property
    def until(self) -> datetime | None:
        """When Khalti's link expires; None for an order that only staff release."""
        return self.payment.expires_at if self.payment else None

    @property
    def network(self) -> str:
        return self.purchase.network[:ID_LENGTH]

    @property
    def browser(self) -> str:
        return self.purchase.browser_session[:ID_LENGTH]


class OrderColumn(ReportColumn):
    """A link to the payment, or to the order in the shop's own back office."""

    def get_value(self, instance: Any) -> Any:
        if isinstance(instance, TotalRow):
            return instance.label
        payment, purchase = instance.payment, instance.purchase
        return link(payment_url(payment.pk) if payment else links.order_url(purchase), instance.order)

    def export_total(self, row: TotalRow) -> str:
        return str(row.label)


class ReleaseColumn(ReportColumn):
    """A link to the page that releases the reservation; empty in the spreadsheet."""

    def get_value(self, instance: Any) -> Any:
        if isinstance(instance, TotalRow):
            return ""
        return link(reverse("loyalink_khalti_release", args=[instance.purchase.pk]), gettext("Release"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """The last row."""

    value: Paisa


class UnpaidReport(Report):
    page_title = _("Unpaid reservations")
    header_icon = "lock"
    permission, export_permission = permissions.VIEW_PAYMENTS, permissions.EXPORT_PAYMENTS
    index_url_name = "loyalink_khalti_report_unpaid"
    index_results_url_name = "loyalink_khalti_report_unpaid_results"
    export_filename = "unpaid-reservations"
    filterset_class = PaymentFilters
    period = ""
    description = _(
        "Stock that customers have reserved and not paid: at Khalti, and orders that are paid later and not shipped."
        " What one browser or network may reserve is limited in the server's settings. The network that reserves"
        " most comes first; networks and browsers have short codes that reveal nothing."
    )
    empty_message = _("Nothing is reserved without payment.")
    columns = (
        OrderColumn("order", _("Order")),
        ReportColumn("method", _("Payment method")),
        ReportColumn("products", _("Products")),
        MoneyColumn("value", _("Value"), heading=_("Value (Rs)"), read=lambda row: _value(row)),
        TimeColumn("since", _("Since"), read=lambda row: row.purchase.created_at),
        TimeColumn("until", _("Until")),
        ReportColumn("network", _("Network")),
        ReportColumn("browser", _("Browser")),
        ReleaseColumn("release", _("Release"), read=lambda _row: ""),
    )
    export_only = (ReportColumn("site", _("Site")),)

    @cached_property
    def rows(self) -> list[Reservation]:
        purchases = [each for each in flow.unpaid_purchases() if self.site_key in {None, each.site_key}]
        prefetch_related_objects(purchases, "payments")
        networks = self._networks(purchases)
        rows = [self._row(purchase, networks) for purchase in purchases]
        return sorted(rows, key=lambda row: (-row.of_network, row.purchase.network, row.purchase.pk))

    @staticmethod
    def _networks(purchases: Iterable[Purchase]) -> "Counter[str]":
        networks: Counter[str] = Counter()
        for purchase in purchases:
            networks[purchase.network] += purchase.amount_due
        return networks

    def _row(self, purchase: Purchase, networks: "Counter[str]") -> Reservation:
        payments: Sequence[Payment] = sorted(purchase.payments.all(), key=lambda payment: payment.pk)
        return Reservation(
            purchase=purchase,
            payment=payments[-1] if payments else None,
            of_network=Paisa(networks[purchase.network] if purchase.network else purchase.amount_due),
            site=self.site_names.get(purchase.site_key, purchase.site_key),
        )

    @property
    def totals(self) -> Sum:
        return Sum(value=Paisa(sum(row.purchase.amount_due for row in self.rows)))

    @property
    def figures(self) -> list[Figure]:
        largest = max((row.of_network for row in self.rows), default=Paisa(0))
        return [
            Figure(
                label=_("Unpaid orders"), value=format_number(len(self.rows)), note=format_money(self.totals.value)
            ),
            Figure(label=_("Largest network"), value=format_money(largest)),
        ]

    @property
    def chart(self) -> SafeString:
        networks = self._networks(row.purchase for row in self.rows).most_common(BARS)
        series = [Series(name=gettext("Value"), values=[value for _network, value in networks])]
        labels = [network[:ID_LENGTH] or gettext("Unknown") for network, _value in networks]
        return bar_chart("unpaid-by-network", gettext("Unpaid reservations by network"), labels, series, format_money)


def _value(row: Any) -> int:
    return int(row.value if isinstance(row, Sum) else row.purchase.amount_due)
