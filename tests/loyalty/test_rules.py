"""The rules of a programme: valid values, storage, versions, and that awards keep their version."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given

from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import example_order
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.orders import OrderAward
from loyalink_khalti.loyalty.program import Program, ProgramVersion
from loyalink_khalti.loyalty.rules import CampaignRule, Rules, Tier
from loyalink_khalti.money import Paisa, Points, Rounding
from tests.purchases import at_once

from .conftest import SITE, award, nepal, set_rules
from .test_any_order import chosen_rules

NOW = nepal(2026, 2, 25, 12)
GOLD_FOR_ALL = (Tier(name="Gold", threshold=Points(0), multiplier=Fraction(3, 2)),)
money = pytest.mark.money


def campaign(**what: Any) -> CampaignRule:
    return CampaignRule(**{"name": "Dashain", "starts_at": NOW, "ends_at": NOW + timedelta(days=1), **what})


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": -1},
        {"per": 0},
        {"redeem_points": 0},
        {"redeem_value": 0},
        {"increment": 0},
        {"minimum_points": 0},
        {"redeem_points": 3, "increment": 1},
        {"maximum_percent": 101},
        {"maximum_percent": -1},
        {"maximum_points": -1},
        {"maximum_earned": -1},
        {"first_order_bonus": -1},
        {"signup_bonus": -1},
        {"pending_days": -1},
        {"valid_months": -1},
        {"vat_percent": -1},
        {"tier_grace_days": -1},
        {"tiers": ()},
        {"tiers": (Tier(name="Gold", threshold=Points(1)),)},
        {"tiers": (Tier(name="A", threshold=Points(0)), Tier(name="B", threshold=Points(0)))},
        {"tiers": (Tier(name="A", threshold=Points(0), multiplier=Fraction(-1)),)},
        {"multipliers": (("pens", Fraction(-1)),)},
        {"campaigns": (campaign(multiplier=Fraction(-1)),)},
        {"campaigns": (campaign(addition=-5),)},
    ],
    ids=str,
)
def test_invalid_rules_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Rules(**wrong)


def test_the_default_is_a_point_for_ten_rupees_and_a_rupee_for_ten_points() -> None:
    default = Rules()

    assert (default.points, default.per, default.redeem_points, default.redeem_value) == (1, 1000, 10, 100)
    assert (default.minimum_points, default.increment, default.maximum_percent) == (100, 10, 100)
    assert (default.pending_days, default.valid_months, default.restore_grace_days) == (0, 12, 0)
    assert [(tier.name, tier.threshold) for tier in default.tiers] == [
        ("Silver", 0),
        ("Gold", 500),
        ("Platinum", 1000),
    ]


@given(chosen_rules)
def test_rules_read_from_json_are_the_same_rules(chosen: Rules) -> None:
    assert Rules.from_json(chosen.to_json()) == chosen


def test_rules_with_every_kind_of_value_read_from_json_are_the_same_rules() -> None:
    chosen = Rules(
        multipliers=(("pens", Fraction(5, 2)),),
        excluded_tags=("gift cards",),
        campaigns=(campaign(multiplier=Fraction(4, 3), addition=Points(7), tags=("pens",)),),
    )

    assert Rules.from_json(chosen.to_json()) == chosen


def test_what_only_a_later_version_knows_of_a_tier_or_a_campaign_is_ignored() -> None:
    """R9: a later version may run beside this one."""
    rules = Rules(campaigns=(campaign(),), tiers=GOLD_FOR_ALL)
    stored = rules.to_json()
    stored["tiers"][0]["badge"] = stored["campaigns"][0]["poster"] = "later"

    assert Rules.from_json(stored) == rules


def test_unknown_rules_are_ignored_and_missing_rules_have_their_defaults() -> None:
    stored = Rules(points=Points(3)).to_json()
    del stored["pending_days"]

    assert Rules.from_json({**stored, "removed": 1}) == Rules(points=Points(3))


def stored_by_the_version_before(**chosen: Any) -> dict[str, Any]:
    stored = Rules(**chosen).to_json()
    del stored["base_rounding"]
    return stored


@pytest.mark.parametrize(("mode", "points"), [(Rounding.FLOOR, 298), (Rounding.HALF_UP, 299), (Rounding.CEIL, 299)])
def test_a_stored_version_keeps_its_meaning_and_drops_the_fraction_before_it_multiplies(
    mode: Rounding, points: int
) -> None:
    """M18: Rs 1,999 at 1 point per Rs 10, by 3/2: 199 by 3/2 is 298.5; of 200 it would be 300."""
    old = Rules.from_json(stored_by_the_version_before(rounding=mode, tiers=GOLD_FOR_ALL))

    assert example_order(Paisa(199_900), at=NOW).earned(old).points == points
    assert Rules.from_json(old.to_json()) == old


def test_a_rounding_that_is_chosen_for_rules_stored_before_rounds_the_base_too() -> None:
    """M18"""
    old = Rules.from_json(stored_by_the_version_before())

    new = replace(old, rounding=Rounding.CEIL)

    assert example_order(Paisa(199_900), at=NOW).earned(new).points == 200


# Versions


@money
@pytest.mark.django_db
def test_a_site_without_rules_starts_with_the_defaults() -> None:
    version = ledger.current_version("another.example")

    assert (version.number, version.rules) == (1, Rules())
    assert ledger.current_version("another.example") == version


@money
@pytest.mark.django_db
def test_every_change_is_a_new_version_and_a_repeated_one_is_not() -> None:
    first = set_rules()
    second = ledger.set_rules(SITE, Rules(points=Points(2)), actor="1")
    again = ledger.set_rules(SITE, Rules(points=Points(2)), actor="2")

    assert (first.number, second.number, again) == (1, 2, second)
    assert (second.actor, first.rules.points, ProgramVersion.objects.count()) == ("1", 1, 2)
    assert Program.objects.count() == 1


@money
@pytest.mark.django_db
def test_ended_campaigns_leave_the_rules_and_others_stay() -> None:
    now = timezone.now()
    over, old, new = (
        campaign(name=name, starts_at=now - timedelta(days=9), ends_at=now + timedelta(hours=hours))
        for name, hours in (("over", -1), ("old", 1), ("new", 2))
    )
    ledger.set_rules(SITE, Rules(campaigns=(over, old)))

    kept = ledger.set_campaigns(SITE, [new])
    renamed = ledger.set_campaigns(SITE, [new], replacing={"old"})

    assert [version.rules.campaigns for version in (kept, renamed)] == [(new, old), (new,)]


@money
@pytest.mark.django_db(transaction=True)
def test_concurrent_revisions_each_start_from_the_one_before() -> None:
    ledger.current_version(SITE)

    at_once(
        5,
        lambda _index: ledger.revise_rules(SITE, lambda before: replace(before, pending_days=before.pending_days + 1)),
    )

    newest = ledger.current_version(SITE)
    assert (newest.number, newest.rules.pending_days) == (6, 5)


@money
def test_an_award_follows_the_rules_that_its_customer_was_shown_and_keeps_them(account: Account) -> None:
    shown = set_rules(per=10_000)
    set_rules(per=500)

    assert [award(100_000, "shop:1", version=shown), award(100_000, "shop:2")] == [10, 200]
    assert list(OrderAward.objects.order_by("pk").values_list("version__number", flat=True)) == [
        shown.number,
        shown.number + 1,
    ]


@money
def test_a_repeated_award_under_other_rules_is_the_same_award(account: Account) -> None:
    set_rules(per=1_000, vat_percent=13)
    award(113_000)
    set_rules(per=500)

    assert award(113_000) == 100
