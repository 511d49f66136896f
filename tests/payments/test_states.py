"""Which transitions a payment may make, and what each of Khalti's answers means for it."""

from dataclasses import replace

import pytest

from loyalink_khalti.khalti.wire import Lookup, Status
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import states
from loyalink_khalti.payments.states import (
    CAPTURED,
    HOLDING,
    LIVE,
    SETTLED,
    TRANSITIONS,
    FlagReason,
    PaymentState,
    Verdict,
    VerdictKind,
    judge,
    outcome,
)
from loyalink_khalti.ports import Outcome, ReleaseReason

PIDX, AMOUNT = "bZQLD9wRVWo4CdESSfuSsB", Paisa(250_000)


def answer(status: Status, **changes: object) -> Lookup:
    """Khalti's answer about the payment that was looked up."""
    has_money = status in {Status.COMPLETED, Status.REFUNDED, Status.PARTIALLY_REFUNDED}
    lookup = Lookup(
        pidx=PIDX,
        status=status,
        status_text=status.value,
        total_amount=AMOUNT,
        transaction_id="GFq9PFS7b2iYvL8Lir9oXe" if has_money else None,
        fee=Paisa(0),
        refunded=status in {Status.REFUNDED, Status.PARTIALLY_REFUNDED},
    )
    return replace(lookup, **changes)  # type: ignore[arg-type]  # any field


def verdict(status: Status, **changes: object) -> Verdict:
    return judge(answer(status, **changes), pidx=PIDX, amount=AMOUNT)


def test_the_transitions_are_those_of_the_design() -> None:
    """I8"""
    assert {(start.value, end.value) for start, ends in TRANSITIONS.items() for end in ends} == {
        ("created", "initiated"),
        ("created", "released"),
        ("initiated", "released"),
        ("initiated", "paid"),
        ("initiated", "mismatched"),
        ("initiated", "partially_refunded"),
        ("initiated", "refunded"),
        ("released", "paid"),
        ("released", "mismatched"),
        ("released", "partially_refunded"),
        ("released", "refunded"),
        ("paid", "fulfilled"),
        ("paid", "partially_refunded"),
        ("paid", "refunded"),
        ("mismatched", "paid"),
        ("mismatched", "released"),  # staff: the dashboard shows that no money came
        ("mismatched", "partially_refunded"),
        ("mismatched", "refunded"),
        ("fulfilled", "partially_refunded"),
        ("fulfilled", "refunded"),
        ("partially_refunded", "refunded"),
        # staff: a refund was recorded that was not made
        ("partially_refunded", "fulfilled"),
        ("partially_refunded", "paid"),
        ("partially_refunded", "mismatched"),
        ("refunded", "partially_refunded"),
        ("refunded", "fulfilled"),
        ("refunded", "paid"),
        ("refunded", "mismatched"),
    }


@pytest.mark.parametrize("state", sorted(SETTLED))
def test_a_settled_payment_never_fails_expires_or_waits_again(state: PaymentState) -> None:
    """I8"""
    assert TRANSITIONS[state] <= CAPTURED


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LIVE", "created initiated"),
        ("UNSETTLED", "paid mismatched"),
        ("HOLDING", "created initiated paid mismatched"),
        ("SETTLED", "fulfilled partially_refunded refunded"),
        ("CAPTURED", "paid mismatched fulfilled partially_refunded refunded"),
        ("NET_POSITIVE", "fulfilled partially_refunded"),
        ("WITH_REFUNDS", "partially_refunded refunded"),
        ("REFUNDABLE", "paid mismatched partially_refunded"),
        ("RELEASABLE_BY_STAFF", "created initiated mismatched"),
        ("ENDED_UNPAID", "released refunded"),
        ("POLLED_UNTIL_ENDED", "initiated paid mismatched"),
        ("POLLED_DAILY", "fulfilled partially_refunded mismatched"),
        ("POLLED_FOR_REFUNDS", "fulfilled partially_refunded refunded mismatched"),
        ("MAYBE_WITHOUT_PIDX", "created released"),
        ("PENDING_REFUNDS", "requested sent unknown"),
        ("IN_FLIGHT_REFUNDS", "requested sent"),
        ("UNANSWERED_REFUNDS", "sent unknown"),
    ],
)
def test_each_named_set_has_its_states(name: str, expected: str) -> None:
    """Code and tests share these sets: a set that changes by mistake must fail here."""
    assert {state.value for state in getattr(states, name)} == set(expected.split())


