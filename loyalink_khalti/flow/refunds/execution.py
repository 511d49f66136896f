"""Send a Refund to Khalti once, record the answer, and apply it to the shop's order and the points.

A refund is never sent again automatically. If Khalti does not answer, its state is ``unknown`` until lookup or staff
say whether it was made.
"""

import logging
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.clock import is_older
from loyalink_khalti.conf import Caller
from loyalink_khalti.errors import (
    KhaltiError,
    KhaltiKeyRejected,
    KhaltiNotCalled,
    KhaltiRejected,
    LedgerError,
    ShopCannot,
    safe_trace,
)
from loyalink_khalti.flow.transactions import in_one_block, is_database_failure
from loyalink_khalti.flow.verification.apply import release_purchase
from loyalink_khalti.khalti.wire import is_id
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import flags, polling, refund_mobile, refunds, transitions
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import (
    IN_FLIGHT_REFUNDS,
    RESOLVED_BY,
    UNANSWERED_REFUNDS,
    FlagReason,
    PaymentState,
    RefundKind,
    RefundState,
)
from loyalink_khalti.ports import ReleaseReason

log = logging.getLogger(__name__)

ABANDONED_AFTER = timedelta(seconds=60)
"""How long after the deadline of a call the process that made it counts as dead."""


def send_refund(refund: Refund, *, mobile: str) -> Refund:
    """Send a committed refund to Khalti unless another process has, and return it; no transaction is open."""
    if not in_one_block(lambda: refunds.mark_sent(refund)):
        return Refund.objects.get(pk=refund.pk)
    payment = Payment.objects.select_related("credentials").get(refunds=refund)
    try:
        message = _call_khalti(refund, payment, mobile=mobile or None)
    except ImproperlyConfigured as exc:  # nothing was sent
        return _record_failure(refund, RefundState.REFUSED, str(exc))
    except KhaltiNotCalled:
        return _record_failure(refund, RefundState.REFUSED, _("Khalti is not responding, so nothing was sent."))
    except KhaltiRejected as exc:
        asks = refund_mobile.asks_for_mobile(exc)
        return _record_failure(
            refund, RefundState.REFUSED, refund_mobile.without(exc.message, mobile), asks_for_mobile=asks
        )
    except KhaltiError as exc:
        log.warning("refund %s: %s", refund.pk, exc)
        return _record_failure(refund, RefundState.UNKNOWN, str(exc))
    return _record_success(refund, message)


def close_abandoned_refunds(purchase_id: int) -> None:
    """End the refunds that a crash has left: ``requested`` becomes ``refused``, ``sent`` becomes ``unknown``."""
    call = timedelta(seconds=conf.deadline() + conf.slot_timeout(Caller.STAFF))
    abandoned = is_older("requested_at", ABANDONED_AFTER + call)

    def work() -> None:
        purchase, _payments = transitions.lock_purchase(purchase_id)
        refunds.end_abandoned(purchase, abandoned)

    if Refund.objects.filter(abandoned, purchase=purchase_id, state__in=IN_FLIGHT_REFUNDS).exists():
        in_one_block(work)


def record_done(purchase: Purchase, payments: list[Payment], refund: Refund, message: str) -> None:
    """Record that Khalti made a refund of a locked purchase; the shop and the points follow in a savepoint."""
    refunds.set_state(refund, RefundState.DONE, message)
    refunds.resolve_flag(refund, FlagReason.REFUND_UNKNOWN)
    payment = next(one for one in payments if one.pk == refund.payment_id)
    if payment.refunded + refund.amount == payment.captured:
        of_the_rest = frozenset() if payment.fulfilled_at else frozenset({FlagReason.REFUNDED_AT_KHALTI})
        reasons = RESOLVED_BY[PaymentState.REFUNDED] | of_the_rest
        flags.resolve_flags(payment, reasons, PaymentState.REFUNDED.value, actor=refund.actor)
    refunds.add_to_refunded(payment, refund.amount)
    if refund.kind == RefundKind.ORDER:
        apply_or_flag(purchase, refund)
        return
    # The payment bought nothing, so no products and no points move. It may have been the last that could pay for them.
    refund.applied_at = polling.time_of(purchase)
    refund.save(update_fields=["applied_at"])
    if payment.state == PaymentState.REFUNDED:
        release_purchase(purchase, payments, payment, ReleaseReason.REFUNDED, customer_present=False)


