"""Adjustments by staff, and how many points of one member an actor may adjust in a day."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from wagtail.models import Site

from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.errors import AdjustmentLimitExceeded, CannotAdjust
from loyalink_khalti.flow import exceeded_adjust_limit
from loyalink_khalti.flow.members import adjustments
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.program import Program

pytestmark = [pytest.mark.django_db, pytest.mark.money]

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
MAYA, BINA = "3", "4"
Clock = time_machine.Traveller
Limit = Callable[[int | None], None]


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
    def set_to(points: int | None) -> None:
        site = Site.objects.get_or_create(is_default_site=True, defaults={"root_page_id": 1})[0]
        LoyaltySettings.objects.update_or_create(site=site, defaults={"adjust_limit": points})

    return set_to


def adjust(account: Account, points: int, by: str = MAYA) -> None:
    key = f"{account.member_id}:{account.entries.count()}"
    adjustments.adjust_points(account, points, key=key, reason="goodwill", actor=by, may_exceed_limit=True)


def test_without_a_limit_nothing_exceeds_it(account: Account, limit: Limit) -> None:
    unset = exceeded_adjust_limit(account, 10**9, MAYA)
    limit(None)

    assert (unset, exceeded_adjust_limit(account, 10**9, MAYA)) == (None, None)


@pytest.mark.parametrize(("points", "exceeded"), [(100, None), (-100, None), (101, 100), (-101, 100)])
def test_added_and_deducted_points_count_alike(
    account: Account, limit: Limit, points: int, exceeded: int | None
) -> None:
    limit(100)

    assert exceeded_adjust_limit(account, points, MAYA) == exceeded


def test_a_limit_of_zero_allows_nothing(account: Account, limit: Limit) -> None:
    limit(0)

    assert exceeded_adjust_limit(account, 1, MAYA) == 0


def test_the_adjustments_of_one_actor_to_one_member_add_up(account: Account, limit: Limit) -> None:
    limit(100)
    adjust(account, 60)
    adjust(account, -30)

    assert (exceeded_adjust_limit(account, 10, MAYA), exceeded_adjust_limit(account, 11, MAYA)) == (None, 100)


def test_adjustments_by_others_or_of_other_members_do_not_count(account: Account, limit: Limit) -> None:
    limit(100)
    adjust(account, 100, BINA)
    ledger.adjust(site_key="default", member_id="8", points=100, key="other", reason="x", actor=MAYA)

    assert exceeded_adjust_limit(account, 100, MAYA) is None


def test_after_a_day_the_count_starts_again(account: Account, limit: Limit, clock: Clock) -> None:
    limit(100)
    adjust(account, 100)
    clock.shift(timedelta(hours=24) - timedelta(seconds=1))
    before = exceeded_adjust_limit(account, 1, MAYA)
    clock.shift(timedelta(seconds=1))

    assert (before, exceeded_adjust_limit(account, 1, MAYA)) == (100, None)


def test_other_entries_do_not_count(account: Account, limit: Limit) -> None:
    limit(100)
    ledger.hold(site_key="default", member_id="7", purchase="shop:1", points=adjustments.Points(500))

    assert exceeded_adjust_limit(account, 100, MAYA) is None


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
    adjustments.merge_members(other, into=account, actor=MAYA)

    assert exceeded_adjust_limit(account, 41, MAYA) == 100
    assert exceeded_adjust_limit(account, 40, MAYA) is None


def test_merging_members_does_not_evade_the_limit(account: Account, limit: Limit) -> None:
    limit(100)
    other = create_account("8")
    adjust(account, 60)
    adjust(other, 60)

    with pytest.raises(AdjustmentLimitExceeded, match="up to 100 points"):
        adjustments.merge_members(other, into=account, actor=MAYA)

    assert adjustments.merge_members(other, into=account, actor=BINA)


def test_the_points_of_an_ended_programme_cannot_be_changed(account: Account) -> None:
    Program.objects.update(active=False)

    with pytest.raises(CannotAdjust, match="has ended"):
        adjustments.adjust_points(account, 10, key="late", reason="goodwill", actor=MAYA)


def create_account(member_id: str) -> Account:
    ledger.adjust(site_key="default", member_id=member_id, points=10, key=f"for {member_id}", reason="opening")
    return Account.objects.get(member_id=member_id)
