"""What a pass does with a payment beside a plain lookup: refunds, what could not be released, and failures.

A payment that fails for itself is polled ever later, and staff learn of it once.
"""

import logging
from datetime import datetime

from loyalink_khalti.errors import safe_trace
from loyalink_khalti.flow.refunds.order import apply_refund
from loyalink_khalti.flow.transactions import in_one_block
from loyalink_khalti.flow.verification.external_refunds import look_up_refunds
from loyalink_khalti.flow.verification.release import release_payment
from loyalink_khalti.flow.verification.verify import load
from loyalink_khalti.payments import polling, refunds
from loyalink_khalti.payments.flags import raise_flag
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import FlagReason, PaymentState, PurchaseState
from loyalink_khalti.ports import ReleaseReason

from .results import PassLabel, PassResult

log = logging.getLogger(__name__)


def reconcile_refunds(payment: Payment, lease: str) -> PassResult:
    """Look up what became of the refunds of a settled payment, and apply those that are not applied yet."""
    outcome = look_up_refunds(payment, lease)
    for refund in refunds.unapplied(payment.purchase):
        apply_refund(refund)
    label = PassLabel.FAILED if outcome is None else PassLabel.UNCHANGED
    if outcome is not None and load(payment).state != payment.state:
        label = PassLabel.REFUNDED
    return PassResult(payment=payment, outcome=outcome, label=label)


def release_again(payment: Payment, reason: ReleaseReason, *, at: datetime) -> PassResult:
    """Release what a payment without money still holds, where the shop failed before; later and later.

    ``at`` is when the pass began.
    """
    outcome = release_payment(payment, reason, customer_present=False, states=())
    if not Purchase.objects.filter(pk=payment.purchase_id, state=PurchaseState.OPEN).exists():
        return PassResult(payment=payment, outcome=outcome, label=outcome.value)
    _poll_later(payment, at=at)
    return PassResult(payment=payment, outcome=outcome, label=PassLabel.FAILED)


def flag_failure(payment: Payment, exc: Exception, *, at: datetime) -> None:
    """Poll a payment that cannot be processed ever later, and raise a Flag once. ``at`` is when the pass began."""
    try:
        _poll_later(payment, at=at)
        evidence = {"error": type(exc).__name__}
        in_one_block(lambda: raise_flag(payment, FlagReason.HOST_FAILED, evidence))
    except Exception as worse:  # noqa: BLE001 - logged by the pass, and tried again by the next one
        log.error("reconcile: payment %s could not be flagged: %s", payment.pk, safe_trace(worse))


def _poll_later(payment: Payment, *, at: datetime) -> None:
    failures = payment.poll_failures + 1
    wait = polling.next_poll(payment, PaymentState(payment.state), failures=failures)
    Payment.objects.filter(pk=payment.pk).update(
        last_lookup_at=at, poll_failures=failures, next_poll_at=polling.poll_after(wait)
    )
