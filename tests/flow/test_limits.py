"""How many points of one member a member of staff moves in a day, alone."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from wagtail.models import Site

from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.errors import BeyondLimit, CannotAdjust
from loyalink_khalti.flow import by_hand
from loyalink_khalti.flow.limits import adjust_is_beyond
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.programmes import Program

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


def moved(account: Account, points: int, by: str = MAYA) -> None:
    key = f"{account.member_id}:{account.entries.count()}"
    by_hand.adjust(account, points, key=key, reason="goodwill", by=by, may_beyond=True)


def test_without_a_limit_nothing_is_beyond(account: Account, limit: Limit) -> None:
    unset = adjust_is_beyond(account, 10**9, MAYA)
    limit(None)

    assert (unset, adjust_is_beyond(account, 10**9, MAYA)) == (None, None)


@pytest.mark.parametrize(("points", "beyond"), [(100, None), (-100, None), (101, 100), (-101, 100)])
def test_what_is_added_and_what_is_taken_count_alike(
    account: Account, limit: Limit, points: int, beyond: int | None
) -> None:
    limit(100)

    assert adjust_is_beyond(account, points, MAYA) == beyond


def test_a_limit_of_nothing_lets_nothing_through(account: Account, limit: Limit) -> None:
    limit(0)

    assert adjust_is_beyond(account, 1, MAYA) == 0


def test_what_one_person_moved_of_one_member_adds_up(account: Account, limit: Limit) -> None:
    limit(100)
    moved(account, 60)
    moved(account, -30)

    assert (adjust_is_beyond(account, 10, MAYA), adjust_is_beyond(account, 11, MAYA)) == (None, 100)


def test_what_others_moved_or_at_another_member_does_not(account: Account, limit: Limit) -> None:
    limit(100)
    moved(account, 100, BINA)
    ledger.adjust(site_key="default", member_id="8", points=100, key="other", reason="x", actor=MAYA)

    assert adjust_is_beyond(account, 100, MAYA) is None


def test_after_a_day_it_begins_anew(account: Account, limit: Limit, clock: Clock) -> None:
    limit(100)
    moved(account, 100)
    clock.shift(timedelta(hours=24) - timedelta(seconds=1))
    before = adjust_is_beyond(account, 1, MAYA)
    clock.shift(timedelta(seconds=1))

    assert (before, adjust_is_beyond(account, 1, MAYA)) == (100, None)


def test_what_is_booked_for_other_causes_is_not_counted(account: Account, limit: Limit) -> None:
    limit(100)
    ledger.hold(site_key="default", member_id="7", purchase="shop:1", points=by_hand.Points(500))

    assert adjust_is_beyond(account, 100, MAYA) is None


def test_the_deed_itself_refuses_what_is_beyond(account: Account, limit: Limit) -> None:
    limit(100)

    with pytest.raises(BeyondLimit, match="100 points of one member in a day"):
        by_hand.adjust(account, 101, key="k", reason="x", by=MAYA)

    account.refresh_from_db()
    assert account.available == 1000
    assert by_hand.adjust(account, 101, key="k", reason="x", by=MAYA, may_beyond=True)


def test_what_is_missing_is_told_without_what_has_expired(account: Account, clock: Clock) -> None:
    account.lots.update(expires_at=NOW)

    with pytest.raises(CannotAdjust, match="Only 0 points are there"):
        by_hand.adjust(account, -1, key="k", reason="x", by=MAYA)


def test_what_was_moved_on_a_member_who_was_merged_into_this_one_counts(account: Account, limit: Limit) -> None:
    limit(100)
    other = by_name("8")
    moved(other, 60)
    by_hand.merge(other, into=account, by=MAYA)

    assert adjust_is_beyond(account, 41, MAYA) == 100
    assert adjust_is_beyond(account, 40, MAYA) is None


def test_nobody_passes_the_limit_by_making_two_members_one(account: Account, limit: Limit) -> None:
    limit(100)
    other = by_name("8")
    moved(account, 60)
    moved(other, 60)

    with pytest.raises(BeyondLimit, match="You may move 100 points"):
        by_hand.merge(other, into=account, by=MAYA)

    assert by_hand.merge(other, into=account, by=BINA)


def test_nobody_adjusts_their_own_points_alone(account: Account) -> None:
    with pytest.raises(BeyondLimit, match="their own points"):
        by_hand.adjust(account, 10, key="mine", reason="goodwill", by="7")

    assert by_hand.adjust(account, 10, key="mine", reason="goodwill", by="7", may_beyond=True)


def test_the_points_of_a_programme_that_has_ended_stay_as_they_are(account: Account) -> None:
    Program.objects.update(active=False)

    with pytest.raises(CannotAdjust, match="has ended"):
        by_hand.adjust(account, 10, key="late", reason="goodwill", by=MAYA)


def by_name(member_id: str) -> Account:
    ledger.adjust(site_key="default", member_id=member_id, points=10, key=f"for {member_id}", reason="opening")
    return Account.objects.get(member_id=member_id)
