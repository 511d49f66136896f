"""The base of every test: a database of its own, no network, nothing left running."""

import gc
import os
import shutil
import signal
import socket
import threading
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import CodeType
from typing import Any

import psutil
import pytest
import time_machine
from django.conf import settings
from django.contrib.sites.models import Site
from django.core.cache import cache, caches
from django.core.management import call_command
from django.core.signals import setting_changed
from django.test import TransactionTestCase, override_settings
from django.test.signals import root_urlconf_changed
from django.urls import set_urlconf
from django.utils import timezone, translation
from pytest_django import DjangoDbBlocker
from pytest_django.plugin import blocking_manager_key

from loyalink_khalti import conf
from loyalink_khalti.clock import clock_replaced
from loyalink_khalti.khalti import circuit_breaker
from loyalink_khalti.payments import servers
from tests import databases
from tests.databases import Database

DATABASE = os.environ.get("TEST_DATABASE", "sqlite")
NAMESPACES = "10.199.77."
"""The addresses of network namespaces of this machine (tests/stories/machines.py)."""
LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0", NAMESPACES)
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
THREADS = {"at_once", "Thread", "ThreadPoolExecutor"}
DEMO = "demo"
"""The snapshot of the demo store."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", action="store_true", help="let the browser tests write docs/pictures")
    parser.addoption("--all", action="store_true", help="run the exhaustive sweeps (marked slow) too")
    parser.addoption("--sample", action="store_true", help="run a third of some tests: see is_chosen")
    parser.addoption("--lints", choices=("with", "only", "without"), default="with", help="run the tests marked lint")


def pytest_configure() -> None:
    """Handle SIGTERM like Ctrl-C, so that servers and folders of the session are removed."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def pytest_report_header() -> str:
    return f"database: {DATABASE}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the modules without any test of this run: importing them takes seconds."""
    needed = [b"mark.money"] if DATABASE != "sqlite" else []
    needed += [b"mark.lint"] if config.getoption("--lints") == "only" else []
    if not needed or not collection_path.name.startswith("test_") or collection_path.suffix != ".py":
        return None
    source = collection_path.read_bytes()
    return None if all(marker in source for marker in needed) else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that this run is not for, and skip browser tests on a machine without Chromium."""
    has_no_browser = not any(map(shutil.which, CHROMIUM))
    for item in items:
        if item.get_closest_marker("browser"):
            reason = "no Chromium here: apt-get install chromium chromium-driver"
            item.add_marker(pytest.mark.skipif(has_no_browser, reason=reason))
    chosen = {item for item in items if is_chosen(item, config)}
    if len(chosen) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = [item for item in items if item in chosen]


def is_chosen(item: pytest.Item, config: pytest.Config) -> bool:
    """Return whether this run is for ``item``: see the markers in pyproject.toml."""
    has = item.get_closest_marker
    lints, everything = config.getoption("--lints"), config.getoption("--all")
    if lints != "with" and bool(has("lint")) != (lints == "only"):
        return False
    if DATABASE == "sqlite" and has("postgresql_first") and not everything:
        return False
    if DATABASE != "sqlite" and (not has("money") or (has("same_on_both") and not everything)):
        return False
    if has("slow") or everything or not config.getoption("--sample"):
        return everything or not has("slow")
    is_for_both = has("on_both") or does_at_once(item)
    if has("sampled") or (DATABASE != "sqlite" and not is_for_both):
        return is_sampled(item.nodeid, config.getoption("randomly_seed", 0))
    return True


def does_at_once(item: pytest.Item) -> bool:
    """Return whether a test does several things at once, in threads: locks are what databases differ in."""
    code = getattr(getattr(item, "function", None), "__code__", None)
    return code is not None and not THREADS.isdisjoint(names_in(code))


def names_in(code: CodeType) -> set[str]:
    """Return the names that a function uses, those of its inner functions, too."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return {*code.co_names, *code.co_freevars}.union(*map(names_in, inner))


