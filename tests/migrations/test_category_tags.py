"""M12: rules, campaigns and Carts of the version that named categories by their slugs, after the migration."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.earning import OrderSnapshot
from loyalink_khalti.loyalty.program import FormerTag, ProgramVersion
from loyalink_khalti.loyalty.rules import CampaignRule, Rules
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Line
from tests.migrating import migrate, migrate_to_before

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True), pytest.mark.slow]

SCHEMA = "category_identities"
START = timezone.now() - timedelta(days=1)


@pytest.fixture
def tags() -> dict[str, str]:
    """The tags of "Notebooks › Blue", "Lokta › Blue" and "Pens", of which the first two had one slug."""
    Category = get_model("catalogue", "Category")
    rows = {
        "Notebooks › Blue": Category.add_root(name="Notebooks", slug="notebooks").add_child(name="Blue", slug="blue"),
        "Lokta › Blue": Category.add_root(name="Lokta", slug="lokta").add_child(name="Blue", slug="blue"),
        "Pens": Category.add_root(name="Pens", slug="pens"),
    }
    return {name: f"oscar:{row.pk}" for name, row in rows.items()}


def store_rules(models: Any, **rules: Any) -> int:
    """Store rules as that version did; return the pk of their version."""
    program, _new = models.get_model("loyalink_khalti", "Program").objects.get_or_create(site_key="default")
    versions = models.get_model("loyalink_khalti", "ProgramVersion").objects
    pk: int = versions.create(program=program, number=1, stored=Rules(**rules).to_json()).pk
    return pk


OLD_RULES = {
    "excluded_tags": ("blue", "gift-cards"),
    "multipliers": (("pens", Fraction(2)), ("gone", Fraction(3, 2))),
    "campaigns": (
        CampaignRule(name="Dashain", starts_at=START, ends_at=START + timedelta(days=400), addition=Points(7),
                     tags=("pens",)),
    ),
}  # fmt: skip


def points(rules: Rules, *tags: str) -> int:
    """Return what Rs 100 of a product with these tags earn, and the order's additions."""
    line = Line(sku="x", title="x", quantity=1, unit=Paisa(10_000), total=Paisa(10_000), tags=tags)
    nothing = Paisa(0)
    order = OrderSnapshot(lines=[line], shipping=nothing, discount=nothing, points_value=nothing, at=timezone.now())
    return order.earned(rules).points


def test_rules_and_campaigns_get_the_tags_of_their_categories_in_a_new_version(
    tags: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """M12"""
    models = migrate_to_before(SCHEMA)
    old = store_rules(models, **OLD_RULES)
    stored = ProgramVersion.objects.values_list("stored", flat=True).get(pk=old)
    models.get_model("loyalink_khalti", "Campaign").objects.create(
        name="Dashain", starts_at=START, ends_at=START + timedelta(days=400), addition=7, tags=["pens"]
    )

    migrate()

    version = ledger.current_version("default")
    blue = (tags["Notebooks › Blue"], tags["Lokta › Blue"])
    assert (version.number, version.actor) == (2, None)
    assert version.rules.excluded_tags == (*blue, "former:gift-cards")
    assert version.rules.multipliers == ((tags["Pens"], Fraction(2)), ("former:gone", Fraction(3, 2)))
    assert [campaign.tags for campaign in version.rules.campaigns] == [(tags["Pens"],)]
    assert Campaign.objects.get().tags == [tags["Pens"]]
    assert ProgramVersion.objects.get(pk=old).stored == stored
    names = flow.category_names(version.rules.tags)
    assert "'blue', which is Notebooks › Blue and Lokta › Blue" in capsys.readouterr().out
    assert (names[blue[1]], names["former:gift-cards"]) == ("Lokta › Blue", "gift-cards (deleted)")


def test_old_and_new_carts_earn_alike_under_old_and_new_rules(tags: dict[str, str]) -> None:
    """M12: A Cart without a version of the rules is awarded by the current ones, a claimed order by its old ones."""
    old_pk = store_rules(migrate_to_before(SCHEMA), **OLD_RULES)
    migrate()
    old, new = ProgramVersion.objects.get(pk=old_pk).rules, ledger.current_version("default").rules

    for rules in (old, new):
        for cart in (("pens",), (tags["Pens"],)):
            assert points(rules, *cart) == 27
        for cart in (("notebooks", "blue"), (tags["Notebooks › Blue"],), (tags["Lokta › Blue"],), ("gift-cards",)):
            assert points(rules, *cart) == 0
        assert points(rules, "gone") == 15
        assert points(rules, "paper") == points(rules, "oscar:0") == points(rules) == 10


def test_a_slug_that_is_edited_after_the_migration_still_means_what_it_meant(tags: dict[str, str]) -> None:
    """M12"""
    old_pk = store_rules(migrate_to_before(SCHEMA), **OLD_RULES)
    migrate()
    Category = get_model("catalogue", "Category")
    Category.objects.filter(slug="pens").update(slug="kalam")
    other = Category.add_root(name="Other pens", slug="pens")
    old, new = ProgramVersion.objects.get(pk=old_pk).rules, ledger.current_version("default").rules

    assert points(old, tags["Pens"]) == points(new, "pens") == 27
    assert points(old, f"oscar:{other.pk}") == points(new, f"oscar:{other.pk}") == 10


def test_carts_and_rules_of_one_version_read_no_table_of_former_tags(
    tags: dict[str, str], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert points(Rules(excluded_tags=("blue",)), "blue") == points(Rules(excluded_tags=("blue",)), "x") - 10 == 0
        assert points(Rules(excluded_tags=(tags["Pens"],)), tags["Pens"], tags["Lokta › Blue"]) == 0


def test_the_migration_can_be_reversed(tags: dict[str, str]) -> None:
    """M12"""
    store_rules(migrate_to_before(SCHEMA), **OLD_RULES)
    migrate()

    migrate_to_before(SCHEMA)

    newest = ProgramVersion.objects.order_by("-number").first()
    assert newest is not None
    assert (newest.number, newest.rules) == (3, Rules(**OLD_RULES))


def test_without_a_shop_that_has_former_tags_nothing_changes(tags: dict[str, str], settings: Any) -> None:
    """M12"""
    old_pk = store_rules(migrate_to_before(SCHEMA), **OLD_RULES)
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SHOPS": {}}

    migrate()

    assert (ledger.current_version("default").pk, FormerTag.objects.count()) == (old_pk, 0)
    assert points(ledger.current_version("default").rules, "pens") == 27
