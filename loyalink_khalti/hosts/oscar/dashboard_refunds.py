"""Refunds and cancellations on an order's page in Oscar's dashboard. The form itself is ``staff.refund_form``."""

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.staff import labels, permissions, refund_form, refund_steps, refund_view
from loyalink_khalti.staff.cancellation import cancel_unpaid_order
from loyalink_khalti.staff.record_links import record_refund_url

from . import orders


def can_refund(request: HttpRequest) -> bool:
    """Return whether this user may refund. A partner's staff see the order but do not refund it."""
    user: Any = request.user
    return bool(user.is_staff and permissions.has_permission(user, permissions.REFUND))


def cancel_order(request: HttpRequest, order: Any) -> bool:
    """Cancel an unpaid order with its points and stock, or say why not. Return False for an order from outside."""
    purchase = orders.placed_purchase_of(order)
    if purchase is None:
        return False
    names = {"number": order.number}
    if not can_refund(request):
        messages.error(request, _("%(number)s: you may not cancel orders.") % names)
        return True
    cancelled = cancel_unpaid_order(purchase, user=request.user)
    if cancelled.is_new:
        order.notes.create(user=request.user, note_type="System", message=_("Cancelled."))
    messages.add_message(request, getattr(messages, cancelled.level.upper()), cancelled.text)
    return True


class RefundMixin:
    """For Oscar's ``OrderDetailView``: the tab with which staff refund or cancel an order."""

    request: Any
    object: Any

    def refund(self, request: HttpRequest, order: Any) -> HttpResponse:
        """Preview a refund, confirm it, cancel the order, or apply an earlier refund to shop and points again."""
        if not can_refund(request):
            raise PermissionDenied
        purchase = orders.placed_purchase_of(order)
        if purchase is None:
            error = _("This order was not placed with Khalti or loyalty points. It cannot be refunded here.")
            return self._reload(error=error)
        step = request.POST["refund"]
        if step == "cancel":
            cancel_order(request, order)
            return self._reload(fragment="refund")
        if step == "retry":
            for refund in refunds.unapplied(purchase):
                self._add_message(flow.apply_refund(refund))
            return self._reload(fragment="refund")
        known = refund_steps.Step(step) if step in set(refund_steps.Step) else refund_steps.Step.PREVIEW
        done = refund_steps.take_step(known, purchase, request.POST, user=request.user)
        if not done.level:
            return self._refund_page(purchase, done)
        messages.add_message(request, getattr(messages, done.level.upper()), done.text)
        return self._reload(fragment="refund")

    def _add_message(self, refund: Refund) -> None:
        level, text = labels.refund_message(refund)
        messages.add_message(self.request, getattr(messages, level.upper()), text)

    def _refund_page(self, purchase: Purchase, done: refund_steps.StepDone) -> HttpResponse:
        context = self.get_context_data(active_tab="refund")  # type: ignore[attr-defined]  # Oscar's
        shown = refund_view.refund_context(purchase, done, "")
        names = {"form": "refund_form", "quote": "refund_quote", "key": "refund_key"}
        context |= {names.get(name, name): value for name, value in shown.items()}
        return cast(HttpResponse, self.render_to_response(context))  # type: ignore[attr-defined]  # Oscar's

    def _reload(self, **kwargs: Any) -> HttpResponse:
        return cast(HttpResponse, self.reload_page(**kwargs))  # type: ignore[attr-defined]  # Oscar's

    def refund_context(self) -> dict[str, Any]:
        """Return the context of the refund tab, empty if this user or this order has none."""
        purchase = orders.placed_purchase_of(self.object)
        if purchase is None or not can_refund(self.request):
            return {}
        refundable, is_awaited = refunds.refundable(purchase), refunds.is_awaiting_money(purchase)
        is_refundable = refundable.subtotal + refundable.shipping > 0 or not refunds.has_any(purchase)
        everything = refund_form.RefundRequest.all_of(purchase)
        return {
            "can_refund": True,
            "refunds": labels.refund_rows(purchase),
            "refund_pending": bool(refunds.pending(purchase)),
            "refund_unapplied": bool(refunds.unapplied(purchase)),
            "refundable": refundable,
            "fully_refunded": not is_refundable,
            "cancel_quote": everything.quote(purchase) if is_awaited and is_refundable else None,
            "refund_form": refund_form.RefundForm(purchase=purchase),
            "awaits_approval": flow.open_request(purchase),
            "record_url": record_refund_url(purchase, self.request.user),
        }
