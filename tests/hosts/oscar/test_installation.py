"""Checks of the settings and apps of a shop on Oscar, as ``manage.py check`` runs them in production."""

import pytest
from django.apps import apps
from oscar.apps.checkout.apps import CheckoutConfig
from oscar.apps.customer.apps import CustomerConfig

from tests.checks.conftest import deploy, messages

__all__ = ["deploy", "messages"]


def test_a_shop_that_does_not_sell_in_rupees(deploy, messages, settings):
    settings.OSCAR_DEFAULT_CURRENCY = "GBP"

    assert "GBP" in messages()["E009"]


def test_a_pipeline_without_our_statuses(deploy, messages, settings):
    settings.OSCAR_ORDER_STATUS_PIPELINE = {"Awaiting payment": (), "Pending": (), "Cancelled": ()}

    assert "'Paid', 'Refunded'" in messages()["E023"]


def test_statuses_with_other_names(deploy, messages, settings):
    deploy(OSCAR={"PAID": "Settled"})
    assert "'Settled'" in messages()["E023"]

    settings.OSCAR_ORDER_STATUS_PIPELINE = {**settings.OSCAR_ORDER_STATUS_PIPELINE, "Settled": ()}
    assert messages() == {}


@pytest.mark.parametrize("status", ["Awaiting payment", "Cancelled"])
def test_a_pipeline_that_lets_staff_change_what_khalti_decides(deploy, messages, settings, status):
    settings.OSCAR_ORDER_STATUS_PIPELINE = {**settings.OSCAR_ORDER_STATUS_PIPELINE, status: ("Paid",)}

    assert status in messages()["W024"]


def test_oscars_own_checkout_in_place_of_ours(deploy, messages, monkeypatch):
    monkeypatch.setitem(apps.app_configs, "checkout", _like(apps.get_app_config("checkout"), CheckoutConfig))
    monkeypatch.setitem(apps.app_configs, "customer", _like(apps.get_app_config("customer"), CustomerConfig))

    assert "loyalink_khalti.hosts.oscar.apps.CheckoutConfig" not in messages()["E025"]
    assert set(messages()) == {"E025", "W026"}


def test_a_shop_on_another_host_needs_no_oscar_settings(deploy, messages, settings):
    deploy(SHOPS={"mine": "loyalink_khalti.testing.FakeShop"})
    settings.OSCAR_ORDER_STATUS_PIPELINE = {}

    assert messages() == {}


def _like(config, kind):
    """Oscar's own AppConfig in place of ours."""
    own = object.__new__(kind)
    own.__dict__.update(config.__dict__)
    return own
