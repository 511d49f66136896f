"""What staff pages call the status and the payment method of an order."""

from collections.abc import Sequence

from django.db.models import F, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.hosts.common.payment_methods import BUILT_IN
from loyalink_khalti.hosts.page.models import Order, OrderStatus
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.staff.labels import StatusLabel

NOT_PLACED = "not_placed"
"""The filter for orders that were released before they were paid."""
NOT_PAID = "not_paid"
"""Placed, and cash or a transfer has not arrived yet, whether the order is sent or not."""
PARTIALLY_REFUNDED = "partially_refunded"

STATUSES: dict[str, StatusLabel] = {
    OrderStatus.PENDING: StatusLabel(label=OrderStatus.PENDING.label, mark="…"),
    OrderStatus.PAID: StatusLabel(label=OrderStatus.PAID.label, mark="✓"),
    OrderStatus.SENT: StatusLabel(label=OrderStatus.SENT.label, mark="→"),
    OrderStatus.COMPLETED: StatusLabel(label=OrderStatus.COMPLETED.label, mark="✓"),
    OrderStatus.CANCELLED: StatusLabel(label=OrderStatus.CANCELLED.label, mark="–"),
    OrderStatus.REFUNDED: StatusLabel(label=OrderStatus.REFUNDED.label, mark="↩"),
    NOT_PAID: StatusLabel(label=_("Not paid yet"), mark="…"),
    PARTIALLY_REFUNDED: StatusLabel(label=_("Partially refunded"), mark="↩"),
    OrderStatus.HELD: StatusLabel(label=OrderStatus.HELD.label, mark="…"),
    NOT_PLACED: StatusLabel(label=_("Not paid, not placed"), mark="–"),
}
"""The statuses by which a list is filtered: those of ``OrderStatus``, and two that follow from other columns."""

METHODS: dict[str, Promise | str] = {
    **{code: method.title for code, method in BUILT_IN.items()},
    PaymentMethod.POINTS: _("Points"),
}


def order_statuses(order: Order) -> list[StatusLabel]:
    """Return the status of an order, that it is sent before it is paid, and that it is refunded in part."""
    if order.status == OrderStatus.CANCELLED and order.placed_at is None:
        return [STATUSES[NOT_PLACED]]
    found = [STATUSES[order.status]]
    if order.status in {OrderStatus.SENT, OrderStatus.COMPLETED} and order.paid < order.total:
        found.append(STATUSES[NOT_PAID])
    if order.refunded and order.status not in {OrderStatus.REFUNDED, OrderStatus.CANCELLED}:
        found.append(STATUSES[PARTIALLY_REFUNDED])
    return found


def with_statuses(chosen: Sequence[str]) -> Q:
    """Return the condition of orders with one of the statuses of ``STATUSES``."""
    placed = Q(placed_at__isnull=False)
    is_over = Q(status__in=[OrderStatus.REFUNDED, OrderStatus.CANCELLED])
    found = placed & Q(status__in=chosen)
    if OrderStatus.HELD in chosen:
        found |= Q(status=OrderStatus.HELD)
    if NOT_PLACED in chosen:
        found |= Q(status=OrderStatus.CANCELLED) & ~placed
    if NOT_PAID in chosen:
        found |= placed & Q(paid__lt=F("total")) & ~is_over
    if PARTIALLY_REFUNDED in chosen:
        found |= placed & Q(refunded__gt=0) & ~is_over
    return found


def method_label(order: Order) -> str:
    """Return the title of an order's payment method; its code for one of the shop's own."""
    return str(METHODS.get(order.method, order.method))
