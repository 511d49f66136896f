"""Checks of the databases, the session cookie, the settings and the scheduled jobs."""

from datetime import timedelta

import pytest
import time_machine
from django.core import checks
from django.db import connection, router
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import F
from django.utils import timezone

from loyalink_khalti import bikram_sambat, conf, databases
from loyalink_khalti.checks import deployment
from loyalink_khalti.payments import job_runs, servers, transitions
from loyalink_khalti.payments.flags import raise_unreadable_flag
from loyalink_khalti.payments.models import Payment, Purchase
from tests.flow.test_database_contention import options

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


@pytest.mark.money
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no such settings")
@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        ("", "lock_timeout and idle_in_transaction_session_timeout"),
        ("-c lock_timeout=1s", ": idle_in_transaction_session_timeout"),
        ("-c lock_timeout=1s -c idle_in_transaction_session_timeout=1s", ""),
    ],
)
def test_a_postgresql_that_lets_a_frozen_machine_keep_its_locks(deploy, messages, chosen, named):
    """R8"""
    with options(options=chosen):
        found = messages(databases=["default"])

    assert named in found.get("W051", "")
    assert ("W051" in found) == bool(named)


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


@pytest.mark.parametrize(("token", "found"), [("", set()), ("monitor", {"E072"}), ("m" * 20, set())])
def test_a_token_of_monitors_that_can_be_guessed(deploy, messages, token, found):
    deploy(HEALTH_TOKEN=token)

    assert set(messages()) == found
    assert token not in messages().get("E072", "") or not token


