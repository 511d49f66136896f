"""A programme's rules: what can be chosen, how it is kept, and that awards and holds keep their own."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given

from loyalink_khalti.loyalty import programmes
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.orders import OrderAward
from loyalink_khalti.loyalty.programmes import Program, ProgramVersion
from loyalink_khalti.loyalty.rules import Campaign, Rules, Tier
from loyalink_khalti.money import Points
from tests.purchases import at_once

from .conftest import SITE, award, nepal, rules
from .test_any_order import chosen_rules

NOW = nepal(2026, 2, 25, 12)
money = pytest.mark.money


def campaign(**what: Any) -> Campaign:
    return Campaign(**{"name": "Dashain", "starts_at": NOW, "ends_at": NOW + timedelta(days=1), **what})


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": -1},
        {"per": 0},
        {"redeem_points": 0},
        {"redeem_value": 0},
        {"step": 0},
        {"least_spent": 0},
        {"redeem_points": 3, "step": 1},
        {"most_percent": 101},
        {"most_percent": -1},
        {"most_spent": -1},
        {"most_earned": -1},
        {"first_order_bonus": -1},
        {"sign_up_bonus": -1},
        {"waiting_days": -1},
        {"valid_months": -1},
        {"vat_percent": -1},
        {"tier_grace_days": -1},
        {"tiers": ()},
        {"tiers": (Tier(name="Gold", threshold=Points(1)),)},
        {"tiers": (Tier(name="A", threshold=Points(0)), Tier(name="B", threshold=Points(0)))},
        {"tiers": (Tier(name="A", threshold=Points(0), multiplier=Fraction(-1)),)},
        {"boosts": (("pens", Fraction(-1)),)},
        {"campaigns": (campaign(multiplier=Fraction(-1)),)},
        {"campaigns": (campaign(addition=-5),)},
    ],
    ids=str,
)
def test_rules_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Rules(**wrong)


def test_by_default_it_is_a_point_for_ten_rupees_and_a_rupee_for_ten_points() -> None:
    default = Rules()

    assert (default.points, default.per, default.redeem_points, default.redeem_value) == (1, 1000, 10, 100)
    assert (default.least_spent, default.step, default.most_percent) == (100, 10, 100)
    assert (default.waiting_days, default.valid_months, default.restore_grace_days) == (0, 12, 0)
    assert [(level.name, level.threshold) for level in default.tiers] == [
        ("Silver", 0),
        ("Gold", 500),
        ("Platinum", 1000),
    ]


@given(chosen_rules)
def test_rules_are_read_as_they_were_written(chosen: Rules) -> None:
    assert Rules.from_json(chosen.to_json()) == chosen


def test_rules_with_every_kind_of_choice_are_read_as_they_were_written() -> None:
    chosen = Rules(
        boosts=(("pens", Fraction(5, 2)),),
        excluded_tags=("gift cards",),
        campaigns=(campaign(multiplier=Fraction(4, 3), addition=Points(7), tags=("pens",)),),
    )

    assert Rules.from_json(chosen.to_json()) == chosen


def test_a_rule_that_is_no_more_is_left_out_and_one_that_is_new_has_its_default() -> None:
    stored = Rules(points=Points(3)).to_json()
    del stored["waiting_days"]

    assert Rules.from_json({**stored, "gone": 1}) == Rules(points=Points(3))


# Versions


@money
@pytest.mark.django_db
def test_a_site_that_never_chose_begins_with_the_defaults() -> None:
    version = programmes.current("another.example")

    assert (version.number, version.rules) == (1, Rules())
    assert programmes.current("another.example") == version


@money
@pytest.mark.django_db
def test_every_change_is_a_version_and_the_same_again_is_none() -> None:
    first = rules()
    second = programmes.change(SITE, Rules(points=Points(2)), actor="1")
    again = programmes.change(SITE, Rules(points=Points(2)), actor="2")

    assert (first.number, second.number, again) == (1, 2, second)
    assert (second.actor, first.rules.points, ProgramVersion.objects.count()) == ("1", 1, 2)
    assert Program.objects.count() == 1


@money
@pytest.mark.django_db
def test_campaigns_that_are_over_leave_the_rules_and_others_stay() -> None:
    now = timezone.now()
    over, old, new = (
        campaign(name=name, starts_at=now - timedelta(days=9), ends_at=now + timedelta(hours=hours))
        for name, hours in (("over", -1), ("old", 1), ("new", 2))
    )
    programmes.change(SITE, Rules(campaigns=(over, old)))

    kept = programmes.run_campaigns(SITE, [new])
    renamed = programmes.run_campaigns(SITE, [new], instead_of={"old"})

    assert [version.rules.campaigns for version in (kept, renamed)] == [(new, old), (new,)]


@money
@pytest.mark.django_db(transaction=True)
def test_changes_at_once_are_each_made_from_the_one_before() -> None:
    programmes.current(SITE)

    at_once(
        5,
        lambda _index: programmes.revise(SITE, lambda before: replace(before, waiting_days=before.waiting_days + 1)),
    )

    newest = programmes.current(SITE)
    assert (newest.number, newest.rules.waiting_days) == (6, 5)


@money
def test_an_award_is_by_the_rules_that_its_shopper_was_shown_and_keeps_them(account: Account) -> None:
    shown = rules(per=10_000)
    rules(per=500)

    assert [award(100_000, "shop:1", version=shown), award(100_000, "shop:2")] == [10, 200]
    assert list(OrderAward.objects.order_by("pk").values_list("version__number", flat=True)) == [
        shown.number,
        shown.number + 1,
    ]


@money
def test_an_award_repeated_under_other_rules_is_still_the_same_award(account: Account) -> None:
    rules(per=1_000, vat_percent=13)
    award(113_000)
    rules(per=500)

    assert award(113_000) == 100