def is_sampled(test: str, seed: object) -> bool:
    """Return whether this run has a sampled test: a third of them on SQLite, another third on PostgreSQL.

    The seed of the run decides, so that every test has its turn.
    """
    turn = zlib.crc32(f"{test} {seed}".encode()) % 3
    return turn == (0 if DATABASE == "sqlite" else 1)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Create the migrated database, if it is missing, before the timeout of the first test runs."""
    needed = {"db", "transactional_db", "live_server"}
    if session.config.getoption("collectonly") or not any(
        item.get_closest_marker("django_db") or needed.intersection(getattr(item, "fixturenames", ()))
        for item in session.items
    ):
        return
    with session.config.stash[blocking_manager_key].unblock():
        databases.template()
    gc.collect()
    gc.freeze()  # the modules stay until the end: no later collection needs to look at them
    gc.set_threshold(50_000, 20, 20)  # most garbage of Django has no cycles: looking for them costs a twentieth


@pytest.fixture(scope="session")
def database_copy(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    """A copy of the migrated database."""
    with django_db_blocker.unblock(), databases.migrated() as database:
        yield database


@pytest.fixture(scope="session")
def django_db_setup(database_copy: Database) -> Iterator[None]:
    """Restore the migrated rows after a transactional test.

    Django would empty all tables (about 200) and create every permission again, which takes seconds. Here every test
    starts with the same rows, whatever has run before.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _test: database_copy.restore())
        patch.setattr(TransactionTestCase, "_should_reload_connections", lambda _test: False)  # restore decides
        yield


@pytest.fixture(scope="session")
def _demo_media(database_copy: Database, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures of the demo store, whose rows are then the snapshot ``DEMO``: loaded once per process."""
    media = tmp_path_factory.mktemp("demo-media")
    with override_settings(MEDIA_ROOT=media):
        call_command("load_demo", verbosity=0)
    database_copy.save(DEMO)
    database_copy.restore()
    return media


@pytest.fixture(scope="module")
def demo_store(
    _demo_media: Path,
    database_copy: Database,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """The rows of the demo store for the tests of one module, and its pictures in a folder of the module's own."""
    media = tmp_path_factory.mktemp("media")
    shutil.copytree(_demo_media, media, dirs_exist_ok=True)
    with django_db_blocker.unblock():
        database_copy.restore(DEMO)
        forget_cached_rows()
        yield media
        database_copy.restore()
        forget_cached_rows()


def forget_cached_rows() -> None:
    cache.clear()
    conf.forget_shop_details()
    conf.forget_invoice_settings()
    Site.objects.clear_cache()


@pytest.fixture(scope="session", autouse=True)
def _database_travels() -> Iterator[None]:
    """Let ``time_machine.travel`` move the database's time, too; without it the database says what time it is."""

    def travelled_to() -> datetime | None:
        return timezone.now() if time_machine.escape_hatch.is_travelling() else None

    with clock_replaced(travelled_to):
        yield


@pytest.fixture(autouse=True)
def _no_language_activated() -> Iterator[None]:
    """Forget the language of the last page: LocaleMiddleware activates it for the thread, which goes on here."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    """Start all rate limits from 0."""
    for alias in settings.CACHES:
        caches[alias].clear()
    conf.forget_shop_details()
    conf.forget_invoice_settings()


@pytest.fixture(autouse=True)
def _no_known_servers() -> Iterator[None]:
    """Clear the circuit breakers after each test."""
    yield
    circuit_breaker.reset()
    servers.forget_caches()


@pytest.fixture(scope="session", autouse=True)
def _keep_url_resolvers() -> Iterator[None]:
    """Keep the resolver of each URLconf: Django makes all anew, for a second, at each change of ROOT_URLCONF."""

    def use_new_urlconf(*, setting: str, **_signal: Any) -> None:
        if setting == "ROOT_URLCONF":
            set_urlconf(None)

    setting_changed.disconnect(root_urlconf_changed)
    setting_changed.connect(use_new_urlconf)
    yield
    setting_changed.disconnect(use_new_urlconf)
    setting_changed.connect(root_urlconf_changed)


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Refuse every connection and every look-up of a name that leaves this machine."""
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def check(host: Any) -> None:
        name = host.decode() if isinstance(host, bytes) else host
        if name and not str(name).startswith(LOOPBACK):
            raise RuntimeError(f"a test tried to reach {name}; tests stay on this machine")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple):
            check(address[0])
        connect(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        check(host)
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """Fail the last test if a thread or a process outlives all tests."""
    before = set(threading.enumerate())
    yield
    threads = [thread.name for thread in set(threading.enumerate()) - before if not thread.daemon]
    processes = [process.name() for process in psutil.Process().children() if process.name() != "postgres"]
    assert not threads, f"still running: {threads}"
    assert not processes, f"still running: {processes}"
