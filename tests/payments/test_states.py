"""Which way a payment may go, and what each of Khalti's answers means for it."""

from dataclasses import replace

import pytest

from loyalink_khalti.khalti.wire import Lookup, Status
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.states import EDGES, HOLDING, LIVE, SETTLED, Kind, Reason, State, Verdict, judge, outcome
from loyalink_khalti.ports import Outcome, Why

PIDX, AMOUNT = "bZQLD9wRVWo4CdESSfuSsB", Paisa(250_000)


def said(status: Status, **changes: object) -> Lookup:
    """Khalti's answer about the payment that was asked about."""
    moved = status in {Status.COMPLETED, Status.REFUNDED, Status.PARTIALLY_REFUNDED}
    answer = Lookup(
        pidx=PIDX,
        status=status,
        status_text=status.value,
        total_amount=AMOUNT,
        transaction_id="GFq9PFS7b2iYvL8Lir9oXe" if moved else None,
        fee=Paisa(0),
        refunded=status in {Status.REFUNDED, Status.PARTIALLY_REFUNDED},
    )
    return replace(answer, **changes)  # type: ignore[arg-type]  # whatever a test changes


def verdict(status: Status, **changes: object) -> Verdict:
    return judge(said(status, **changes), pidx=PIDX, amount=AMOUNT)


def test_the_edges_are_those_of_the_design() -> None:
    """I8"""
    assert {(start.value, end.value) for start, ends in EDGES.items() for end in ends} == {
        ("created", "initiated"),
        ("created", "released"),
        ("initiated", "released"),
        ("initiated", "paid"),
        ("initiated", "mismatched"),
        ("initiated", "part_refunded"),
        ("initiated", "refunded"),
        ("released", "paid"),
        ("released", "mismatched"),
        ("released", "part_refunded"),
        ("released", "refunded"),
        ("paid", "fulfilled"),
        ("paid", "part_refunded"),
        ("paid", "refunded"),
        ("mismatched", "paid"),
        ("mismatched", "released"),  # staff: the dashboard shows that no money came
        ("mismatched", "part_refunded"),
        ("mismatched", "refunded"),
        ("fulfilled", "part_refunded"),
        ("fulfilled", "refunded"),
        ("part_refunded", "refunded"),
    }


@pytest.mark.parametrize("state", sorted(SETTLED))
def test_what_is_settled_never_fails_expires_or_waits_again(state: State) -> None:
    """I8"""
    assert EDGES[state] <= SETTLED


def test_a_live_payment_holds_the_goods_and_a_settled_one_no_longer_does() -> None:
    assert LIVE < HOLDING
    assert not HOLDING & (SETTLED | {State.RELEASED})


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (Status.COMPLETED, Verdict(kind=Kind.PAID)),
        (Status.PENDING, Verdict(kind=Kind.WAITING)),
        (Status.INITIATED, Verdict(kind=Kind.WAITING)),
        (Status.REFUNDED, Verdict(kind=Kind.REFUNDED, reason=Reason.REFUNDED_AT_KHALTI)),
        (Status.PARTIALLY_REFUNDED, Verdict(kind=Kind.PART_REFUNDED, reason=Reason.REFUNDED_AT_KHALTI)),
        (Status.EXPIRED, Verdict(kind=Kind.UNPAID, why=Why.EXPIRED)),
        (Status.CANCELED, Verdict(kind=Kind.UNPAID, why=Why.CANCELLED)),
        (Status.FAILED, Verdict(kind=Kind.UNPAID, why=Why.FAILED)),
        (Status.UNKNOWN, Verdict(kind=Kind.UNKNOWN, reason=Reason.UNKNOWN_STATUS)),
    ],
)
def test_every_status_has_one_meaning(status: Status, meaning: Verdict) -> None:
    assert verdict(status) == meaning


def test_no_status_is_left_without_a_meaning() -> None:
    assert {verdict(status).kind for status in Status} == set(Kind) - {Kind.MISMATCHED}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"total_amount": Paisa(AMOUNT - 1)}, Reason.AMOUNT_MISMATCH),
        ({"total_amount": Paisa(AMOUNT + 1)}, Reason.AMOUNT_MISMATCH),
        ({"total_amount": Paisa(0)}, Reason.AMOUNT_MISMATCH),
        ({"total_amount": None}, Reason.AMOUNT_MISMATCH),
        ({"transaction_id": None}, Reason.NO_TRANSACTION_ID),
        ({"refunded": True}, Reason.REFUNDED_AT_KHALTI),
        ({"pidx": "HT6o6PEZRWFJ5ygavzHWd5"}, Reason.PIDX_MISMATCH),
    ],
)
def test_completed_that_does_not_fit_is_a_mismatch(changes: dict[str, object], reason: Reason) -> None:
    """D03, A16, C22: I2"""
    assert verdict(Status.COMPLETED, **changes) == Verdict(kind=Kind.MISMATCHED, reason=reason)


@pytest.mark.parametrize("status", [Status.PENDING, Status.INITIATED, Status.EXPIRED, Status.CANCELED, Status.FAILED])
def test_nothing_is_believed_of_an_answer_about_another_payment(status: Status) -> None:
    """C22"""
    assert verdict(status, pidx="HT6o6PEZRWFJ5ygavzHWd5") == Verdict(kind=Kind.UNKNOWN, reason=Reason.PIDX_MISMATCH)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("why", [None, *Why])
@pytest.mark.parametrize("placed", [True, False])
def test_paid_is_said_of_a_settled_payment_of_a_placed_order_alone(
    state: State, why: Why | None, placed: bool
) -> None:
    assert (outcome(state, why=why, placed=placed) is Outcome.PAID) == (placed and state in SETTLED)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State.CREATED, Outcome.CONFIRMING),
        (State.INITIATED, Outcome.CONFIRMING),
        (State.PAID, Outcome.FLAGGED),
        (State.MISMATCHED, Outcome.FLAGGED),
        (State.PART_REFUNDED, Outcome.FLAGGED),
        (State.REFUNDED, Outcome.FAILED),
    ],
)
def test_whose_order_is_not_placed_is_told_where_the_money_is(state: State, told: Outcome) -> None:
    assert outcome(state, why=None, placed=False) is told


@pytest.mark.parametrize(
    ("why", "told"),
    [
        (Why.EXPIRED, Outcome.EXPIRED),
        (Why.CANCELLED, Outcome.CANCELLED),
        (Why.ABANDONED, Outcome.CANCELLED),
        (Why.FAILED, Outcome.FAILED),
        (Why.REFUSED, Outcome.FAILED),
    ],
)
def test_a_released_payment_says_why(why: Why, told: Outcome) -> None:
    assert outcome(State.RELEASED, why=why, placed=False) is told
