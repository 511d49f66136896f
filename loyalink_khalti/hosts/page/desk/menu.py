"""Orders and stock in Wagtail's menu, and the orders to send on its dashboard."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from loyalink_khalti.conf import formats
from loyalink_khalti.hosts.page.models import Order, OrderStatus
from loyalink_khalti.staff.admin_items import NumberItem, PermissionMenuItem
from loyalink_khalti.staff.permissions import has_permission

from .order_list import OrdersView
from .order_permissions import VIEW_ORDERS, VIEW_STOCK
from .stock_list import StockView


def orders_item() -> PermissionMenuItem:
    return PermissionMenuItem(
        _("Orders"),
        reverse(OrdersView.index_url_name),
        permission=VIEW_ORDERS,
        name="loyalink-khalti-page-orders",
        icon_name=OrdersView.header_icon,
        order=790,
    )


def stock_item() -> PermissionMenuItem:
    return PermissionMenuItem(
        _("Stock"),
        reverse(StockView.index_url_name),
        permission=VIEW_STOCK,
        name="loyalink-khalti-page-stock",
        icon_name=StockView.header_icon,
        order=795,
    )


def add_orders_to_send(request: HttpRequest, items: list[Any]) -> None:
    """Add the number of orders that are paid and not sent yet, for users who may see orders; one statement."""
    if not has_permission(request.user, VIEW_ORDERS):
        return
    number = Order.objects.placed().filter(status=OrderStatus.PAID).count()
    items.append(
        NumberItem(
            request, icon=OrdersView.header_icon, number=formats.number(number), order=490,
            label=ngettext("paid order to send", "paid orders to send", number),
            url=f"{reverse(OrdersView.index_url_name)}?status={OrderStatus.PAID.value}",
        )
    )  # fmt: skip
