from dataclasses import dataclass

from django.core.mail import send_mail
from django.utils.translation import get_language

from loyalink_khalti import conf, outbox
from loyalink_khalti.errors import CannotPay, ShopCannot, SoldOut
from loyalink_khalti.hosts.common.checkout import order_name
from loyalink_khalti.hosts.common.rows_shop import RowsShop
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, Customer, Line

from .models import Order, OrderLine, Tea

DELIVERY = Paisa(100_00)  # Rs 100


class TeaShop(RowsShop):
    orders, lines = Order, OrderLine
    mails_orders = True  # by send_thanks

    def on_placed(self, order: Order) -> None:
        outbox.post(f"{__name__}.send_thanks", number=order.number)


def send_thanks(number: str) -> None:
    order = Order.objects.get(number=number)
    send_mail("Thank you", f"We have your order {number}.", None, [order.email])


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """What ``flow.begin_payment`` and ``flow.place_order`` are called with; they call it in their transaction."""

    basket: str
    teas: dict[int, int]  # quantities by pk
    customer: Customer
    member_id: str | None = None
    points: Points = Points(0)

    def __call__(self) -> Cart:
        teas = list(Tea.objects.select_for_update().filter(pk__in=self.teas).order_by("pk"))
        if not teas or len(teas) < len(self.teas):
            raise CannotPay("Please choose your tea again.")
        total = Paisa(sum(tea.price * self.teas[tea.pk] for tea in teas) + DELIVERY)
        order = Order.hold(
            basket=self.basket,
            total=total,
            member_id=self.member_id,
            prefix="TEA-",
            name=self.customer.name,
            email=self.customer.email,
        )
        for tea in teas:
            OrderLine.objects.create(number=order.number, product=tea, quantity=self.teas[tea.pk])
        try:
            lines = TeaShop().take_stock(order.number)
        except ShopCannot as exc:
            raise SoldOut(exc.detail) from exc
        return Cart(
            shop=Order.shop,
            ref=order.number,
            origin=self.basket,
            site_key=conf.site_key(),
            language=get_language() or "en",
            name=order_name("Ilam Tea House", order.number),
            lines=tuple(map(cart_line, lines)),
            shipping=DELIVERY,
            discount=Paisa(0),
            total=total,
            customer=self.customer,
            member_id=self.member_id,
            points_redeemed=self.points,
        )


def cart_line(line: OrderLine) -> Line:
    tea = line.product
    return Line(
        id=str(line.pk),
        sku=tea.sku,
        title=tea.title,
        quantity=line.quantity,
        unit=Paisa(tea.price),
        total=Paisa(tea.price * line.quantity),
        stock=None if tea.stock is None else tea.stock + line.held,
    )
