"""The ledger with many at once; each verb runs in a transaction of its own, as the flow's do."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from django.db import transaction

from loyalink_khalti.loyalty.models import Account, Entry, Hold
from tests.purchases import at_once

from .conftest import adjust, award, balances, capture, hold, release

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

T = TypeVar("T")


@pytest.fixture
def rich(transactional_db: None) -> Account:
    adjust(100, "opening")
    return Account.objects.get()


def alone(work: Callable[[], T]) -> T:
    with transaction.atomic():
        return work()


def test_twenty_who_spend_the_whole_balance_at_once_spend_it_once(rich: Account) -> None:
    """C-1, F13"""
    took = at_once(20, lambda index: alone(lambda: hold(100, f"shop:{index}")))

    assert sorted(type(each).__name__ for each in took) == ["Hold"] + ["Insufficient"] * 19
    assert balances() == (0, 100, 0)


def test_twenty_awards_of_one_order_are_one(rich: Account) -> None:
    """C-2: I4"""

    given = at_once(20, lambda _: alone(lambda: award(15_000)))

    assert given == [15] * 20
    assert Entry.objects.filter(kind="earn").count() == 1
    assert balances()[0] == 115


def test_ten_members_who_earn_for_the_first_time_at_once_have_an_account_each(transactional_db: None) -> None:
    given = at_once(10, lambda index: alone(lambda: award(15_000, f"shop:{index}", member_id=str(index % 2))))

    assert given == [15] * 10
    assert sorted(Account.objects.values_list("member_id", "available")) == [("0", 75), ("1", 75)]


def test_ten_captures_or_releases_of_one_hold_are_one(rich: Account) -> None:
    """D-12: a hold resolves at most once."""
    hold(60, "shop:1")

    at_once(10, lambda index: alone(release if index % 2 else capture))

    state = Hold.objects.get().state
    assert balances() == ((40, 0, 60) if state == "captured" else (100, 0, 0))
    assert Entry.objects.filter(kind__in=["capture", "release"]).count() == 1


def test_ten_adjustments_under_one_key_are_one(rich: Account) -> None:
    """F10"""
    at_once(10, lambda _: adjust(-30, "same"))

    assert balances() == (70, 0, 0)


def test_all_verbs_at_once_leave_a_ledger_that_adds_up(rich: Account) -> None:
    """G08"""

    def some(index: int) -> object:
        purchase = f"shop:{index}"
        match index % 4:
            case 0:
                return award(10_000, purchase)
            case 1:
                return adjust(-1, purchase)
            case 2:
                hold(5, purchase)
                return capture(purchase)
            case _:
                hold(5, purchase)
                return release(purchase)

    done = at_once(24, lambda index: alone(lambda: some(index)))

    assert not [each for each in done if isinstance(each, Exception)]
    assert balances() == (100 + 6 * 10 - 6 - 6 * 5, 0, 30)
