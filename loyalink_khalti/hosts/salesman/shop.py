"""Salesman as the flow sees it: a held order is placed or released, and a placed one refunded."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage
from django.db.models import DecimalField, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import URLPattern
from salesman.conf import app_settings
from salesman.core.utils import get_salesman_model
from wagtail import hooks

from loyalink_khalti import flow
from loyalink_khalti.databases import keep_current
from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.money import Paisa, paisa
from loyalink_khalti.payments.cancelled_orders import Cancellation
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import PAID_LATER, Costs, HostOrder, Line, OpenBasket, Outcome, Paid, ReleaseReason

from . import baskets, deletion, desk, events, order_facts, orders, pricing
from .settings import SHOP, options

keep_current(*(get_salesman_model(name)._meta.app_label for name in ("Order", "Basket")))
_ON_STATUS_PAGE = {Outcome.CONFIRMING, Outcome.FLAGGED}
"""Outcomes that the storefront's status page shows."""

deletion.protect()
events.watch()
hooks.register("register_admin_menu_item", desk.orders_item)  # this host is loaded before any page of the admin


class SalesmanShop:
    """django-salesman; see ``ports.Shop`` for what each verb promises."""

    local: ClassVar[bool] = True

    def confirm(self, ref: str, *, paid: Paid) -> str:
        order, basket = orders.lock(ref)
        record = orders.record_of(order)
        if record["state"] != orders.PLACED:
            if record["state"] == orders.RELEASED:
                orders.take_stock(order, record)
            _place(order, record, paid)
            orders.remove_bought(basket, order)
        elif paid.amount and order.status == options().cancelled and not orders.is_paid(order):
            _place_again(order, record, paid)
        elif paid.amount and orders.is_awaited(order):
            _set_received(order, paid.amount)
        return str(order.ref)

    def assign_order(self, ref: str, *, member_id: str) -> None:
        orders.rows().filter(ref=ref, user=None).update(user_id=member_id)

    def record_received(self, ref: str, *, received: Paisa) -> None:
        order, _basket = orders.lock(ref)
        if order.status in {options().cancelled, options().refunded}:
            raise ShopCannot("host_failed", f"order {ref} is {order.status}")
        _set_received(order, received)

    def release(self, ref: str, *, release_reason: ReleaseReason, customer_present: bool) -> None:
        """Release the stock. The basket was never taken: it is as the customer has left it."""
        try:
            order, _basket = orders.lock(ref)
        except ShopCannot:
            orders.release_deleted(ref)
            return
        record = orders.record_of(order)
        if record["state"] == orders.PLACED:
            raise ShopCannot("host_failed", f"order {ref} is placed and cannot be released")
        if record["state"] == orders.HELD:
            orders.restock_all(record)
            orders.set_status(order, record | {"state": orders.RELEASED}, options().cancelled)
            orders.note_release(order, release_reason)

    def refund(
        self, ref: str, *, subtotal: Paisa, shipping: Paisa, lines: tuple[tuple[str, int], ...], key: str
    ) -> None:
        try:
            order, _basket = orders.lock(ref)
        except ShopCannot:  # it was deleted: there is nothing to record it on
            return
        record, is_unpaid = orders.record_of(order), not orders.is_paid(order)
        if key in record["refunds"]:
            return  # this refund was recorded before
        record["refunds"] = {**record["refunds"], key: int(subtotal + shipping)}
        returned: dict[str, int] = {}
        for line, quantity in lines:
            returned[line] = returned.get(line, 0) + quantity
        orders.restock(record, returned)
        status = order.status
        if is_unpaid:  # the only refund of an unpaid order is its cancellation
            orders.restock_all(record)
            status = options().cancelled
        elif _is_refunded(order, record) and status != options().refunded:
            record["status_before"] = status
            status = options().refunded
        orders.set_status(order, record, status)

    def reverse_refund(self, ref: str, *, key: str) -> None:
        try:
            order, _basket = orders.lock(ref)
        except ShopCannot:
            return
        record = orders.record_of(order)
        if key not in record["refunds"]:
            return
        record["refunds"] = {each: amount for each, amount in record["refunds"].items() if each != key}
        status = order.status
        if status == options().refunded and not _is_refunded(order, record):
            status = record.pop("status_before", "") or options().paid
        orders.set_status(order, record, status)

    def customer_page(self, ref: str, outcome: Outcome, token: str) -> str:
        path = options().return_path
        return "" if outcome in _ON_STATUS_PAGE else path.format(ref=ref, outcome=outcome.value, payment=token)

    def get_order(self, ref: str) -> HostOrder:
        found = list(_host_orders(orders.rows().filter(ref=ref)))
        if not found:
            raise LookupError(f"no order {ref}")
        return found[0]

    def placed_orders(self) -> Iterator[HostOrder]:
        return _host_orders(orders.placed().order_by("pk"))

    def is_basket_changed(self, ref: str) -> bool:
        return orders.is_basket_changed(ref)

    def still_reserved(self, refs: Collection[str]) -> Iterable[str]:
        """Return the orders that staff have not moved on from the status of an unpaid order."""
        pending = orders.placed().filter(status=options().pending, ref__in=list(refs))
        return list(pending.values_list("ref", flat=True))

    def missing_orders(self, refs: Collection[str]) -> Iterable[str]:
        return set(refs).difference(orders.rows().filter(ref__in=list(refs)).values_list("ref", flat=True))

    def order_facts(self, purchases: Collection[Purchase]) -> Mapping[str, flow.OrderFacts]:
        return order_facts.order_facts(purchases)

    def staff_page(self, ref: str) -> str:
        return desk.order_page(ref)

    def staff_url_prefixes(self) -> tuple[str, ...]:
        """Return ``()``: our pages are below Wagtail's admin, which is known."""
        return ()

    def admin_urls(self) -> list[URLPattern]:
        """Return the pages in Wagtail's admin; see ``backoffice.urls``."""
        return desk.urls()

    def categories(self) -> Mapping[str, str]:
        """Return the product types: a campaign may be for one of them."""
        models = {label: _model(label) for label in app_settings.SALESMAN_PRODUCT_TYPES}
        return {pricing.product_tag(label): str(model._meta.verbose_name_plural) for label, model in models.items()}

    def unit_lines(
        self, products: Sequence[Any], *, request: HttpRequest | None, tags: Collection[str]
    ) -> Sequence[Sequence[Line] | None]:
        return pricing.unit_lines(products, request=request)

    def basket_costs(self, basket: Any, *, request: HttpRequest | None) -> Costs | None:
        return pricing.costs(basket) if isinstance(basket, get_salesman_model("Basket")) else None

    def check(self) -> Iterable[CheckMessage]:
        from . import checks  # it reads URLs and settings, after all apps are ready

        return checks.messages()

    def cancellations(self, refs: Collection[str]) -> Iterable[tuple[str, Cancellation]]:
        """Return those of ``refs`` that the shop has cancelled or refunded past the flow; see ``flow``."""
        return events.cancellations(refs)

    def personal_data(self, ref: str) -> Mapping[str, Any]:
        return orders.personal_data(ref)

    def erase_personal_data(self, refs: Collection[str]) -> None:
        orders.erase_personal_data(refs)

    def open_basket(self, request: HttpRequest, wanted: Mapping[str, Any]) -> OpenBasket:
        return baskets.open_basket(request, wanted)

    def basket_schema(self) -> Mapping[str, Any]:
        return baskets.schema()