@pytest.mark.parametrize(
    ("backend", "options", "location", "is_reported"),
    [
        ("redis.RedisCache", {}, "redis://127.0.0.1", True),
        ("redis.RedisCache", {"socket_timeout": 0.25}, "redis://127.0.0.1", True),
        ("redis.RedisCache", {"socket_timeout": 30, "socket_connect_timeout": 0.25}, "redis://127.0.0.1", True),
        ("redis.RedisCache", {"socket_timeout": 0.25, "socket_connect_timeout": 0.25}, "redis://127.0.0.1", False),
        ("redis.RedisCache", {"socket_timeout": 1}, "redis://127.0.0.1?socket_connect_timeout=1", False),
        ("db.DatabaseCache", {}, "django_cache", False),
    ],
)
def test_a_cache_for_which_pages_wait_without_end(deploy, messages, settings, backend, options, location, is_reported):
    deploy(CACHE="default")
    settings.CACHES = {
        "default": {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": location, "OPTIONS": options}
    }

    assert ("hangs" in messages().get("W076", "")) is is_reported


def test_a_session_cookie_that_browsers_do_not_send_on_the_return(deploy, messages, settings):
    settings.SESSION_COOKIE_SAMESITE = "Strict"

    assert set(messages()) == {"W014"}


@pytest.mark.parametrize("value", [-1, "10", True])
def test_an_invalid_deadline(deploy, messages, value):
    deploy(DEADLINE=value)

    assert "DEADLINE" in messages()["E015"]


@pytest.mark.parametrize("number", [-1, "2", 0.5])
def test_an_invalid_number_of_concurrent_calls(deploy, messages, number):
    deploy(MAX_CONCURRENT_CALLS=number)

    assert "MAX_CONCURRENT_CALLS" in messages()["E015"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("SITEURL", "Did you mean 'SITE_URL'?"),
        ("site_url", "Did you mean 'SITE_URL'?"),
        ("SHOP", "Did you mean 'SHOPS'?"),
        ("ALLOW_TEST_PAYMENT", "Did you mean 'ALLOW_TEST_PAYMENTS'?"),
        ("oscar", "Did you mean 'OSCAR'?"),
        ("SECRET_KEY", "Did you mean 'KHALTI_SECRET_KEY'?"),
        ("FLAVOUR", "The settings are ALERTS_TO, "),
        (7, "The settings are ALERTS_TO, "),
    ],
)
def test_an_unknown_setting_is_an_error_with_the_nearest_name(deploy, settings, name, hint):
    """H7"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, name: KEY}

    found = [each for each in checks.run_checks() if str(each.id).startswith("loyalink_khalti.")]

    assert [each.id for each in found] == ["loyalink_khalti.E016"]
    assert str(name) in found[0].msg
    assert hint in found[0].hint
    assert KEY not in f"{found[0].msg} {found[0].hint}"


def test_the_settings_of_a_host_that_is_not_in_shops_are_unknown(deploy, messages):
    """H7"""
    deploy(SHOPS={}, OSCAR={"METHODS": ["khalti"]})

    assert "'OSCAR'" in messages()["E016"]


TYPES = {
    "SHOPS": ["oscar", ["oscar"], {"oscar": None}, {"oscar": 7}, {"": "path.to.Shop"}, {7: "path.to.Shop"}, 7],
    "SITE_URL": [7, ["https://shop.example"], b"https://shop.example", True],
    "ALERTS_TO": [7, ["shopkeeper"], "shopkeeper", [("Sita", "sita@shop.example")], {"sita@shop.example": 1}],
    "KHALTI_SECRET_KEY": [b"key", 7, ["key"]],
    "KHALTI_BASE_URL": [7, ["https://khalti.com/api/v2/"]],
    "FERNET_KEYS": [7, [b"key"], {"key": "key"}],
    "API": ["myapp://paid", ["myapp://paid"], 7],
    "CACHE": [7, {"BACKEND": "…"}],
    "REPORTS_DATABASE": [7, ["replica"]],
    "DIGITS": ["nepali", 7, ["latin"]],
    "CALENDAR": ["BS", "bs,ad", 7, ("bs", "ad")],
    "COLOUR_SCHEME": ["night", 7, ["dark"]],
    "CONTENT_SECURITY_POLICY": [7, ["default-src 'self'"], b"x"],
    "GUEST_CLAIMS": ["false", 1, "True"],
    "ALLOW_SELF_DEALING": ["no", 1],
    "ALLOW_TEST_PAYMENTS": ["0", 1],
    "EMAIL_IS_VERIFIED": [7, len],
    "CREATE_ACCOUNT": [7, len],
    "HEALTH_TOKEN": [7, b"token", ["token"]],
}


@pytest.mark.django_db
def test_the_bikram_sambat_without_its_library(deploy, messages, monkeypatch):
    monkeypatch.setattr(bikram_sambat, "find_spec", lambda _name: None)
    assert "E077" not in messages()

    deploy(CALENDAR="bs_ad")

    assert "'bs_ad'" in messages()["E077"]


@pytest.mark.sampled
@pytest.mark.django_db
@pytest.mark.parametrize(("name", "value"), [(name, value) for name in TYPES for value in TYPES[name]])
def test_a_setting_of_a_wrong_type_is_one_error_that_says_what_it_must_be(deploy, messages, name, value):
    """H7"""
    deploy(**{name: value})

    found = messages(databases=["default"])

    assert set(found) == {"E046"}
    assert f'["{name}"] must be ' in found["E046"]


@pytest.mark.parametrize(("name", "value"), [("KHALTI_SECRET_KEY", b"live_secret"), ("FERNET_KEYS", [b"live_secret"])])
def test_an_error_about_a_secret_does_not_show_it(deploy, messages, name, value):
    """H7"""
    deploy(**{name: value})

    assert "live_secret" not in messages()["E046"]


@pytest.mark.parametrize("value", [[], "SITE_URL", 7, None])
def test_settings_that_are_no_dict_are_one_error(deploy, messages, settings, value):
    """H7"""
    settings.LOYALINK_KHALTI = value

    assert set(messages()) == {"E046"}


@pytest.mark.parametrize("name", sorted({*conf.DEFAULTS} - {"TRUSTED_PROXIES", "SHOPS"}))
def test_a_setting_of_none_is_not_set(deploy, settings, name):
    """H7: as os.environ.get() has it, in a shop's settings."""
    deploy(**{name: None})

    assert conf.get(name) == conf.DEFAULTS[name]


