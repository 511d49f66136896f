"""The settings of a deployment and of a site: their sources, concurrent calls, alerts, servers and site keys."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from loyalink_khalti import conf
from loyalink_khalti.conf import settings as conf_settings

from .conftest import LIVE_KEY, NEW, OLD, OTHER_KEY

Deploy = Callable[..., None]


@pytest.fixture(autouse=True)
def _another_process() -> Iterator[None]:
    """A process caches the threads of its command line."""
    conf_settings._server_threads.cache_clear()
    yield
    conf_settings._server_threads.cache_clear()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Start the server with a command line and an environment variable."""

    def start(command: str, environment: str | None = None) -> None:
        monkeypatch.setattr(sys, "argv", command.split())
        if environment is not None:
            monkeypatch.setenv("GUNICORN_CMD_ARGS", environment)

    return start


def test_the_environment_is_read_without_a_setting(deployment, settings, monkeypatch):
    settings.LOYALINK_KHALTI = {}
    monkeypatch.setenv("KHALTI_SECRET_KEY", LIVE_KEY)
    monkeypatch.setenv("KHALTI_BASE_URL", "http://127.0.0.1:9911/api/v2")
    monkeypatch.setenv("LOYALINK_FERNET_KEYS", f" {NEW} ,{OLD},")

    assert conf.get("KHALTI_SECRET_KEY") == LIVE_KEY
    assert conf.base_url(conf.LIVE) == "http://127.0.0.1:9911/api/v2/"
    assert conf.get("FERNET_KEYS") == [NEW, OLD]


def test_the_settings_come_before_the_environment(deployment, monkeypatch):
    monkeypatch.setenv("KHALTI_SECRET_KEY", LIVE_KEY)
    deployment(KHALTI_SECRET_KEY=OTHER_KEY)

    assert conf.get("KHALTI_SECRET_KEY") == OTHER_KEY


@pytest.mark.parametrize(
    ("command", "calls"),
    [
        ("gunicorn shop.wsgi --threads 4", 2),
        ("gunicorn --workers 3 --threads=8 shop.wsgi:application -b :8000", 4),
        ("waitress-serve --threads=16 shop.wsgi:application", 8),
        ("uwsgi --master --threads 6 --module shop.wsgi", 3),
        ("gunicorn shop.wsgi --threads 5", 2),
        ("gunicorn shop.wsgi --threads 1", 1),
        ("gunicorn shop.wsgi --threads 0", 1),
        ("gunicorn shop.wsgi", 2),
        ("manage.py runserver", 2),
        ("gunicorn shop.wsgi --threads many", 2),
        ("gunicorn shop.wsgi --threads", 2),
    ],
)
def test_half_of_the_servers_threads_may_call_khalti(
    deploy: Deploy, started: Deploy, command: str, calls: int
) -> None:
    """I14: the other half serves pages while Khalti hangs."""
    started(command)

    assert conf.max_concurrent_calls() == calls


@pytest.mark.parametrize(
    ("command", "calls"),
    [("gunicorn shop.wsgi", 10), ("gunicorn shop.wsgi --threads 4", 2)],
    ids=["alone", "overridden"],
)
def test_gunicorns_variable_counts_and_its_command_line_overrides_it(
    deploy: Deploy, started: Deploy, command: str, calls: int
) -> None:
    started(command, "--workers 2 --threads=20 --access-logformat '%(h)s %(r)s'")

    assert conf.max_concurrent_calls() == calls


def test_the_setting_overrides_the_command_line(deploy: Deploy, started: Deploy) -> None:
    started("gunicorn shop.wsgi --threads 4")
    deploy(MAX_CONCURRENT_CALLS=7)

    assert conf.max_concurrent_calls() == 7


@pytest.mark.parametrize(
    ("configured", "recipients"),
    [
        (["maya@example.com", "ram@example.com"], ["maya@example.com", "ram@example.com"]),
        ("maya@example.com", ["maya@example.com"]),
        (" maya@example.com, ram@example.com,", ["maya@example.com", "ram@example.com"]),
        ("", ["managers@example.com"]),
        ([""], ["managers@example.com"]),
        ((), ["managers@example.com"]),
        (None, ["managers@example.com"]),
    ],
)
def test_alerts_go_to_the_configured_addresses_or_else_to_the_managers(
    deploy: Deploy, settings: Any, configured: Any, recipients: list[str]
) -> None:
    settings.MANAGERS = [("Managers", "managers@example.com")]
    deploy(ALERTS_TO=configured)

    assert conf.alerts_to() == recipients


@pytest.mark.parametrize("manager", [("Maya", "maya@example.com"), "maya@example.com"], ids=["pair", "address"])
def test_managers_are_pairs_or_since_django_6_addresses(deploy: Deploy, settings: Any, manager: Any) -> None:
    settings.MANAGERS = [manager]

    assert conf.alerts_to() == ["maya@example.com"]


def test_alerts_may_have_no_recipient(deploy: Deploy, settings: Any) -> None:
    settings.MANAGERS = []

    assert conf.alerts_to() == []


# Sites


def test_without_a_base_url_the_editors_environment_decides_the_server(deployment):
    assert conf.base_url(conf.TEST) == "https://dev.khalti.com/api/v2/"
    assert conf.base_url(conf.LIVE) == "https://khalti.com/api/v2/"
    assert not conf.is_simulated()


@pytest.mark.parametrize(
    ("url", "simulated"),
    [
        ("http://127.0.0.1:9911/api/v2/", True),
        ("https://khalti.com.example/api/v2/", True),
        ("https://dev.khalti.com/api/v2/", False),
    ],
)
def test_a_server_that_is_not_khaltis_is_simulated(deployment, url, simulated):
    deployment(KHALTI_BASE_URL=url)

    assert conf.is_simulated() is simulated
