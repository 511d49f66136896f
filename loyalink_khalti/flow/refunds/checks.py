"""What is checked under lock before a refund, or a request of one, is written."""

from collections.abc import Collection, Sequence

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import flags, refunds
from loyalink_khalti.payments.models import Payment, Purchase

from .limits import Lines

RefundLines = list[list[str | int]]
"""As the row keeps them: ``Line.key``, quantity, whether to restock."""


def lines_to_keep(lines: Lines, restock: bool | Collection[str]) -> RefundLines:
    """Return lines as a Refund keeps them."""
    return [[key, number, restock if isinstance(restock, bool) else key in restock] for key, number in lines]


def stale_form_message() -> str:
    """Return what staff read who decided before they saw the newest refund."""
    return _("Another refund was made in the meantime. Please check what is left to refund.")


def money_to_refund(payment: Payment | None, amount: Paisa) -> Paisa:
    """Return how much of ``amount`` is refunded, in paisa.

    Khalti has less left where staff accepted less than the amount due.
    """
    left = amount if payment is None else (payment.captured or 0) - payment.refunded
    return Paisa(min(amount, left))


def check_no_other(purchase: Purchase, seen_refund: int | None) -> None:
    """Refuse while another refund is unfinished, or was made after the member of staff looked."""
    if refunds.pending(purchase):
        raise CannotRefund(_("Another refund of this order is not finished yet."))
    if refunds.unapplied(purchase):
        raise CannotRefund(_("An earlier refund of this order is not recorded in the shop yet."))
    if seen_refund is not None and seen_refund != refunds.newest_pk(purchase):
        raise CannotRefund(stale_form_message())


def check_shop(purchase: Purchase) -> None:
    """Refuse to send money back that the shop's own order cannot record."""
    try:
        conf.shop(purchase.shop)
    except ImproperlyConfigured as exc:
        raise CannotRefund(
            _("The shop of this order is no longer set up here, so it cannot record the refund.")
        ) from exc


def payment_to_refund(payments: Sequence[Payment], amount: Paisa) -> Payment:
    """Return the payment that Khalti refunds; it may have less left, where staff accepted less than the amount due."""
    payment = refunds.settling_payment(payments)
    if payment is None:
        raise CannotRefund(_("No Khalti payment has paid for this order."))
    if flags.has_unrecorded_partial_refund(payment):
        raise CannotRefund(_("Part of this payment was refunded in Khalti's dashboard. Record that amount first."))
    captured = payment.captured or 0
    if payment.refunded >= captured or payment.refunded + amount > max(captured, payment.amount):
        raise CannotRefund(_("Khalti has already refunded %(refunded)s.") % {"refunded": npr(Paisa(payment.refunded))})
    return payment
