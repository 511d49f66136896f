"""How a shop installs the host: our AppConfigs in place of Oscar's, or a mixin in a checkout of its own."""

from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import resolve
from pytest_django import Settings

from loyalink_khalti.hosts.oscar.apps import overridden
from loyalink_khalti.hosts.oscar.pricing import shares
from loyalink_khalti.hosts.oscar.settings import faults
from loyalink_khalti.money import Paisa, rupees
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Store, only_order, payment_of

pytestmark = pytest.mark.sampled


@pytest.mark.django_db
def test_no_model_is_forked_and_nothing_is_left_to_migrate() -> None:
    out = StringIO()

    call_command("makemigrations", "--check", "--dry-run", stdout=out)

    assert "No changes" in out.getvalue()
    for label in ("checkout", "customer", "orders_dashboard", "search"):
        assert apps.get_app_config(label).name.startswith("oscar.apps.")


@pytest.mark.parametrize(
    "path",
    [
        "/shop/checkout/payment-method/",
        "/shop/checkout/preview/",
        "/shop/checkout/thank-you/",
        "/shop/accounts/orders/",
        "/shop/accounts/points/",
        "/shop/dashboard/",
        "/shop/dashboard/orders/",
        "/shop/dashboard/users/1/",
        "/shop/dashboard/reports/",
        "/shop/catalogue/",
        "/shop/search/",
    ],
)
def test_the_views_are_ours(path: str) -> None:
    view: Any = resolve(path).func

    while hasattr(view, "__wrapped__") and not hasattr(view, "view_class"):
        view = view.__wrapped__
    assert view.view_class.__module__.startswith("loyalink_khalti.hosts.oscar.")


def test_the_sandbox_lists_no_app_too_late() -> None:
    assert overridden() == []


def test_an_app_listed_too_late_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from oscar.apps.dashboard.views import IndexView

    monkeypatch.setattr(apps.get_app_config("dashboard"), "index_view", IndexView)

    assert overridden() == ["dashboard"]


@pytest.mark.money
def test_a_shop_with_a_checkout_of_its_own_uses_the_mixin(
    store: Store, sita: Customer, khalti: Simulator, settings: Settings
) -> None:
    settings.ROOT_URLCONF = "tests.hosts.oscar.fork"
    sita.add(store.notebook)
    sita.go_to_payment()
    sita.choose(points=500)
    assert sita.browser.get("/shop/checkout/preview/").context["our_own"] == "kept"

    payment = payment_of(sita.place())
    khalti.pay(payment.pidx or "")
    page = sita.return_from_khalti(payment)

    assert page.redirect_chain[-1][0] == "/shop/checkout/thank-you/"
    assert (only_order().status, only_order().total_incl_tax) == ("Paid", 450)


@pytest.mark.money
def test_a_store_with_atomic_requests_works_too(store: Store, guest: Customer, khalti: Simulator) -> None:
    """H07"""
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        payment = payment_of(guest.buy(store.notebook))
        khalti.pay(payment.pidx or "")
        guest.return_from_khalti(payment)
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False

    assert only_order().status == "Paid"


def test_the_statuses_are_settings(store: Store, guest: Customer, khalti: Simulator, settings: Settings) -> None:
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI,
        "OSCAR": {"HELD": "On hold", "PAID": "Settled", "NUMBER_PREFIX": "SS-"},
    }
    payment = payment_of(guest.buy(store.notebook))
    assert only_order().status == "On hold"
    assert only_order().number.startswith("SS-")
    khalti.pay(payment.pidx or "")

    guest.return_from_khalti(payment)

    assert only_order().status == "Settled"


@pytest.mark.parametrize("wrong", [{"METHODS": ["amount"]}, {"METHODS": []}, {"STATUS": "Paid"}])
def test_a_wrong_setting_is_named(settings: Settings, wrong: dict[str, Any]) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "OSCAR": wrong}

    assert len(faults()) == 1


@pytest.mark.parametrize(
    ("amounts", "total", "expected"),
    [
        ([10_000, 5_000], 15_000, [10_000, 5_000]),
        ([3_333, 3_333, 3_334], 10_000, [3_333, 3_333, 3_334]),
        ([100, 100], 199, [100, 99]),
        ([], 0, []),
    ],
)
def test_lines_add_up_to_the_subtotal(amounts: list[int], total: int, expected: list[int]) -> None:
    assert shares([rupees(Paisa(amount)) for amount in amounts], Paisa(total)) == expected


def test_the_return_page_needs_no_log_in(store: Store, sita: Customer, khalti: Simulator) -> None:
    payment = payment_of(sita.buy(store.notebook))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)

    answer = Client().get(f"/shop/checkout/khalti/{payment.token}/")

    assert answer["Location"] == f"/khalti/status/{payment.token}/"
    assert Client().post(f"/shop/checkout/khalti/{payment.token}/").status_code == 405