def test_a_live_payment_holds_stock_and_a_settled_one_does_not() -> None:
    assert LIVE < HOLDING
    assert not HOLDING & (SETTLED | {PaymentState.RELEASED})


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (Status.COMPLETED, Verdict(kind=VerdictKind.PAID)),
        (Status.PENDING, Verdict(kind=VerdictKind.WAITING)),
        (Status.INITIATED, Verdict(kind=VerdictKind.WAITING)),
        (Status.REFUNDED, Verdict(kind=VerdictKind.REFUNDED, reason=FlagReason.REFUNDED_AT_KHALTI)),
        (
            Status.PARTIALLY_REFUNDED,
            Verdict(kind=VerdictKind.PARTIALLY_REFUNDED, reason=FlagReason.REFUNDED_AT_KHALTI),
        ),
        (Status.EXPIRED, Verdict(kind=VerdictKind.UNPAID, release_reason=ReleaseReason.EXPIRED)),
        (Status.CANCELED, Verdict(kind=VerdictKind.UNPAID, release_reason=ReleaseReason.CANCELLED)),
        (Status.FAILED, Verdict(kind=VerdictKind.UNPAID, release_reason=ReleaseReason.FAILED)),
        (Status.UNKNOWN, Verdict(kind=VerdictKind.UNKNOWN, reason=FlagReason.UNKNOWN_STATUS)),
    ],
)
def test_every_status_has_one_meaning(status: Status, meaning: Verdict) -> None:
    assert verdict(status) == meaning


def test_no_status_is_left_without_a_meaning() -> None:
    assert {verdict(status).kind for status in Status} == set(VerdictKind) - {VerdictKind.MISMATCHED}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"total_amount": Paisa(AMOUNT - 1)}, FlagReason.AMOUNT_MISMATCH),
        ({"total_amount": Paisa(AMOUNT + 1)}, FlagReason.AMOUNT_MISMATCH),
        ({"total_amount": Paisa(0)}, FlagReason.AMOUNT_MISMATCH),
        ({"total_amount": None}, FlagReason.AMOUNT_MISMATCH),
        ({"transaction_id": None}, FlagReason.NO_TRANSACTION_ID),
        ({"refunded": True}, FlagReason.REFUNDED_AT_KHALTI),
        ({"pidx": "HT6o6PEZRWFJ5ygavzHWd5"}, FlagReason.PIDX_MISMATCH),
    ],
)
def test_completed_that_does_not_match_is_a_mismatch(changes: dict[str, object], reason: FlagReason) -> None:
    """D03, A16, C22: I2"""
    assert verdict(Status.COMPLETED, **changes) == Verdict(kind=VerdictKind.MISMATCHED, reason=reason)


@pytest.mark.parametrize("status", [Status.PENDING, Status.INITIATED, Status.EXPIRED, Status.CANCELED, Status.FAILED])
def test_nothing_is_believed_of_an_answer_about_another_payment(status: Status) -> None:
    """C22"""
    assert verdict(status, pidx="HT6o6PEZRWFJ5ygavzHWd5") == Verdict(
        kind=VerdictKind.UNKNOWN, reason=FlagReason.PIDX_MISMATCH
    )


@pytest.mark.parametrize("state", PaymentState)
@pytest.mark.parametrize("reason", [None, *ReleaseReason])
@pytest.mark.parametrize("placed", [True, False])
def test_the_outcome_is_paid_only_for_a_settled_payment_of_a_placed_order(
    state: PaymentState, reason: ReleaseReason | None, placed: bool
) -> None:
    assert (outcome(state, release_reason=reason, placed=placed) is Outcome.PAID) == (placed and state in SETTLED)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (PaymentState.CREATED, Outcome.CONFIRMING),
        (PaymentState.INITIATED, Outcome.CONFIRMING),
        (PaymentState.PAID, Outcome.FLAGGED),
        (PaymentState.MISMATCHED, Outcome.FLAGGED),
        (PaymentState.PARTIALLY_REFUNDED, Outcome.FLAGGED),
        (PaymentState.REFUNDED, Outcome.FAILED),
    ],
)
def test_without_a_placed_order_the_outcome_says_where_the_money_is(state: PaymentState, expected: Outcome) -> None:
    assert outcome(state, release_reason=None, placed=False) is expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (ReleaseReason.EXPIRED, Outcome.EXPIRED),
        (ReleaseReason.CANCELLED, Outcome.CANCELLED),
        (ReleaseReason.CANCELLED_IN_SHOP, Outcome.CANCELLED),
        (ReleaseReason.FAILED, Outcome.FAILED),
        (ReleaseReason.REFUSED, Outcome.FAILED),
    ],
)
def test_a_released_payment_has_the_outcome_of_its_reason(reason: ReleaseReason, expected: Outcome) -> None:
    assert outcome(PaymentState.RELEASED, release_reason=reason, placed=False) is expected
