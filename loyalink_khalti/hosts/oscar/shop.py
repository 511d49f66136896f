"""Oscar as the flow sees it: a held order is placed or released, and a placed one refunded."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from django.core.checks import CheckMessage
from django.db import connection
from django.db.models import DecimalField, Exists, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from oscar.core.loading import get_model

from loyalink_khalti import flow, outbox
from loyalink_khalti.databases import keep_current
from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.mail_ports import Mail, OrderForMail
from loyalink_khalti.money import Paisa, paisa
from loyalink_khalti.payments.cancelled_orders import Cancellation
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import PAID_LATER, Costs, HostOrder, Line, OpenBasket, Outcome, Paid, ReleaseReason

from . import (
    cancellations,
    deleted_orders,
    events,
    freeze,
    mails,
    order_facts,
    orders,
    payment_sources,
    pricing,
    reservations,
)
from .catalogue.unit_lines import unit_lines
from .settings import SHOP, options

keep_current("order", "basket", "partner")
_EVENTS = "loyalink_khalti.hosts.oscar.events"
_ON_STATUS_PAGE = {Outcome.CONFIRMING, Outcome.FLAGGED}
"""Outcomes that the storefront's status page shows."""


class OscarShop:
    """django-oscar; see ``ports.Shop`` for what each verb promises."""

    local: ClassVar[bool] = True
    mails_orders: ClassVar[bool] = True

    def confirm(self, ref: str, *, paid: Paid) -> str:
        order, basket = orders.lock(ref)
        is_held = order.status == options().held or orders.is_cancelled_while_held(order, basket)
        was_released = not is_held and order.status == options().cancelled and orders.was_released(order)
        if is_held or was_released:
            others = orders.lock_other_baskets(basket) if was_released else []
            if was_released:
                reservations.reserve_again(order)
                order.has_offers = True  # their links are recorded again
            elif order.status != options().held:
                reservations.reserve_stock_again(order)  # the shop's own cancellation may have released it
                message = "Paid after it was cancelled: placed."
                order.notes.create(note_type=order.notes.model.SYSTEM, message=message)
            _place(order, basket, paid)
            orders.submit_basket(order, basket, others)
        elif paid.amount and order.status == options().cancelled and not payment_sources.is_paid(order):
            _place_again(order, paid)
        elif paid.amount and payment_sources.is_awaited(order):
            _set_received(order, paid.amount)
        return str(order.number)

    def record_received(self, ref: str, *, received: Paisa) -> None:
        order, _basket = orders.lock(ref)
        if order.status in {options().cancelled, options().refunded}:
            raise ShopCannot("host_failed", f"order {ref} is {order.status}")
        _set_received(order, received)

    def release(self, ref: str, *, release_reason: ReleaseReason, customer_present: bool) -> None:
        try:
            order, basket = orders.lock(ref)
        except ShopCannot:
            deleted_orders.release(ref, customer_present=customer_present)
            return
        is_cancelled = orders.is_cancelled_while_held(order, basket)
        if order.status != options().held and not is_cancelled:
            if orders.is_placed(order):
                raise ShopCannot("host_failed", f"order {ref} is placed and cannot be released")
            return
        others = orders.lock_other_baskets(basket)
        reservations.release(order)
        deleted_orders.release_lines(order, basket)
        if not is_cancelled:
            orders.set_status(order, options().cancelled)
        order.notes.create(note_type=order.notes.model.SYSTEM, message=f"Released unpaid ({release_reason}).")
        orders.reopen_basket(order, basket, others, customer_present=customer_present)

    def refund(
        self, ref: str, *, subtotal: Paisa, shipping: Paisa, lines: tuple[tuple[str, int], ...], key: str
    ) -> None:
        try:
            order, _basket = orders.lock(ref)
        except ShopCannot:  # it was deleted: there is nothing to record it on
            return
        is_unpaid = not payment_sources.is_paid(order)
        if is_unpaid and order.status == options().cancelled and not order.sources.exists():
            return  # it was free, and was cancelled before: there is no source to find the key on
        if not payment_sources.record_refund(order, Paisa(subtotal + shipping), key=key):
            return  # this refund was recorded before
        payment_sources.record_points_returned(order, _points_value_returned(ref))
        if lines:
            reservations.restock(order, lines, by_sku=_names_skus(ref))
        if is_unpaid:  # the only refund of an unpaid order is its cancellation
            reservations.release_stock(order)
            if order.status not in orders.ended_statuses():
                orders.set_status(order, options().cancelled)
        elif payment_sources.is_refunded(order) and order.status != options().refunded:
            orders.set_status(order, options().refunded)

    def reverse_refund(self, ref: str, *, key: str) -> None:
        try:
            order, _basket = orders.lock(ref)
        except ShopCannot:
            return
        if not payment_sources.reverse_refund(order, key=key):
            return
        payment_sources.record_points_returned(order, _points_value_returned(ref))
        if order.status == options().refunded and not payment_sources.is_refunded(order):
            orders.set_status(order, orders.status_before(order, options().refunded) or options().paid)

    def customer_page(self, ref: str, outcome: Outcome, token: str) -> str:
        return "" if outcome in _ON_STATUS_PAGE else reverse("checkout:khalti", args=[token])

    def get_order(self, ref: str) -> HostOrder:
        found = list(_host_orders(get_model("order", "Order").objects.filter(number=ref)))
        if not found:
            raise LookupError(f"no order {ref}")
        return found[0]

    def assign_order(self, ref: str, *, member_id: str) -> None:
        """Make the order one of the user's; the guest's address stays with it."""
        get_model("order", "Order").objects.filter(number=ref, user=None).update(user_id=member_id)

    def placed_orders(self) -> Iterator[HostOrder]:
        return _host_orders(orders.placed().order_by("pk"))

    def still_reserved(self, refs: Collection[str]) -> Iterable[str]:
        """Return the orders that staff have not moved on from the status "Pending"."""
        pending = get_model("order", "Order").objects.filter(status=options().pending, number__in=list(refs))
        return list(pending.values_list("number", flat=True))

    def missing_orders(self, refs: Collection[str]) -> Iterable[str]:
        found = get_model("order", "Order").objects.filter(number__in=list(refs))
        return set(refs).difference(found.values_list("number", flat=True))

    def is_basket_changed(self, ref: str) -> bool:
        return orders.is_basket_changed(ref)

    def open_basket(self, request: HttpRequest, wanted: Mapping[str, Any]) -> OpenBasket:
        from . import wanted as wanted_baskets  # it needs the shop's own forms, which need all models

        return wanted_baskets.open_basket(request, wanted)

    def basket_schema(self) -> Mapping[str, Any]:
        from . import wanted

        return wanted.schema()

    def cancellations(self, refs: Collection[str]) -> Iterable[tuple[str, Cancellation]]:
        """Yield what staff or the shop's own code have cancelled or recorded as refunded, past our pages."""
        return cancellations.found(refs)

    def order_facts(self, purchases: Collection[Purchase]) -> Mapping[str, flow.OrderFacts]:
        return order_facts.order_facts(purchases)

    def invoice_buyer(self, ref: str) -> dict[str, str]:
        return order_facts.invoice_buyer(ref)

    def order_for_mail(self, ref: str) -> OrderForMail | None:
        return mails.order_for_mail(ref)

    def mails_itself(self, kind: str) -> bool:
        return mails.mails_itself(kind)

    def send_mail(self, ref: str, mail: Mail, *, to: str) -> bool:
        return mails.send_mail(mail)

    def points_page(self) -> str:
        """Return the path of a member's points card, "" where the shop's account pages have none."""
        with suppress(NoReverseMatch):
            return reverse("customer:points")
        return ""

    def staff_page(self, ref: str) -> str:
        return reverse("dashboard:order-detail", args=[ref]) if ref else reverse("dashboard:index")

    def staff_url_prefixes(self) -> tuple[str, ...]:
        try:
            return (reverse("dashboard:index"),)
        except NoReverseMatch:  # the dashboard is not in the URLs
            return ()

    def categories(self) -> Mapping[str, str]:
        rows = [(pricing.category_tag(pk), path) for pk, _slug, path in _category_paths()]
        times = Counter([path for _tag, path in rows])
        return {tag: path if times[path] == 1 else f"{path} ({tag})" for tag, path in rows}

    def unit_lines(
        self, products: Sequence[Any], *, request: HttpRequest | None, tags: Collection[str]
    ) -> Sequence[Sequence[Line] | None]:
        return unit_lines(products, request=request, tags=tags)

    def basket_costs(self, basket: Any, *, request: HttpRequest | None) -> Costs | None:
        return pricing.basket_costs(basket) if isinstance(basket, get_model("basket", "Basket")) else None

    def former_tags(self) -> Iterator[tuple[str, str, str]]:
        """Yield each category's slug, its tag in earlier versions, its tag and its name, for the migration."""
        Category = get_model("catalogue", "Category")
        if Category._meta.db_table in connection.introspection.table_names():
            yield from ((slug, pricing.category_tag(pk), path) for pk, slug, path in _category_paths())

    def misread_phones(self) -> Iterator[tuple[str, str, str]]:
        """Yield the number of each order with another phone than a Nepali mobile, what was stored, and the phone.

        For the migration from versions that stored it without its country.
        """
        return freeze.misread_phones()

    def check(self) -> Iterable[CheckMessage]:
        from . import checks  # it reads INSTALLED_APPS, after all apps are ready

        return checks.messages()

    def check_database(self) -> Iterable[CheckMessage]:
        from . import checks

        return checks.foreign_prices()


