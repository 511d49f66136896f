"""States of purchases, payments and refunds, every named set of them, and what Khalti's answer means for a payment.

Pure: no query, no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.khalti.wire import MONEY_MOVED, Lookup, Status
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Outcome, ReleaseReason


def choices_of(values: Iterable[StrEnum]) -> list[tuple[str, str]]:
    """Return the ``choices`` of a column whose values have their labels in ``labels``."""
    return [(each.value, each.value) for each in values]


class PurchaseState(TextChoices):
    """``open → placed | released``; ``released → placed`` after a late payment."""

    OPEN = "open", _("open")
    PLACED = "placed", _("placed")
    RELEASED = "released", _("released")


class PaymentState(StrEnum):
    """The state of one attempt to pay at Khalti. ``TRANSITIONS`` lists the allowed changes."""

    CREATED = "created"
    INITIATED = "initiated"
    PAID = "paid"
    FULFILLED = "fulfilled"
    RELEASED = "released"
    MISMATCHED = "mismatched"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


TRANSITIONS: dict[PaymentState, frozenset[PaymentState]] = {
    PaymentState.CREATED: frozenset({PaymentState.INITIATED, PaymentState.RELEASED}),
    PaymentState.INITIATED: frozenset(
        {
            PaymentState.PAID,
            PaymentState.RELEASED,
            PaymentState.MISMATCHED,
            PaymentState.PARTIALLY_REFUNDED,
            PaymentState.REFUNDED,
        }
    ),
    PaymentState.RELEASED: frozenset(
        {PaymentState.PAID, PaymentState.MISMATCHED, PaymentState.PARTIALLY_REFUNDED, PaymentState.REFUNDED}
    ),
    PaymentState.PAID: frozenset({PaymentState.FULFILLED, PaymentState.PARTIALLY_REFUNDED, PaymentState.REFUNDED}),
    PaymentState.MISMATCHED: frozenset(
        {PaymentState.PAID, PaymentState.RELEASED, PaymentState.PARTIALLY_REFUNDED, PaymentState.REFUNDED}
    ),
    PaymentState.FULFILLED: frozenset({PaymentState.PARTIALLY_REFUNDED, PaymentState.REFUNDED}),
    # Back only where a refund was recorded that was not made.
    PaymentState.PARTIALLY_REFUNDED: frozenset(
        {PaymentState.REFUNDED, PaymentState.FULFILLED, PaymentState.PAID, PaymentState.MISMATCHED}
    ),
    PaymentState.REFUNDED: frozenset(
        {PaymentState.PARTIALLY_REFUNDED, PaymentState.FULFILLED, PaymentState.PAID, PaymentState.MISMATCHED}
    ),
}

LIVE = frozenset({PaymentState.CREATED, PaymentState.INITIATED})
"""The customer may still pay it."""

UNSETTLED = frozenset({PaymentState.PAID, PaymentState.MISMATCHED})
"""Khalti reports money, but no order is placed for it."""

HOLDING = LIVE | UNSETTLED
"""A purchase with a payment in one of these keeps its stock and points."""

SETTLED = frozenset({PaymentState.FULFILLED, PaymentState.PARTIALLY_REFUNDED, PaymentState.REFUNDED})
"""Fulfilled or beyond: only a refund can still change it."""

CAPTURED = UNSETTLED | SETTLED
"""Khalti has taken money."""

NET_POSITIVE = SETTLED - {PaymentState.REFUNDED}
"""Settled, and some of the money is still with the shop."""

WITH_REFUNDS = SETTLED - {PaymentState.FULFILLED}
"""Refunded, in part or in full."""

REFUNDABLE = UNSETTLED | {PaymentState.PARTIALLY_REFUNDED}
"""What is left of these can be refunded by itself, as long as no order was placed for it."""

RELEASABLE_BY_STAFF = LIVE | {PaymentState.MISMATCHED}
"""Staff may release these when Khalti's dashboard shows no money."""

ENDED_UNPAID = frozenset({PaymentState.RELEASED, PaymentState.REFUNDED})
"""No money is or can be with the shop: the purchase may be released."""

POLLED_UNTIL_ENDED = HOLDING - {PaymentState.CREATED}
"""The reconciler looks these up until their state changes."""

POLLED_DAILY = NET_POSITIVE | {PaymentState.MISMATCHED}
"""The reconciler looks these up once a day."""

POLLED_FOR_REFUNDS = SETTLED | {PaymentState.MISMATCHED}
"""The customer or staff know that the money has arrived: lookup can only bring news about refunds."""

