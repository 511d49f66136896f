"""Bonuses: points that do not depend on the price of an order."""

import pytest

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.earning import Earned
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from tests.loyalty.test_earning import campaign, earned

from .conftest import MEMBER, SITE, account_of, award, balances, line, set_rules

pytestmark = [pytest.mark.money, pytest.mark.django_db]

# On an order


def test_a_campaign_addition_is_added_once_per_order_and_only_with_its_products() -> None:
    bonus = (campaign(addition=50, tags=("pens",)),)

    assert earned([line(5_000, "pens"), line(5_000, "pens")], campaigns=bonus) == Earned(
        basis=Paisa(10_000), proportional=Points(10), fixed=Points(50)
    )
    assert earned([line(5_000, "paper")], campaigns=bonus).fixed == 0


def test_the_first_order_bonus_stays_below_the_maximum_per_order() -> None:
    assert earned(5_000, first=True, first_order_bonus=100).fixed == 100
    assert earned(5_000, first=True, first_order_bonus=100, maximum_earned=50).points == 50


def test_only_the_first_order_of_a_member_has_the_first_order_bonus(account: Account) -> None:
    set_rules(first_order_bonus=Points(100))

    assert [award(10_000, "shop:1"), award(10_000, "shop:1"), award(10_000, "shop:2")] == [110, 110, 10]


# Without an order


@pytest.mark.parametrize("later", [100, 200])
def test_a_member_gets_the_signup_bonus_once_even_if_it_changes(later: int) -> None:
    set_rules(signup_bonus=100)
    first = ledger.award_signup_bonus(site_key=SITE, member_id=MEMBER)
    set_rules(signup_bonus=later)

    assert (first, ledger.award_signup_bonus(site_key=SITE, member_id=MEMBER)) == (100, 0)
    assert (balances(), account_of().lifetime_earned) == ((100, 0, 0), 0)


def test_there_is_no_signup_bonus_without_a_rule_or_while_earning_is_paused() -> None:
    without = ledger.award_signup_bonus(site_key=SITE, member_id=MEMBER)
    set_rules(signup_bonus=100, earn_paused=True)

    assert (without, ledger.award_signup_bonus(site_key=SITE, member_id=MEMBER), Account.objects.count()) == (0, 0, 0)
