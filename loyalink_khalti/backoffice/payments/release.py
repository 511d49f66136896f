"""Release what an unpaid customer has reserved: cancel a payment at Khalti, or an order that is paid later."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.log_actions import log

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Outcome
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import PermissionRequired
from loyalink_khalti.staff.cancellation import cancel_unpaid_order

RELEASED = "loyalink_khalti.release"
"""Log action."""


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ReleaseView(PermissionRequired, WagtailAdminTemplateMixin, TemplateView):
    """Say what is released, and release it on confirmation. A payment at Khalti is looked up first."""

    template_name = "loyalink_khalti/backoffice/payments/release.html"
    header_icon = "lock-open"
    page_title: Any = gettext_lazy("Release a reservation")
    breadcrumbs_items: Any = [
        *WagtailAdminTemplateMixin.breadcrumbs_items,
        {"url": reverse_lazy("loyalink_khalti_report_unpaid"), "label": gettext_lazy("Unpaid reservations")},
        {"url": "", "label": gettext_lazy("Release")},
    ]
    kwargs: dict[str, Any]

    @property
    def permission(self) -> str:  # type: ignore[override]  # it depends on how the purchase is paid
        """Cancelling an order is a refund of nothing; cancelling a payment resolves it."""
        return permissions.RESOLVE_FLAGS if self.payment else permissions.REFUND

    @cached_property
    def purchase(self) -> Purchase:
        found: Purchase = get_object_or_404(Purchase, pk=self.kwargs["pk"])
        return found

    @cached_property
    def payment(self) -> Payment | None:
        return self.purchase.payments.order_by("-pk").first()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {
            "purchase": self.purchase,
            "payment": self.payment,
            "cart": self.purchase.frozen_cart,
            "list_url": reverse("loyalink_khalti_report_unpaid"),
        }

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self._is_unpaid():
            return self._back("info", _("This order does not reserve anything without payment any more."))
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self._is_unpaid():
            return self._back("info", _("This order does not reserve anything without payment any more."))
        if self.payment is None:
            return self._cancel_order(request)
        outcome = flow.cancel_payment(self.payment, customer_present=False)
        title, data = self.payment.purchase_order_id, {"outcome": outcome.value}
        log(instance=self.payment, action=RELEASED, title=title, data=data)
        return self._back(*_result(outcome))

    def _cancel_order(self, request: HttpRequest) -> HttpResponse:
        cancelled = cancel_unpaid_order(self.purchase, user=request.user)
        return self._back(cancelled.level, cancelled.text)

    def _is_unpaid(self) -> bool:
        return any(each.pk == self.purchase.pk for each in flow.unpaid_purchases(ref=self.purchase.ref))

    def _back(self, level: str, text: str) -> HttpResponse:
        getattr(messages, level)(self.request, text)
        return HttpResponseRedirect(reverse("loyalink_khalti_report_unpaid"))


def _result(outcome: Outcome) -> tuple[str, str]:
    if outcome is Outcome.PAID:
        return "success", _("Khalti reports that it was paid: the order is placed, and nothing was released.")
    if outcome is Outcome.CONFIRMING:
        return "warning", _("Khalti cannot confirm yet that nothing was paid. Nothing was released; try again soon.")
    if outcome is Outcome.FLAGGED:
        return "warning", _("The payment needs review now. Nothing was released.")
    return "success", _("Released: the products are for sale again.")