MAYBE_WITHOUT_PIDX = frozenset({PaymentState.CREATED, PaymentState.RELEASED})
"""Khalti may never have created these."""


class RecordedOutcome(StrEnum):
    """What staff have recorded of a payment that lookup could not tell; "" where Khalti itself has answered."""

    PAID = "paid"
    UNPAID = "unpaid"


class RefundState(StrEnum):
    """The state of one refund. After ``unknown`` it is never sent again automatically."""

    REQUESTED = "requested"
    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class RefundKind(TextChoices):
    """What is refunded.

    ``order``: a placed order, with its products and points. ``payment``: a payment that bought nothing. ``received``:
    a surplus received outside Khalti.
    """

    ORDER = "order", _("order")
    PAYMENT = "payment", _("payment")
    RECEIVED = "received", _("received")


PENDING_REFUNDS = frozenset({RefundState.REQUESTED, RefundState.SENT, RefundState.UNKNOWN})
"""A purchase with a refund in one of these sends no other refund."""

IN_FLIGHT_REFUNDS = frozenset({RefundState.REQUESTED, RefundState.SENT})
"""A process is sending these now, or was killed meanwhile."""

UNANSWERED_REFUNDS = frozenset({RefundState.SENT, RefundState.UNKNOWN})
"""These were sent to Khalti, and no answer is recorded."""


class FlagReason(StrEnum):
    """Why staff must review a payment; ``labels`` has the sentences for them."""

    AMOUNT_MISMATCH = "amount_mismatch"
    PIDX_MISMATCH = "pidx_mismatch"
    NO_TRANSACTION_ID = "no_transaction_id"
    DUPLICATE_TRANSACTION_ID = "duplicate_transaction_id"
    SECOND_PAYMENT = "second_payment"
    LATE = "late"
    PAID_AFTER_CANCEL = "paid_after_cancel"
    SOLD_OUT = "sold_out"
    HOST_FAILED = "host_failed"
    UNKNOWN_AT_KHALTI = "unknown_at_khalti"
    UNKNOWN_STATUS = "unknown_status"
    KEY_GONE = "key_gone"
    KEY_REFUSED = "key_refused"
    REFUND_UNKNOWN = "refund_unknown"
    REFUNDED_AT_KHALTI = "refunded_at_khalti"
    MERCHANT_LIMIT = "merchant_limit"
    INITIATE_REFUSED = "initiate_refused"
    MONEY_WITHOUT_ORDER = "money_without_order"
    ORDER_MISSING = "order_missing"
    CONTRADICTION = "contradiction"
    ANSWER_UNREADABLE = "answer_unreadable"


WITHOUT_MONEY = frozenset({FlagReason.MERCHANT_LIMIT, FlagReason.INITIATE_REFUSED})
"""Khalti opened no payment page, so no money can come."""

ONE_PER_SITE = WITHOUT_MONEY | {FlagReason.KEY_REFUSED}
"""When Khalti opens no payment page for these, one Flag of the site counts how often."""

NO_ANSWER = frozenset(
    {
        FlagReason.UNKNOWN_AT_KHALTI,
        FlagReason.UNKNOWN_STATUS,
        FlagReason.KEY_GONE,
        FlagReason.KEY_REFUSED,
        FlagReason.ANSWER_UNREADABLE,
    }
)
"""Khalti gave no answer from which anything follows."""

NOT_PLACED = frozenset(
    {
        FlagReason.LATE,
        FlagReason.SECOND_PAYMENT,
        FlagReason.PAID_AFTER_CANCEL,
        FlagReason.SOLD_OUT,
        FlagReason.HOST_FAILED,
        FlagReason.MONEY_WITHOUT_ORDER,
        FlagReason.ORDER_MISSING,
    }
)
"""The money is there, and the order was not placed automatically."""

NO_MONEY_SHOWN = frozenset(
    {FlagReason.PIDX_MISMATCH, FlagReason.NO_TRANSACTION_ID, FlagReason.DUPLICATE_TRANSACTION_ID}
)
"""Lookup reports money, but Khalti's dashboard may show that none came for this payment."""

NOT_FOUND = NO_ANSWER | {FlagReason.PIDX_MISMATCH}
"""Nothing that Khalti says about the payment can be believed; its dashboard may say more."""

MISMATCHES = NO_MONEY_SHOWN | {FlagReason.AMOUNT_MISMATCH}