def test_every_setting_has_a_type_or_a_least_value():
    """H7"""
    assert {*TYPES, *deployment.MINIMUMS, "TRUSTED_PROXIES"} == {*conf.DEFAULTS}


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


@pytest.mark.django_db
def test_an_outage_is_reported_in_place_of_overdue_payments_while_the_reconciler_runs(deploy, messages):
    """R1, R1c"""
    create_payment()
    Payment.objects.update(created_at=F("created_at") - timedelta(hours=3), next_poll_at=F("created_at"))
    for _time in range(5):
        servers.record_failure("https://khalti.com", "503 from /api/v2/epayment/lookup/")
    job_runs.record_run(job_runs.RECONCILE)

    reported = messages(databases=["default"])

    assert set(reported) == {"W052"}
    assert "https://khalti.com has given no usable answer for 0" in reported["W052"]
    assert "503 from /api/v2/epayment/lookup/" in reported["W052"]

    servers.record_answer("https://khalti.com")
    assert set(messages(databases=["default"])) == set()


@pytest.mark.django_db
def test_answers_that_cannot_be_read_are_reported(deploy, messages):
    """R2"""
    raise_unreadable_flag(create_payment(), "an answer without a usable pidx", "{status: string}")

    reported = messages(databases=["default"])

    assert "Answers of Khalti's lookup have not been readable for 0" in reported["W053"]


def test_alerts_without_a_recipient(deploy, messages, settings):
    deploy(ALERTS_TO=[])
    without = set(messages())
    settings.MANAGERS = [("Sita", "sita@shop.example")]

    assert (without, messages()) == ({"W033"}, {})


def test_times_without_a_zone_are_one_error(deploy, messages, settings):
    """H1"""
    settings.USE_TZ = False

    assert set(messages(databases=[])) == {"E054"}


class ReplicaRouter:
    def db_for_read(self, model, **hints):
        return "replica" if model._meta.app_label == "loyalink_khalti" else None


def test_payments_read_from_a_replica_are_an_error(deploy, messages, monkeypatch):
    """H08: the replica may be behind."""
    monkeypatch.setattr(router, "routers", [ReplicaRouter()])

    assert "'replica'" in messages()["E034"]


class MoneyElsewhere:
    def db_for_write(self, model, **hints):
        return "money" if model._meta.app_label == "loyalink_khalti" else None


def test_payments_that_are_written_to_another_database_than_the_transactions_are_of_are_an_error(
    deploy, messages, monkeypatch
):
    """N30"""
    monkeypatch.setattr(router, "routers", [databases.Router(), MoneyElsewhere()])

    assert "'money'" in messages()["E034"]


class SessionsOnReplica:
    def db_for_read(self, model, **hints):
        return "replica"

    def db_for_write(self, model, **hints):
        return "default"


def test_sessions_read_from_a_replica_are_a_warning_and_payments_are_not_read_there(deploy, messages, monkeypatch):
    """H08, N30"""
    monkeypatch.setattr(router, "routers", [databases.Router(), SessionsOnReplica()])

    assert messages().keys() == {"W073"}


def test_a_reports_database_that_does_not_exist_is_an_error(deploy, messages):
    """N30"""
    deploy(REPORTS_DATABASE="replica")

    assert "'replica'" in messages()["E074"]


@pytest.mark.django_db
def test_missing_migrations_are_named(deploy, messages):
    """R9: a warning, because ``migrate`` checks the database first and would stop at an error."""
    MigrationRecorder(connection).record_unapplied("loyalink_khalti", "0026_count_merged_accounts")

    found = messages(databases=["default"])

    assert "0026_count_merged_accounts" in found["W050"]


@pytest.mark.django_db
def test_a_new_database_is_no_deploy_that_forgot_to_migrate(deploy, messages):
    """R9: `migrate` checks it, too, and would print the names of all migrations."""
    MigrationRecorder(connection).migration_qs.filter(app="loyalink_khalti").delete()

    assert "W050" not in messages(databases=["default"])
