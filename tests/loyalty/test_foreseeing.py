"""What staff are shown before they confirm is what the ledger then does."""

from datetime import timedelta

import pytest
import time_machine

from loyalink_khalti.loyalty import foreseeing, ledger
from loyalink_khalti.loyalty.models import Account, Lot
from loyalink_khalti.money import Paisa

from .conftest import MEMBER, SITE, adjust, award, nepal, refund, rules, spend, stands

pytestmark = pytest.mark.django_db

NOW = nepal(2026, 2, 25, 12)


def owe(points: int, member_id: str = MEMBER) -> None:
    """Earn points, spend them, and give the goods back."""
    award(points * 1_000, f"shop:{member_id}", member_id=member_id)
    ledger.hold(site_key=SITE, member_id=member_id, purchase=f"shop:{member_id}:2", points=points)  # type: ignore[arg-type]
    ledger.capture(purchase=f"shop:{member_id}:2", value=Paisa(1_000))
    refund(points * 1_000, points * 1_000, f"shop:{member_id}")


@pytest.mark.parametrize("points", [1, 39, 40, 41, 500])
def test_a_debt_is_repaid_first(account: Account, points: int) -> None:
    owe(40)

    foreseen = foreseeing.adjusted(stands(), points)
    adjust(points, "k")

    after = stands()
    assert (foreseen.available, foreseen.owed) == (after.available, after.owed)
    assert foreseen.repaid == min(points, 40)


@pytest.mark.parametrize("points", [-1, -999, -1000])
def test_what_is_taken_is_gone(account: Account, points: int) -> None:
    adjust(1000)

    foreseen = foreseeing.adjusted(stands(), points)
    adjust(points, "k")

    assert (foreseen.available, foreseen.short) == (stands().available, 0)


def test_what_has_expired_is_not_there_to_be_taken(account: Account) -> None:
    with time_machine.travel(NOW, tick=False):
        adjust(1000)
        adjust(50, "2")
        Lot.objects.filter(original=1000).update(expires_at=NOW - timedelta(seconds=1))

        foreseen = foreseeing.adjusted(stands(), -51)

    assert (foreseen.available_before, foreseen.short) == (50, 1)


def test_what_is_added_is_worth_and_lasts_as_the_rules_say(account: Account) -> None:
    rules(redeem_points=10, redeem_value=200, step=10, valid_months=1)
    with time_machine.travel(NOW, tick=False):
        foreseen = foreseeing.adjusted(stands(), 55)
        adjust(55, "k")

    assert foreseen.worth == 1_100  # Rs 2 for 10 points
    assert foreseen.expires_at == Lot.objects.get().expires_at


@pytest.mark.parametrize(("first", "second"), [(100, 30), (-100, 30), (100, -30), (-100, -30)])
def test_a_merge_nets_as_it_was_foreseen(account: Account, first: int, second: int) -> None:
    for member_id, points in ((MEMBER, first), ("8", second)):
        if points > 0:
            adjust(points, member_id, member_id=member_id)
        else:
            owe(-points, member_id)

    foreseen = foreseeing.merged(stands(), stands("8"))
    ledger.merge(site_key=SITE, member_id=MEMBER, into="8")

    after = stands("8")
    assert (foreseen.available, foreseen.pending, foreseen.owed) == (after.available, after.pending, after.owed)


def test_foreseeing_changes_nothing(account: Account) -> None:
    adjust(100)
    spend(100, "shop:9")
    before = Account.objects.values().get()

    foreseeing.adjusted(stands(), 500)

    assert Account.objects.values().get() == before
