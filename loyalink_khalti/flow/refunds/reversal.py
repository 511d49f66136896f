"""Take back the record of a refund that staff, or lookup, had wrongly called made: by another row, never by deleting.

The reversing row has negative figures, so that all sums are right. Order and points follow cumulatively; the stock
stays as it is. No money moves: the refund was never made.
"""

from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.clock import time_of
from loyalink_khalti.conf import Caller
from loyalink_khalti.errors import CannotRefund, LedgerError, SelfDealing, ShopCannot
from loyalink_khalti.flow.notices import posting
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.flow.verification.verify import load, look_up, take_lease
from loyalink_khalti.khalti.wire import Status
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import RefundedParts, RefundedPoints
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import polling, refunds, transitions
from loyalink_khalti.payments.flags import raise_flag
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import UNSETTLED, FlagReason, RefundKind, RefundState
from loyalink_khalti.ports import PrivateText


def is_reversible(refund: Refund) -> bool:
    """Return whether a refund counts as made by somebody's word alone: staff recorded it, or Khalti did not answer.

    What Khalti has confirmed cannot be taken back. Reads ``payment``.
    """
    if refund.payment is None or refund.state != RefundState.DONE or refund.reverses_id is not None:
        return False
    if Refund.objects.filter(reverses=refund).exists():
        return False
    if refund.sent_at is None:
        return True
    unanswered = Flag.objects.filter(payment=refund.payment_id, reason=FlagReason.REFUND_UNKNOWN)
    return unanswered.filter(evidence__refund=refund.key).exists()


def reverse_refund(refund: Refund, *, actor: str, reason: str, seen_refund: int | None = None) -> Refund:
    """Take back the record of a refund that was not made, for ``actor`` (a user's pk) with their reason, once.

    Returns the reversing Refund, which ``is_repeated`` where it was made before. Raises ``CannotRefund``
    (``SelfDealing`` for the actor's own order) with a sentence for staff, where Khalti has confirmed the refund or
    reports the payment as refunded in full; then nothing has changed. Raises ``InsideTransaction``.
    """
    forbid_transaction("reverse_refund")
    note = PrivateText(reason.strip())
    if not note:
        raise CannotRefund(_("Enter a reason: colleagues will need it later."))
    refuse_if_khalti_shows_it(refund)

    def work() -> Refund:
        purchase, payments = transitions.lock_purchase(refund.purchase_id)
        earlier = Refund.objects.filter(reverses=refund).first()
        if earlier is not None:
            earlier.is_repeated = True
            return earlier
        forbid_self_dealing(actor, StaffAction.RECORD_REFUND, purchase=purchase)
        if seen_refund is not None and seen_refund != refunds.newest_pk(purchase):
            raise CannotRefund(_("Another refund was made in the meantime. Please check what is left to refund."))
        return reverse_locked(purchase, payments, refund.pk, note=note, actor=actor)

    try:
        return in_one_block(work)
    except SelfDealing:
        raise
    except (ShopCannot, LedgerError) as exc:
        raise CannotRefund(_("The order or its points cannot be updated: %(error)s") % {"error": exc}) from exc


def reverse_locked(
    purchase: Purchase, payments: list[Payment], refund_id: int, *, note: str, actor: str
) -> Refund:  # fmt: skip
    """Take a refund of a locked purchase back; the arguments and errors are those of ``reverse_refund``.

    What the shop and the ledger raise is raised, so that everything rolls back.
    """
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    if not is_reversible(refund):
        raise CannotRefund(_("Khalti has confirmed this refund, or it is taken back already."))
    if refunds.pending(purchase) or refunds.unapplied(purchase):
        raise CannotRefund(_("Another refund of this order is not finished yet."))
    payment = next(one for one in payments if one.pk == refund.payment_id)
    price = refund.shipping_before_points
    now = time_of(purchase)
    row = Refund.objects.create(
        purchase=purchase,
        payment=payment,
        kind=refund.kind,
        key=f"reversed:{refund.pk}",
        state=RefundState.DONE,
        subtotal=-refund.subtotal,
        shipping=-refund.shipping,
        shipping_before_points=None if price is None else -price,
        amount=-refund.amount,
        lines=[[line, -int(quantity), False] for line, quantity, _restock in refund.lines],
        actor=actor,
        note=note,
        reverses=refund,
        done_at=now,
        applied_at=now,
    )
    refunds.add_to_refunded(payment, -refund.amount)
    if refund.kind == RefundKind.ORDER:
        _apply(purchase, row, refund)
    posting.order_refunded(row)
    _ask_again(payment, row)
    polling.poll_now(payment)
    return row


def _apply(purchase: Purchase, row: Refund, refund: Refund) -> None:
    """The shop's rows first, the points account last: the order in which everything locks."""
    conf.shop(purchase.shop).reverse_refund(purchase.ref, key=refund.key)
    moved = ledger.reverse_refund(purchase=purchase.key, refund_ref=row.key, parts=_parts(purchase))
    row.points_restored, row.points_clawed_back = moved.points_restored, moved.points_clawed_back
    row.save(update_fields=["points_restored", "points_clawed_back"])


def _parts(purchase: Purchase, *, without: Refund | None = None) -> RefundedParts:
    cart, done = purchase.frozen_cart, refunds.totals(purchase)
    return RefundedParts(
        refunded_subtotal=Paisa(done.subtotal - (without.subtotal if without else 0)),
        subtotal=cart.subtotal,
        refunded_shipping=Paisa(done.shipping - (without.shipping_price if without else 0)),
        shipping=cart.shipping,
    )


def quote_reversal(refund: Refund) -> RefundedPoints | None:
    """Return the points that taking a refund back uses again and gives again; None where no points moved."""
    if refund.kind != RefundKind.ORDER:
        return None
    return ledger.preview_reversal(refund.purchase.key, _parts(refund.purchase, without=refund))


def _ask_again(payment: Payment, row: Refund) -> None:
    """Let staff review what the reversal leaves: money without an order, and a refund that Khalti still reports."""
    evidence = {"reversed": row.key, "amount": -row.amount}
    if payment.state in UNSETTLED or (payment.fulfilled_at is None and not payment.is_flagged):
        raise_flag(payment, FlagReason.MONEY_WITHOUT_ORDER, evidence)
    answer = payment.lookup_history[-1] if payment.lookup_history else {"status": ""}
    if Status.parse(answer["status"]) is Status.PARTIALLY_REFUNDED and not payment.refunded:
        raise_flag(payment, FlagReason.REFUNDED_AT_KHALTI, {"status": answer["status"], **evidence})


def refuse_if_khalti_shows_it(refund: Refund) -> None:
    """Raise ``CannotRefund`` where Khalti reports the payment as refunded in full: then this refund was made."""
    if refund.payment_id is None:
        raise CannotRefund(_("This refund was not made at Khalti."))
    payment = load(Payment(pk=refund.payment_id))
    lease = take_lease(payment, caller=Caller.JOB)
    answer = look_up(payment, lease, caller=Caller.JOB) if lease else None
    if answer is not None:
        polling.end_lease(payment, lease)
        is_full = answer.pidx == payment.pidx and answer.status is Status.REFUNDED
    else:
        last = payment.lookup_history[-1] if payment.lookup_history else {"status": ""}
        is_full = Status.parse(last["status"]) is Status.REFUNDED
    if is_full:
        raise CannotRefund(_("Khalti reports that all of this payment is refunded, so this refund was made."))
