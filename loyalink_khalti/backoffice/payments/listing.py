"""The list of payments at Khalti: newest first, found by number, name, e-mail address, phone or Khalti's own ids."""

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import django_filters
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.forms import DateInput
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, TitleColumn

from loyalink_khalti.backoffice.days import within_reach
from loyalink_khalti.backoffice.links import payment_url
from loyalink_khalti.backoffice.listing import Listing
from loyalink_khalti.backoffice.models import Environment
from loyalink_khalti.backoffice.sites import has_several, site_choices
from loyalink_khalti.loyalty.expiry import midnight_after
from loyalink_khalti.money import Paisa, npr, rupees
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.staff import may
from loyalink_khalti.staff.words import STATES, standing

_ID = re.compile(r"[A-Za-z0-9_-]{16,128}")
"""Khalti's have some 22 letters and digits."""
OPEN_FLAG = Flag.objects.filter(payment=OuterRef("pk"), resolved_at=None)


class StandingCell(Column):
    """Where a payment stands, as a chip, and whether somebody must look at it."""

    cell_template_name = "loyalink_khalti/backoffice/payments/standing_cell.html"


class PaymentFilters(WagtailFilterSet):
    """What a shopkeeper looks for."""

    state = django_filters.MultipleChoiceFilter(
        label=_("Where it stands"), choices=[(state.value, words.label) for state, words in STATES.items()]
    )
    needs_you = django_filters.BooleanFilter(label=_("Needs a decision"), method="filter_needs_you")
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_several():
            del self.filters["site"]

    def filter_needs_you(self, rows: "QuerySet[Payment]", _name: str, wanted: bool) -> "QuerySet[Payment]":
        flagged = Flag.objects.filter(resolved_at=None).order_by().values("payment")
        return rows.filter(pk__in=flagged) if wanted else rows.filter(~Exists(OPEN_FLAG))

    def filter_since(self, rows: "QuerySet[Payment]", _name: str, day: date) -> "QuerySet[Payment]":
        return rows.filter(created_at__gte=midnight_after(within_reach(day) - timedelta(days=1)))

    def filter_until(self, rows: "QuerySet[Payment]", _name: str, day: date) -> "QuerySet[Payment]":
        return rows.filter(created_at__lt=midnight_after(within_reach(day)))


class PaymentsView(Listing):
    """All payments that were begun at Khalti."""

    model = Payment
    permission = may.VIEW_PAYMENTS
    export_permission = may.EXPORT_PAYMENTS
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
        StandingCell("standing", label=_("Where it stands"), accessor=standing),
        Column("transaction", label=_("Khalti's transaction"), accessor=lambda payment: payment.transaction_id or ""),
        Column("created_at", label=_("Begun"), accessor=lambda payment: payment.created_at),
    ]
    export_filename = "payments"
    list_export = [
        "created_at", "order", "attempt", "customer", "email", "phone", "standing_words", "amount_rupees",
        "captured_rupees", "fee_rupees", "refunded_rupees", "transaction_id", "pidx", "paid_at", "environment",
        "site_key", "needs_decision",
    ]  # fmt: skip
    export_headings = {
        "created_at": _("Begun"), "order": _("Order"), "attempt": _("Attempt"), "customer": _("Customer"),
        "email": _("E-mail"), "phone": _("Phone"), "standing_words": _("Where it stands"),
        "amount_rupees": _("Amount (Rs)"), "captured_rupees": _("Taken by Khalti (Rs)"),
        "fee_rupees": _("Khalti's fee (Rs)"), "refunded_rupees": _("Given back (Rs)"),
        "transaction_id": _("Khalti's transaction"), "pidx": _("Khalti's pidx"), "paid_at": _("Paid"),
        "environment": _("Server"), "site_key": _("Site"), "needs_decision": _("Needs a decision"),
    }  # fmt: skip

    def get_base_queryset(self) -> "QuerySet[Payment]":
        return Payment.objects.select_related("purchase").annotate(is_flagged=Exists(OPEN_FLAG))

    def search_queryset(self, queryset: "QuerySet[Payment]") -> "QuerySet[Payment]":
        """By one of Khalti's own ids, as it was pasted; else by the beginnings of words."""
        typed = self.search_query.strip()
        if not typed:
            return queryset
        if exact := _by_khaltis_id(typed):
            return queryset.filter(pk__in=exact)
        return queryset.filter(purchase__words__has_words=typed)

    def to_row_dict(self, payment: Payment) -> Any:
        purchase, customer = payment.purchase, payment.purchase.frozen_cart.customer
        known = {
            "order": purchase.number or purchase.ref,
            "customer": customer.name,
            "email": customer.email,
            "phone": customer.phone,
            "standing_words": str(standing(payment).label),
            "amount_rupees": _rupees(payment.amount),
            "captured_rupees": _rupees(payment.captured),
            "fee_rupees": _rupees(payment.fee),
            "refunded_rupees": _rupees(payment.refunded),
            "site_key": self.site_names.get(purchase.site_key, purchase.site_key),
            "needs_decision": payment.is_flagged,  # type: ignore[attr-defined]  # annotated
        }
        return {name: known[name] if name in known else getattr(payment, name) for name in self.list_export}


def _by_khaltis_id(typed: str) -> list[int]:
    """Payments with this pidx or transaction id; both have an index of their own."""
    if not _ID.fullmatch(typed):
        return []
    its = Q(pidx=typed) | Q(environment__in=Environment.values, transaction_id=typed)
    return list(Payment.objects.filter(its).values_list("pk", flat=True)[:10])


def _rupees(paisa: int | None) -> Decimal | None:
    return None if paisa is None else rupees(Paisa(paisa))
