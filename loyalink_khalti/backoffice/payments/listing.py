"""The list of payments, newest first; searched by order, name, e-mail, phone or Khalti's own ids."""

from decimal import Decimal
from typing import Any

import django_filters
from django.db.models import BooleanField, ExpressionWrapper, QuerySet
from django.forms import DateInput
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, TitleColumn

from loyalink_khalti.backoffice.models import Environment
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa, rupees
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.without_order import flags_to_review, needs_review
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.labels import PAYMENT_STATUSES, payment_status
from loyalink_khalti.staff.links import payment_url
from loyalink_khalti.staff.listing import DaysAndSite, Listing
from loyalink_khalti.staff.payment_search import payments_with_id
from loyalink_khalti.staff.sites import site_choices


class StatusColumn(Column):
    """The status of a payment, and whether it needs review."""

    cell_template_name = "loyalink_khalti/backoffice/payments/status_cell.html"


class PaymentFilters(DaysAndSite, WagtailFilterSet):
    state = django_filters.MultipleChoiceFilter(
        label=_("Status"), choices=[(state.value, status.label) for state, status in PAYMENT_STATUSES.items()]
    )
    needs_review = django_filters.BooleanFilter(label=_("Needs review"), method="filter_needs_review")
    since = django_filters.DateFilter(
        label=_("From"), field_name="created_at", method="filter_since", widget=DateInput(attrs={"type": "date"})
    )
    until = django_filters.DateFilter(
        label=_("To"), field_name="created_at", method="filter_until", widget=DateInput(attrs={"type": "date"})
    )
    environment = django_filters.ChoiceFilter(label=_("Khalti's server"), choices=Environment.choices)
    site = django_filters.ChoiceFilter(label=_("Site"), field_name="purchase__site_key", choices=site_choices)

    class Meta:
        model = Payment
        fields: list[str] = []

    def filter_needs_review(self, rows: "QuerySet[Payment]", _name: str, wanted: bool) -> "QuerySet[Payment]":
        return rows.filter(pk__in=flags_to_review().values("payment")) if wanted else rows.filter(~needs_review())


class PaymentsView(Listing):
    """All payments at Khalti, one row for each attempt."""

    reads_replica = True
    model = Payment
    permission = permissions.VIEW_PAYMENTS
    export_permission = permissions.EXPORT_PAYMENTS
    page_title = _("Payments")
    header_icon = "loyalink-rupee"
    index_url_name = "loyalink_khalti_payments"
    index_results_url_name = "loyalink_khalti_payments_results"
    results_template_name = "loyalink_khalti/backoffice/payments/results.html"
    verbose_name = _("payment")
    verbose_name_plural = _("payments")
    default_ordering = ("-created_at", "-pk")
    is_searchable = True
    filterset_class = PaymentFilters
    columns = [
        TitleColumn(
            "order",
            label=_("Order"),
            accessor=lambda payment: payment.purchase.number or payment.purchase.ref,
            get_url=lambda payment: payment_url(payment.pk),
        ),
        Column("customer", label=_("Customer"), accessor=lambda payment: payment.purchase.cart["customer"]["name"]),
        Column(
            "amount", label=_("Amount"), accessor=lambda payment: npr(Paisa(payment.amount)), classname="w-text-right"
        ),
        StatusColumn("status", label=_("Status"), accessor=payment_status),
        Column("transaction", label=_("Khalti's transaction"), accessor=lambda payment: payment.transaction_id or ""),
        Column("created_at", label=_("Created"), accessor=lambda payment: payment.created_at),
    ]
    export_filename = "payments"
    export_headings = {
        "created_at": _("Created"), "order": _("Order"), "attempt": _("Attempt"), "customer": _("Customer"),
        "email": _("E-mail"), "phone": _("Phone"), "status": _("Status"), "amount_rupees": _("Amount (Rs)"),
        "captured_rupees": _("Captured (Rs)"), "fee_rupees": _("Khalti's fee (Rs)"),
        "refunded_rupees": _("Refunded (Rs)"), "transaction_id": _("Khalti's transaction"),
        "pidx": _("Khalti's pidx"), "paid_at": _("Paid at"), "environment": _("Server"), "site_key": _("Site"),
        "needs_review": _("Needs review"),
    }  # fmt: skip
    list_export = list(export_headings)

    def get_base_queryset(self) -> "QuerySet[Payment]":
        return Payment.objects.select_related("purchase").annotate(
            needs_review=ExpressionWrapper(needs_review(), output_field=BooleanField())
        )

    def search_queryset(self, queryset: "QuerySet[Payment]") -> "QuerySet[Payment]":
        """Search by one of Khalti's ids, pasted whole, or by the beginnings of words."""
        query = self.search_query.strip()
        if not query:
            return queryset
        if exact := payments_with_id(query):
            return queryset.filter(pk__in=exact)
        return queryset.filter(purchase__search_text__matches=query)

    def to_row_dict(self, payment: Payment) -> Any:
        purchase, customer = payment.purchase, payment.purchase.frozen_cart.customer
        computed = {
            "order": purchase.number or purchase.ref,
            "customer": customer.name,
            "email": customer.email,
            "phone": customer.phone,
            "status": str(payment_status(payment).label),
            "amount_rupees": _rupees(payment.amount),
            "captured_rupees": _rupees(payment.captured),
            "fee_rupees": _rupees(payment.fee),
            "refunded_rupees": _rupees(payment.refunded),
            "site_key": self.site_names.get(purchase.site_key, purchase.site_key),
        }
        return {name: computed[name] if name in computed else getattr(payment, name) for name in self.list_export}


def _rupees(paisa: int | None) -> Decimal | None:
    return None if paisa is None else rupees(Paisa(paisa))
