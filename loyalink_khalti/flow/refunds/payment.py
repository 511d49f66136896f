"""Refund a payment that bought nothing: a second payment, one that came too late, or one of another amount."""

from django.db import IntegrityError
from django.utils.translation import gettext as _

from loyalink_khalti import telemetry
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import flags, refunds, transitions
from loyalink_khalti.payments.models import Payment, Refund
from loyalink_khalti.payments.states import REFUNDABLE, PaymentState, RefundKind, RefundState
from loyalink_khalti.ports import PrivateText

from .execution import close_abandoned_refunds
from .grants import Grant
from .limits import check_mobile, enforce_approval, enforce_refund_limit
from .sending import send_refund


def refund_payment(
    payment: Payment, *, actor: str, mobile: str = "", enforce_limit: bool = False, grant: Grant | None = None
) -> Refund:
    """Refund all that is left of a payment without an order, and return its Refund; once, however often it is called.

    When the last payment of a purchase is refunded, the stock and points that the purchase holds are released.
    Raises ``CannotRefund`` where the payment bought something or brought no money; the arguments, the result and the
    other errors are those of ``refund_order``.
    """
    forbid_transaction("refund_payment")
    mobile = PrivateText(mobile)
    with telemetry.Span("refund_payment") as span:
        close_abandoned_refunds(payment.purchase_id)
        try:
            refund = in_one_block(
                lambda: _request(payment, actor=actor, mobile=mobile, enforce_limit=enforce_limit, grant=grant)
            )
        except IntegrityError as exc:  # another process was first, and its row was not visible here
            raise CannotRefund(_("Another refund of this order is not finished yet.")) from exc
        is_repeated = refund.is_repeated
        refund = send_refund(refund, mobile=mobile) if refund.state == RefundState.REQUESTED else refund
        refund.is_repeated = is_repeated
        span.outcome = str(refund.state)
        return refund


def _request(payment: Payment, *, actor: str, mobile: str, enforce_limit: bool, grant: Grant | None) -> Refund:
    purchase, _payments, locked = transitions.lock(payment)
    made = refunds.of_payment(locked)
    if made and (made[0].state != RefundState.DONE or locked.state == PaymentState.REFUNDED):  # a second click
        made[0].is_repeated = True
        return made[0]
    forbid_self_dealing(actor, StaffAction.REFUND, purchase=purchase)
    if locked.state not in REFUNDABLE or locked.fulfilled_at is not None:
        raise CannotRefund(
            _("This payment cannot be refunded by itself: it paid for an order, or it brought no money.")
        )
    if refunds.pending(purchase):
        raise CannotRefund(_("Another refund of this order is not finished yet."))
    if flags.has_unrecorded_partial_refund(locked):
        raise CannotRefund(_("Part of this payment was refunded in Khalti's dashboard. Record that amount first."))
    check_mobile(locked, mobile)
    amount = Paisa((locked.captured or 0) - locked.refunded)
    if enforce_limit:
        enforce_refund_limit(purchase, amount, actor=actor)
    if grant is not None:
        grant.check(purchase, amount)
    else:
        enforce_approval(purchase, amount)
    refund = refunds.create(
        purchase=purchase,
        payment=locked,
        kind=RefundKind.PAYMENT,
        key=f"payment:{locked.pk}:{locked.refunds.count()}",
        subtotal=0,
        shipping=0,
        amount=amount,
        actor=actor,
        mobile=mobile,
        **(grant.words if grant is not None else {}),
    )
    if grant is not None:
        grant.use(refund)
    return refund
