"""The URLs of orders and stock, below Wagtail's admin, and of what its site history names."""

from typing import Any

from django.urls import URLPattern, path, reverse

from loyalink_khalti.hosts.page.models import Order
from loyalink_khalti.staff.permissions import has_permission

from . import order_actions as actions
from .order_list import OrdersView
from .order_page import OrderView
from .order_permissions import VIEW_ORDERS, VIEW_STOCK
from .stock_change import StockChangeView
from .stock_list import StockView


def orders_urls() -> list[URLPattern]:
    orders, order, name = "khalti/shop/orders/", "khalti/shop/orders/<int:pk>/", "loyalink_khalti_page_order"
    return [
        path(orders, OrdersView.as_view(), name=f"{name}s"),
        path(f"{orders}results/", OrdersView.as_view(results_only=True), name=f"{name}s_results"),
        path(order, OrderView.as_view(), name=name),
        path(f"{order}refund/", actions.RefundView.as_view(), name=f"{name}_refund"),
        path(f"{order}apply-refunds/", actions.ApplyRefundsView.as_view(), name=f"{name}_apply_refunds"),
        path(f"{order}cancel/", actions.CancelView.as_view(), name=f"{name}_cancel"),
        path(f"{order}received/", actions.ReceivedView.as_view(), name=f"{name}_received"),
        path(f"{order}status/", actions.StatusView.as_view(), name=f"{name}_status"),
        path(f"{order}note/", actions.NoteView.as_view(), name=f"{name}_note"),
        path(f"{order}mail/", actions.MailView.as_view(), name=f"{name}_mail"),
    ]


def stock_urls() -> list[URLPattern]:
    stock, name = "khalti/shop/stock/", "loyalink_khalti_page_stock"
    return [
        path(stock, StockView.as_view(), name=name),
        path(f"{stock}results/", StockView.as_view(results_only=True), name=f"{name}_results"),
        path(f"{stock}<uuid:product>/", StockChangeView.as_view(), name=f"{name}_change"),
    ]


class OrderURLFinder:
    """For Wagtail's site history: the page of an order, if the user may see it."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, order: Order) -> str | None:
        """Wagtail's name for it."""
        allowed = self.user is None or has_permission(self.user, VIEW_ORDERS)
        return reverse("loyalink_khalti_page_order", args=[order.pk]) if allowed else None


class StockURLFinder:
    """For Wagtail's site history: the stock of a product, if the user may see it."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, row: Any) -> str | None:
        """Wagtail's name for it."""
        allowed = self.user is None or has_permission(self.user, VIEW_STOCK)
        return reverse("loyalink_khalti_page_stock_change", args=[row.product]) if allowed else None
