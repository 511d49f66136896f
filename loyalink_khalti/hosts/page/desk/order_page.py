"""The page of one order: its products, customer, delivery, money, payments, refunds and history."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse, reverse_lazy
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from loyalink_khalti import flow
from loyalink_khalti.hosts.page.models import Order, OrderStatus
from loyalink_khalti.hosts.page.site_settings import SHOP
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import PAID_LATER
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import PermissionRequired
from loyalink_khalti.staff.labels import refund_rows
from loyalink_khalti.staff.links import member_url, page_url
from loyalink_khalti.staff.mails import mail_rows
from loyalink_khalti.staff.payment_links import payment_links
from loyalink_khalti.staff.received_form import ReceivedForm, SurplusForm, summary
from loyalink_khalti.staff.record_links import record_refund_url
from loyalink_khalti.staff.refund_view import refund_obstacle

from .order_forms import NoteForm, StatusForm
from .order_history import order_history
from .order_labels import method_label, order_statuses
from .order_list import order_url
from .order_permissions import CHANGE_ORDERS, VIEW_ORDERS


class OrderPage(PermissionRequired, WagtailAdminTemplateMixin, TemplateView):
    """A page about one order, with breadcrumbs to the list."""

    permission = VIEW_ORDERS
    header_icon = "list-ul"
    breadcrumbs_items: Any = [
        *WagtailAdminTemplateMixin.breadcrumbs_items,
        {"url": reverse_lazy("loyalink_khalti_page_orders"), "label": gettext_lazy("Orders")},
    ]
    kwargs: dict[str, Any]

    @cached_property
    def order(self) -> Order:
        found: Order = get_object_or_404(Order, pk=self.kwargs["pk"])
        return found

    @cached_property
    def purchase(self) -> Purchase | None:
        """The flow's own row, with the money; None for an order that was made by hand in the database."""
        return Purchase.objects.filter(shop=SHOP, ref=self.order.number).first()

    @property
    def order_name(self) -> str:
        return self.order.number

    @property
    def back_url(self) -> str:
        return order_url(self.order.pk)

    @property
    def actor(self) -> str:
        """The pk of the staff's user as text."""
        return str(self.request.user.pk)

    @property
    def is_awaiting_money(self) -> bool:
        """Whether the order is placed, and not paid yet, nor cancelled."""
        order, purchase = self.order, self.purchase
        is_open = order.placed_at is not None and order.status != OrderStatus.CANCELLED
        return is_open and purchase is not None and refunds.is_awaiting_money(purchase)

    def back(self) -> HttpResponse:
        return HttpResponseRedirect(self.back_url)

    def get_page_title(self) -> str:
        return _("Order %(order)s") % {"order": self.order_name}

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": self.back_url, "label": self.order_name}, *self.last_breadcrumbs()]

    def last_breadcrumbs(self) -> list[dict[str, Any]]:
        """The breadcrumbs below the order's own."""
        return []


class OrderView(OrderPage):
    """Everything about an order on one page, with the forms of what staff may do."""

    template_name = "loyalink_khalti/page/desk/order.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        order, purchase = self.order, self.purchase
        return {
            **super().get_context_data(**kwargs),
            "order": order,
            "lines": list(order.lines.all()),
            "statuses": order_statuses(order),
            "method": method_label(order),
            "purchase": purchase,
            "receipt": flow.receipt(purchase) if purchase is not None else None,
            "member_url": self._member_url(),
            "payments": payment_links(purchase, self.request.user),
            "history": order_history(order, purchase),
            "mails": mail_rows(purchase, self.request.user),
            **self._status(),
            **self._refunds(),
            **self._received(),
            **kwargs,
        }

    def _status(self) -> dict[str, Any]:
        """Status and notes, for users who may change orders."""
        if not self.has_permission(CHANGE_ORDERS):
            return {}
        form = StatusForm(order=self.order, purchase=self.purchase)
        return {
            "status_form": form if form.has_choices else None,
            "note_form": NoteForm(),
        }

    def _refunds(self) -> dict[str, Any]:
        """Refunds, and the links to refund or cancel that this user may follow."""
        purchase = self.purchase
        if purchase is None:
            return {}
        may_refund = self.has_permission(permissions.REFUND)
        is_placed, is_awaited = self.order.placed_at is not None, self.is_awaiting_money
        is_refundable = is_placed and not refunds.is_awaiting_money(purchase) and not refund_obstacle(purchase)
        return {
            "refunds": refund_rows(purchase),
            "refund_pending": bool(refunds.pending(purchase)),
            "refund_unapplied": may_refund and bool(refunds.unapplied(purchase)),
            "refund_url": self._action("refund") if may_refund and is_refundable else "",
            "record_url": record_refund_url(purchase, self.request.user),
            "cancel_url": self._action("cancel") if may_refund and is_awaited else "",
            "release_url": self._release_url(purchase),
        }

    def _release_url(self, purchase: Purchase) -> str:
        """Return the URL of the desk's page that cancels an open payment, after asking Khalti."""
        if self.order.status != OrderStatus.HELD or not self.has_permission(permissions.RESOLVE_FLAGS):
            return ""
        return page_url("loyalink_khalti_release", purchase.pk)

    def _received(self) -> dict[str, Any]:
        """Cash and bank transfers, for an order that is paid so."""
        purchase = self.purchase
        if purchase is None or self.order.placed_at is None or purchase.method not in PAID_LATER:
            return {}
        money, may_refund = summary(purchase), self.has_permission(permissions.REFUND)
        return {
            "received_money": money,
            "received_url": self._action("received"),
            "can_record": self.has_permission(permissions.RECORD_RECEIVED),
            "received_form": ReceivedForm(purchase=purchase),
            "surplus_form": SurplusForm(purchase=purchase) if money.surplus and may_refund else None,
        }

    def _member_url(self) -> str:
        earner = self.purchase.earner if self.purchase is not None else None
        if earner is None or not self.has_permission(permissions.VIEW_MEMBERS):
            return ""
        account = ledger.find_account(self.order.site_key, earner)
        return member_url(account.pk) if account else ""

    def _action(self, name: str) -> str:
        return reverse(f"loyalink_khalti_page_order_{name}", args=[self.order.pk])


class OrderAction(OrderView):
    """A form of the order's page; opened by itself, it leads to that page."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.back()
