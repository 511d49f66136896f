"""What an order's page and mail say about money and points."""

from dataclasses import dataclass

from django.db.models import OuterRef, QuerySet, Subquery

from loyalink_khalti import nepal
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import SETTLED
from loyalink_khalti.ports import PAID_LATER, PaymentMethod

from .payment_methods import BUILT_IN

_PAID_BY = "receipt_transaction_id"
"""The attribute of a purchase that has the transaction id of its settled payment, None without one."""


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
    purchase = purchases_of_receipts().filter(shop=shop, ref=ref).first()
    return receipt_of(purchase) if purchase is not None else None


def purchases_of_receipts() -> "QuerySet[Purchase]":
    """Return purchases together with what else `receipt_of` needs of each."""
    paid_by = (
        Payment.objects.filter(purchase=OuterRef("pk"), state__in=SETTLED).order_by("pk").values("transaction_id")
    )
    return Purchase.objects.annotate(receipt_transaction_id=Subquery(paid_by[:1]))


def receipt_of(purchase: Purchase) -> Receipt:
    """Return the receipt of a purchase; without a statement for one of ``purchases_of_receipts``."""
    if _PAID_BY not in vars(purchase):
        purchase = purchases_of_receipts().get(pk=purchase.pk)
    cart = purchase.frozen_cart
    method = PaymentMethod(purchase.method)
    is_awaited = method in PAID_LATER and purchase.received_at is None
    return Receipt(
        method=_method_title(method),
        total=npr(Paisa(purchase.amount_due)),
        is_paid=not is_awaited,
        transaction_id=getattr(purchase, _PAID_BY) or "",
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
