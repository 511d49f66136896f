"""Rows of an earlier version keep their meaning: what our data migrations do with them."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from loyalink_khalti import migrations
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.program import Program, ProgramVersion
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa, Points, Rounding
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Purchase, Refund

MIGRATION = next(Path(migrations.__file__).parent.glob("*_refunds_and_rounding_of_old_rows.py")).stem
pytestmark = [pytest.mark.money, pytest.mark.django_db]


def migrate(function: str) -> None:
    """Run a step of the migration, which finds nothing to do when it is repeated."""
    module: Any = import_module(f"loyalink_khalti.migrations.{MIGRATION}")
    for _again in range(2):
        getattr(module, function)(apps, SimpleNamespace(connection=connection))


def purchase(*, subtotal: int, shipping: int, points_value: int = 0, method: str = "khalti") -> Purchase:
    cart = {"shipping": shipping, "total": subtotal + shipping}
    return Purchase.objects.create(
        shop="fake", ref=f"{Purchase.objects.count()}", origin="basket", site_key="default", language="en",
        method=method, cart=cart, total=subtotal + shipping, points_redeemed=points_value // 10,
        points_value=points_value, amount_due=subtotal + shipping - points_value, state="placed",
    )  # fmt: skip


def refunded(bought: Purchase, subtotal: int, money_for_shipping: int, state: str = "done") -> Refund:
    amount = max(min(money_for_shipping + subtotal, bought.amount_due), money_for_shipping)
    return Refund.objects.create(
        purchase=bought, key=f"{Refund.objects.count()}", state=state, subtotal=subtotal, shipping=money_for_shipping,
        amount=amount,
    )  # fmt: skip


def delivery_of(bought: Purchase) -> int:
    return sum(refund.shipping_price for refund in Refund.objects.filter(purchase=bought).exclude(state="refused"))


@pytest.mark.parametrize(
    ("bought", "parts", "delivery"),
    [
        pytest.param({"points_value": 15_000}, [(10_000, 0), (0, 5_000)], 10_000, id="points paid half of it"),
        pytest.param({"points_value": 20_000}, [(4_000, 0), (6_000, 0)], 10_000, id="points paid all"),
        pytest.param({"method": "cod"}, [(10_000, 0)], 10_000, id="cancelled before any money arrived"),
        pytest.param({}, [(10_000, 10_000)], 10_000, id="money paid all"),
        pytest.param({"points_value": 15_000}, [(10_000, 0)], 0, id="the delivery is left"),
        pytest.param({"points_value": 15_000}, [(0, 5_000)], 5_000, id="the products are left"),
        pytest.param({"points_value": 15_000}, [(10_000, 2_500)], 2_500, id="half of the delivery is left"),
        pytest.param({}, [(10_000, 0)], 0, id="money paid the delivery, which is left"),
    ],
)
def test_an_order_of_the_version_before_with_nothing_left_has_no_delivery_left(
    bought: dict[str, Any], parts: list[tuple[int, int]], delivery: int
) -> None:
    """M4: products for Rs 100, delivery for Rs 100."""
    order = purchase(subtotal=10_000, shipping=10_000, **bought)
    for part in parts:
        refunded(order, *part)
    refunded(order, 10_000, 5_000, state="refused")

    migrate("refund_delivery_of_closed_orders")

    assert delivery_of(order) == delivery
    assert Refund.objects.filter(state="refused", shipping_before_points=None).exists()


def test_a_refund_of_the_version_before_that_is_unanswered_counts() -> None:
    """M4"""
    order = purchase(subtotal=10_000, shipping=10_000, points_value=15_000)
    refunded(order, 10_000, 0)
    unknown = refunded(order, 0, 5_000, state="unknown")

    migrate("refund_delivery_of_closed_orders")

    unknown.refresh_from_db()
    assert unknown.shipping_price == 10_000
    Refund.objects.update(state="done")
    assert refunds.totals(order).shipping == 10_000


def store_as_the_version_before(version: ProgramVersion, **chosen: Any) -> None:
    stored = Rules(**chosen).to_json()
    del stored["base_rounding"]
    ProgramVersion.objects.create(program=version.program, number=version.number + 1, stored=stored)


@pytest.mark.parametrize("mode", [Rounding.HALF_UP, Rounding.CEIL])
def test_the_rounding_that_a_site_has_chosen_takes_effect_in_a_new_version(mode: Rounding) -> None:
    """M18: the stored version stays as it is, and awards and holds keep it."""
    store_as_the_version_before(ledger.current_version("shop.example"), rounding=mode, points=Points(3))
    before = ledger.current_version("shop.example")

    migrate("round_the_base_too")

    after = ledger.current_version("shop.example")
    assert (before.number, after.number) == (2, 3)
    assert ledger.get_version(before.pk).rules == Rules(rounding=mode, base_rounding=Rounding.FLOOR, points=Points(3))
    assert after.rules == Rules(rounding=mode, points=Points(3))


def test_sites_that_drop_fractions_and_new_versions_stay_as_they_are() -> None:
    """M18"""
    store_as_the_version_before(ledger.current_version("floor.example"), per=Paisa(500))
    ledger.set_rules("new.example", Rules(rounding=Rounding.CEIL, base_rounding=Rounding.FLOOR))
    Program.objects.get_or_create(site_key="without.versions")
    numbers = list(ProgramVersion.objects.order_by("pk").values_list("pk", "number"))

    migrate("round_the_base_too")

    assert list(ProgramVersion.objects.order_by("pk").values_list("pk", "number")) == numbers
