"""Pages that sell as the flow sees them: a held order is placed or released, and a placed one refunded."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from django.core.checks import CheckMessage
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from loyalink_khalti import flow
from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.mail_ports import Mail, OrderForMail
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Costs, HostOrder, Line, OpenBasket, Outcome, Paid, PaymentMethod, ReleaseReason

from . import deleted_orders, order_access, orders
from .models import Category, Order, OrderStatus
from .open_basket import PageBasket
from .pricing import category_tag
from .site_settings import SHOP, payment_methods, settings_of_key
from .unit_lines import basket_costs, unit_lines

_ON_STATUS_PAGE = {Outcome.CONFIRMING, Outcome.FLAGGED}
"""Outcomes that the storefront's status page shows."""


class PageShop:
    """Wagtail pages that sell; see ``ports.Shop`` for what each verb promises."""

    local: ClassVar[bool] = True
    mails_orders: ClassVar[bool] = True

    def confirm(self, ref: str, *, paid: Paid) -> str:
        order = orders.lock(ref)
        if not order.is_placed:
            orders.place(order, paid)
        elif paid.amount and order.status == OrderStatus.CANCELLED and not orders.is_paid(order):
            orders.place_again(order, paid)
        elif paid.amount and orders.is_awaited(order):
            orders.set_received(order, paid.amount)
        return order.number

    def assign_order(self, ref: str, *, member_id: str) -> None:
        Order.objects.filter(number=ref, member_id=None).update(member_id=member_id)

    def record_received(self, ref: str, *, received: Paisa) -> None:
        order = orders.lock(ref)
        if not order.is_placed or order.status in {OrderStatus.CANCELLED, OrderStatus.REFUNDED}:
            raise ShopCannot("host_failed", f"order {ref} is {order.status}")
        orders.set_received(order, received)

    def release(self, ref: str, *, release_reason: ReleaseReason, customer_present: bool) -> None:
        """Release a held order. Its basket is in the customer's session and needs nothing from here."""
        try:
            order = orders.lock(ref)
        except ShopCannot:
            deleted_orders.release(ref)
            return
        if order.is_placed:
            raise ShopCannot("host_failed", f"order {ref} is placed and cannot be released")
        if order.status == OrderStatus.HELD:
            orders.release(order, release_reason)

    def refund(
        self, ref: str, *, subtotal: Paisa, shipping: Paisa, lines: tuple[tuple[str, int], ...], key: str
    ) -> None:
        try:
            order = orders.lock(ref)
        except ShopCannot:  # it was deleted: there is nothing to record it on
            return
        is_recorded = orders.refund(order, subtotal=subtotal, shipping=shipping, lines=lines, key=key)
        if is_recorded and orders.is_paid(order) and _is_all_refunded(order):
            orders.mark_refunded(order)

    def reverse_refund(self, ref: str, *, key: str) -> None:
        try:
            order = orders.lock(ref)
        except ShopCannot:
            return
        orders.reverse_refund(order, key=key)

    def customer_page(self, ref: str, outcome: Outcome, token: str) -> str:
        return "" if outcome in _ON_STATUS_PAGE else _path("loyalink_khalti_page:returned", token)

    def get_order(self, ref: str) -> HostOrder:
        order = next(_host_orders(Order.objects.filter(number=ref)), None)
        if order is None:
            raise LookupError(f"no order {ref}")
        return order

    def placed_orders(self) -> Iterator[HostOrder]:
        return _host_orders(Order.objects.placed().order_by("pk"))

    def still_reserved(self, refs: Collection[str]) -> Iterable[str]:
        """Return the placed orders that are neither paid nor sent."""
        pending = Order.objects.placed().filter(status=OrderStatus.PENDING, number__in=list(refs))
        return list(pending.values_list("number", flat=True))

    def missing_orders(self, refs: Collection[str]) -> Iterable[str]:
        return set(refs).difference(Order.objects.filter(number__in=list(refs)).values_list("number", flat=True))

    def order_facts(self, purchases: Collection[Purchase]) -> Mapping[str, flow.OrderFacts]:
        """Return what the orders say for their receipts; one statement, and what a site has set about transfers."""
        found = Order.objects.filter(number__in=[purchase.ref for purchase in purchases])
        keys = {each.site_key for each in purchases if each.method == PaymentMethod.BANK_TRANSFER}
        texts = {key: payment_methods(settings_of_key(key)).texts for key in keys}
        return {order.number: _facts(order, texts.get(order.site_key, {})) for order in found}

    def invoice_buyer(self, ref: str) -> dict[str, str]:
        """Return the address of an order for its invoice; the checkout asks for no PAN."""
        order = Order.objects.filter(number=ref).only("address").first()
        return {"address": order.address} if order is not None else {}

    def order_for_mail(self, ref: str) -> OrderForMail | None:
        return order_access.order_for_mail(ref)

    def mails_itself(self, kind: str) -> bool:
        return False

    def send_mail(self, ref: str, mail: Mail, *, to: str) -> bool:
        return False

    def points_page(self) -> str:
        """Return the path of a member's points card, "" where the site does not have it."""
        return _path("loyalink_khalti_page:points")

    def staff_page(self, ref: str) -> str:
        if not ref:
            return _path("loyalink_khalti_page_orders")
        pk = Order.objects.filter(number=ref).values_list("pk", flat=True).first()
        return _path("loyalink_khalti_page_order", pk) if pk is not None else ""

    def staff_url_prefixes(self) -> tuple[str, ...]:
        return tuple(path for path in (_path("wagtailadmin_home"),) if path not in {"", "/"})

    def categories(self) -> Mapping[str, str]:
        return {category_tag(pk): name for pk, name in Category.objects.order_by("name").values_list("pk", "name")}

    def open_basket(self, request: HttpRequest, wanted: Mapping[str, Any]) -> OpenBasket:
        from .wanted import of_wanted  # needed by the API alone

        return of_wanted(request, wanted)

    def basket_schema(self) -> Mapping[str, Any]:
        from .wanted import basket_schema

        return basket_schema()

    def unit_lines(
        self, products: Sequence[Any], *, request: HttpRequest | None, tags: Collection[str]
    ) -> Sequence[Sequence[Line] | None]:
        return unit_lines(products, tags=tags)

    def basket_costs(self, basket: Any, *, request: HttpRequest | None) -> Costs | None:
        return basket_costs(basket) if isinstance(basket, PageBasket) else None

    def personal_data(self, ref: str) -> Mapping[str, Any]:
        order = Order.objects.filter(number=ref).first()
        return {} if order is None else orders.personal_data(order)

    def erase_personal_data(self, refs: Collection[str]) -> None:
        orders.erase_personal_data(refs)

    def check(self) -> Iterable[CheckMessage]:
        from . import checks  # it reads the URLs, after all apps are ready

        return checks.messages()


