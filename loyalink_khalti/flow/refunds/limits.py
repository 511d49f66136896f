"""How much may be refunded: what is left of an order, and the site's limits per order and per member of staff."""

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Min, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import ApprovalNeeded, CannotRefund, RefundLimitExceeded
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import refund_mobile, refunds
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import PurchaseState, RefundState

Lines = Sequence[tuple[str, int]]
"""(``Line.key``, quantity)"""
LIMIT_PERIOD = timedelta(hours=24)
"""A day: the last 24 hours, not a date, so that midnight begins no second limit."""


def check_refundable(purchase: Purchase, *, subtotal: Paisa, shipping: Paisa, lines: Lines) -> None:
    """Refuse to refund more than is left of an order; amounts in paisa, ``subtotal`` at the price before points.

    Raises ``CannotRefund`` with a message for staff.
    """
    left = refunds.refundable(purchase)
    if purchase.state != PurchaseState.PLACED:
        raise CannotRefund(_("This order has not been placed."))
    if subtotal < 0 or shipping < 0 or any(quantity < 1 for _key, quantity in lines):
        raise CannotRefund(_("A refund cannot be negative."))
    if not subtotal + shipping and (left.subtotal or left.shipping or refunds.has_any(purchase)):
        raise CannotRefund(_("Enter how much to refund."))
    if refunds.is_awaiting_money(purchase) and subtotal != left.subtotal:
        raise CannotRefund(_("This order is not paid yet. It can only be cancelled as a whole."))
    if subtotal > left.subtotal:
        raise CannotRefund(_("Only %(left)s of the products is left to refund.") % {"left": npr(left.subtotal)})
    if shipping > left.shipping:
        raise CannotRefund(_("Only %(left)s of the delivery is left to refund.") % {"left": npr(left.shipping)})
    skus = {line.key: line.sku for line in purchase.frozen_cart.lines}
    for key, quantity in refunds.count_lines(lines).items():
        if quantity > left.lines[key]:
            words = {"sku": skus.get(key, key), "left": left.lines[key]}
            raise CannotRefund(_("Only %(left)s of %(sku)s are left to refund.") % words)


def check_mobile(payment: Payment | None, mobile: str) -> None:
    """Refuse a Khalti number that Khalti has not asked for: its money would go to another account than it came from.

    Raises ``CannotRefund`` with a message for staff.
    """
    if mobile and (payment is None or not refund_mobile.is_asked_for(payment)):
        raise CannotRefund(
            _("Khalti refunds this to the account that paid, and has not asked for a number. Leave the number empty.")
        )


def enforce_refund_limit(purchase: Purchase, amount: Paisa, *, actor: str) -> None:
    """Raise ``RefundLimitExceeded``, with a message for staff, where another refund of ``amount`` paisa is too much.

    Call it under the lock of the purchase, for staff without permission to exceed the limits. It locks the limits of
    the site: of two refunds of one actor at the same moment the second then counts the first.
    """
    if obstacle := _obstacle(conf.refund_limits(purchase.site_key, lock=True), purchase, amount, actor):
        raise RefundLimitExceeded(obstacle)


def refund_limit_obstacle(purchase: Purchase, amount: Paisa, *, actor: str) -> str:
    """Return which limit an actor exceeds with another refund of ``amount`` paisa, as a message; "" for none."""
    return _obstacle(conf.refund_limits(purchase.site_key), purchase, amount, actor)


def enforce_approval(purchase: Purchase, amount: Paisa) -> None:
    """Raise ``ApprovalNeeded``, with a message for staff, where a second person must approve ``amount`` paisa more.

    Call it under the lock of the purchase, also for staff who may exceed the limits.
    """
    if obstacle := _approval_obstacle(conf.refund_limits(purchase.site_key, lock=True), purchase, amount):
        raise ApprovalNeeded(obstacle)


def approval_obstacle(purchase: Purchase, amount: Paisa) -> str:
    """Return why a second person must approve another refund of ``amount`` paisa, as a message; "" if no one must."""
    return _approval_obstacle(conf.refund_limits(purchase.site_key), purchase, amount)


def _approval_obstacle(limits: conf.RefundLimits, purchase: Purchase, amount: Paisa) -> str:
    if limits.approval_above is None or not amount:
        return ""
    # A reversal counts as little as what it reverses: else one of an approved refund would raise the limit.
    of_one = Q(approval=None, actor__isnull=False)
    same = Q(reverses=None) | Q(reverses__approval=None, reverses__actor__isnull=False)
    used = _sum(purchase.refunds.filter(of_one, same))
    if used + amount <= limits.approval_above:
        return ""
    text = _("More than %(limit)s of one order needs a second person")
    return _message(text, limits.approval_above, used, amount)


def _obstacle(limits: conf.RefundLimits, purchase: Purchase, amount: Paisa, actor: str) -> str:
    if not amount:
        return ""
    if limits.per_order is not None:
        used = _sum(purchase.refunds.all())
        if used + amount > limits.per_order:
            return _message(_("Staff may refund up to %(limit)s of one order"), limits.per_order, used, amount)
    if limits.per_actor is not None:
        used = _refunded_by(actor, purchase.site_key)
        if used + amount > limits.per_actor:
            text = _("You may refund up to %(limit)s of all orders together per day")
            return _message(text, limits.per_actor, used, amount)
    return ""


def _message(text: str, limit: Paisa, used: Paisa, amount: Paisa) -> str:
    values = {"limit": npr(limit), "used": npr(used), "left": npr(Paisa(max(limit - used, 0))), "amount": npr(amount)}
    rest = _("%(used)s of it is used, %(left)s is left, and this refund is %(amount)s.")
    return f"{text}: {rest}" % values


def _refunded_by(actor: str, site_key: str) -> Paisa:
    """Return what an actor has refunded within ``LIMIT_PERIOD``, in the order in which it was written.

    A refund whose time is earlier than that of the one before it (another server's clock is behind) counts with it.
    Records that were taken back count too: otherwise taking a colleague's back would raise one's own limit.
    """
    made = Refund.objects.filter(actor=actor, purchase__site_key=site_key, reverses=None)
    first = made.filter(requested_at__gt=DatabaseTime(-LIMIT_PERIOD)).aggregate(pk=Min("pk"))["pk"]
    return Paisa(0) if first is None else _sum(made.filter(pk__gte=first))


def _sum(made: "QuerySet[Refund]") -> Paisa:
    return Paisa(made.exclude(state=RefundState.REFUSED).aggregate(amount=Sum("amount"))["amount"] or 0)
