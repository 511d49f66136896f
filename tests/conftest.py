"""What every test stands on: a database of its own, no way out to the network, nothing left running."""

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker
from pytest_django.plugin import blocking_manager_key

from loyalink_khalti.khalti import gate
from tests import databases

DATABASE = os.environ.get("TEST_DATABASE", "sqlite")
LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", action="store_true", help="let the browser's tests make docs/pictures anew")
    parser.addoption("--all", action="store_true", help="run the exhaustive sweeps (marked slow) too")


def pytest_configure() -> None:
    """End by SIGTERM as by Ctrl-C, so that servers and folders of the session go too."""

    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)


def pytest_report_header() -> str:
    return f"database: {DATABASE}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this run is not for: everything but money on PostgreSQL, sweeps without ``--all``."""
    nothing_to_drive = not any(map(shutil.which, CHROMIUM))
    for item in items:
        if item.get_closest_marker("browser"):
            reason = "no Chromium here: apt-get install chromium chromium-driver"
            item.add_marker(pytest.mark.skipif(nothing_to_drive, reason=reason))
    here = {
        item
        for item in items
        if (DATABASE == "sqlite" or item.get_closest_marker("money"))
        and (config.getoption("--all") or not item.get_closest_marker("slow"))
    }
    if len(here) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in here])
        items[:] = [item for item in items if item in here]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Migrate, where that is still to be done, before the clock of the first test runs."""
    needed = {"db", "transactional_db", "live_server"}
    if session.config.getoption("collectonly") or not any(
        item.get_closest_marker("django_db") or needed.intersection(getattr(item, "fixturenames", ()))
        for item in session.items
    ):
        return
    with session.config.stash[blocking_manager_key].unblock():
        databases.template()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Callable[[], None]]:
    """Work on a copy of the migrated database.

    After a transactional test Django empties all tables (some 200, and it makes every permission anew: seconds). Here
    such a test leaves another copy of the migrated database behind it instead, so that every test begins with the same
    rows, whatever ran before.
    """
    with django_db_blocker.unblock(), databases.migrated() as again, pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _test: again())
        yield again


@pytest.fixture(autouse=True)
def _nobody_has_knocked() -> None:
    """Forget the unknown tokens of the test before."""
    from loyalink_khalti.door import throttle  # not before the apps are ready

    throttle.forget()


@pytest.fixture(scope="session", autouse=True)
def _no_way_out() -> Iterator[None]:
    """Refuse every connection and every look-up of a name that leaves this machine."""
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def inside_only(host: Any) -> None:
        name = host.decode() if isinstance(host, bytes) else host
        if name and not str(name).startswith(LOOPBACK):
            raise RuntimeError(f"a test tried to reach {name}; tests stay on this machine")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple):
            inside_only(address[0])
        connect(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        inside_only(host)
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


@pytest.fixture(autouse=True)
def _no_server_is_remembered() -> Iterator[None]:
    """Whether a server was silent in one test is nothing to the next."""
    yield
    gate.forget()


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """Fail the session's last test if a thread or a process outlives all tests."""
    yield
    threads = [t.name for t in threading.enumerate() if t is not threading.main_thread() and not t.daemon]
    processes = [p.name() for p in psutil.Process().children() if p.name() != "postgres"]
    assert not threads, f"still running: {threads}"
    assert not processes, f"still running: {processes}"
