"""What staff do about one order: refund, cancel, record money, update it after a refund, send a mail again."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from wagtail.admin import messages

from loyalink_khalti import flow
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.payments import refunds
from loyalink_khalti.staff import mails, permissions
from loyalink_khalti.staff.access import forbidden
from loyalink_khalti.staff.cancellation import cancel_unpaid_order
from loyalink_khalti.staff.labels import refund_message
from loyalink_khalti.staff.notes import NoteForm, write_note
from loyalink_khalti.staff.received_actions import ReceivedAction, may_perform, perform, received_money
from loyalink_khalti.staff.received_form import ReceivedForm, SurplusForm
from loyalink_khalti.staff.refund_form import RefundRequest
from loyalink_khalti.staff.refund_view import RefundViewMixin

from .page import OrderAction, OrderPage


class OrderRefundView(RefundViewMixin, OrderPage):
    """A full or partial refund of an order that is paid."""

    permission = permissions.REFUND
    header_icon = "rotate"

    def obstacle(self) -> str:
        if not self.is_placed:
            return _("This order has not been placed.")
        if refunds.is_awaiting_money(self.purchase):
            return _("This order is not paid yet. It can only be cancelled as a whole.")
        return super().obstacle()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.is_placed:
            return self.get(request, *args, **kwargs)
        return super().post(request, *args, **kwargs)


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class OrderApplyRefundsView(OrderAction):
    """Bring order and points up to date with refunds that Khalti has made."""

    post_permission = permissions.REFUND

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        for refund in refunds.unapplied(self.purchase):
            level, text = refund_message(flow.apply_refund(refund))
            getattr(messages, level)(request, text)
        return self.back()


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class OrderCancelView(OrderPage):
    """Cancel an order that is not paid yet: say what follows, and do it on confirmation."""

    permission = permissions.REFUND
    template_name = "loyalink_khalti/staff/cancel.html"
    header_icon = "cross"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        purchase = self.purchase
        if not self.can_cancel:
            messages.warning(request, _("This order is paid, or cancelled already."))
            return self.back()
        try:
            quote = RefundRequest.all_of(purchase).quote(purchase)
        except LoyalinkError as exc:
            messages.warning(request, str(exc))
            return self.back()
        obstacle = flow.self_dealing_obstacle(self.actor, purchase=purchase)
        context = self.get_context_data(cart=purchase.frozen_cart, purchase=purchase, quote=quote, obstacle=obstacle)
        return self.render_to_response(context | {"back_url": self.back_url})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.is_placed:
            messages.warning(request, _("This order has not been placed."))
            return self.back()
        cancelled = cancel_unpaid_order(self.purchase, user=request.user)
        getattr(messages, cancelled.level)(request, cancelled.text)
        return self.back()

    def get_page_title(self) -> str:
        return _("Cancel order %(order)s") % {"order": self.order_name}

    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        return [{"url": "", "label": _("Cancel")}]


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class OrderReceivedView(OrderAction):
    """Cash and bank transfers: record, reverse an entry, place again, record a refund of the surplus."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name, purchase = request.POST.get("received"), received_money(self.purchase)
        action = ReceivedAction(name) if name in set(ReceivedAction) else ReceivedAction.RECORD
        if not may_perform(request.user, action):
            return forbidden(request)
        if purchase is None or not self.is_placed:
            messages.error(request, _("This order is not paid in cash or by bank transfer."))
            return self.back()
        try:
            done = perform(action, purchase, request.POST, user=request.user)
        except LoyalinkError as exc:
            messages.error(request, str(exc))
            return self.back()
        if done.invalid is not None:
            return self._again(done.invalid)
        getattr(messages, done.level)(request, done.text)
        return self.back()

    def _again(self, form: forms.Form) -> HttpResponse:
        if isinstance(form, ReceivedForm):
            return self.render_to_response(self.get_context_data(received_form=form))
        if isinstance(form, SurplusForm):
            return self.render_to_response(self.get_context_data(surplus_form=form))
        messages.error(self.request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return self.back()


class OrderNoteView(OrderAction):
    """Write a note on the order, which colleagues read in its history."""

    post_permission = permissions.ADD_NOTES

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = NoteForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(note_form=form))
        try:
            write_note(form, self.purchase, user=request.user)
        except LoyalinkError as exc:
            form.add_error("text", str(exc))
            return self.render_to_response(self.get_context_data(note_form=form))
        messages.success(request, _("The note is added."))
        return self.back()


class OrderMailView(OrderAction):
    """Send one of the order's mails again."""

    post_permission = permissions.RESOLVE_FLAGS

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        level, text = mails.send_again(self.purchase, request.POST.get("mail", ""), user=request.user)
        getattr(messages, level)(request, text)
        return self.back()
