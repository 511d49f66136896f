"""The shop as the flow sees it: what is held is placed, let go of, or given back."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.db.models import DecimalField, Exists, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from loyalink_khalti import flow, outbox
from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.money import Paisa, paisa
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import HostOrder, Method, Outcome, Paid, Why

from . import baskets, offers, orders, sources, stock
from .options import SHOP, options

_HERE = "loyalink_khalti.hosts.oscar.announce"
_ELSEWHERE = {Outcome.CONFIRMING, Outcome.FLAGGED}
"""Outcomes that the flow's own status page tells."""


class OscarShop:
    """django-oscar; see ``ports.Shop`` for what each verb promises."""

    local: ClassVar[bool] = True

    def confirm(self, ref: str, *, paid: Paid) -> str:
        order, basket = orders.lock(ref)
        released = order.status == options().cancelled and orders.was_let_go(order)
        if order.status == options().held or released:
            others = baskets.lock_others(basket) if released else []
            if released:
                stock.take_again(order)
                offers.record_again(order)
            _place(order, paid)
            baskets.submit(order, basket, others)
        elif paid.amount and sources.receive(order, paid) and order.status == options().pending:
            orders.write_status(order, options().paid)
        return str(order.number)

    def release(self, ref: str, *, why: Why, present: bool) -> None:
        order, basket = orders.lock(ref)
        if order.status != options().held:
            if orders.is_placed(order):
                raise ShopCannot("host_failed", f"order {ref} is placed and cannot be let go of")
            return
        others = baskets.lock_others(basket)
        stock.let_go(order)
        offers.take_back(order)
        orders.write_status(order, options().cancelled)
        order.notes.create(note_type=order.notes.model.SYSTEM, message=f"Not paid ({why}): let go of.")
        baskets.give_back(order, basket, others, present=present)

    def reverse(
        self, ref: str, *, goods: Paisa, shipping: Paisa, lines: tuple[tuple[str, int], ...], key: str
    ) -> None:
        order, _basket = orders.lock(ref)
        unpaid = not sources.has_come(order)
        done = unpaid and order.status == options().cancelled
        if done or not sources.refund(order, Paisa(goods + shipping), key=key):
            return  # this refund has been written before
        sources.return_points(order, _points_back(ref))
        if lines:
            stock.bring_back(order, lines)
        if unpaid:  # nothing but a cancellation gives back what nobody has paid
            stock.let_go(order)
            orders.write_status(order, options().cancelled)
        elif sources.is_refunded(order) and order.status != options().refunded:
            orders.write_status(order, options().refunded)

    def page_for(self, ref: str, outcome: Outcome, token: str) -> str:
        return "" if outcome in _ELSEWHERE else reverse("checkout:khalti", args=[token])

    def look(self, ref: str) -> HostOrder:
        found = list(_told(get_model("order", "Order").objects.filter(number=ref)))
        if not found:
            raise LookupError(f"no order {ref}")
        return found[0]

    def orders(self) -> Iterator[HostOrder]:
        return _told(orders.placed().order_by("pk"))

    def page_for_staff(self, ref: str) -> str:
        return reverse("dashboard:order-detail", args=[ref]) if ref else reverse("dashboard:index")

    def tags(self) -> Mapping[str, str]:
        above: list[str] = []
        found = {}
        for depth, slug, name in (
            get_model("catalogue", "Category").objects.order_by("path").values_list("depth", "slug", "name")
        ):
            above = [*above[: depth - 1], name]
            found[slug] = " › ".join(above)
        return found


def _place(order: Any, paid: Paid) -> None:
    later = paid.method in {Method.COD, Method.BANK_TRANSFER}
    orders.write_status(
        order, options().pending if later and not paid.amount else options().paid, date_placed=timezone.now()
    )
    sources.write(order, paid)
    outbox.post(f"{_HERE}.order_placed", number=order.number)
    outbox.post(f"{_HERE}.order_mail", number=order.number)


def _points_back(ref: str) -> Paisa:
    """What the points that have come back were worth."""
    purchase = Purchase.objects.filter(shop=SHOP, ref=ref).first()
    return flow.worth_back(purchase) if purchase else Paisa(0)


def _told(found: Any) -> Iterator[HostOrder]:
    """Orders as the audit reads them, streamed, with their money summed by the database."""
    money = sources.of_money().filter(order=OuterRef("pk")).order_by().values("order")
    number = DecimalField(max_digits=12, decimal_places=2)
    sums = {
        name: Coalesce(Subquery(money.annotate(sum=Sum(field)).values("sum")), 0, output_field=number)
        for name, field in (("came", "amount_debited"), ("went", "amount_refunded"))
    }
    rows = found.annotate(**sums, is_placed=Exists(orders.placed().filter(pk=OuterRef("pk"))))
    fields = ("number", "user_id", "total_incl_tax", "status", "came", "went", "is_placed")
    for ref, user, total, status, came, went, is_placed in rows.values_list(*fields).iterator(chunk_size=1000):
        yield HostOrder(
            ref=ref,
            number=ref,
            member_id=None if user is None else str(user),
            total=paisa(total),
            paid=paisa(came),
            refunded=paisa(went),
            status=status,
            placed=bool(is_placed),
        )
