"""The kinds of e-mail to customers: their names, when each is sent, and which a member may do without."""

from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class MailKind(StrEnum):
    """One kind of mail. Its templates are ``loyalink_khalti/mail/<kind>_subject.txt``, ``.txt`` and ``.html``."""

    ORDER_PLACED = "order_placed"
    MONEY_RECEIVED = "money_received"
    PAYMENT_REVIEW = "payment_review"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_SHIPPED = "order_shipped"
    ORDER_REFUNDED = "order_refunded"
    POINTS_EARNED = "points_earned"
    POINTS_ADJUSTED = "points_adjusted"
    TIER_REACHED = "tier_reached"
    POINTS_EXPIRING = "points_expiring"


LABELS: dict[MailKind, Promise] = {
    MailKind.ORDER_PLACED: _("Order confirmation"),
    MailKind.MONEY_RECEIVED: _("Payment received"),
    MailKind.PAYMENT_REVIEW: _("Payment under review"),
    MailKind.ORDER_CANCELLED: _("Order cancelled"),
    MailKind.ORDER_SHIPPED: _("Order sent"),
    MailKind.ORDER_REFUNDED: _("Refund"),
    MailKind.POINTS_EARNED: _("Points earned"),
    MailKind.POINTS_ADJUSTED: _("Points adjusted"),
    MailKind.TIER_REACHED: _("Tier reached"),
    MailKind.POINTS_EXPIRING: _("Points expire soon"),
}

OCCASIONS: dict[MailKind, Promise] = {
    MailKind.ORDER_PLACED: _("An order is placed. It says what was paid, or how to pay, and which points are earned."),
    MailKind.MONEY_RECEIVED: _("Cash or a bank transfer is recorded, all of it or a part."),
    MailKind.PAYMENT_REVIEW: _("Khalti has money for which no order could be placed: it came late, or a second time."),
    MailKind.ORDER_CANCELLED: _("An order that is not paid yet is cancelled."),
    MailKind.ORDER_SHIPPED: _("Staff mark an order as sent."),
    MailKind.ORDER_REFUNDED: _("Money or points of an order are refunded, in full or in part."),
    MailKind.POINTS_EARNED: _(
        "Points are added without an order's own mail: for signing up, for a claimed order, or when pending points can"
        " be used."
    ),
    MailKind.POINTS_ADJUSTED: _("Staff add or deduct points."),
    MailKind.TIER_REACHED: _("A member moves up to another tier."),
    MailKind.POINTS_EXPIRING: _("Points expire within the days that the loyalty settings name."),
}

LOYALTY = frozenset(
    {MailKind.POINTS_EARNED, MailKind.POINTS_ADJUSTED, MailKind.TIER_REACHED, MailKind.POINTS_EXPIRING}
)
"""Mails about points: a member may unsubscribe from these. The others say what became of an order and its money."""
