"""The page of an order that was deleted, or cancelled, in the shop: refund what is left, and close the matter."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.log_actions import log

from loyalink_khalti import flow
from loyalink_khalti.backoffice.links import missing_order_url, order_url
from loyalink_khalti.errors import LoyalinkError, RefundLimitExceeded
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import cancelled_orders, refunds
from loyalink_khalti.payments.cancelled_orders import CancelledOrder
from loyalink_khalti.payments.missing_orders import MissingOrder
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.ports import PAID_LATER, PaymentMethod
from loyalink_khalti.staff import action_log, permissions
from loyalink_khalti.staff.access import PermissionRequired
from loyalink_khalti.staff.fields import ReasonField
from loyalink_khalti.staff.labels import refund_message, refund_rows
from loyalink_khalti.staff.links import payment_url
from loyalink_khalti.staff.refund_form import RefundRequest
from loyalink_khalti.staff.refund_steps import log_new_request, requested_message

CLOSED = "loyalink_khalti.close_missing_order"
"""Log action."""


class CloseForm(forms.Form):
    """Why nothing more is to be done."""

    reason = ReasonField()


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class MissingOrderView(PermissionRequired, WagtailAdminTemplateMixin, TemplateView):
    """What is on record of such an order.

    Money that Khalti has is refunded on the payment's page or, while the order exists, on the shop's; all else here.
    """

    permission = permissions.VIEW_PAYMENTS
    post_permission = permissions.REFUND
    template_name = "loyalink_khalti/backoffice/orders/missing_order.html"
    header_icon = "warning"
    breadcrumbs_items: Any = [
        *WagtailAdminTemplateMixin.breadcrumbs_items,
        {"url": reverse_lazy("loyalink_khalti_report_review"), "label": gettext_lazy("Payments to review")},
    ]
    kwargs: dict[str, Any]

    @cached_property
    def purchase(self) -> Purchase:
        found: Purchase = get_object_or_404(Purchase, pk=self.kwargs["pk"])
        return found

    @property
    def name(self) -> str:
        return self.purchase.number or self.purchase.ref

    @cached_property
    def is_missing(self) -> bool:
        return flow.is_missing(self.purchase)

    @cached_property
    def matter(self) -> MissingOrder | CancelledOrder | None:
        """What staff close: that the order is deleted, else that the shop has cancelled it; closed ones too."""
        kind = MissingOrder if self.is_missing else CancelledOrder
        found: MissingOrder | CancelledOrder | None = kind._default_manager.filter(purchase=self.purchase).first()
        return found

    @property
    def is_open(self) -> bool:
        return self.is_missing or cancelled_orders.open_of(self.purchase) is not None

    def get_page_title(self) -> str:
        if self.matter is None and not self.is_missing:
            return _("Order %(order)s") % {"order": self.name}
        title = _("Deleted order %(order)s") if self.is_missing else _("Cancelled order %(order)s")
        return title % {"order": self.name}

    def get_breadcrumbs_items(self) -> Any:
        return [*self.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        purchase = self.purchase
        payment = purchase.payments.order_by("-pk").first()
        return {
            **super().get_context_data(**kwargs),
            "purchase": purchase,
            "cart": purchase.frozen_cart,
            "payment_url": payment_url(payment.pk) if payment else "",
            "order_url": "" if self.is_missing else order_url(purchase),
            "is_missing": self.is_missing,
            "is_open": self.is_open,
            "matter": self.matter,
            "quote": self._quote(),
            "refunds": refund_rows(purchase),
            "can_refund": self.has_permission(permissions.REFUND),
            "form": kwargs.get("form") or CloseForm(),
        }

    def _quote(self) -> flow.RefundQuote | None:
        """Return what is left to return without Khalti: cash, transfers and points; None if there is nothing."""
        purchase = self.purchase
        left = refunds.refundable(purchase)
        if purchase.method == PaymentMethod.KHALTI or not (left.subtotal + left.shipping) or refunds.pending(purchase):
            return None
        return RefundRequest.all_of(purchase).quote(purchase)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if "close" in request.POST:
                return self._close(request)
            refund = self._refund_surplus() if "surplus" in request.POST else self._refund()
        except RefundLimitExceeded as exc:
            return self._ask(request, why=str(exc))
        except LoyalinkError as exc:
            messages.error(request, str(exc))
            return self._reload()
        if not refund.is_repeated:
            action_log.log_refund(refund, user=request.user)
        level, text = refund_message(refund)
        getattr(messages, level)(request, text)
        return self._reload()

    def _ask(self, request: HttpRequest, *, why: str) -> HttpResponse:
        """Request that a colleague approves what this user may not refund alone."""
        purchase, actor = self.purchase, str(request.user.pk)
        key = f"missing:{purchase.pk}:{purchase.refund_approvals.count()}"
        try:
            if "surplus" in request.POST:
                amount = Paisa(purchase.surplus)
                row = flow.request_surplus_refund(purchase, amount=amount, key=key, actor=actor)
            else:
                cancels = purchase.method in PAID_LATER and refunds.is_awaiting_money(purchase)
                row = RefundRequest.all_of(purchase).ask(purchase, key=key, actor=actor, cancels=cancels)
        except LoyalinkError as exc:
            messages.error(request, f"{why} {exc}")
            return self._reload()
        log_new_request(row, user=request.user)
        messages.warning(request, f"{why} {requested_message(row)}")
        return self._reload()

    def _refund(self) -> Refund:
        purchase = self.purchase
        return RefundRequest.all_of(purchase).refund(
            purchase,
            key=f"missing:{purchase.pk}:{refunds.newest_pk(purchase)}",
            actor=str(self.request.user.pk),
            enforce_limit=not self.has_permission(permissions.REFUND_BEYOND_LIMIT),
            cancels=purchase.method in PAID_LATER and refunds.is_awaiting_money(purchase),
        )

    def _refund_surplus(self) -> Refund:
        purchase = self.purchase
        return flow.refund_surplus(
            purchase,
            amount=Paisa(purchase.surplus),
            key=f"missing-surplus:{purchase.pk}:{refunds.newest_pk(purchase)}",
            actor=str(self.request.user.pk),
            enforce_limit=not self.has_permission(permissions.REFUND_BEYOND_LIMIT),
        )

    def _close(self, request: HttpRequest) -> HttpResponse:
        form = CloseForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        is_cancelled = isinstance(self.matter, CancelledOrder)
        close: Any = flow.close_cancelled_order if is_cancelled else flow.close_missing_order
        matter = close(self.purchase, actor=str(request.user.pk), reason=form.cleaned_data["reason"])
        instance = self.purchase.payments.order_by("-pk").first() or matter
        log(instance=instance, action=CLOSED, title=self.name, data={})
        text = _("Closed. Nothing more is to be done about order %(order)s.") % {"order": self.name}
        messages.success(request, text)
        return HttpResponseRedirect(str(reverse_lazy("loyalink_khalti_report_review")))

    def _reload(self) -> HttpResponse:
        return HttpResponseRedirect(missing_order_url(self.purchase.pk))