def _model(label: str) -> Any:
    from django.apps import apps

    return apps.get_model(label)


def _place(order: Any, record: dict[str, Any], paid: Paid) -> None:
    """Place an order: from now on it is its member's, and in their list."""
    member = record.get("member")
    user = get_user_model()._default_manager.filter(pk=member).first() if member else None
    is_paid_later = paid.method in PAID_LATER and not paid.amount
    placed = record | {"state": orders.PLACED, "method": paid.method.value, "test": paid.is_test}
    orders.record_paid(order, paid)
    orders.set_status(order, placed, options().pending if is_paid_later else options().paid, user=user)
    if paid.is_test:
        orders.add_note(order, "Paid in Khalti's test environment: no money has arrived.")


def _place_again(order: Any, record: dict[str, Any], paid: Paid) -> None:
    """Place an order that staff had cancelled before it was paid. Raises ``ShopCannot("sold_out")``."""
    orders.restock_all(record)  # of a cancellation that did not come through the flow
    orders.take_stock(order, record)
    record["refunds"] = dict.fromkeys(record["refunds"], 0)
    orders.set_received(order, paid.amount)
    orders.set_status(order, record, options().paid)


def _set_received(order: Any, received: Paisa) -> None:
    """Record what was received so far; the status follows, unless the order is on its way already."""
    if not orders.set_received(order, received):
        return
    before, after = options().pending, options().paid
    if not orders.is_paid(order):
        before, after = after, before
    if order.status == before:
        orders.set_status(order, orders.record_of(order), after)


def _is_refunded(order: Any, record: Mapping[str, Any]) -> bool:
    """Return whether all that was paid for an order is refunded; of one that points have paid, all of them."""
    total = paisa(order.total)
    if total:
        return bool(sum(record["refunds"].values()) >= total)
    purchase = Purchase.objects.filter(shop=SHOP, ref=order.ref).first()
    return bool(purchase and 0 < purchase.points_value <= flow.points_value_restored(purchase))


def _host_orders(found: Any) -> Iterator[HostOrder]:
    """Stream orders for the audit; the database sums their payments."""
    money = get_salesman_model("OrderPayment")._default_manager.filter(order=OuterRef("pk")).order_by().values("order")
    decimal = DecimalField(max_digits=18, decimal_places=2)
    summed = Coalesce(Subquery(money.annotate(sum=Sum("amount")).values("sum")), 0, output_field=decimal)
    fields = ("ref", "user_id", "total", "status", "_extra", "summed")
    for ref, user, total, status, extra, paid in (
        found.annotate(summed=summed).values_list(*fields).iterator(chunk_size=1000)
    ):
        record = extra.get(orders.RECORD) or {}
        yield HostOrder(
            ref=ref,
            number=ref,
            member_id=None if user is None else str(user),
            total=paisa(total),
            paid=paisa(paid),
            refunded=Paisa(sum(record.get("refunds", {}).values())),
            status=status,
            placed=record.get("state") == orders.PLACED,
        )
