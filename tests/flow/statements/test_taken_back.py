"""A statement that is taken back leaves no day settled, and no payment forgotten."""

from datetime import date
from uuid import uuid4

import pytest

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotMatch
from loyalink_khalti.payments.statements import SettledDay
from tests.flow.statements.conftest import MAYA, differences, match, paid, row

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]
DAY = date(2026, 11, 10)


def settle() -> SettledDay:
    return flow.settle_day("default", DAY, key=uuid4().hex, actor=MAYA)


@pytest.mark.on_both
def test_a_payment_that_only_a_taken_back_statement_had_keeps_its_day_from_being_settled() -> None:
    """U39: the other statement of that day lacks it."""
    paid("1")
    paid("2")
    first = match(row("T1"))
    match(row("T2"))
    flow.check_again("default")
    assert differences() == []

    flow.take_back_statement(first.pk)

    with pytest.raises(CannotMatch, match="open differences"):
        settle()
    assert (differences(), SettledDay.objects.count()) == (["missing_there"], 0)


def test_a_payment_that_two_statements_lack_is_missing_still_once_one_is_taken_back() -> None:
    """U39"""
    paid("1")
    paid("2")
    paid("3")
    first = match(row("T1"))
    match(row("T2"))
    flow.check_again("default")
    assert differences() == ["missing_there"]

    flow.take_back_statement(first.pk)

    with pytest.raises(CannotMatch, match="open differences"):
        settle()
    assert differences() == ["missing_there", "missing_there"]


def test_a_payment_that_became_known_after_the_match_keeps_its_day_from_being_settled() -> None:
    """U39: nobody has compared it with a statement."""
    paid("1")
    match(row("T1"))
    paid("2")

    with pytest.raises(CannotMatch, match="open differences"):
        settle()

    assert differences() == ["missing_there"]


def test_what_was_not_matched_or_is_gone_is_not_taken_back() -> None:
    """U35: a second click, or a form of a file whose columns are not mapped, says so."""
    kept, _new = flow.keep_statement(b"a", site_key="default", name="a.csv", digest=uuid4().hex, actor=MAYA)
    paid("1")
    matched = match(row("T1"))
    flow.take_back_statement(matched.pk)

    for pk in (kept.pk, matched.pk):
        with pytest.raises(CannotMatch, match="not matched"):
            flow.take_back_statement(pk)
