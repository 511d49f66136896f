"""Taxes are Oscar's to the paisa, and points lower them with the price."""

import random
from decimal import Decimal
from typing import Any

import pytest
from oscar.apps.checkout.views import PaymentDetailsView as StockDetailsView
from oscar.core.prices import Price
from pytest_django import Settings

from loyalink_khalti.hosts.oscar.checkout import KhaltiCheckoutMixin
from loyalink_khalti.hosts.oscar.pricing import POINTS_CODE, apply_points
from loyalink_khalti.money import Paisa, paisa, rupees
from loyalink_khalti.simulator import Simulator
from sandbox.shop.shipping.methods import Express, Standard
from sandbox.shop.shipping.repository import Repository

from . import equal
from .conftest import Customer, Order, Store, new_member, only_order, only_purchase, payment_of, text

pytestmark = [pytest.mark.money, pytest.mark.same_on_both]

Patch = pytest.MonkeyPatch


def taxed_with(strategy: type, patch: Patch) -> None:
    patch.setattr(equal.strategies.Selector, "strategy", lambda _self, request=None, **_kwargs: strategy(request))
    patch.setattr(Repository, "methods", (Standard(), Express(), equal.LateTaxedDelivery()))


def figures(order: Any) -> tuple[Decimal, Decimal, Decimal]:
    """Return the total with tax and without, and the tax."""
    return order.total_incl_tax, order.total_excl_tax, order.total_incl_tax - order.total_excl_tax


@pytest.mark.parametrize("method", ["cod", "khalti"])
def test_two_notepads_at_45_with_thirteen_per_cent_cost_101_70(
    store: Store, sita: Customer, khalti: Simulator, monkeypatch: Patch, method: str
) -> None:
    """M15"""
    taxed_with(equal.ThirteenPercent, monkeypatch)
    sita.add(store.add("Notepad", "PAD", rupees="45.00", stock=50), 2)

    sita.buy(method=method)

    assert figures(only_order()) == (Decimal("101.70"), Decimal("90.00"), Decimal("11.70"))
    assert only_purchase().total == 10_170


@pytest.mark.parametrize("method", ["cod", "khalti"])
def test_points_are_a_discount_so_that_the_tax_falls_with_the_price(
    store: Store, khalti: Simulator, monkeypatch: Patch, method: str
) -> None:
    """M15, D-19: Rs 1,130 with 13 % tax, Rs 113 by points: 117.00 of tax are left, not 130.00."""
    taxed_with(equal.ThirteenPercent, monkeypatch)
    rich = new_member("ram@example.com", points=2000)
    rich.add(store.add("Globe", "GLOBE", rupees="1000.00", stock=9))

    rich.buy(method=method, points=1130)

    order = only_order()
    points = order.surcharges.get(code=POINTS_CODE)
    assert figures(order) == (Decimal("1017.00"), Decimal("900.00"), Decimal("117.00"))
    assert (points.incl_tax, points.excl_tax) == (Decimal("-113.00"), Decimal("-100.00"))
    assert order.lines.get().line_price_excl_tax == 1000
    assert only_purchase().amount_due == 101_700


def test_points_that_cover_everything_leave_no_tax(store: Store, khalti: Simulator, monkeypatch: Patch) -> None:
    """M15"""
    taxed_with(equal.ThirteenPercent, monkeypatch)
    rich = new_member("ram@example.com", points=20_000)
    rich.add(store.add("Globe", "GLOBE", rupees="1000.00", stock=9))

    rich.buy(points=11_300)

    assert figures(only_order()) == (0, 0, 0)
    assert only_order().surcharges.get().excl_tax == -1000


def test_the_tax_after_points_is_exact_for_any_total() -> None:
    """M15: no paisa is lost, and the share without tax is less than a paisa off."""
    dice = random.Random(15)
    for _ in range(5_000):
        incl = Decimal(dice.randint(1, 10**7)) / 100
        excl = (incl / (1 + Decimal(dice.choice(["0", "0.13", "0.0333"])))).quantize(Decimal("0.0001"))
        points = Paisa(dice.randint(0, paisa(incl)))
        submission: dict[str, Any] = {"order_total": Price("NPR", excl, incl_tax=incl), "surcharges": None}

        apply_points(submission, points)

        total, discount = (
            submission["order_total"],
            sum(each.price.excl_tax for each in submission["surcharges"] or ()),
        )
        assert total.incl_tax == incl - rupees(points)
        assert 0 <= total.excl_tax <= total.incl_tax
        assert abs(total.excl_tax - excl * total.incl_tax / incl) <= Decimal("0.01")
        assert abs(total.excl_tax - discount - excl) <= Decimal("0.005")
        assert total.excl_tax == total.excl_tax.quantize(Decimal("0.01"))


def test_a_tax_that_is_not_known_yet_takes_no_order(
    store: Store, sita: Customer, khalti: Simulator, settings: Settings, monkeypatch: Patch
) -> None:
    """M15: a shop with late taxes that nothing adds. (The demo's own templates write prices with tax.)"""
    taxed_with(equal.LateTax, monkeypatch)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": []}]
    sita.add(store.notebook)

    page = sita.go_to_payment()
    chosen, placed = sita.choose(), sita.place()

    for answer in (page, chosen):
        assert answer.status_code == 200
        assert "The tax on your order is not known yet" in text(answer)
    assert placed.status_code == 302
    assert Order.objects.count() == 0


def test_late_taxes_are_added_below_our_mixin_too(
    store: Store, khalti: Simulator, settings: Settings, monkeypatch: Patch
) -> None:
    """M15: with points, which are applied to the total with tax."""
    taxed_with(equal.LateTax, monkeypatch)
    view = type("View", (KhaltiCheckoutMixin, equal.AddsTax, StockDetailsView), {"__module__": "shop.checkout"})
    settings.ROOT_URLCONF = equal.urls(view, equal.PaymentMethodView, equal.ThankYouView)
    rich = new_member("ram@example.com", points=2000)
    rich.add(store.add("Globe", "GLOBE", rupees="900.00", stock=9))

    payment = payment_of(rich.buy(points=1130, delivery="late"))

    assert figures(only_order()) == (Decimal("1017.00"), Decimal("900.00"), Decimal("117.00"))
    assert payment.amount == 101_700
    khalti.pay(payment.pidx or "")
    rich.return_from_khalti(payment)
    assert only_order().status == "Paid"
