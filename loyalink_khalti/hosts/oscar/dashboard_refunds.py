"""Refunds and cancellations on an order's page in Oscar's dashboard. The form itself is ``staff.refund_form``."""

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.staff import action_log, labels, permissions, refund_form
from loyalink_khalti.staff.cancellation import cancel_unpaid_order

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
        form = refund_form.RefundForm(request.POST, purchase=purchase)
        if step == "confirm" and form.is_valid() and form.cleaned_data["key"]:
            return self._confirm(request, purchase, form)
        return self._refund_page(form, is_preview=form.is_valid())

    def _confirm(self, request: HttpRequest, purchase: Purchase, form: refund_form.RefundForm) -> HttpResponse:
        if error := refund_form.refund_limit_error(request.user, purchase, form.refund_amount):
            messages.error(request, error)
            return self._reload(fragment="refund")
        try:
            refund = form.refund_request.refund(
                purchase,
                key=form.cleaned_data["key"],
                actor=str(request.user.pk),
                seen_refund=form.cleaned_data["seen_refund"],
                enforce_limit=not permissions.has_permission(request.user, permissions.REFUND_BEYOND_LIMIT),
            )
        except LoyalinkError as exc:
            messages.error(request, str(exc))
        else:
            if not refund.is_repeated:
                action_log.log_refund(refund, user=request.user)
            self._add_message(refund)
        return self._reload(fragment="refund")

    def _add_message(self, refund: Refund) -> None:
        level, text = labels.refund_message(refund)
        messages.add_message(self.request, getattr(messages, level.upper()), text)

    def _refund_page(self, form: refund_form.RefundForm, *, is_preview: bool) -> HttpResponse:
        context = self.get_context_data(active_tab="refund")  # type: ignore[attr-defined]  # Oscar's
        context |= {
            "refund_form": form,
            "refund_quote": form.quote if is_preview else None,
            "refund_request": form.refund_request if is_preview else None,
            "refund_key": refund_form.new_key(),
        }
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
        }