def apply_or_flag(purchase: Purchase, refund: Refund) -> None:
    """Apply a refund to the shop's order and the points; where that fails, raise a Flag and keep the refund as made.

    Without Khalti no money has moved yet: then the error is raised, so that everything rolls back.
    """
    try:
        with transaction.atomic():
            _apply(purchase, refund)
    except Exception as exc:
        if is_database_failure(exc) or refund.payment is None:
            raise
        log.warning("refund %s could not be applied: %s", refund.pk, safe_trace(exc))
        refund.refresh_from_db()
        error = str(exc) if isinstance(exc, ShopCannot | LedgerError) else type(exc).__name__
        flags.raise_flag(refund.payment, FlagReason.HOST_FAILED, {"refund": refund.key, "shop": error})
        polling.poll_now(refund.payment)


def _apply(purchase: Purchase, refund: Refund) -> None:
    """The shop's rows first, the points account last: the order in which everything locks."""
    conf.shop(purchase.shop).refund(
        purchase.ref,
        subtotal=Paisa(refund.amount - refund.shipping),
        shipping=Paisa(refund.shipping),
        lines=tuple((key, quantity) for key, quantity, restock in refund.lines if restock),
        key=refund.key,
    )
    cart, done = purchase.frozen_cart, refunds.totals(purchase)  # with this refund, which is done
    moved = ledger.refund(
        purchase=purchase.key,
        refund_ref=refund.key,
        refunded_so_far=done.subtotal,
        subtotal=cart.subtotal,
        shipping_so_far=done.shipping,
        shipping=cart.shipping,
    )
    refund.points_restored, refund.points_clawed_back = moved.points_restored, moved.points_clawed_back
    refund.applied_at = polling.time_of(purchase)
    refund.save(update_fields=["points_restored", "points_clawed_back", "applied_at"])
    refunds.resolve_flag(refund, FlagReason.HOST_FAILED)


def _call_khalti(refund: Refund, payment: Payment, *, mobile: str | None) -> str:
    """Ask Khalti for the refund and return its message.

    It is asked with the key that opened the payment or, where Khalti no longer accepts that one, with its successor.
    For a full refund no amount is sent: https://docs.khalti.com/khalti-epayment/#refund
    """
    client, _same_key = conf.client_for(payment.credentials, Caller.STAFF)
    transaction_id = payment.transaction_id or ""
    if not is_id(transaction_id):
        raise ImproperlyConfigured(
            _("Khalti sent no transaction id for this payment. Refund it in Khalti's dashboard.")
        )
    is_full = not payment.refunded and refund.amount == payment.captured
    amount = None if is_full else Paisa(refund.amount)
    try:
        return client.refund(transaction_id, amount=amount, mobile=mobile)
    except KhaltiKeyRejected:  # a "no": nothing was refunded
        successor = conf.replacement_client(payment.credentials, Caller.STAFF)
        if successor is None:
            raise
        return successor.refund(transaction_id, amount=amount, mobile=mobile)


def _record_failure(refund: Refund, state: RefundState, message: str, *, asks_for_mobile: bool = False) -> Refund:
    """Record that a refund was refused, or that its result is unknown."""

    def work() -> Refund:
        transitions.lock_purchase(refund.purchase_id)
        row = Refund.objects.select_related("payment").get(pk=refund.pk)
        if row.state not in UNANSWERED_REFUNDS or row.state == state:
            return row
        if state is RefundState.UNKNOWN:
            refunds.mark_unknown(row, message)
        else:
            refunds.set_state(row, state, message)
            refunds.resolve_flag(row, FlagReason.REFUND_UNKNOWN, "not made")
        if asks_for_mobile:
            row.mobile_requested = True
            row.save(update_fields=["mobile_requested"])
        return row

    return in_one_block(work)


def _record_success(refund: Refund, message: str) -> Refund:
    def work() -> Refund:
        purchase, payments = transitions.lock_purchase(refund.purchase_id)
        row = Refund.objects.select_related("payment").get(pk=refund.pk)
        if row.state != RefundState.DONE:
            record_done(purchase, payments, row, message)
        return row

    return in_one_block(work)
