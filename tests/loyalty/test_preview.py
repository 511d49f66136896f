"""A preview shows what the ledger then does."""

from datetime import timedelta

import pytest
import time_machine

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Lot
from loyalink_khalti.money import Paisa

from .conftest import MEMBER, SITE, account_of, adjust, award, nepal, redeem, refund, set_rules

pytestmark = pytest.mark.django_db

NOW = nepal(2026, 2, 25, 12)


def owe(points: int, member_id: str = MEMBER) -> None:
    """Earn points, redeem them, and refund the order that earned them."""
    award(points * 1_000, f"shop:{member_id}", member_id=member_id)
    ledger.hold(site_key=SITE, member_id=member_id, purchase=f"shop:{member_id}:2", points=points)  # type: ignore[arg-type]
    ledger.capture(purchase=f"shop:{member_id}:2", value=Paisa(1_000))
    refund(points * 1_000, points * 1_000, f"shop:{member_id}")


@pytest.mark.parametrize("points", [1, 39, 40, 41, 500])
def test_a_debt_is_repaid_first(account: Account, points: int) -> None:
    owe(40)

    preview = ledger.preview_adjustment(account_of(), points)
    adjust(points, "k")

    after = account_of()
    assert (preview.available, preview.owed) == (after.available, after.owed)
    assert preview.repaid == min(points, 40)


@pytest.mark.parametrize("points", [-1, -999, -1000])
def test_deducted_points_are_no_longer_available(account: Account, points: int) -> None:
    adjust(1000)

    preview = ledger.preview_adjustment(account_of(), points)
    adjust(points, "k")

    assert (preview.available, preview.missing) == (account_of().available, 0)


def test_overdue_points_cannot_be_deducted(account: Account) -> None:
    with time_machine.travel(NOW, tick=False):
        adjust(1000)
        adjust(50, "2")
        Lot.objects.filter(original=1000).update(expires_at=NOW - timedelta(seconds=1))

        preview = ledger.preview_adjustment(account_of(), -51)

    assert (preview.available_before, preview.missing) == (50, 1)


def test_added_points_have_the_value_and_the_expiry_of_the_rules(account: Account) -> None:
    set_rules(redeem_points=10, redeem_value=200, increment=10, valid_months=1)
    with time_machine.travel(NOW, tick=False):
        preview = ledger.preview_adjustment(account_of(), 55)
        adjust(55, "k")

    assert preview.points_value == 1_100  # Rs 2 for 10 points
    assert preview.expires_at == Lot.objects.get().expires_at


@pytest.mark.parametrize(("first", "second"), [(100, 30), (-100, 30), (100, -30), (-100, -30)])
def test_a_merge_nets_debts_as_its_preview(account: Account, first: int, second: int) -> None:
    for member_id, points in ((MEMBER, first), ("8", second)):
        if points > 0:
            adjust(points, member_id, member_id=member_id)
        else:
            owe(-points, member_id)

    preview = ledger.preview_merge(account_of(), account_of("8"))
    ledger.merge(site_key=SITE, member_id=MEMBER, into="8")

    after = account_of("8")
    assert (preview.available, preview.pending, preview.owed) == (after.available, after.pending, after.owed)


def test_a_preview_writes_nothing(account: Account) -> None:
    adjust(100)
    redeem(100, "shop:9")
    before = Account.objects.values().get()

    ledger.preview_adjustment(account_of(), 500)

    assert Account.objects.values().get() == before
