"""Record that a Refund was made, and apply it to the shop's order and the points; end those that a crash has left."""

import logging
from datetime import timedelta

from django.db import transaction

from loyalink_khalti import conf, telemetry
from loyalink_khalti.clock import time_of
from loyalink_khalti.conf import Caller
from loyalink_khalti.errors import (
    LedgerError,
    ShopCannot,
    safe_trace,
)
from loyalink_khalti.flow.notices import posting
from loyalink_khalti.flow.transactions import after_commit, in_one_block, is_database_failure
from loyalink_khalti.flow.verification.release import release_purchase
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import flags, polling, refunds, transitions
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import (
    RESOLVED_BY,
    FlagReason,
    PaymentState,
    RefundKind,
    RefundState,
)
from loyalink_khalti.ports import ReleaseReason

log = logging.getLogger(__name__)

ABANDONED_AFTER = timedelta(seconds=60)
"""How long after the deadline of a call the process that made it counts as dead."""


def close_abandoned_refunds(purchase_id: int) -> None:
    """End the refunds that a crash has left: ``requested`` becomes ``refused``, ``sent`` becomes ``unknown``."""
    call = timedelta(seconds=conf.deadline() + conf.slot_timeout(Caller.STAFF))
    abandoned = refunds.abandoned_for(ABANDONED_AFTER + call)

    def work() -> None:
        purchase, _payments = transitions.lock_purchase(purchase_id)
        refunds.end_abandoned(purchase, abandoned)

    if Refund.objects.filter(abandoned, purchase=purchase_id).exists():
        in_one_block(work)


def record_done(purchase: Purchase, payments: list[Payment], refund: Refund, message: str) -> None:
    """Record that Khalti made a refund of a locked purchase; the shop and the points follow in a savepoint."""
    refunds.set_state(refund, RefundState.DONE, message)
    posting.order_refunded(refund)
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
    refund.applied_at = time_of(purchase)
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
    points = {"restored": moved.points_restored, "clawed_back": moved.points_clawed_back}
    after_commit(telemetry.count_points, **points)
    refund.applied_at = time_of(purchase)
    refund.save(update_fields=["points_restored", "points_clawed_back", "applied_at"])
    refunds.resolve_flag(refund, FlagReason.HOST_FAILED)
