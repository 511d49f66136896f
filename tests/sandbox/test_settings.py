import importlib.util
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

import sandbox
from sandbox.settings import database


def read_settings(monkeypatch, **environment):
    """Execute the settings as a new process with this environment would."""
    for name in ("DEBUG", "SITE_URL", "SECRET_KEY", "LOYALINK_FERNET_KEYS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    path = Path(sandbox.__file__).with_name("settings.py")
    spec = importlib.util.spec_from_file_location("settings_of_this_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"DEBUG": "0"}, "SECRET_KEY and LOYALINK_FERNET_KEYS"),
        ({"SITE_URL": "https://saraswati.com.np"}, "SECRET_KEY and LOYALINK_FERNET_KEYS"),
        ({"SITE_URL": "http://8.8.8.8:8000"}, "SECRET_KEY and LOYALINK_FERNET_KEYS"),
        ({"DEBUG": "0", "SECRET_KEY": "x" * 50}, "own LOYALINK_FERNET_KEYS"),
        ({"DEBUG": "0", "LOYALINK_FERNET_KEYS": Fernet.generate_key().decode()}, "own SECRET_KEY"),
    ],
)
def test_the_public_keys_of_the_demo_are_refused_where_others_could_use_them(monkeypatch, environment, named):
    """P3"""
    with pytest.raises(ImproperlyConfigured, match=named):
        read_settings(monkeypatch, **environment)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://192.168.1.20:8000", ""])
def test_on_ones_own_machine_and_network_the_demo_starts_with_its_own_keys(monkeypatch, url):
    assert read_settings(monkeypatch, SITE_URL=url).DEBUG


def test_with_keys_of_its_own_the_store_starts_anywhere(monkeypatch):
    """P3"""
    keys = {"SECRET_KEY": "x" * 50, "LOYALINK_FERNET_KEYS": Fernet.generate_key().decode()}

    assert not read_settings(monkeypatch, DEBUG="0", SITE_URL="https://saraswati.com.np", **keys).DEBUG


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("page", "fields"),
    [
        ("/admin/login/", {"username": "editor", "password": "wrong"}),
        (
            "/shop/accounts/login/",
            {"login-username": "sita@example.com", "login-password": "wrong", "login_submit": "1"},
        ),
    ],
)
def test_guessing_passwords_is_throttled_for_one_name_from_one_address(settings, page, fields):
    """P4"""
    settings.AXES_ENABLED = True
    here, elsewhere = Client(REMOTE_ADDR="198.51.100.7"), Client(REMOTE_ADDR="203.0.113.9")

    answers = [here.post(page, fields).status_code for _ in range(24)]

    assert answers == [200] * 9 + [429] * 15
    assert elsewhere.post(page, fields).status_code == 200


@pytest.mark.parametrize("url", ["sqlite:////tmp/store.sqlite3", "sqlite://:memory:"])
def test_any_sqlite_file_has_wal_and_full_synchronisation(url):
    options = database(url)["OPTIONS"]

    assert options["transaction_mode"] == "IMMEDIATE"
    assert "synchronous=FULL" in options["init_command"]
    assert "journal_mode=WAL" in options["init_command"]


def test_postgresql_is_reached_by_tcp_or_by_a_socket():
    tcp = database("postgresql://shop:secret@db.example:5433/store")
    socket = database("postgresql://postgres:@/store?host=/run/postgresql")

    assert (tcp["HOST"], tcp["PORT"], tcp["NAME"]) == ("db.example", 5433, "store")
    assert (socket["OPTIONS"]["host"], socket["NAME"], socket["USER"]) == ("/run/postgresql", "store", "postgres")
    assert socket["CONN_HEALTH_CHECKS"]


def test_staff_cannot_change_an_order_that_awaits_payment_or_is_cancelled(settings):
    assert settings.OSCAR_ORDER_STATUS_PIPELINE["Awaiting payment"] == ()
    assert settings.OSCAR_ORDER_STATUS_PIPELINE["Cancelled"] == ()
