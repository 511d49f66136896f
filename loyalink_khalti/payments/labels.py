"""What staff read about a Flag, in their own language."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .states import FlagReason

REASONS: dict[FlagReason, Promise] = {
    FlagReason.AMOUNT_MISMATCH: _("Khalti captured a different amount than was due."),
    FlagReason.PIDX_MISMATCH: _("Khalti answered about a different payment."),
    FlagReason.NO_TRANSACTION_ID: _("Khalti reports the payment as paid, but without a transaction ID."),
    FlagReason.DUPLICATE_TRANSACTION_ID: _("Khalti's transaction ID belongs to another payment."),
    FlagReason.SECOND_PAYMENT: _("This basket was paid for twice."),
    FlagReason.LATE: _("Paid after stock and points were released."),
    FlagReason.PAID_AFTER_CANCEL: _("Paid after the payment was cancelled in the shop."),
    FlagReason.SOLD_OUT: _("Paid, but an item is sold out now."),
    FlagReason.HOST_FAILED: _("The shop could not update the order or the basket."),
    FlagReason.UNKNOWN_AT_KHALTI: _("Khalti does not find this payment, although Khalti created it."),
    FlagReason.UNKNOWN_STATUS: _("Khalti reports an unexpected status of this payment."),
    FlagReason.KEY_GONE: _("The key that created this payment is missing, and another key does not find it."),
    FlagReason.KEY_REFUSED: _("Khalti refuses the shop's secret key."),
    FlagReason.REFUND_UNKNOWN: _("Khalti did not answer a refund request: the refund may or may not have been made."),
    FlagReason.REFUNDED_AT_KHALTI: _("A refund was made in Khalti's dashboard."),
    FlagReason.MERCHANT_LIMIT: _("The amount is above what Khalti lets this shop accept."),
    FlagReason.INITIATE_REFUSED: _("Khalti refused to create a payment."),
    FlagReason.ANSWER_UNREADABLE: _("Khalti's answers cannot be read any more."),
    FlagReason.MONEY_WITHOUT_ORDER: _("Khalti captured this money, and no order was placed for it."),
    FlagReason.ORDER_MISSING: _("Paid, but the order was deleted in the shop, so it cannot be placed."),
    FlagReason.CONTRADICTION: _("Khalti's answer contradicts what is recorded of this payment. Nothing has changed."),
}
