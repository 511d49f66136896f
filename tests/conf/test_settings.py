"""What a deployment says: how many calls at once, and who hears of what needs a person."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from loyalink_khalti import conf
from loyalink_khalti.conf import settings as deployed

Deploy = Callable[..., None]


@pytest.fixture(autouse=True)
def _another_process() -> Iterator[None]:
    """A process is started once, and keeps what its command line said."""
    deployed._server_threads.cache_clear()
    yield
    deployed._server_threads.cache_clear()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Start the server with this command line and, from the environment, these."""

    def start(words: str, environment: str | None = None) -> None:
        monkeypatch.setattr(sys, "argv", words.split())
        if environment is not None:
            monkeypatch.setenv("GUNICORN_CMD_ARGS", environment)

    return start


@pytest.mark.parametrize(
    ("words", "calls"),
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
def test_half_of_the_servers_threads_may_call_khalti(deploy: Deploy, started: Deploy, words: str, calls: int) -> None:
    """I14: the other half has pages to show while Khalti hangs."""
    started(words)

    assert conf.calls_at_once() == calls


@pytest.mark.parametrize(
    ("words", "calls"), [("gunicorn shop.wsgi", 10), ("gunicorn shop.wsgi --threads 4", 2)], ids=["alone", "overruled"]
)
def test_gunicorns_own_variable_counts_and_its_command_line_more(
    deploy: Deploy, started: Deploy, words: str, calls: int
) -> None:
    started(words, "--workers 2 --threads=20 --access-logformat '%(h)s %(r)s'")

    assert conf.calls_at_once() == calls


def test_the_setting_comes_before_the_command_line(deploy: Deploy, started: Deploy) -> None:
    started("gunicorn shop.wsgi --threads 4")
    deploy(CALLS_AT_ONCE=7)

    assert conf.calls_at_once() == 7


@pytest.mark.parametrize(
    ("chosen", "to"),
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
def test_who_hears_of_flags_is_who_is_named_or_else_the_managers(
    deploy: Deploy, settings: Any, chosen: Any, to: list[str]
) -> None:
    settings.MANAGERS = [("Managers", "managers@example.com")]
    deploy(ALERTS_TO=chosen)

    assert conf.alerts_to() == to


@pytest.mark.parametrize("manager", [("Maya", "maya@example.com"), "maya@example.com"], ids=["pair", "address"])
def test_managers_are_pairs_or_since_django_6_addresses(deploy: Deploy, settings: Any, manager: Any) -> None:
    settings.MANAGERS = [manager]

    assert conf.alerts_to() == ["maya@example.com"]


def test_there_may_be_nobody_to_hear(deploy: Deploy, settings: Any) -> None:
    settings.MANAGERS = []

    assert conf.alerts_to() == []