def _category_paths() -> Iterator[tuple[int, str, str]]:
    """Yield each category's pk, slug and name with its ancestors, in the order of the tree."""
    ancestors: list[str] = []
    rows = get_model("catalogue", "Category").objects.order_by("path").values_list("pk", "depth", "slug", "name")
    for pk, depth, slug, name in rows:
        ancestors = [*ancestors[: depth - 1], name]
        yield pk, slug, " › ".join(ancestors)


def _place(order: Any, basket: Any, paid: Paid) -> None:
    is_paid_later = paid.method in PAID_LATER
    status = options().pending if is_paid_later and not paid.amount else options().paid
    status_changed = orders.change_status(order, status, date_placed=order.read_at)
    payment_sources.record(order, paid)
    if order.has_offers:
        reservations.apply_deferred_benefits(order, basket)
    outbox.post_all(
        status_changed,
        events.late_hooks(order.number),
        outbox.new(f"{_EVENTS}.order_placed", number=order.number),
    )


def _place_again(order: Any, paid: Paid) -> None:
    """Place an order that staff had cancelled before it was paid. Raises ``ShopCannot("sold_out")``."""
    reservations.reserve_stock_again(order)
    status_changed = orders.change_status(order, options().paid)
    payment_sources.record_again(order, paid)
    outbox.post_all(status_changed)


