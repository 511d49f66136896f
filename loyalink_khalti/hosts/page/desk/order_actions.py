"""What staff do about one order: refund, cancel, record money, change the status, note, send a mail again."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from wagtail.admin import messages
from wagtail.log_actions import log

from loyalink_khalti import flow
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.hosts.page.models import OrderNote
from loyalink_khalti.payments import refunds
from loyalink_khalti.staff import mails, permissions
from loyalink_khalti.staff.access import forbidden
from loyalink_khalti.staff.cancellation import cancel_unpaid_order
from loyalink_khalti.staff.labels import refund_message
from loyalink_khalti.staff.received_actions import ReceivedAction, may_perform, perform, received_money
from loyalink_khalti.staff.received_form import ReceivedForm, SurplusForm
from loyalink_khalti.staff.refund_form import RefundRequest
from loyalink_khalti.staff.refund_view import RefundViewMixin, refund_obstacle

from .order_forms import NoteForm, StatusForm
from .order_log import STATUS_CHANGED
from .order_page import OrderAction, OrderPage
from .order_permissions import CHANGE_ORDERS
from .order_status import change_status


class RefundView(RefundViewMixin, OrderPage):
    """A full or partial refund of an order that is paid."""

    permission = permissions.REFUND
    header_icon = "rotate"

    def obstacle(self) -> str:
        purchase = self.purchase
        if purchase is None or self.order.placed_at is None:
            return _("This order has not been placed.")
        if refunds.is_awaiting_money(purchase):
            return _("This order is not paid yet. It can only be cancelled as a whole.")
        return refund_obstacle(purchase)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.purchase is None:
            return self.back()
        return super().post(request, *args, **kwargs)


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ApplyRefundsView(OrderAction):
    """Bring order and points up to date with refunds that Khalti has made."""

    permission = permissions.REFUND

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        for refund in refunds.unapplied(self.purchase) if self.purchase is not None else ():
            level, text = refund_message(flow.apply_refund(refund))
            getattr(messages, level)(request, text)
        return self.back()


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class CancelView(OrderPage):
    """Cancel an order that is not paid yet: say what follows, and do it on confirmation."""

    permission = permissions.REFUND
    template_name = "loyalink_khalti/staff/cancel.html"
    header_icon = "cross"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        purchase = self.purchase
        if purchase is None or not self.is_awaiting_money:
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
        if self.purchase is not None:
            cancelled = cancel_unpaid_order(self.purchase, user=request.user)
            if cancelled.is_new:
                OrderNote.objects.create(order=self.order, text=_("Cancelled."), actor=self.actor)
            getattr(messages, cancelled.level)(request, cancelled.text)
        return self.back()

    def get_page_title(self) -> str:
        return _("Cancel order %(order)s") % {"order": self.order_name}

    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        return [{"url": "", "label": _("Cancel")}]


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class ReceivedView(OrderAction):
    """Cash and bank transfers: record, reverse an entry, place again, record a refund of the surplus."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name, purchase = request.POST.get("received"), received_money(self.purchase)
        action = ReceivedAction(name) if name in set(ReceivedAction) else ReceivedAction.RECORD
        if not may_perform(request.user, action):
            return forbidden(request)
        if purchase is None or self.order.placed_at is None:
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


class StatusView(OrderAction):
    """Change the status; the customer gets a mail if that is ticked."""

    post_permission = CHANGE_ORDERS

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = StatusForm(request.POST, order=self.order, purchase=self.purchase)
        if not form.is_valid() or self.purchase is None:
            return self.render_to_response(self.get_context_data(status_form=form))
        data = form.cleaned_data
        obstacle = change_status(
            self.order,
            data["status"],
            seen=data["seen"],
            purchase=self.purchase,
            actor=self.actor,
            notify=bool(data.get("notify")),
        )
        if obstacle:
            messages.error(request, obstacle)
            return self.back()
        log(instance=self.order, action=STATUS_CHANGED, data={"before": data["seen"], "after": data["status"]})
        messages.success(request, _("The status is changed."))
        return self.back()


class NoteView(OrderAction):
    """Add a note, which colleagues read in the history."""

    post_permission = CHANGE_ORDERS

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = NoteForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(note_form=form))
        OrderNote.objects.create(order=self.order, text=form.cleaned_data["text"], actor=self.actor)
        messages.success(request, _("The note is added."))
        return self.back()


class MailView(OrderAction):
    """Send one of the order's mails again."""

    post_permission = permissions.RESOLVE_FLAGS

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.purchase is None:
            return self.back()
        level, text = mails.send_again(self.purchase, request.POST.get("mail", ""), user=request.user)
        if level == "success":
            OrderNote.objects.create(order=self.order, text=text, actor=self.actor)
        getattr(messages, level)(request, text)
        return self.back()
