"""All of ``ports.Shop`` for a host whose orders are an ``OrderRow`` and an ``OrderLineRow``."""

from collections.abc import Collection, Iterator
from typing import Any, ClassVar

from django.db.models import F

from loyalink_khalti.databases import keep_current
from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import HostOrder, Paid, ReleaseReason

from .base_shop import BaseShop
from .order_rows import CANCELLED, HELD, NO_ORDERS, PLACED, RELEASED, OrderRow


class RowsShop(BaseShop):
    """A shop that keeps its orders in models of its own; a subclass names them. Locks: order, then stock by pk."""

    orders: ClassVar[type[OrderRow]]
    lines: ClassVar[Any]
    """A subclass of ``OrderLineRow``."""

    def __init__(self) -> None:
        keep_current(self.orders._meta.label, self.lines._meta.label)

    def on_placed(self, order: Any) -> None:
        """Do what the shop does besides, in the flow's transaction: for a mail post to the outbox."""

    def take_stock(self, number: str) -> list[Any]:
        """Take what an order has not taken yet out of the stock; return its lines, locked.

        Raises ``ShopCannot("sold_out")``; then the caller's savepoint is rolled back.
        """
        lines = self._locked_lines(number)
        for line in lines:
            line.hold(line.quantity)
        return lines

    def confirm(self, ref: str, *, paid: Paid) -> str:
        order = self._order(ref)
        if order.status == CANCELLED and paid.amount:  # cancelled before it was paid, and the money came after all
            order.status, order.refunds = RELEASED, {}
        is_new = order.status in NO_ORDERS
        if is_new:
            self.take_stock(ref)
            order.status = PLACED
        order.paid = max(order.paid, paid.amount)
        order.points_value = max(order.points_value, paid.points_value)
        order.save()
        if is_new:
            self.on_placed(order)
        return ref

    def assign_order(self, ref: str, *, member_id: str) -> None:
        self.orders._default_manager.filter(number=ref, member_id=None).update(member_id=member_id)

    def record_received(self, ref: str, *, received: Paisa) -> None:
        order = self._order(ref)
        order.paid = received
        order.save(update_fields=["paid"])

    def release(self, ref: str, *, release_reason: ReleaseReason, customer_present: bool) -> None:
        order = self._find(ref)
        if order is not None and order.status != HELD:
            return
        for line in self._locked_lines(ref):  # also those of an order that was deleted
            line.hold(0)
        if order is not None:
            order.status = RELEASED
            order.save(update_fields=["status"])

    def refund(
        self, ref: str, *, subtotal: Paisa, shipping: Paisa, lines: tuple[tuple[str, int], ...], key: str
    ) -> None:
        order = self._find(ref)
        if order is None or key in order.refunds:
            return
        order.refunds[key] = subtotal + shipping
        if order.paid < order.due:  # an unpaid order is refunded only to cancel it
            order.status = CANCELLED
        order.save(update_fields=["refunds", "status"])
        restocked = dict(lines)
        for line in self._locked_lines(ref):
            line.hold(max(line.held - restocked.get(str(line.pk), 0), 0))

    def reverse_refund(self, ref: str, *, key: str) -> None:
        order = self._find(ref)
        if order is not None and order.refunds.pop(key, None) is not None:
            order.save(update_fields=["refunds"])

    def get_order(self, ref: str) -> HostOrder:
        order = self.orders._default_manager.filter(number=ref).first()
        if order is None:
            raise LookupError(f"the shop has no order {ref}")
        return order.to_host_order()

    def placed_orders(self) -> Iterator[HostOrder]:
        found = self.orders._default_manager.exclude(status__in=NO_ORDERS).order_by("pk")
        return (order.to_host_order() for order in found.iterator(chunk_size=1000))

    def still_reserved(self, refs: Collection[str]) -> list[str]:
        unpaid = self.orders._default_manager.filter(status=PLACED, paid__lt=F("total") - F("points_value"))
        return list(unpaid.filter(number__in=refs).values_list("number", flat=True))

    def missing_orders(self, refs: Collection[str]) -> list[str]:
        found = set(self.orders._default_manager.filter(number__in=refs).values_list("number", flat=True))
        return [ref for ref in refs if ref not in found]

    def _find(self, ref: str) -> Any:
        """Return the order, locked; None if there is none."""
        return self.orders._default_manager.select_for_update().filter(number=ref).first()

    def _order(self, ref: str) -> Any:
        order = self._find(ref)
        if order is None:
            raise ShopCannot("order_missing", f"there is no order {ref}")
        return order

    def _locked_lines(self, number: str) -> list[Any]:
        lines = self.lines._default_manager.select_for_update().select_related("product")
        return list(lines.filter(number=number).order_by("product_id"))
