"""Oscar's dashboard: the list of orders and the page of one order.

Held orders are left out of the list. The filter "Awaiting payment" shows them.
"""

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from oscar.apps.dashboard.orders.forms import OrderSearchForm as OscarOrderSearchForm
from oscar.apps.dashboard.orders.views import OrderDetailView as OscarOrderDetailView
from oscar.apps.dashboard.orders.views import OrderListView as OscarOrderListView

from loyalink_khalti.payments import cancelled_orders
from loyalink_khalti.staff import mails
from loyalink_khalti.staff.invoice_links import invoice_links
from loyalink_khalti.staff.payment_links import payment_links
from loyalink_khalti.staff.spreadsheet import safe_cell

from . import orders
from .dashboard_received import ReceivedMixin
from .dashboard_refunds import RefundMixin, cancel_order
from .settings import options


class OrderSearchForm(OscarOrderSearchForm):
    """Oscar's filters, with the held status among them whatever the pipeline lists."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        status: Any = self.fields["status"]
        status.choices = list((dict(status.choices) | {options().held: options().held}).items())


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class OrderListView(OscarOrderListView):
    """Placed orders, or with the filter the held ones."""

    form_class = OrderSearchForm

    def change_order_status(self, request: HttpRequest, order: Any) -> None:
        status = request.POST.get("new_status", "").strip()
        if status in options().set_by_payment:
            names = {"number": order.number, "status": status}
            messages.error(request, _("%(number)s: only the payment itself sets the status “%(status)s”.") % names)
            return
        is_cancellation = status == options().cancelled and status in order.available_statuses()
        if not is_cancellation or not cancel_order(request, order):
            super().change_order_status(request, order)

    def get_queryset(self) -> Any:
        found = super().get_queryset()
        status = self.form.cleaned_data.get("status") if self.form.is_valid() else ""
        return found if status == options().held else orders.placed(found)

    def get_row_values(self, order: Any) -> dict[str, Any]:
        """Return a row of the CSV export in which no name of a customer is a formula."""
        row = super().get_row_values(order)
        return {name: safe_cell(value) if isinstance(value, str) else value for name, value in row.items()}


class MailsMixin:
    """For Oscar's ``OrderDetailView``: the tab with the mails to the customer. A partner's staff have none."""

    request: Any
    object: Any

    def send_mail_again(self, request: HttpRequest, order: Any) -> HttpResponse:
        user: Any = request.user
        purchase = orders.purchase_of(order)
        if purchase is None or not user.is_staff or not mails.may_send(user):
            raise PermissionDenied
        level, text = mails.send_again(purchase, request.POST.get("mail", ""), user=user)
        if level == "success":
            order.notes.create(user=user, note_type="System", message=text)
        messages.add_message(request, getattr(messages, level.upper()), text)
        return cast(HttpResponse, self.reload_page(fragment="mails"))  # type: ignore[attr-defined]  # Oscar's

    def mails_context(self) -> dict[str, Any]:
        """Return the context of the tab, empty for an order without mails of ours."""
        user = self.request.user
        purchase = orders.purchase_of(self.object)
        return {"mails": mails.mail_rows(purchase, user)} if user.is_staff else {}


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters("mobile"), name="dispatch")
class OrderDetailView(ReceivedMixin, RefundMixin, MailsMixin, OscarOrderDetailView):
    """One order: cash and bank transfers that have arrived, refunds, and only notes while it is held."""

    template_name = "loyalink_khalti/oscar/dashboard/order_detail.html"
    note_actions = frozenset({"save_note", "delete_note"})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        order = self.object = self.get_object()
        if "received" in request.POST:
            return self.received(request, order)
        if "refund" in request.POST:
            return self.refund(request, order)
        if "mail" in request.POST:
            return self.send_mail_again(request, order)
        if not orders.is_placed(order) and request.POST.get("order_action") not in self.note_actions:
            return self._reload(error=_("This order is not placed. Only Khalti's answer changes it."))
        return cast(HttpResponse, super().post(request, *args, **kwargs))

    def change_order_status(self, request: HttpRequest, order: Any) -> HttpResponse:
        """Do what Oscar does, but let a cancellation return points and stock too."""
        form = self.get_order_status_form()
        status = form.cleaned_data["new_status"] if form.is_valid() else ""
        if status == options().cancelled and cancel_order(request, order):
            return self._reload()
        return cast(HttpResponse, super().change_order_status(request, order))

    def get_order_status_form(self) -> Any:
        form = super().get_order_status_form()
        status = form.fields["new_status"]
        status.choices = [choice for choice in status.choices if choice[0] not in options().set_by_payment]
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = cast(dict[str, Any], super().get_context_data(**kwargs))
        order, user = self.object, self.request.user
        purchase = orders.purchase_of(order)
        context |= {
            "is_placed": orders.is_placed(order),
            "cancelled_order": cancelled_orders.open_of(purchase) if purchase else None,
            "payment_links": payment_links(purchase, user) if user.is_staff else [],  # not a partner's own staff
            "invoices": invoice_links(purchase, user) if user.is_staff else None,
        }
        return context | self.refund_context() | self.received_context() | self.mails_context()
