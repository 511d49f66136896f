"""What belongs to an account after merges, and merges of merges: tiers, totals, bonuses, history and exports."""

from datetime import timedelta
from fractions import Fraction

import pytest
import time_machine
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from loyalink_khalti.loyalty import audit, ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Tier, TierBasis
from loyalink_khalti.money import Points
from tests.migrating import migrate

from .conftest import SITE, account_of, adjust, award, check_ledger, hold, nepal, order_of, refund, set_rules, sweep

pytestmark = [pytest.mark.money, pytest.mark.django_db]

NOW = nepal(2026, 2, 25, 12)
TIERS = (
    Tier(name="Silver", threshold=Points(0)),
    Tier(name="Gold", threshold=Points(500), multiplier=Fraction(2)),
)


def merge(member_id: str, into: str) -> Account:
    return ledger.merge(site_key=SITE, member_id=member_id, into=into, actor="1")


def quoted(member_id: str) -> int:
    """Return what the checkout shows for an order of Rs 100."""
    account = ledger.own_account(SITE, member_id)
    assert account is not None
    return order_of(10_000).earned(ledger.current_version(SITE).rules, tier=account.tier).points


@pytest.mark.parametrize("basis", TierBasis)
def test_the_tier_that_a_member_sees_is_the_one_with_which_they_earn_after_any_merges(basis: TierBasis) -> None:
    """M7"""
    set_rules(tiers=TIERS, tier_basis=basis)
    with time_machine.travel(NOW, tick=False):
        award(600_000, "shop:1", member_id="a")  # 600: Gold
        for number, (ends, stays) in enumerate((("a", "b"), ("b", "c"), ("c", "d"))):
            merge(ends, stays)
            card = ledger.points_card(SITE, stays)

            assert (card.tier, card.lifetime_earned) == ("Gold", 600 + 20 * number)
            assert (quoted(stays), award(10_000, f"shop:{stays}", member_id=stays)) == (20, 20)

        refund(600_000, 600_000, "shop:1")
        card = ledger.points_card(SITE, "d")
        assert (card.tier, card.lifetime_earned, quoted("d")) == ("Silver", 60, 10)
    check_ledger()


def test_points_that_merged_accounts_earned_leave_the_rolling_year_on_their_own_day() -> None:
    """M7"""
    set_rules(tiers=TIERS, tier_basis=TierBasis.ROLLING_YEAR)
    with time_machine.travel(NOW, tick=False) as clock:
        award(600_000, "shop:1", member_id="a")
        clock.shift(timedelta(days=200))
        merge("a", "b")
        merge("b", "c")
        clock.move_to(NOW + timedelta(days=364))
        sweep()
        assert account_of("c").tier == "Gold"
        clock.move_to(NOW + timedelta(days=366))
        sweep()

    assert account_of("c").tier == ""


def test_a_tier_that_only_the_current_rules_would_give_is_not_shown_before_it_multiplies(account: Account) -> None:
    """M7, M7a"""
    award(300_000)
    set_rules(tiers=(TIERS[0], Tier(name="Gold", threshold=Points(200), multiplier=Fraction(2))))

    assert (ledger.points_card(SITE, "7").tier, quoted("7")) == ("Silver", 10)
    award(10_000, "shop:2")
    assert (ledger.points_card(SITE, "7").tier, quoted("7")) == ("Gold", 20)


def test_a_bonus_is_awarded_once_for_all_that_belongs_to_a_member() -> None:
    """M7"""
    set_rules(signup_bonus=Points(50), first_order_bonus=Points(40))
    assert ledger.award_signup_bonus(site_key=SITE, member_id="a") == 50
    assert award(10_000, "shop:1", member_id="a") == 50
    for ends, stays in (("a", "b"), ("b", "c")):
        merge(ends, stays)

        assert ledger.award_signup_bonus(site_key=SITE, member_id=stays) == 0
        assert award(10_000, f"shop:{stays}", member_id=stays) == 10


def test_totals_history_and_export_cover_the_merged_accounts() -> None:
    """M7"""
    with time_machine.travel(NOW, tick=False) as clock:
        for member_id in "abc":
            clock.shift(timedelta(minutes=1))
            award(100_000, f"shop:{member_id}", member_id=member_id)
            hold(10, f"shop:{member_id}:2", member_id=member_id)
            ledger.capture(purchase=f"shop:{member_id}:2", value=100)  # type: ignore[arg-type]
        merge("a", "b")
        merge("b", "c")

    card = ledger.points_card(SITE, "c")
    data = ledger.personal_data(site_key=SITE, member_id="c")
    assert (card.available, card.lifetime_earned, card.lifetime_redeemed) == (270, 300, 30)
    history = ledger.points_history(Account.objects.get(member_id="c"), size=50)
    assert [line.purchase for line in history.lines if line.kind == "earn"] == ["shop:c", "shop:b", "shop:a"]
    assert (history.opening, history.closing) == (0, 270)
    assert [entry["purchase"] for entry in data["entries"] if entry["kind"] == "earn"] == [
        "shop:a",
        "shop:b",
        "shop:c",
    ]
    assert data["lifetime"] == {"earned": 300, "redeemed": 30}
    ended = ledger.personal_data(site_key=SITE, member_id="a")
    assert {entry["purchase"] for entry in ended["entries"]} == {"", "shop:a", "shop:a:2"}
    assert ended["balances"] == {"available": 0, "pending": 0, "held": 0, "owed": 0}


def test_a_total_that_does_not_count_a_merged_account_is_found(account: Account) -> None:
    """M7"""
    award(100_000, member_id="a")
    merge("a", "7")
    Account.objects.filter(member_id="7").update(merged_lifetime_earned=0)

    assert [invariant for _, invariant, _ in audit.violations()] == ["L15"]


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True)])
def test_a_block_survives_a_merge(first: bool, second: bool) -> None:
    """M7b"""
    for member_id, blocked in (("a", first), ("b", second)):
        adjust(100, member_id, member_id=member_id)
        ledger.set_blocked(site_key=SITE, member_id=member_id, blocked=blocked)

    merge("a", "b")

    assert account_of("b").blocked


@pytest.mark.django_db(transaction=True)
def test_accounts_merged_before_this_version_are_counted_and_have_a_day() -> None:
    """M6, M7: the migration"""
    with time_machine.travel(NOW, tick=False) as clock:
        for member_id in "abc":
            adjust(100, member_id, member_id=member_id)
            hold(10, f"shop:{member_id}", member_id=member_id)
            ledger.capture(purchase=f"shop:{member_id}", value=100)  # type: ignore[arg-type]
        merge("a", "b")
        clock.shift(timedelta(days=1))
        merge("b", "c")
    expected = list(Account.objects.order_by("pk").values_list("merged_at", "merged_lifetime_redeemed"))
    migrations = {
        name: number for number, (_app, name) in enumerate(sorted(MigrationExecutor(connection).loader.graph.nodes))
    }
    [data] = [name for name in migrations if name.endswith("count_merged_accounts")]
    schema = MigrationExecutor(connection).loader.graph.nodes["loyalink_khalti", data].dependencies[0]

    MigrationExecutor(connection).migrate([schema])
    Account.objects.update(merged_at=None)
    migrate()

    assert list(Account.objects.order_by("pk").values_list("merged_at", "merged_lifetime_redeemed")) == expected
    assert [redeemed for _, redeemed in expected] == [0, 10, 20]
