"""Apply Khalti's answer about a payment in one block: lock, check again, write the outcome.

The money is recorded first. The order and the points follow in a savepoint: where the shop cannot place the order, the
savepoint is rolled back, the money stays recorded, and a Flag asks staff to review the payment.
"""

import logging
from datetime import timedelta
from typing import Any

from django.db import IntegrityError

from loyalink_khalti import conf, outbox, telemetry
from loyalink_khalti.clock import time_of
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.flow.notices import posting
from loyalink_khalti.flow.transactions import after_commit, in_one_block, in_savepoint
from loyalink_khalti.khalti.wire import Lookup
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import OrderSnapshot
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments import captures, polling, refunds, transitions
from loyalink_khalti.payments.contradictions import contradiction_evidence, contradicts
from loyalink_khalti.payments.flags import lookup_evidence, raise_flag, resolve_flags
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.polling import CONFIRM_ATTEMPTS
from loyalink_khalti.payments.states import (
    LIVE,
    NO_ANSWER,
    UNSETTLED,
    FlagReason,
    PaymentState,
    PurchaseState,
    Verdict,
    VerdictKind,
    judge,
)
from loyalink_khalti.ports import Outcome, Paid, PaymentMethod, ReleaseReason
from loyalink_khalti.returning import save_fields

from .obstacles import obstacles_to_placing
from .release import release_purchase

log = logging.getLogger(__name__)

PLACED_FIELDS = ["number", "state", "placed_at", "earned", "search_text"]
"""Fields of a purchase that change when its order is placed and its points are awarded."""

STILL_PENDING_AFTER = timedelta(days=1)
"""How long after its link expired a payment may be neither paid nor expired before staff must review it."""


def apply_lookup(
    payment: Payment, answer: Lookup, *, lease: str, customer_present: bool = False, counts_attempt: bool = True
) -> Outcome:
    """Record Khalti's answer, write what follows from it, and return what the customer sees.

    The payment may have changed since it was looked up. ``customer_present``: the customer is here and gets the basket
    back at once. ``counts_attempt``: a failure to place the order is one of ``CONFIRM_ATTEMPTS``; then staff decide.
    """
    verdict = judge(answer, pidx=payment.pidx or "", amount=Paisa(payment.amount))
    if verdict.kind is VerdictKind.WAITING and _is_unremarkable(payment):
        transitions.record_lookup(payment, answer)
        if polling.end_lease_unpaid(payment, lease):
            return payment.outcome

    try:
        return in_one_block(
            lambda: _apply(payment, answer, verdict, customer_present=customer_present, counts_attempt=counts_attempt)
        )
    except IntegrityError as exc:  # at COMMIT: a foreign key of what the shop has written, which no savepoint notices
        if verdict.kind is not VerdictKind.PAID:
            raise
        log.warning("payment %s: its order cannot be committed: %s", payment.pk, safe_trace(exc))
        evidence = {"shop": type(exc).__name__}
    return in_one_block(lambda: _paid_without_order(payment, answer, evidence, counts_attempt=counts_attempt))


def _is_unremarkable(payment: Payment) -> bool:
    """Return whether a payment that is not paid yet needs no lock: nothing but its poll changes."""
    return payment.state == PaymentState.INITIATED and not payment.is_flagged and not _is_overdue(payment)


def _is_overdue(payment: Payment) -> bool:
    return payment.expires_at is not None and payment.expires_at + STILL_PENDING_AFTER < time_of(payment)


def _apply(
    payment: Payment, answer: Lookup, verdict: Verdict, *, customer_present: bool, counts_attempt: bool
) -> Outcome:
    purchase, payments, payment = transitions.lock(payment)
    if payment.is_settled:
        return payment.outcome
    before = payment.state
    transitions.record_lookup(payment, answer)
    if payment.state in UNSETTLED and refunds.of_payment(payment):  # staff refund it: see ``external_refunds``
        transitions.save(payment)
        return payment.outcome
    contradicts = _contradicts(payment, verdict)
    if verdict.kind is not VerdictKind.UNKNOWN and payment.is_flagged:
        resolve_flags(payment, NO_ANSWER - ({FlagReason.UNKNOWN_STATUS} if contradicts else set()), "answered")
    _write(
        purchase, payments, payment, answer, verdict, customer_present=customer_present, counts_attempt=counts_attempt
    )
    if contradicts and not payment.flags.filter(resolved_at=None).exists():
        raise_flag(payment, FlagReason.UNKNOWN_STATUS, lookup_evidence(answer))
    if payment.state in UNSETTLED and not payment.flags.exists():
        raise_flag(payment, FlagReason.MONEY_WITHOUT_ORDER, lookup_evidence(answer))
    posting.payment_under_review(payment, before=before)
    return payment.outcome


