"""A placed order, its look-up for guests, and a member's orders and points."""

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from loyalink_khalti import conf, flow
from loyalink_khalti.hosts.common.find_order import FindOrderView as CommonFindOrderView
from loyalink_khalti.hosts.common.find_order import PrivatePage

from . import order_access
from .models import Order, OrderStatus
from .site_settings import SHOP

NEWEST = 20
"""How many orders a member's page lists."""


class OrderView(PrivatePage):
    """A placed order with its receipt: the thank-you page, and the same later."""

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        order = order_access.own_order(request, number)
        if order is None:  # whether there is such an order is not said
            return redirect("loyalink_khalti_page:find_order")
        offer = None if order.member_id else flow.offer_account_for(shop=SHOP, ref=order.number)
        return render(request, "loyalink_khalti/page/order.html", order_context(order) | {"offer": offer})


def order_context(order: Order) -> dict[str, Any]:
    """Return what the page and the mails of an order show."""
    return {
        "order": order,
        "receipt": flow.receipt_for(SHOP, order.number),
        "is_new": order.status in {OrderStatus.PENDING, OrderStatus.PAID},
    }


def _with_receipts(orders: Iterable[Order]) -> list[tuple[Order, flow.Receipt | None]]:
    shown = list(orders)
    receipts = flow.receipts_for(SHOP, [order.number for order in shown])
    return [(order, receipts.get(order.number)) for order in shown]


class OrderLinkView(PrivatePage):
    """Where an order's mail leads: the order's page, without a log-in."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        number = order_access.read_link(token)
        if not number:
            messages.warning(request, _("This link is too old or incomplete. Please enter the number of your order."))
            return redirect("loyalink_khalti_page:find_order")
        order_access.remember_order(request, number)
        return redirect("loyalink_khalti_page:order", number)


class FindOrderView(CommonFindOrderView):
    """Find an order by its number and its e-mail address or phone number."""

    template_name = "loyalink_khalti/page/find_order.html"

    def find(self, number: str, contact: str) -> Order | None:
        return order_access.find_order(number, contact)

    def found(self, request: HttpRequest, order: Order) -> HttpResponse:
        order_access.remember_order(request, order.number)
        return redirect("loyalink_khalti_page:order", order.number)


class PointsView(LoginRequiredMixin, PrivatePage, TemplateView):
    """A member's points card with its history, and their orders."""

    template_name = "loyalink_khalti/page/points.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        site_key, member_id = conf.site_key(self.request), str(self.request.user.pk)
        card = flow.member_card(
            site_key=site_key,
            member_id=member_id,
            before=self.request.GET.get("before", ""),
            order_pages={SHOP: lambda refs: _order_pages(member_id, refs)},
        )
        orders = Order.objects.placed().filter(site_key=site_key, member_id=member_id)
        context = super().get_context_data(**kwargs)
        return context | {
            "member_card": card,
            "program": conf.program_texts(site_key),
            "orders": _with_receipts(orders.order_by("-placed_at", "-pk")[:NEWEST]),
        }


def _order_pages(member_id: str, refs: Collection[str]) -> dict[str, str]:
    own = Order.objects.placed().filter(member_id=member_id, number__in=refs)
    numbers = own.values_list("number", flat=True)
    return {number: reverse("loyalink_khalti_page:order", args=[number]) for number in numbers}
