"""The page of one order, however it is paid: figures, products, customer, money, refunds, mails and history."""

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
from loyalink_khalti.backoffice import links
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.payments import cancelled_orders, refunds
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.ports import PAID_LATER, PaymentMethod
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import PermissionRequired
from loyalink_khalti.staff.labels import refund_rows
from loyalink_khalti.staff.links import member_url
from loyalink_khalti.staff.mails import mail_rows
from loyalink_khalti.staff.notes import NoteForm
from loyalink_khalti.staff.payment_links import PaymentLink, payment_links
from loyalink_khalti.staff.received_form import ReceivedForm, SurplusForm, summary
from loyalink_khalti.staff.refund_view import refund_obstacle

from .labels import ORDER_STATUSES, method_label
from .sections import buttons, sections
from .timeline import timeline


class OrderPage(PermissionRequired, WagtailAdminTemplateMixin, TemplateView):
    """A page about one order, by the pk of its purchase, with breadcrumbs to the list."""

    permission = permissions.VIEW_PAYMENTS
    header_icon = "loyalink-rupee"
    breadcrumbs_items: Any = [
        *WagtailAdminTemplateMixin.breadcrumbs_items,
        {"url": reverse_lazy("loyalink_khalti_payments"), "label": gettext_lazy("Orders and payments")},
    ]
    kwargs: dict[str, Any]

    @cached_property
    def purchase(self) -> Purchase:
        found: Purchase = get_object_or_404(Purchase, pk=self.kwargs["pk"])
        return found

    @property
    def order_name(self) -> str:
        """The order's number, or the shop's reference before it has one."""
        return self.purchase.number or self.purchase.ref

    @property
    def back_url(self) -> str:
        return links.order_page_url(self.purchase.pk)

    @property
    def actor(self) -> str:
        """The pk of the staff's user as text."""
        return str(self.request.user.pk)

    @property
    def is_placed(self) -> bool:
        return self.purchase.state == PurchaseState.PLACED

    @property
    def can_cancel(self) -> bool:
        """Whether the order waits for cash or a transfer, and is not cancelled."""
        purchase = self.purchase
        is_awaited = self.is_placed and refunds.is_awaiting_money(purchase)
        return is_awaited and refunds.cancellation(purchase) is None

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

    template_name = "loyalink_khalti/backoffice/orders/page.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        purchase, user = self.purchase, self.request.user
        attempts = payment_links(purchase, user)
        receipt = flow.receipt(purchase)
        return {
            **super().get_context_data(**kwargs),
            "purchase": purchase,
            "receipt": receipt,
            "figures": receipt.figures,
            "customer": purchase.frozen_cart.customer,
            "method": method_label(purchase.method),
            "status": ORDER_STATUSES[receipt.state],
            "attempts": attempts,
            "is_test": any(each.is_test for each in attempts),
            "member_url": self._member_url(),
            "buttons": list(buttons(self.request, purchase)),
            "sections": sections(self.request, purchase),
            "mails": mail_rows(purchase, user),
            "timeline": timeline(purchase, [each.payment for each in reversed(attempts)]),
            "rules_number": ledger.get_version(purchase.rules_version).number if purchase.rules_version else None,
            "uncollected": flow.uncollected_before(purchase) if purchase.method == PaymentMethod.COD else [],
            "note_form": NoteForm() if self.has_permission(permissions.ADD_NOTES) else None,
            "note_url": self._action("note"),
            **self._matter(),
            **self._refunds(attempts),
            **self._received(),
            **kwargs,
        }

    def _matter(self) -> dict[str, Any]:
        """That the order was deleted or cancelled in the shop, and where staff close that; its page in the shop."""
        purchase = self.purchase
        is_missing = flow.is_missing(purchase)
        is_open = is_missing or (self.is_placed and cancelled_orders.open_of(purchase) is not None)
        return {
            "is_missing": is_missing,
            "matter_url": links.missing_order_url(purchase.pk) if is_open else "",
            "shop_url": "" if is_missing else links.order_url(purchase),
        }

    def _refunds(self, attempts: list[PaymentLink]) -> dict[str, Any]:
        """Refunds, and the links to refund or cancel that this user may follow."""
        purchase, may_refund = self.purchase, self.has_permission(permissions.REFUND)
        is_paid = self.is_placed and not refunds.is_awaiting_money(purchase)
        awaits_khalti = any(each.payment.is_live for each in attempts)
        return {
            "refunds": refund_rows(purchase),
            "refund_pending": bool(refunds.pending(purchase)),
            "refund_unapplied": may_refund and bool(refunds.unapplied(purchase)),
            "refund_url": self._action("refund") if may_refund and is_paid and not refund_obstacle(purchase) else "",
            "cancel_url": self._action("cancel") if may_refund and self.can_cancel else "",
            "release_url": reverse("loyalink_khalti_release", args=[purchase.pk])
            if awaits_khalti and self.has_permission(permissions.RESOLVE_FLAGS)
            else "",
        }

    def _received(self) -> dict[str, Any]:
        """Cash and bank transfers, for an order that is paid so."""
        purchase = self.purchase
        if not self.is_placed or purchase.method not in PAID_LATER:
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
        earner = self.purchase.earner
        if earner is None or not self.has_permission(permissions.VIEW_MEMBERS):
            return ""
        account = ledger.find_account(self.purchase.site_key, earner)
        return member_url(account.pk) if account else ""

    def _action(self, name: str) -> str:
        return reverse(f"loyalink_khalti_order_{name}", args=[self.purchase.pk])


class OrderAction(OrderView):
    """A form of the order's page; opened by itself, it leads to that page."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.back()
