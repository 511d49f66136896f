"""The addresses of the payments' pages, under Wagtail's own, and their place in the menu."""

from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.backoffice.menu import GuardedItem
from loyalink_khalti.staff import may

from .ask import AskView
from .deciding import FlagView
from .giving_back import RefundView
from .listing import PaymentsView
from .page import PaymentView


def admin_urls() -> list[URLPattern]:
    results = PaymentsView.as_view(results_only=True)
    return [
        path("khalti/payments/", PaymentsView.as_view(), name="loyalink_khalti_payments"),
        path("khalti/payments/results/", results, name="loyalink_khalti_payments_results"),
        path("khalti/payments/<int:pk>/", PaymentView.as_view(), name="loyalink_khalti_payment"),
        path("khalti/payments/<int:pk>/ask/", AskView.as_view(), name="loyalink_khalti_payment_ask"),
        path("khalti/payments/<int:pk>/refund/", RefundView.as_view(), name="loyalink_khalti_payment_refund"),
        path("khalti/flags/<int:pk>/", FlagView.as_view(), name="loyalink_khalti_flag"),
    ]


def menu_item() -> GuardedItem:
    url = reverse("loyalink_khalti_payments")
    return GuardedItem(
        _("Payments"),
        url,
        permission=may.VIEW_PAYMENTS,
        name="loyalink-khalti-payments",
        icon_name="loyalink-rupee",
        order=800,
    )