def _contradicts(payment: Payment, verdict: Verdict) -> bool:
    """Return whether Khalti's answer is not what it should be by now, so that staff must review the payment.

    Either Khalti reported money before and reports none now, or the link expired long ago and is still not expired.
    """
    if payment.state in UNSETTLED:
        return verdict.kind in {VerdictKind.WAITING, VerdictKind.UNPAID}
    return verdict.kind is VerdictKind.WAITING and payment.state == PaymentState.INITIATED and _is_overdue(payment)


def _write(
    purchase: Purchase,
    payments: list[Payment],
    payment: Payment,
    answer: Lookup,
    verdict: Verdict,
    *,
    customer_present: bool,
    counts_attempt: bool,
) -> None:
    match verdict.kind:
        case VerdictKind.PAID:
            _paid(purchase, payment, answer, counts_attempt=counts_attempt)
        case VerdictKind.MISMATCHED:
            captures.mark_mismatched(payment, answer, verdict.reason or FlagReason.AMOUNT_MISMATCH)
            transitions.save(payment)
        case VerdictKind.UNPAID:
            reason = verdict.release_reason or ReleaseReason.FAILED
            _unpaid(purchase, payments, payment, reason, customer_present=customer_present)
        case VerdictKind.REFUNDED:
            captures.mark_refunded(payment, answer, PaymentState.REFUNDED)
            posting.payment_refunded(payment, amount=Paisa(payment.refunded))
            release_purchase(purchase, payments, payment, ReleaseReason.REFUNDED, customer_present=customer_present)
        case VerdictKind.PARTIALLY_REFUNDED:  # the rest of the money is still there: staff decide
            captures.mark_refunded(payment, answer, PaymentState.PARTIALLY_REFUNDED)
        case VerdictKind.UNKNOWN:
            raise_flag(payment, verdict.reason or FlagReason.UNKNOWN_STATUS, lookup_evidence(answer))
            transitions.save(payment)
        case VerdictKind.WAITING:
            _waiting(purchase, payments, payment, customer_present=customer_present)


def _waiting(purchase: Purchase, payments: list[Payment], payment: Payment, *, customer_present: bool) -> None:
    transitions.save(payment)
    if payment.state == PaymentState.RELEASED:  # cancelled, and the shop could not restore the basket the last time
        reason = ReleaseReason(payment.release_reason)
        release_purchase(purchase, payments, payment, reason, customer_present=customer_present)


def _unpaid(
    purchase: Purchase, payments: list[Payment], payment: Payment, reason: ReleaseReason, *, customer_present: bool
) -> None:
    if payment.state in LIVE:
        transitions.mark_released(payment, reason)
    else:
        transitions.save(payment)
    if payment.state == PaymentState.RELEASED:
        release_purchase(purchase, payments, payment, reason, customer_present=customer_present)


def _paid(purchase: Purchase, payment: Payment, answer: Lookup, *, counts_attempt: bool) -> None:
    if payment.state == PaymentState.MISMATCHED:  # staff decide, by name and with a reason
        captures.keep_transaction_id(payment, answer)
        transitions.save(payment)
        return
    if payment.state == PaymentState.PAID and contradicts(payment, answer):  # paid, but by another transaction now
        raise_flag(payment, FlagReason.CONTRADICTION, contradiction_evidence(payment, answer))
        transitions.save(payment)
        return
    was_released = payment.state == PaymentState.RELEASED or bool(payment.release_reason)
    obstacles = obstacles_to_placing(purchase, payment, was_released=was_released)
    if not obstacles and payment.confirm_attempts < CONFIRM_ATTEMPTS:
        if _placed(purchase, payment, answer):
            return
    elif not _is_paid(payment, answer):
        return
    for reason in obstacles:
        raise_flag(payment, reason, lookup_evidence(answer))
    _save_attempt(payment, counts_attempt=counts_attempt)


def _save_attempt(payment: Payment, *, counts_attempt: bool) -> None:
    if payment.state == PaymentState.PAID:
        attempts = min(payment.confirm_attempts + counts_attempt, CONFIRM_ATTEMPTS)
        transitions.save(payment, confirm_attempts=attempts)


