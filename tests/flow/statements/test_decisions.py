"""A person decides what differs, with a reason and a name; a day is settled without open differences only."""

from datetime import date
from uuid import uuid4

import pytest

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotMatch, SelfDealing
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.statements import (
    DifferenceState,
    SettledDay,
    StatementDecision,
    StatementDifference,
    StatementRow,
)
from tests.flow.statements.conftest import BINA, MAYA, differences, match, only_difference, paid, row

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]
DAY = date(2026, 11, 10)


def why(by: str = MAYA) -> dict[str, str]:
    return {"reason": "The bank has confirmed it.", "key": uuid4().hex, "actor": by}


@pytest.mark.on_both
def test_a_row_is_attached_to_a_possible_payment_and_both_differences_are_gone() -> None:
    """U38"""
    payment = paid("1")
    match(row("bank-17", rupees="1000", fee=""))
    missing = StatementDifference.objects.get(kind="missing_here")

    decision = flow.attach_row(missing.pk, payment, **why())

    assert (differences(), StatementRow.objects.get().payment) == ([], payment)
    assert (decision.payment, decision.actor) == (payment, MAYA)


def test_a_row_that_is_attached_still_shows_another_amount() -> None:
    """U38"""
    payment = paid("1")
    match(row("bank-17", rupees="900", fee=""))

    flow.attach_row(StatementDifference.objects.get(kind="missing_here").pk, payment, **why())

    assert differences() == ["amount"]


def test_a_payment_is_attached_to_one_row_alone() -> None:
    """U38"""
    payment = paid("1")
    match(row("T1"), row("bank-17"))

    with pytest.raises(CannotMatch, match="Another row"):
        flow.attach_row(only_difference().pk, payment, **why())


@pytest.mark.on_both
def test_a_difference_is_explained_once_and_opened_again_by_another_row() -> None:
    """U38"""
    match(row("T9"))
    difference = only_difference()
    form = why()

    flow.explain_difference(difference.pk, **form)
    flow.explain_difference(difference.pk, **form)
    assert differences() == []
    flow.check_again("default")
    assert differences(DifferenceState.CLOSED) == ["missing_here"]
    flow.reopen_difference(difference.pk, **why(BINA))

    assert differences() == ["missing_here"]
    decided = StatementDecision.objects.order_by("pk").values_list("decision", "actor")
    assert list(decided) == [("explained", MAYA), ("reopened", BINA)]


def test_a_reason_is_needed_and_a_decision_is_written_once() -> None:
    """U38"""
    match(row("T9"))
    with pytest.raises(CannotMatch, match="reason"):
        flow.explain_difference(only_difference().pk, reason=" ", key="k", actor=MAYA)
    decision = flow.explain_difference(only_difference().pk, **why())

    decision.actor = BINA
    with pytest.raises(CannotMatch):
        decision.save()
    with pytest.raises(CannotMatch):
        StatementDecision.objects.all().delete()


def test_nobody_decides_about_their_own_payment() -> None:
    """U38"""
    payment = paid("1")
    Purchase.objects.filter(pk=payment.purchase_id).update(member_id=MAYA)
    match(row("T1", rupees="900"))

    with pytest.raises(SelfDealing):
        flow.explain_difference(only_difference().pk, **why())
    flow.explain_difference(only_difference().pk, **why(BINA))


@pytest.mark.on_both
def test_a_day_is_settled_without_open_differences_only_and_opened_by_another_row() -> None:
    """U39"""
    paid("1")
    match(row("T1"), row("T9"))
    with pytest.raises(CannotMatch, match="open differences"):
        flow.settle_day("default", DAY, key="a", actor=MAYA)
    flow.explain_difference(only_difference().pk, **why())

    first = flow.settle_day("default", DAY, key="b", actor=MAYA)
    assert flow.settle_day("default", DAY, key="b", actor=MAYA) == first
    (day,) = flow.statement_days("default", DAY, DAY)
    assert day.settled == first
    assert (first.rows, first.amount, first.actor) == (2, 100_000, MAYA)
    with pytest.raises(CannotMatch, match="already"):
        flow.settle_day("default", DAY, key="c", actor=BINA)
    closed = StatementDifference.objects.get()
    with pytest.raises(CannotMatch, match="settled"):
        flow.reopen_difference(closed.pk, **why())

    flow.undo_settled_day("default", DAY, note="A file was missing.", key="d", actor=BINA)
    (day,) = flow.statement_days("default", DAY, DAY)
    assert (day.settled, SettledDay.objects.count()) == (None, 2)
    with pytest.raises(CannotMatch):
        SettledDay.objects.all().delete()


def test_a_day_without_a_statement_or_not_over_is_not_settled() -> None:
    """U39"""
    paid("1")
    with pytest.raises(CannotMatch, match="No statement"):
        flow.settle_day("default", DAY, key="a", actor=MAYA)
    with pytest.raises(CannotMatch, match="not over"):
        flow.settle_day("default", date(2040, 1, 1), key="b", actor=MAYA)


def test_the_figures_of_a_day_are_those_here_and_there() -> None:
    """U39"""
    paid("1")
    paid("2", captured=50_000, fee=None)
    match(row("T1"), row("T2", rupees="400", fee="12"), row("T1", rupees="-100", fee=""))

    (day,) = flow.statement_days("default", DAY, DAY)

    assert (day.here, day.there, day.refunded_there) == (150_000, 140_000, 10_000)
    assert (day.fees_here, day.fees_there, day.open_differences) == (3_000, 4_200, 2)
    assert Payment.objects.get(transaction_id="T2").fee is None
