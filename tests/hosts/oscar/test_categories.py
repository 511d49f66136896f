"""M12: rules name a category by what no editor changes, so no other category of the same name or slug is meant."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from django.urls import reverse
from oscar.core.loading import get_model
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.campaigns.services import save
from loyalink_khalti.backoffice.models import Campaign
from loyalink_khalti.hosts.oscar import pricing
from loyalink_khalti.hosts.oscar.shop import OscarShop
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Line
from loyalink_khalti.simulator import Simulator
from tests.loyalty.conftest import nepal

from .conftest import Customer, Store, available, payment_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both]

Category = get_model("catalogue", "Category")


@pytest.fixture
def notebooks_blue(store: Store) -> Any:
    return Category.add_root(name="Notebooks", slug="notebooks").add_child(name="Blue", slug="blue")


@pytest.fixture
def lokta_blue(store: Store) -> Any:
    return Category.add_root(name="Lokta", slug="lokta").add_child(name="Blue", slug="blue")


def tag(category: Any) -> str:
    return pricing.category_tag(category.pk)


def set_rules(**rules: Any) -> None:
    ledger.set_rules("default", replace(Rules(), **rules))


def points_for(product: Any) -> int:
    """Return what Rs 500 of a product earn."""
    tags = pricing.category_tags([product]).get(product.pk, ())
    line = Line(sku="x", title="x", quantity=1, unit=Paisa(50_000), total=Paisa(50_000), tags=tags)
    (points,) = flow.points_for_lines(site_key="default", member_id=None, lines=[line])
    return points


def test_a_multiplier_of_one_category_is_none_of_another_with_the_same_name_and_slug(
    store: Store, notebooks_blue: Any, lokta_blue: Any, sita: Customer, khalti: Simulator
) -> None:
    """M12"""
    store.notebook.categories.set([notebooks_blue])
    set_rules(multipliers=((tag(lokta_blue), Fraction(5)),))
    payment = payment_of(sita.buy(store.notebook))
    khalti.pay(payment.pidx or "")

    sita.return_from_khalti(payment)

    assert available(sita) == 1200 + 50
    store.notebook.categories.set([lokta_blue])
    assert points_for(store.notebook) == 250


def test_excluding_betel_excludes_no_pens(store: Store) -> None:
    """M12: Both have one slug where slugs are ASCII."""
    pens, betel = (Category.add_root(name=name, slug="pn") for name in ("पेन", "पान"))
    store.notebook.categories.set([pens])
    set_rules(excluded_tags=(tag(betel),))

    assert points_for(store.notebook) == 50


def test_an_edited_slug_or_name_and_a_place_in_the_tree_change_no_rule(
    store: Store, notebooks_blue: Any, lokta_blue: Any
) -> None:
    """M12"""
    store.notebook.categories.set([notebooks_blue])
    set_rules(excluded_tags=(tag(notebooks_blue),))

    Category.objects.filter(pk=notebooks_blue.pk).update(slug="azure", name="Azure")
    notebooks_blue.refresh_from_db()
    notebooks_blue.move(Category.objects.get(pk=lokta_blue.pk), "first-child")

    assert points_for(store.notebook) == 0
    assert OscarShop().categories()[tag(notebooks_blue)] == "Lokta › Blue › Azure"


def test_a_category_that_moves_below_an_excluded_one_earns_nothing(
    store: Store, notebooks_blue: Any, lokta_blue: Any
) -> None:
    """M12"""
    store.notebook.categories.set([notebooks_blue])
    set_rules(excluded_tags=(tag(lokta_blue),))
    before = points_for(store.notebook)

    notebooks_blue.move(Category.objects.get(pk=lokta_blue.pk), "first-child")

    assert (before, points_for(store.notebook)) == (50, 0)


def test_a_product_in_no_category_is_excluded_by_none(store: Store, lokta_blue: Any) -> None:
    """M12"""
    store.notebook.categories.clear()
    set_rules(excluded_tags=(tag(lokta_blue),), multipliers=())

    assert points_for(store.notebook) == 50


def test_two_categories_with_one_path_are_told_apart_by_their_numbers(store: Store) -> None:
    """M12"""
    one, two = (Category.add_root(name="Gifts", slug="gifts") for _time in range(2))

    names = OscarShop().categories()

    assert (names[tag(one)], names[tag(two)]) == (f"Gifts ({tag(one)})", f"Gifts ({tag(two)})")


def test_a_rule_and_a_campaign_name_the_category_that_is_gone(
    store: Store, lokta_blue: Any, admin_client: Any, admin_user: Any
) -> None:
    """M12"""
    gone = tag(lokta_blue)
    page = reverse(
        "wagtailsettings:edit", args=("loyalink_khalti", "loyaltysettings", Site.objects.get(is_default_site=True).pk)
    )
    set_rules(multipliers=((gone, Fraction(5)),))
    campaign = Campaign(
        name="Dashain", starts_at=nepal(2026, 10, 1), ends_at=nepal(2099, 1, 1), multiplier=2, tags=[gone]
    )
    save(campaign, user=admin_user)

    lokta_blue.delete()

    assert flow.category_names([gone])[gone] == "Lokta › Blue (deleted)"
    assert "Lokta › Blue (deleted)" in admin_client.get(page).content.decode()
    assert "Lokta › Blue (deleted)" in admin_client.get(reverse("loyalink_khalti_campaigns")).content.decode()
    assert points_for(store.notebook) == 50
