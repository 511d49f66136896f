"""Captured money without an order: Khalti has it, no order was placed for it, and it is not refunded yet.

One query for everything that shows or counts it: the payment's page, the list of payments to review, the settlement
report, the panel on the dashboard, ``health`` and the audit. Whatever staff have answered to its flags, such a payment
can still be refunded, become an order, or be reviewed again. Amounts are paisa.
"""

from dataclasses import dataclass

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from loyalink_khalti.money import Paisa

from .models import Flag, Payment
from .states import REFUNDABLE

WITHOUT_ORDER = Q(state__in=sorted(REFUNDABLE), fulfilled_at=None) & (
    Q(captured=None) | Q(captured__gt=F("refunded"))  # None: Khalti reported money, but no amount
)
"""The condition for a payment; ``has_money_without_order`` is the same for one that was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyWithoutOrder:
    """How many payments have money without an order, and how much is left to refund of it, in paisa."""

    payments: int
    refundable: Paisa


def payments_without_order() -> "QuerySet[Payment]":
    """Return the payments whose captured money bought nothing and is not refunded, in full or in part."""
    return Payment.objects.filter(WITHOUT_ORDER)


def is_under_review() -> Exists:
    """Return the condition that a Flag of a payment is open."""
    return Exists(Flag.objects.filter(payment=OuterRef("pk"), resolved_at=None))


def needs_review() -> Q:
    """Return the condition that a Flag of a payment is open, or that it has money without an order."""
    return Q(is_under_review()) | WITHOUT_ORDER


def has_money_without_order(payment: Payment) -> bool:
    """Return whether a payment's captured money bought nothing and is not refunded."""
    is_refundable = payment.state in REFUNDABLE and payment.fulfilled_at is None
    return is_refundable and (payment.captured is None or payment.captured > payment.refunded)


def money_without_order(payments: "QuerySet[Payment]") -> MoneyWithoutOrder:
    """Return the sum over some ``payments_without_order``. One statement."""
    sums = payments.aggregate(number=Count("pk"), amount=Coalesce(Sum(F("captured") - F("refunded")), 0))
    return MoneyWithoutOrder(payments=sums["number"], refundable=Paisa(sums["amount"]))


def flags_to_review() -> "QuerySet[Flag]":
    """Return the open Flags and, of each payment with money without an order and no open Flag, the newest one.

    Two statements, so that each follows its index.
    """
    newest = Flag.objects.filter(payment=OuterRef("pk")).order_by("-resolved_at", "-pk").values("pk")[:1]
    closed = payments_without_order().filter(~is_under_review()).values_list(Subquery(newest), flat=True)
    return Flag.objects.filter(Q(resolved_at=None) | Q(pk__in=[pk for pk in closed if pk is not None]))