def _paid_without_order(
    payment: Payment, answer: Lookup, evidence: dict[str, str], *, counts_attempt: bool
) -> Outcome:
    """Record the money of a payment whose order cannot be committed, and let staff know; it is tried again later."""
    _purchase, _payments, payment = transitions.lock(payment)
    before = payment.state
    if before in {PaymentState.INITIATED, PaymentState.RELEASED, PaymentState.PAID}:
        transitions.record_lookup(payment, answer)
        if _is_paid(payment, answer):
            raise_flag(payment, FlagReason.HOST_FAILED, evidence)
            _save_attempt(payment, counts_attempt=counts_attempt)
    posting.payment_under_review(payment, before=before)
    return payment.outcome


def _placed(purchase: Purchase, payment: Payment, answer: Lookup) -> bool:
    """Record the money and place the order, the payment by one statement; return False where the shop cannot.

    Then that Khalti has the money is recorded alone. Where its transaction id belongs to another payment, the order
    is not placed either: the statement is refused, and the payment is marked as mismatched.
    """

    def work() -> None:
        if payment.state != PaymentState.PAID:
            transitions.set_paid(payment, answer)
        fulfil(purchase, payment)

    def without_order() -> bool:
        transitions.record_lookup(payment, answer)
        return _is_paid(payment, answer)

    return in_savepoint(work, purchase, payment, without=without_order)


def _is_paid(payment: Payment, answer: Lookup) -> bool:
    return payment.state == PaymentState.PAID or captures.mark_paid(payment, answer)


def fulfil(purchase: Purchase, payment: Payment, *, on_credit: bool = False) -> None:
    """Place the order of a paid payment: the shop confirms, held points are captured, new points are awarded.

    Runs in the caller's savepoint. ``on_credit`` (staff): points that the member no longer has are owed. Raises what
    the shop raises, and ``LedgerError`` where the points cannot be moved.
    """
    paid = Paid(
        method=PaymentMethod.KHALTI,
        amount=Paisa(payment.amount),
        transaction_id=payment.transaction_id or "",
        at=payment.paid_at or time_of(payment),
        points=Points(purchase.points_redeemed),
        points_value=Paisa(purchase.points_value),
        is_test=conf.is_test_mode(payment.environment),
    )
    with outbox.gathered():
        confirm_order(purchase, paid, on_credit=on_credit)
        award_points(purchase)
        posting.order_placed(purchase)
    transitions.mark_fulfilled(payment)


def confirm_order(purchase: Purchase, paid: Paid, *, on_credit: bool = False) -> None:
    """Let the shop place the order, and capture its points; the caller saves ``PLACED_FIELDS``.

    Raises what the shop raises, and ``LedgerError`` where the points cannot be captured.
    """
    purchase.number = conf.shop(purchase.shop).confirm(purchase.ref, paid=paid)
    purchase.search_text = transitions.search_text_for(purchase.frozen_cart, purchase.number)
    if purchase.points_redeemed and purchase.member_id:  # after the shop's rows: the account is locked last
        _capture_points(purchase, purchase.member_id, on_credit=on_credit)
        after_commit(telemetry.count_points, redeemed=purchase.points_redeemed)
    purchase.state = PurchaseState.PLACED
    purchase.placed_at = purchase.placed_at or time_of(purchase)


def _capture_points(purchase: Purchase, member_id: str, *, on_credit: bool) -> None:
    """Capture the points held; those of a released purchase are held again first, or captured on credit."""
    if purchase.state == PurchaseState.RELEASED:
        hold: dict[str, Any] = {
            "site_key": purchase.site_key, "member_id": member_id, "purchase": purchase.key,
            "points": Points(purchase.points_redeemed), "version_id": purchase.rules_version,
        }  # fmt: skip
        if on_credit:
            ledger.late_capture(**hold, value=Paisa(purchase.points_value))
            return
        ledger.hold(**hold)
    ledger.capture(purchase=purchase.key, value=Paisa(purchase.points_value))


def award_points(purchase: Purchase, *, occasion: str = "") -> None:
    """Award the points that a placed order earns, to its member or to the member who claimed it, and save it.

    ``occasion`` is for ``ledger.award``, where an earlier award of the order was withdrawn.
    """
    if purchase.earner:
        purchase.earned = ledger.award(
            site_key=purchase.site_key,
            member_id=purchase.earner,
            purchase=purchase.key,
            order=order_snapshot(purchase),
            version_id=purchase.rules_version,
            occasion=occasion,
        )
        after_commit(telemetry.count_points, earned=purchase.earned)
    save_fields(purchase, *PLACED_FIELDS)


def order_snapshot(purchase: Purchase) -> OrderSnapshot:
    """Return what a purchase earns points on, as the customer saw it."""
    cart = purchase.frozen_cart
    return OrderSnapshot(
        lines=cart.lines,
        shipping=cart.shipping,
        discount=cart.discount,
        points_value=Paisa(purchase.points_value),
        at=purchase.created_at,
    )
