"""Adjustments by staff, and how many points of one member an actor may adjust in a day."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from wagtail.models import Site

from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.errors import AdjustmentLimitExceeded, CannotAdjust
from loyalink_khalti.flow.members import adjustments
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.program import Program
from loyalink_khalti.nepal import KATHMANDU
from tests.purchases import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.money]

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
MAYA, BINA = "3", "4"
Clock = time_machine.Traveller
Limit = Callable[..., None]


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def account(clock: Clock) -> Account:
    """A member with 1,000 points."""
    ledger.adjust(site_key="default", member_id="7", points=1000, key="opening", reason="opening balance")
    return Account.objects.get()


@pytest.fixture
def limit() -> Limit:
    def set_to(points: int | None = None, *, per_action: int | None = None, per_actor: int | None = None) -> None:
        site = Site.objects.get_or_create(is_default_site=True, defaults={"root_page_id": 1})[0]
        limits = {"adjust_limit": points, "adjust_limit_per_action": per_action, "adjust_limit_per_actor": per_actor}
        LoyaltySettings.objects.update_or_create(site=site, defaults=limits)

    return set_to


def adjust(account: Account, points: int, by: str = MAYA) -> None:
    key = f"{account.member_id}:{account.entries.count()}"
    adjustments.adjust_points(account, points, key=key, reason="goodwill", actor=by, may_exceed_limit=True)


def exceeds(account: Account, points: int, by: str = MAYA) -> bool:
    """Whether a page refuses this adjustment because of a limit."""
    return bool(adjustments.adjustment_obstacle(account, points, by, may_exceed_limit=False))


def test_without_a_limit_nothing_exceeds_it(account: Account, limit: Limit) -> None:
    unset = exceeds(account, 10**9)
    limit(None)

    assert (unset, exceeds(account, 10**9)) == (False, False)


@pytest.mark.parametrize(("points", "exceeded"), [(100, False), (-100, False), (101, True), (-101, True)])
@pytest.mark.parametrize("which", ["points", "per_action", "per_actor"])
def test_added_and_deducted_points_count_alike(
    account: Account, limit: Limit, which: str, points: int, exceeded: bool
) -> None:
    limit(**{which: 100})

    assert exceeds(account, points) is exceeded


@pytest.mark.parametrize("which", ["points", "per_action", "per_actor"])
def test_a_limit_of_zero_allows_nothing(account: Account, limit: Limit, which: str) -> None:
    """M5"""
    limit(**{which: 0})

    assert exceeds(account, 1)
    with pytest.raises(AdjustmentLimitExceeded):
        adjustments.adjust_points(account, 1, key="k", reason="x", actor=MAYA)


def test_the_adjustments_of_one_actor_to_one_member_add_up(account: Account, limit: Limit) -> None:
    limit(100)
    adjust(account, 60)
    adjust(account, -30)

    assert (exceeds(account, 10), exceeds(account, 11)) == (False, True)


def test_adjustments_by_others_or_of_other_members_do_not_count_for_one_member(account: Account, limit: Limit) -> None:
    limit(100)
    adjust(account, 100, BINA)
    adjust(create_account("8"), 100)

    assert not exceeds(account, 100)


def test_the_adjustments_of_one_actor_to_all_members_add_up(account: Account, limit: Limit) -> None:
    """M5: a limit per member alone lets one colleague give any number of points, to one member each."""
    limit(per_actor=100)
    adjust(account, 500, BINA)
    adjust(create_account("8"), 60)

    assert (exceeds(account, 40), exceeds(account, 41), exceeds(account, 41, "5")) == (False, True, False)


def test_a_limit_at_once_counts_no_earlier_action(account: Account, limit: Limit) -> None:
    """M5"""
    limit(per_action=100)
    adjust(account, 100)

    assert (exceeds(account, 100), exceeds(account, 101)) == (False, True)


@pytest.mark.parametrize("which", ["points", "per_actor"])
def test_after_a_day_the_count_starts_again(account: Account, limit: Limit, clock: Clock, which: str) -> None:
    limit(**{which: 100})
    adjust(account, 100)
    clock.shift(timedelta(hours=24) - timedelta(seconds=1))
    before = exceeds(account, 1)
    clock.shift(timedelta(seconds=1))

    assert (before, exceeds(account, 1)) == (True, False)


def test_midnight_begins_no_second_limit(account: Account, limit: Limit, clock: Clock) -> None:
    """M5: splitting an action over two dates does not double the limit."""
    limit(100, per_actor=100)
    clock.move_to(datetime(2026, 3, 1, 23, 59, tzinfo=KATHMANDU))
    adjust(account, 100)
    clock.shift(timedelta(minutes=2))

    assert exceeds(account, 1)


def test_an_entry_with_an_earlier_time_counts_where_it_was_written(
    account: Account, limit: Limit, clock: Clock
) -> None:
    """M5: the clock of another server is two days behind; its entries do not reopen the limit."""
    limit(100, per_actor=100)
    adjust(account, 10)
    clock.shift(timedelta(days=-2))
    adjust(account, 90)
    clock.shift(timedelta(days=2))

    assert exceeds(account, 1)


def test_other_entries_do_not_count(account: Account, limit: Limit) -> None:
    limit(100, per_actor=100)
    ledger.hold(site_key="default", member_id="7", purchase="shop:1", points=adjustments.Points(500))

    assert not exceeds(account, 100)


def test_an_adjustment_above_the_limit_is_refused(account: Account, limit: Limit) -> None:
    limit(100)

    with pytest.raises(AdjustmentLimitExceeded, match="up to 100 points of one member per day"):
        adjustments.adjust_points(account, 101, key="k", reason="x", actor=MAYA)

    account.refresh_from_db()
    assert account.available == 1000
    assert adjustments.adjust_points(account, 101, key="k", reason="x", actor=MAYA, may_exceed_limit=True)


def test_expired_points_are_not_counted_as_available(account: Account, clock: Clock) -> None:
    account.lots.update(expires_at=NOW)

    with pytest.raises(CannotAdjust, match="Only 0 points are available"):
        adjustments.adjust_points(account, -1, key="k", reason="x", actor=MAYA)


def test_adjustments_of_a_merged_member_count(account: Account, limit: Limit) -> None:
    limit(100)
    other = create_account("8")
    adjust(other, 60)
    adjustments.merge_members(other, into=account, actor=BINA)

    assert (exceeds(account, 41), exceeds(account, 40)) == (True, False)


@pytest.mark.parametrize("which", ["points", "per_action", "per_actor"])
def test_a_merge_counts_with_the_points_that_it_moves(account: Account, limit: Limit, which: str) -> None:
    """M5: with a limit of 100 points, 1,200 were merged into another account."""
    limit(**{which: 100})
    other = create_account("8", 101)

    with pytest.raises(AdjustmentLimitExceeded, match="up to 100 points"):
        adjustments.merge_members(other, into=account, actor=MAYA)

    account.refresh_from_db()
    assert account.available == 1000
    assert adjustments.merge_members(other, into=account, actor=MAYA, may_exceed_limit=True)


@pytest.mark.parametrize("which", ["points", "per_actor"])
def test_what_a_merge_has_moved_counts_for_the_next_action(account: Account, limit: Limit, which: str) -> None:
    """M5"""
    limit(**{which: 100})
    adjustments.merge_members(create_account("8", 60), into=account, actor=MAYA)

    with pytest.raises(AdjustmentLimitExceeded, match="Left now: 40"):
        adjustments.merge_members(create_account("9", 60), into=account, actor=MAYA)

    assert (exceeds(account, 40), exceeds(account, 41)) == (False, True)


def test_merging_members_does_not_evade_the_limit(account: Account, limit: Limit) -> None:
    limit(100)
    other = create_account("8")
    adjust(account, 60)
    adjust(other, 40)

    with pytest.raises(AdjustmentLimitExceeded, match="up to 100 points"):
        adjustments.merge_members(other, into=account, actor=MAYA)

    assert adjustments.merge_members(other, into=account, actor=BINA)


def test_entries_that_are_older_than_a_day_do_not_reopen_the_limit(
    account: Account, limit: Limit, clock: Clock
) -> None:
    """M5: 100 points to each of three accounts, and all of them merged into one when a day has passed."""
    limit(100)
    others = [create_account(name, 1) for name in ("8", "9", "10")]
    for other in others:
        adjust(other, 99)
    clock.shift(timedelta(days=2))
    adjustments.merge_members(others[0], into=account, actor=MAYA)

    for other in others[1:]:
        with pytest.raises(AdjustmentLimitExceeded):
            adjustments.merge_members(other, into=account, actor=MAYA)


def test_debt_that_a_merge_moves_counts(account: Account, limit: Limit) -> None:
    """M5"""
    limit(100)
    debtor = create_account("8", 10)
    Account.objects.filter(pk=debtor.pk).update(available=0, owed=101)

    with pytest.raises(AdjustmentLimitExceeded):
        adjustments.merge_members(debtor, into=account, actor=MAYA)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("which", ["points", "per_actor"])
def test_two_adjustments_at_once_do_not_exceed_the_limit_together(limit: Limit, which: str) -> None:
    """M5: also of two members, whose accounts are different locks."""
    limit(**{which: 100})
    accounts = [create_account("8"), create_account("8" if which == "points" else "9")]

    results = at_once(
        2, lambda index: adjustments.adjust_points(accounts[index], 60, key=f"{index}", reason="x", actor=MAYA)
    )

    assert {type(each) for each in results} == {bool, AdjustmentLimitExceeded}
    assert sum(Account.objects.values_list("available", flat=True)) == 10 * len({row.pk for row in accounts}) + 60


def test_the_points_of_an_ended_programme_cannot_be_changed(account: Account) -> None:
    Program.objects.update(active=False)

    with pytest.raises(CannotAdjust, match="has ended"):
        adjustments.adjust_points(account, 10, key="late", reason="goodwill", actor=MAYA)


def create_account(member_id: str, points: int = 10) -> Account:
    key = f"for {member_id}"
    ledger.adjust(site_key="default", member_id=member_id, points=points, key=key, reason="opening")
    return Account.objects.get(member_id=member_id)