def _facts(order: Order, texts: Mapping[str, str]) -> flow.OrderFacts:
    return flow.OrderFacts(
        delivery=order.delivery_title,
        is_pickup=order.is_pickup,
        status=str(OrderStatus(order.status).label),
        tracks_shipping=bool(order.delivery_title),
        tracks_delivery=bool(order.delivery_title),
        shipped_at=order.sent_at,
        delivered_at=order.completed_at,
        bank_details=texts.get(PaymentMethod.BANK_TRANSFER.value, ""),
    )


def _path(name: str, *args: object) -> str:
    """Return the path of a page, "" where a site does not have it in its URLs."""
    with suppress(NoReverseMatch):
        return reverse(name, args=args)
    return ""


def _is_all_refunded(order: Order) -> bool:
    """Return whether all that was paid for an order is refunded: money, and the value of points."""
    if order.refunded < order.paid:
        return False
    if not order.points_value:
        return bool(order.paid)
    purchase = Purchase.objects.filter(shop=SHOP, ref=order.number).first()
    return purchase is not None and flow.points_value_restored(purchase) >= order.points_value


def _host_orders(found: Any) -> Iterator[HostOrder]:
    """Stream orders for the audit."""
    fields = ("number", "member_id", "total", "status", "paid", "refunded", "placed_at")
    rows = found.values_list(*fields).iterator(chunk_size=1000)
    for ref, member, total, status, paid, refunded, placed_at in rows:
        yield HostOrder(
            ref=ref,
            number=ref,
            member_id=member,
            total=Paisa(total),
            paid=Paisa(paid),
            refunded=Paisa(refunded),
            status=status,
            placed=placed_at is not None,
        )
