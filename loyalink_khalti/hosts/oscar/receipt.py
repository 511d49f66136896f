"""What an order's page and mail say about money and points, in words and rupees."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from loyalink_khalti.money import Paisa, grouped, npr, paisa
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import SETTLED
from loyalink_khalti.ports import Method

from .forms import TITLES
from .options import SHOP


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Amounts as texts; points as numbers grouped as in Nepal, "" where there are none."""

    method: str
    total: str
    paid: bool
    transaction_id: str
    goods: str
    shipping: str
    spent: str
    worth: str
    earned: str
    will_earn: bool
    """The points come when the money has come."""


def of(order: Any) -> Receipt | None:
    """The receipt of an order that came through the flow; None for any other."""
    purchase = Purchase.objects.filter(shop=SHOP, ref=order.number).first()
    if purchase is None:
        return None
    payment = Payment.objects.filter(purchase=purchase, state__in=SETTLED).first()
    cart = purchase.frozen_cart
    method = Method(purchase.method)
    later = method in {Method.COD, Method.BANK_TRANSFER}
    return Receipt(
        method="" if method is Method.POINTS else _("Khalti") if method is Method.KHALTI else str(TITLES[method]),
        total=npr(paisa(order.total_incl_tax)),
        paid=not later or purchase.received_at is not None,
        transaction_id=(payment.transaction_id or "") if payment else "",
        goods=npr(cart.goods),
        shipping=npr(cart.shipping),
        spent=grouped(purchase.spends) if purchase.spends else "",
        worth=npr(Paisa(purchase.worth)),
        earned=grouped(purchase.earned) if purchase.earned else "",
        will_earn=purchase.earner is not None and later and purchase.received_at is None,
    )
