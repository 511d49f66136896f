"""Give back a payment that bought nothing: paid twice, too late, or another amount than was asked for."""

from django.db import IntegrityError
from django.utils.translation import gettext as _

from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import refunds, services
from loyalink_khalti.payments.models import Payment, Refund
from loyalink_khalti.payments.states import RefundState, State
from loyalink_khalti.ports import Private

from .limits import insist_on_refund_limit
from .refunding import end_what_was_left_behind, send
from .transactions import forbid_transaction, in_one_block

UNSPENT = frozenset({State.PAID, State.MISMATCHED, State.PART_REFUNDED})


def give_back(payment: Payment, *, by: str, mobile: str = "", within_limit: bool = False) -> Refund:
    """Refund all that is left of a payment whose goods were never granted; once, however often it is asked for.

    When the money is back and nothing else can pay for them, the goods and points that wait are let go of. ``mobile``,
    ``within_limit`` and what to look at in the Refund: as ``undo``. Raises ``CannotRefund`` with words for staff.
    """
    forbid_transaction("give_back")
    mobile = Private(mobile)
    end_what_was_left_behind(payment.purchase_id)
    try:
        refund = in_one_block(lambda: _request(payment, by=by, within_limit=within_limit))
    except IntegrityError as exc:  # somebody else's came first, and this transaction could not see it
        raise CannotRefund(_("Another refund of this order is not finished yet.")) from exc
    return send(refund, mobile=mobile) if refund.state == RefundState.REQUESTED else refund


def _request(payment: Payment, *, by: str, within_limit: bool) -> Refund:
    purchase, payments = services.lock(payment.purchase_id)
    mine = next(one for one in payments if one.pk == payment.pk)
    made = refunds.of_payment(mine)
    if made and (made[0].state != RefundState.DONE or mine.state == State.REFUNDED):  # a second click
        return made[0]
    if mine.state not in UNSPENT or mine.fulfilled_at is not None:
        raise CannotRefund(_("This payment has bought something, or brought no money: there is nothing to give back."))
    if refunds.pending(purchase):
        raise CannotRefund(_("Another refund of this order is not finished yet."))
    if services.has_unsaid_part(mine):
        raise CannotRefund(_("A part was given back in Khalti's dashboard; say first how much it was."))
    cash = Paisa((mine.captured or 0) - mine.refunded)
    if within_limit:
        insist_on_refund_limit(purchase, cash)
    return refunds.write_down(
        purchase=purchase,
        payment=mine,
        kind=Refund.Kind.PAYMENT,
        key=f"payment:{mine.pk}:{mine.refunds.count()}",
        goods=0,
        shipping=0,
        cash=cash,
        actor=by,
    )