RESOLVED_BY: dict[PaymentState, frozenset[FlagReason]] = {
    PaymentState.FULFILLED: NO_ANSWER | NOT_PLACED | MISMATCHES,
    PaymentState.RELEASED: NO_ANSWER | MISMATCHES,
    PaymentState.REFUNDED: NO_ANSWER | NOT_PLACED | MISMATCHES,
}
"""The open Flags that a payment resolves when it enters a state."""

UNPAID_AT_KHALTI = frozenset({ReleaseReason.EXPIRED, ReleaseReason.CANCELLED})
"""Khalti itself reported these: if the payment completes after all, the order may be placed automatically."""


class VerdictKind(Enum):
    """What follows from an answer of lookup."""

    PAID = "paid"
    MISMATCHED = "mismatched"
    WAITING = "waiting"
    UNPAID = "unpaid"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What lookup's answer means for the payment that was looked up."""

    kind: VerdictKind
    release_reason: ReleaseReason | None = None
    """For ``UNPAID``."""
    reason: FlagReason | None = None
    """For ``MISMATCHED`` and ``UNKNOWN``."""


_UNPAID = {
    Status.EXPIRED: ReleaseReason.EXPIRED,
    Status.CANCELED: ReleaseReason.CANCELLED,
    Status.FAILED: ReleaseReason.FAILED,
}
UNPAID_STATUSES = frozenset(_UNPAID)
"""Khalti says that nothing was paid, and that nothing can be paid any more."""
_WAITING = frozenset({Status.INITIATED, Status.PENDING})


def judge(answer: Lookup, *, pidx: str, amount: Paisa) -> Verdict:
    """Compare Khalti's answer with what was stored before the customer left for Khalti; ``amount`` in paisa is due.

    https://docs.khalti.com/khalti-epayment/#payment-verification-lookup
    """
    if answer.status is Status.UNKNOWN:
        return Verdict(kind=VerdictKind.UNKNOWN, reason=FlagReason.UNKNOWN_STATUS)
    if answer.pidx != pidx:
        # Nothing in an answer about another pidx is believed; staff need to know only when it reports money.
        kind = VerdictKind.MISMATCHED if answer.status in MONEY_MOVED else VerdictKind.UNKNOWN
        return Verdict(kind=kind, reason=FlagReason.PIDX_MISMATCH)
    if answer.status is Status.COMPLETED:
        return _judge_completed(answer, amount=amount)
    if answer.status is Status.REFUNDED:
        return Verdict(kind=VerdictKind.REFUNDED, reason=FlagReason.REFUNDED_AT_KHALTI)
    if answer.status is Status.PARTIALLY_REFUNDED:
        return Verdict(kind=VerdictKind.PARTIALLY_REFUNDED, reason=FlagReason.REFUNDED_AT_KHALTI)
    if answer.status in _UNPAID:
        return Verdict(kind=VerdictKind.UNPAID, release_reason=_UNPAID[answer.status])
    if answer.status in _WAITING:
        return Verdict(kind=VerdictKind.WAITING)
    return Verdict(kind=VerdictKind.UNKNOWN, reason=FlagReason.UNKNOWN_STATUS)


def _judge_completed(answer: Lookup, *, amount: Paisa) -> Verdict:
    if answer.total_amount != amount:
        return Verdict(kind=VerdictKind.MISMATCHED, reason=FlagReason.AMOUNT_MISMATCH)
    if answer.refunded:
        return Verdict(kind=VerdictKind.MISMATCHED, reason=FlagReason.REFUNDED_AT_KHALTI)
    if not answer.transaction_id:
        return Verdict(kind=VerdictKind.MISMATCHED, reason=FlagReason.NO_TRANSACTION_ID)
    return Verdict(kind=VerdictKind.PAID)


_OUTCOMES = {
    ReleaseReason.EXPIRED: Outcome.EXPIRED,
    ReleaseReason.CANCELLED: Outcome.CANCELLED,
    ReleaseReason.CANCELLED_IN_SHOP: Outcome.CANCELLED,
}


def outcome(state: PaymentState, *, release_reason: ReleaseReason | None, placed: bool) -> Outcome:
    """Return what the customer sees; ``placed`` says whether the payment's purchase is a placed order."""
    if state in LIVE:
        return Outcome.CONFIRMING
    if state in SETTLED and placed:
        return Outcome.PAID
    if state in REFUNDABLE:
        return Outcome.FLAGGED
    if state is PaymentState.RELEASED and release_reason is not None:
        return _OUTCOMES.get(release_reason, Outcome.FAILED)
    return Outcome.FAILED
