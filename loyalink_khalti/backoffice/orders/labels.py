"""What the desk calls the state and the payment method of an order, whatever the method."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.flow import ReceiptState
from loyalink_khalti.payments.states import PaymentState
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.staff.labels import StatusLabel

METHODS: dict[str, Promise] = {
    PaymentMethod.KHALTI: _("Khalti"),
    PaymentMethod.COD: _("Cash on delivery"),
    PaymentMethod.BANK_TRANSFER: _("Bank transfer"),
    PaymentMethod.POINTS: _("Points"),
}

ORDER_STATUSES: dict[ReceiptState, StatusLabel] = {
    ReceiptState.CONFIRMING: StatusLabel(label=_("Awaiting payment"), mark="…"),
    ReceiptState.TO_PAY: StatusLabel(label=_("Not paid yet"), mark="…"),
    ReceiptState.PART_PAID: StatusLabel(label=_("Paid in part"), mark="…"),
    ReceiptState.PAID: StatusLabel(label=_("Paid"), mark="✓"),
    ReceiptState.PARTLY_REFUNDED: StatusLabel(label=_("Partially refunded"), mark="↩"),
    ReceiptState.REFUNDED: StatusLabel(label=_("Refunded"), mark="↩"),
    ReceiptState.CANCELLED: StatusLabel(label=_("Cancelled"), mark="–"),
    ReceiptState.EXPIRED: StatusLabel(label=_("Expired"), mark="–"),
    ReceiptState.FAILED: StatusLabel(label=_("Failed"), mark="–"),
    ReceiptState.REVIEW: StatusLabel(label=_("Paid – order not placed"), mark="!", is_warning=True),
}
"""The states of an order, in the order of a filter."""

EARLIER_STATES: dict[str, tuple[ReceiptState, ...]] = {
    PaymentState.CREATED: (ReceiptState.CONFIRMING,),
    PaymentState.INITIATED: (ReceiptState.CONFIRMING,),
    PaymentState.FULFILLED: (ReceiptState.PAID,),
    PaymentState.RELEASED: (ReceiptState.CANCELLED, ReceiptState.EXPIRED, ReceiptState.FAILED),
    PaymentState.MISMATCHED: (ReceiptState.REVIEW,),
    PaymentState.PARTIALLY_REFUNDED: (ReceiptState.PARTLY_REFUNDED,),
}
"""What links to the earlier list of payments filter by, "paid" and "refunded" apart, which are states of both."""


def method_label(method: str) -> str:
    """Return the name of a payment method; the code itself for one that only the shop knows."""
    return str(METHODS.get(method, method))