def _set_received(order: Any, received: Paisa) -> None:
    """Record what was received so far; the status follows, unless the order is on its way already."""
    if not payment_sources.set_received(order, received):
        return
    before, after = options().pending, options().paid
    if not payment_sources.is_paid(order):
        before, after = after, before
    if order.status == before:
        orders.set_status(order, after)


def _points_value_returned(ref: str) -> Paisa:
    """Return the value, in paisa, of the points that were returned for an order."""
    purchase = Purchase.objects.filter(shop=SHOP, ref=ref).first()
    return flow.points_value_restored(purchase) if purchase else Paisa(0)


def _names_skus(ref: str) -> bool:
    """Return whether refunds of an order name its SKUs: its Cart is from before lines had an id."""
    purchase = Purchase.objects.filter(shop=SHOP, ref=ref).first()
    return purchase is not None and not any(line.id for line in purchase.frozen_cart.lines)


def _host_orders(found: Any) -> Iterator[HostOrder]:
    """Stream orders for the audit; the database sums their payments."""
    money = payment_sources.of_money().filter(order=OuterRef("pk")).order_by().values("order")
    decimal = DecimalField(max_digits=12, decimal_places=2)
    sums = {
        name: Coalesce(Subquery(money.annotate(sum=Sum(field)).values("sum")), 0, output_field=decimal)
        for name, field in (("debited", "amount_debited"), ("refunded", "amount_refunded"))
    }
    rows = found.annotate(**sums, is_placed=Exists(orders.placed().filter(pk=OuterRef("pk"))))
    fields = ("number", "user_id", "total_incl_tax", "status", "debited", "refunded", "is_placed")
    for ref, user, total, status, debited, refunded, is_placed in rows.values_list(*fields).iterator(chunk_size=1000):
        yield HostOrder(
            ref=ref,
            number=ref,
            member_id=None if user is None else str(user),
            total=paisa(total),
            paid=paisa(debited),
            refunded=paisa(refunded),
            status=status,
            placed=bool(is_placed),
        )
