"""What an order's page and mail say about money and points."""

from dataclasses import dataclass

from loyalink_khalti import nepal
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import SETTLED
from loyalink_khalti.ports import PAID_LATER, PaymentMethod

from .payment_methods import BUILT_IN


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Texts to show: amounts in rupees, points grouped as in Nepal, "" for no points."""

    method: str
    """The payment method's title, "" if points covered all of it."""
    total: str
    """What is or was to pay, after points."""
    is_paid: bool
    transaction_id: str
    subtotal: str
    shipping: str
    points_used: str
    points_value: str
    points_earned: str
    will_earn: bool
    """Whether the points are awarded once the payment has arrived."""


def receipt_for(shop: str, ref: str) -> Receipt | None:
    """Return the receipt of a host's order, None for an order that did not come through the flow."""
    purchase = Purchase.objects.filter(shop=shop, ref=ref).first()
    return receipt_of(purchase) if purchase is not None else None


def receipt_of(purchase: Purchase) -> Receipt:
    """Return the receipt of a purchase."""
    payment = Payment.objects.filter(purchase=purchase, state__in=SETTLED).first()
    cart = purchase.frozen_cart
    method = PaymentMethod(purchase.method)
    is_awaited = method in PAID_LATER and purchase.received_at is None
    return Receipt(
        method=_method_title(method),
        total=npr(Paisa(purchase.amount_due)),
        is_paid=not is_awaited,
        transaction_id=(payment.transaction_id or "") if payment else "",
        subtotal=npr(cart.subtotal),
        shipping=npr(cart.shipping),
        points_used=_points(purchase.points_redeemed),
        points_value=npr(Paisa(purchase.points_value)),
        points_earned=_points(purchase.earned),
        will_earn=purchase.earner is not None and is_awaited,
    )


def _method_title(method: PaymentMethod) -> str:
    if method is PaymentMethod.POINTS:
        return ""
    return str(BUILT_IN[method].title)


def _points(number: int) -> str:
    return nepal.group_digits(number) if number else ""
