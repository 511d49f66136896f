"""The terms of the programme: a sentence for every rule, and a version that names what was shown."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.utils import translation

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.flow.program.terms import terms_sections
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.rules import CampaignRule, Rules, Shortfall, Tier, TierBasis
from loyalink_khalti.money import Paisa, Points, Rounding
from loyalink_khalti.testing import FakeShop
from tests.loyalty.conftest import nepal

pytestmark = [pytest.mark.django_db, pytest.mark.same_on_both]

NOW = nepal(2026, 9, 20, 12)
DASHAIN = CampaignRule(
    name="Dashain",
    starts_at=nepal(2026, 10, 11),
    ends_at=nepal(2026, 10, 26),
    multiplier=Fraction(2),
    addition=Points(50),
)
GOLD = Tier(name="Gold", threshold=Points(500), multiplier=Fraction(3, 2))
CHANGED: dict[str, Any] = {
    "points": 2, "per": 10_000, "stepwise": True, "rounding": Rounding.CEIL, "earn_on_shipping": True,
    "earn_before_discounts": True, "earn_on_points": True, "vat_percent": 13, "minimum_order": 50_000,
    "excluded_tags": ("fake:1",), "multipliers": (("fake:1", Fraction(2)),), "campaigns": (DASHAIN,),
    "first_order_bonus": 50, "signup_bonus": 20, "maximum_earned": 99, "redeem_points": 20, "redeem_value": 300,
    "minimum_points": 200, "increment": 20, "maximum_points": 400, "maximum_percent": 50, "pending_days": 14,
    "valid_months": None, "month_end": True, "restore_grace_days": 30, "notice_days": 7, "tiers": (Tier(
    name="Silver", threshold=Points(0)), GOLD), "tier_basis": TierBasis.ROLLING_YEAR, "tier_grace_days": 90,
    "refund_rounding": Rounding.FLOOR, "shortfall": Shortfall.FORGIVE, "earn_paused": True, "redeem_paused": True,
}  # fmt: skip
"""Another value of every rule."""


@pytest.fixture
def shop_with_pens(shop: FakeShop, monkeypatch: pytest.MonkeyPatch) -> FakeShop:
    monkeypatch.setattr(type(shop), "categories", lambda _shop: {"fake:1": "Pens"})
    return shop


def sentences(rules: Rules) -> list[str]:
    return [each for section in terms_sections(rules, now=NOW) for each in section.sentences]


@pytest.mark.parametrize("name", [each.name for each in fields(Rules) if each.name != "base_rounding"])
@pytest.mark.usefixtures("shop_with_pens")
def test_every_rule_is_in_a_sentence(name: str) -> None:
    """T23"""
    usual = sentences(Rules())

    changed = sentences(replace(Rules(), **{name: CHANGED[name]}))

    assert changed != usual


@pytest.mark.usefixtures("shop_with_pens")
def test_the_sentences_say_what_the_rules_are() -> None:
    chosen = {
        name: value for name, value in CHANGED.items() if not name.endswith("_paused") and name != "valid_months"
    }

    said = sentences(Rules(**chosen, base_rounding=Rounding.FLOOR))

    expected = [
        "You earn 2 points for every full Rs 100 of products.",
        "The 13% VAT in the prices earns no points.",
        "An order with less than Rs 500 of products earns no points.",
        "One order earns 99 points at most.",
        "Your first order earns 50 points more.",
        "A new account gets 20 points.",
        "Products in Pens earn 2 times the points.",
        "Products in Pens earn no points.",
        "Where a product could earn several times more, the highest number counts.",
        "A fraction of a point is dropped before points are multiplied.",
        "20 points are worth Rs 3.",
        "You can use points in increments of 20, starting at 200.",
        "One order can use 400 points at most.",
        "Points can pay up to 50% of an order.",
        "You can use points 14 days after you have earned them.",
        "You get a notice 7 days before points expire.",
        "Gold: from 500 points earned, 1.5 times the points.",
        "With too few points for your tier you keep it for 90 more days.",
        "Returned points are valid for 30 more days at least.",
    ]
    assert [each for each in expected if each not in said] == []
    assert any(each.startswith("Dashain, from ") and each.endswith("earn 2 times the points.") for each in said)
    assert any(each.endswith("an order earns 50 points more.") for each in said)


@pytest.mark.usefixtures("shop_with_pens")
def test_neither_a_campaign_that_is_over_nor_a_deleted_category_is_in_the_terms() -> None:
    over = replace(DASHAIN, ends_at=NOW, starts_at=NOW - timedelta(days=1))
    of_gone = replace(DASHAIN, name="Tihar", tags=("fake:2",))

    said = sentences(
        Rules(campaigns=(over, of_gone), excluded_tags=("fake:2",), multipliers=(("fake:2", Fraction(3)),))
    )

    assert [each for each in said if "Dashain" in each or "Tihar" in each or "fake:2" in each] == []


def versions() -> Iterator[str]:
    yield flow.program_terms("default").version
    ledger.revise_rules("default", lambda before: replace(before, pending_days=14))
    yield flow.program_terms("default").version
    texts, _made = LoyaltySettings.objects.get_or_create(site_id=_site())
    texts.text = "Only in Asan."
    texts.save()
    yield flow.program_terms("default").version


def _site() -> int:
    from wagtail.models import Site

    return int(Site.objects.get(is_default_site=True).pk)


@pytest.mark.usefixtures("shop")
def test_the_version_names_the_terms_in_every_language_and_changes_with_rules_and_texts() -> None:
    found = list(versions())
    with translation.override("ne"):
        in_nepali = flow.program_terms("default").version

    assert len(set(found)) == 3
    assert in_nepali == found[-1]


def test_a_tier_says_what_it_gives() -> None:
    ledger.set_rules("default", Rules(tiers=(Tier(name="Silver", threshold=Points(0)), GOLD)))

    silver, gold = flow.program_tiers("default")

    assert (silver.name, silver.example_points, gold.example_points) == ("Silver", Points(100), Points(150))
    assert (gold.gives, gold.example_amount) == (("from 500 points earned", "1.5 times the points"), Paisa(100_000))


def test_a_programme_without_tiers_shows_none() -> None:
    ledger.set_rules("default", Rules(tiers=(Tier(name="Member", threshold=Points(0)),)))

    terms = flow.program_terms("default")

    assert (terms.tiers, [each.key for each in terms.sections if each.key == "tiers"]) == ((), [])
