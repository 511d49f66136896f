"""What may become of a payment, and what Khalti's answer means for it. Pure: no database, no clock."""

from dataclasses import dataclass
from enum import Enum, StrEnum

from loyalink_khalti.khalti.wire import Lookup, Status
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Outcome, Why


class State(StrEnum):
    """Where one attempt at Khalti stands."""

    CREATED = "created"
    INITIATED = "initiated"
    PAID = "paid"
    FULFILLED = "fulfilled"
    RELEASED = "released"
    MISMATCHED = "mismatched"
    PART_REFUNDED = "part_refunded"
    REFUNDED = "refunded"


LIVE = frozenset({State.CREATED, State.INITIATED})
"""Somebody may be about to pay it."""

HOLDING = LIVE | {State.PAID, State.MISMATCHED}
"""While one payment of a purchase is in these, the purchase keeps its goods and points."""

SETTLED = frozenset({State.FULFILLED, State.PART_REFUNDED, State.REFUNDED})

EDGES: dict[State, frozenset[State]] = {
    State.CREATED: frozenset({State.INITIATED, State.RELEASED}),
    State.INITIATED: frozenset({State.PAID, State.RELEASED, State.MISMATCHED, State.PART_REFUNDED, State.REFUNDED}),
    State.RELEASED: frozenset({State.PAID, State.MISMATCHED, State.PART_REFUNDED, State.REFUNDED}),
    State.PAID: frozenset({State.FULFILLED, State.PART_REFUNDED, State.REFUNDED}),
    State.MISMATCHED: frozenset({State.PAID, State.RELEASED, State.PART_REFUNDED, State.REFUNDED}),
    State.FULFILLED: frozenset({State.PART_REFUNDED, State.REFUNDED}),
    State.PART_REFUNDED: frozenset({State.REFUNDED}),
    State.REFUNDED: frozenset(),
}


class RefundState(StrEnum):
    """Where giving money back stands. After ``unknown`` nobody knows, and nothing is sent again by itself."""

    REQUESTED = "requested"
    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


PENDING_REFUND = frozenset({RefundState.REQUESTED, RefundState.SENT, RefundState.UNKNOWN})
"""While a refund is in these, no other of its purchase is sent."""


class Reason(StrEnum):
    """Why staff must look at a payment."""

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


NOBODY_KNEW = frozenset({Reason.UNKNOWN_AT_KHALTI, Reason.UNKNOWN_STATUS, Reason.KEY_GONE, Reason.KEY_REFUSED})
_UNDECIDED = frozenset(
    {Reason.LATE, Reason.SECOND_PAYMENT, Reason.PAID_AFTER_CANCEL, Reason.SOLD_OUT, Reason.HOST_FAILED}
)
_DOUBTED = frozenset(
    {
        Reason.AMOUNT_MISMATCH, Reason.PIDX_MISMATCH, Reason.NO_TRANSACTION_ID, Reason.DUPLICATE_TRANSACTION_ID,
    }
)  # fmt: skip

ANSWERS: dict[State, frozenset[Reason]] = {
    State.FULFILLED: NOBODY_KNEW | _UNDECIDED | _DOUBTED,
    State.RELEASED: NOBODY_KNEW | _DOUBTED,
    State.REFUNDED: NOBODY_KNEW | _UNDECIDED | _DOUBTED,
}
"""Which open Flags a payment that comes into a state has answered by that."""


class Kind(Enum):
    """What an answer of lookup comes to."""

    PAID = "paid"
    MISMATCHED = "mismatched"
    WAITING = "waiting"
    UNPAID = "unpaid"
    REFUNDED = "refunded"
    PART_REFUNDED = "part_refunded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What lookup's answer means for the payment that was asked about."""

    kind: Kind
    why: Why | None = None
    """For ``UNPAID``."""
    reason: Reason | None = None
    """For ``MISMATCHED`` and ``UNKNOWN``."""


_UNPAID = {Status.EXPIRED: Why.EXPIRED, Status.CANCELED: Why.CANCELLED, Status.FAILED: Why.FAILED}


def judge(answer: Lookup, *, pidx: str, amount: Paisa) -> Verdict:
    """Compare Khalti's answer with what was stored before the shopper left; ``amount`` is what was asked for."""
    if answer.status is Status.UNKNOWN:
        return Verdict(kind=Kind.UNKNOWN, reason=Reason.UNKNOWN_STATUS)
    if answer.pidx != pidx:
        # Nothing is believed of an answer about another pidx; only a claim of money is worth waking staff for.
        claims_money = answer.status in {Status.COMPLETED, Status.REFUNDED, Status.PARTIALLY_REFUNDED}
        return Verdict(kind=Kind.MISMATCHED if claims_money else Kind.UNKNOWN, reason=Reason.PIDX_MISMATCH)
    if answer.status is Status.COMPLETED:
        return _judge_completed(answer, amount=amount)
    if answer.status is Status.REFUNDED:
        return Verdict(kind=Kind.REFUNDED, reason=Reason.REFUNDED_AT_KHALTI)
    if answer.status is Status.PARTIALLY_REFUNDED:
        return Verdict(kind=Kind.PART_REFUNDED, reason=Reason.REFUNDED_AT_KHALTI)
    if answer.status in _UNPAID:
        return Verdict(kind=Kind.UNPAID, why=_UNPAID[answer.status])
    return Verdict(kind=Kind.WAITING)


def _judge_completed(answer: Lookup, *, amount: Paisa) -> Verdict:
    if answer.total_amount != amount:
        return Verdict(kind=Kind.MISMATCHED, reason=Reason.AMOUNT_MISMATCH)
    if answer.refunded:
        return Verdict(kind=Kind.MISMATCHED, reason=Reason.REFUNDED_AT_KHALTI)
    if not answer.transaction_id:
        return Verdict(kind=Kind.MISMATCHED, reason=Reason.NO_TRANSACTION_ID)
    return Verdict(kind=Kind.PAID)


_RELEASED_OUTCOME = {Why.EXPIRED: Outcome.EXPIRED, Why.CANCELLED: Outcome.CANCELLED, Why.ABANDONED: Outcome.CANCELLED}


def outcome(state: State, *, why: Why | None, placed: bool) -> Outcome:
    """What the shopper is told; ``placed`` says that this payment's purchase is a placed order."""
    if state in LIVE:
        return Outcome.CONFIRMING
    if state in SETTLED and placed:
        return Outcome.PAID
    if state in {State.PAID, State.MISMATCHED, State.PART_REFUNDED}:
        return Outcome.FLAGGED
    if state is State.RELEASED and why is not None:
        return _RELEASED_OUTCOME.get(why, Outcome.FAILED)
    return Outcome.FAILED
