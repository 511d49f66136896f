"""What staff read of a Flag, in their own language."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .states import Reason

REASONS: dict[Reason, Promise] = {
    Reason.AMOUNT_MISMATCH: _("Khalti took another amount than was asked for."),
    Reason.PIDX_MISMATCH: _("Khalti answered about another payment than it was asked about."),
    Reason.NO_TRANSACTION_ID: _("Khalti says paid, but names no transaction."),
    Reason.DUPLICATE_TRANSACTION_ID: _("Khalti names a transaction that has paid for something else."),
    Reason.SECOND_PAYMENT: _("This basket was paid for twice."),
    Reason.LATE: _("Paid after the goods were let go of."),
    Reason.PAID_AFTER_CANCEL: _("Paid after the payment had been given up."),
    Reason.SOLD_OUT: _("Paid, but sold out meanwhile."),
    Reason.HOST_FAILED: _("The shop could not follow what became of the money."),
    Reason.UNKNOWN_AT_KHALTI: _("Khalti does not know this payment, though it opened it."),
    Reason.UNKNOWN_STATUS: _("Khalti says something of this payment that nobody has heard before."),
    Reason.KEY_GONE: _("The key that opened this payment is gone, and another one does not know it."),
    Reason.KEY_REFUSED: _("Khalti refuses the shop's secret key."),
    Reason.REFUND_UNKNOWN: _("Khalti was silent when it was asked for a refund: it was made, or not."),
    Reason.REFUNDED_AT_KHALTI: _("Money was given back in Khalti's own dashboard."),
    Reason.MERCHANT_LIMIT: _("The amount is above what Khalti lets this shop take."),
    Reason.INITIATE_REFUSED: _("Khalti refused to open a payment."),
}
