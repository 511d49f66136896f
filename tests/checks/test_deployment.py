"""Checks of the databases, the session cookie, the settings and the scheduled jobs."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection, router
from django.utils import timezone

from loyalink_khalti import conf
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.models import Payment, Purchase

from .conftest import KEY


def create_payment():
    """A payment that is initiated at Khalti."""
    purchase = Purchase.objects.create(
        shop="oscar", ref="1", origin="1", site_key="default", language="en", method="khalti", cart={}, total=1000,
        amount_due=1000,
    )  # fmt: skip
    payment = transitions.create_payment(purchase, credentials=conf.credentials("default"))
    Payment.objects.update(state="initiated", pidx="pidx1", next_poll_at=timezone.now())
    payment.refresh_from_db()
    return payment


@pytest.mark.django_db
def test_a_correct_deployment_has_no_messages(deploy, messages):
    assert messages(databases=["default"]) == {}


@pytest.mark.django_db
def test_the_demo_store_has_no_messages(settings, messages):
    settings.DEBUG = True

    assert messages(databases=["default"]) == {}


@pytest.mark.django_db
def test_a_database_before_migrate_is_not_checked(deploy, messages):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE loyalink_khalti_credentials RENAME TO elsewhere")

    assert messages(databases=["default"]) == {}


@pytest.mark.parametrize("options", [{}, {"transaction_mode": "DEFERRED"}])
def test_sqlite_without_immediate_transactions(deploy, messages, settings, monkeypatch, options):
    """H05"""
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": options}
    monkeypatch.setitem(settings.DATABASES, "default", entry)

    assert "'default'" in messages()["W008"]


def test_a_shop_that_does_not_say_how_many_proxies_it_has(deploy, messages):
    """D1: behind a proxy every customer would have the proxy's address."""
    deploy(TRUSTED_PROXIES=None)

    assert "TRUSTED_PROXIES is not set" in messages()["W038"]


@pytest.mark.parametrize("value", [-1, True, "1", 1.0])
def test_a_number_of_proxies_that_is_none(deploy, messages, value):
    deploy(TRUSTED_PROXIES=value)

    assert "TRUSTED_PROXIES" in messages()["E015"]


def test_a_cache_that_does_not_exist(deploy, messages):
    """D4"""
    deploy(CACHE="redis")

    assert "'redis'" in messages()["E039"]


@pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache"])
def test_rate_limits_in_a_cache_of_each_process(deploy, messages, settings, backend):
    """D4"""
    deploy(CACHE="default")
    settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{backend}"}}

    assert "do not share" in messages()["W040"]


def test_a_session_cookie_that_browsers_do_not_send_on_the_return(deploy, messages, settings):
    settings.SESSION_COOKIE_SAMESITE = "Strict"

    assert set(messages()) == {"W014"}


@pytest.mark.parametrize("value", [-1, "10", True])
def test_an_invalid_deadline(deploy, messages, value):
    deploy(DEADLINE=value)

    assert "DEADLINE" in messages()["E015"]


@pytest.mark.parametrize("number", [-1, "2", 0.5, None])
def test_an_invalid_number_of_concurrent_calls(deploy, messages, number):
    deploy(MAX_CONCURRENT_CALLS=number)

    assert "MAX_CONCURRENT_CALLS" in messages()["E015"]


def test_an_unknown_setting(deploy, messages):
    deploy(SECRET_KEY=KEY)

    assert "'SECRET_KEY'" in messages()["W016"]
    assert KEY not in messages()["W016"]


@pytest.mark.django_db
def test_overdue_payments_are_reported_with_their_age(deploy, messages, monkeypatch):
    """G06"""
    payment = create_payment()
    before = set(messages(databases=["default"]))
    with time_machine.travel(timezone.now() + timedelta(hours=3)):
        message = messages(databases=["default"])["W032"]

    assert payment.state == "initiated"
    assert before == set()
    assert "3\xa0hours" in message
    assert "has never run" in message


def test_alerts_without_a_recipient(deploy, messages, settings):
    deploy(ALERTS_TO=[])
    without = set(messages())
    settings.MANAGERS = [("Sita", "sita@shop.example")]

    assert (without, messages()) == ({"W033"}, {})


class ReplicaRouter:
    def db_for_read(self, model, **hints):
        return "replica" if model._meta.app_label == "loyalink_khalti" else None


def test_payments_read_from_a_replica_are_an_error(deploy, messages, monkeypatch):
    """H08: the replica may be behind."""
    monkeypatch.setattr(router, "routers", [ReplicaRouter()])

    assert "'replica'" in messages()["E034"]
