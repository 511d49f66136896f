"""From an open basket to a held order and its Cart, in the flow's own transaction.

Nothing that was read before is trusted: pages, prices and delivery are read again, and stock is taken under lock.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from loyalink_khalti.errors import BasketTaken, CannotPay, SoldOut, TotalChanged
from loyalink_khalti.hosts.common.checkout import PaymentChoice, new_order_number, order_name, quote_costs
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, Costs, Customer, PaymentMethod

from . import details, stock
from .models import Order, OrderLine
from .pricing import PricedItem, sold_out_text, wanted_stock
from .products import other_titles
from .site_settings import SHOP, DeliveryOption, number_prefix, shop_name

if TYPE_CHECKING:
    from .open_basket import PageBasket


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frozen:
    """What an order is made of."""

    basket: "PageBasket"
    costs: Costs
    details: details.Details
    delivery: DeliveryOption | None
    points_value: Paisa


class Freeze:
    """Hold an order for an open basket. The flow may call it twice.

    Raises ``BasketTaken``, ``SoldOut``, ``InvalidDetails``, ``TotalChanged``, or ``CannotPay`` with a message for the
    customer.
    """

    def __init__(
        self, basket: "PageBasket", *, method: PaymentMethod, points: Points, expected_due: Paisa | None
    ) -> None:
        self.basket = basket
        self.method = method
        self.points = points
        self.expected_due = expected_due

    def __call__(self) -> Cart:
        frozen = self._read()
        order = self._create_order(frozen)
        lines = frozen.basket.lines
        before = _take_stock(order, lines)
        rows = OrderLine.objects.bulk_create(_order_line(order, line) for line in lines)
        return self._cart(order, frozen, rows, before)

    def _read(self) -> _Frozen:
        basket = self.basket.as_now()
        if not basket.origin or Order.objects.filter(basket=basket.origin).exists():
            raise _taken() if basket.origin else CannotPay(_("Your basket is empty."))
        costs = basket.costs()
        delivery = basket.delivery
        checked = details.check(basket.details, delivery=delivery)
        choice = PaymentChoice(method=self.method, points=self.points)
        quote = quote_costs(costs, choice, site_key=basket.site_key, member_id=basket.member_id)
        if self.expected_due is not None and self.expected_due != quote.amount_due:
            raise TotalChanged(_("The total has changed. Please review your order again."))
        return _Frozen(basket=basket, costs=costs, details=checked, delivery=delivery, points_value=quote.points_value)

    def _create_order(self, frozen: _Frozen) -> Order:
        """Create the held order. Of two with one basket the second waits here for the first, and finds it taken."""
        basket, costs, typed = frozen.basket, frozen.costs, frozen.details
        order = Order(
            number=new_order_number(
                number_prefix(basket.settings), is_taken=lambda number: Order.objects.filter(number=number).exists()
            ),
            origin=basket.origin,
            basket=basket.origin,
            site_key=basket.site_key,
            language=get_language() or settings.LANGUAGE_CODE,
            member_id=basket.member_id,
            name=typed.name,
            email=typed.email,
            phone=typed.phone,
            address=typed.address,
            note=typed.note,
            delivery_code=typed.delivery,
            delivery_title=frozen.delivery.title if frozen.delivery else "",
            is_pickup=frozen.delivery is not None and not frozen.delivery.needs_address,
            subtotal=costs.subtotal,
            shipping=costs.shipping,
            points_value=frozen.points_value,
            total=costs.total - frozen.points_value,
            method=self.method,
        )
        try:
            with transaction.atomic():
                order.save(force_insert=True)
        except IntegrityError as exc:
            raise _taken() from exc
        return order

    def _cart(self, order: Order, frozen: _Frozen, rows: list[OrderLine], before: dict[stock.Key, int]) -> Cart:
        lines = zip(frozen.basket.lines, rows, strict=True)
        titles = other_titles(line.page for line in frozen.basket.lines)
        return Cart(
            shop=SHOP,
            ref=order.number,
            origin=order.origin,
            site_key=order.site_key,
            language=order.language,
            name=order_name(shop_name(frozen.basket.settings), order.number),
            lines=tuple(
                replace(line.as_line(str(row.pk), before.get(line.stock_key)), titles=titles.get(line.page.pk, {}))
                for line, row in lines
            ),
            shipping=frozen.costs.shipping,
            discount=frozen.costs.discount,
            total=frozen.costs.total,
            customer=Customer(name=order.name, email=order.email, phone=order.phone),
            member_id=order.member_id,
            points_redeemed=self.points,
        )


def _taken() -> BasketTaken:
    return BasketTaken(_("This basket is being ordered already."))


def _take_stock(order: Order, lines: list[PricedItem]) -> dict[stock.Key, int]:
    """Reserve what the lines sell, under lock. Return how many there were of each."""
    try:
        return stock.reserve(order.number, wanted_stock(lines))
    except stock.NotEnough as exc:
        title = next(line.title for line in lines if line.stock_key == exc.key)
        nothing = _("No order was placed and nothing was paid.")
        raise SoldOut(f"{sold_out_text(title, exc.left)} {nothing}") from exc


def _order_line(order: Order, line: PricedItem) -> OrderLine:
    page: Any = line.page
    return OrderLine(
        order=order,
        page_id=page.pk,
        product=page.product,
        choice=line.item.choice,
        sku=line.sku[:64],
        title=line.title[:255],
        options=line.options[:255],
        quantity=line.item.quantity,
        unit=line.unit,
        total=line.total,
        tags=list(line.tags),
        earns=page.earns_points,
        needs_delivery=page.needs_delivery,
        is_free_amount=line.item.amount is not None,
        tracks_stock=page.track_stock,
    )
