"""What the processes of a shop share through Django's cache ``CACHE``: Redis, Valkey, Memcached or the database.

It is for load and courtesy alone: the circuit breaker of a server, the wait after its HTTP 429, slots for calls, and
what rate limits count. No money depends on it. A cache that fails is not asked again for ``PAUSE`` seconds, in which
each process goes on with what it knows itself; then it is asked again. Every change is one operation of the cache.
"""

import hashlib
import logging
import math
import random
import threading
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeVar

from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache

from loyalink_khalti.after_response import after_response
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.khalti.circuit_breaker import FAILURE_THRESHOLD, Known, SharedSlots, SharedState

from .settings import deadline, get

log = logging.getLogger(__name__)

T = TypeVar("T")

PREFIX = "loyalink_khalti"
PAUSE = 5.0
"""Seconds for which a cache that has failed is not asked; then one call asks it first."""
FAILURES_KEPT_FOR = 600
"""Seconds after the last failure until a server that nobody has called since counts as well."""
LONGEST_EXTRA = 30
"""Seconds beyond the deadlines of a call after which its slot, or its trial, is free again: its process has died."""
RANDOM_TRIES = 3
"""Slots that are tried before all are read."""
POLL_SECONDS = 0.1


class _Pause:
    """Since when a cache fails, by this process's monotonic clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: float | None = None

    def is_over(self) -> bool:
        """Return whether the cache is asked; after a pause one caller asks it, while the others go on without it."""
        with self._lock:
            if self._since is None:
                return True
            if time.monotonic() < self._since + PAUSE:
                return False
            self._since = time.monotonic()
            return True

    def begin(self) -> bool:
        """Begin a pause, or the next one; return whether it is the first."""
        with self._lock:
            is_first, self._since = self._since is None, time.monotonic()
            return is_first

    def end(self) -> bool:
        """Return whether there was one."""
        if self._since is None:
            return False
        with self._lock:
            was_paused, self._since = self._since is not None, None
            return was_paused

    @property
    def is_running(self) -> bool:
        return self._since is not None


_pause = cache(lambda _alias: _Pause())


_own = LocMemCache(PREFIX, {"MAX_ENTRIES": 10_000})
"""This process's own, while the shared cache fails."""


def ask(work: Callable[[Any], T], otherwise: Callable[[], T] | None = None) -> T:
    """Return what ``work`` returns for the cache ``CACHE``.

    While that fails it is called with a cache of this process's own or, if there is an ``otherwise``, that is called.
    """
    otherwise = otherwise or partial(work, _own)
    alias = str(get("CACHE"))
    pause = _pause(alias)
    if not pause.is_over():
        return otherwise()
    try:
        found = work(caches[alias])
    except Exception as exc:  # noqa: BLE001 - a cache raises what its client library raises
        if pause.begin():
            log.error("the cache %r fails, so each process limits for itself: %s", alias, safe_trace(exc))
        return otherwise()
    if pause.end():
        log.warning("the cache %r is back", alias)
    return found


def is_failing() -> bool:
    """Return whether the cache ``CACHE`` has failed here and is not back yet."""
    return bool(_pause(str(get("CACHE"))).is_running)


def is_shared() -> bool:
    """Return whether the cache ``CACHE`` is one that other processes have, too: not Django's in memory, nor none."""
    try:
        return not isinstance(caches[get("CACHE")], LocMemCache | DummyCache)
    except Exception:  # noqa: BLE001 - of the settings: a check names it
        return False


def key(*names: str) -> str:
    """Return the key of names in a cache. Memcached allows no spaces, for example."""
    return f"{PREFIX}.{names[0]}:{hashlib.sha256(':'.join(names[1:]).encode()).hexdigest()[:40]}"


def reset() -> None:
    """Forget which caches fail, and what this process has counted meanwhile. For tests."""
    _pause.cache_clear()
    _own.clear()


def _nothing() -> None:
    return None


def shared_state(server: str) -> SharedState | None:
    """Return what the processes share of a server of Khalti's, None where the cache is this process's own."""
    return _CachedState(server) if is_shared() else None


class _CachedState:
    """See ``SharedState``."""

    def __init__(self, server: str) -> None:
        self._failures, self._open, self._throttled, self._trial = (
            key("server", name, server) for name in ("failures", "open", "throttled", "trial")
        )

    def read(self) -> Known | None:
        keys = [self._failures, self._open, self._throttled]
        found = ask(lambda shared: shared.get_many(keys), _nothing)
        if found is None:
            return None
        return Known(
            failures=int(found.get(self._failures, 0)),
            is_open=self._open in found,
            is_throttled=self._throttled in found,
        )

    def add_failure(self, *, cool_down: float) -> int | None:
        def work(shared: Any) -> int:
            failures = _count(shared, self._failures, FAILURES_KEPT_FOR)
            if failures >= FAILURE_THRESHOLD:
                shared.set(self._open, 1, math.ceil(cool_down))
            return failures

        return ask(work, _nothing)

    def clear_failures(self) -> None:
        ask(lambda shared: shared.delete_many([self._failures, self._open]), _nothing)

    def throttle(self, seconds: float) -> None:
        ask(lambda shared: shared.add(self._throttled, 1, math.ceil(seconds)), _nothing)

    def take_trial(self) -> bool | None:
        def work(shared: Any) -> bool:
            if not shared.add(self._trial, 1, _longest_call()):
                return False
            if self._open not in shared:
                return True
            shared.delete(self._trial)  # another process has made it in vain
            return False

        return ask(work, _nothing)

    def end_trial(self) -> None:
        ask(lambda shared: shared.delete(self._trial), _nothing)

    def publish(self, *, failures: int, open_for: float, throttled_for: float) -> None:
        def work(shared: Any) -> None:
            if failures:
                shared.add(self._failures, failures, FAILURES_KEPT_FOR)
            if open_for:
                shared.add(self._open, 1, math.ceil(open_for))
            if throttled_for:
                shared.add(self._throttled, 1, math.ceil(throttled_for))

        ask(work, _nothing)


def _count(shared: Any, name: str, seconds: int) -> int:
    """Count one more and return the number; ``seconds`` after the last one it begins at 0."""
    shared.add(name, 0, seconds)
    try:
        number = int(shared.incr(name))
    except ValueError:  # it was culled, or expired just now
        shared.set(name, 1, seconds)
        return 1
    shared.touch(name, seconds)  # most caches' incr() sets their default timeout (Django 6.0)
    return number


def _longest_call() -> int:
    return math.ceil(2 * deadline()) + LONGEST_EXTRA  # it may wait for a slot as long as it may take


def shared_slots() -> SharedSlots | None:
    """Return the slots for calls of pages in all processes; None without a shared cache, or without such a bound."""
    number = int(get("MAX_CONCURRENT_CALLS_IN_ALL"))
    return _CachedSlots(number) if number and is_shared() else None


class _CachedSlots:
    """See ``SharedSlots``: a slot is a key that somebody has added. One of a process that died expires."""

    def __init__(self, number: int) -> None:
        self._names = [key("slot", str(each)) for each in range(number)]

    def take(self, *, timeout: float) -> Callable[[], None] | None:
        until = time.monotonic() + timeout
        while True:
            taken = ask(self._take, lambda: "")
            if taken is not None:
                return partial(after_response, partial(_free, taken)) if taken else _nothing
            left = until - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(POLL_SECONDS, left))

    def _take(self, shared: Any) -> str | None:
        seconds = _longest_call()
        for name in random.sample(self._names, min(RANDOM_TRIES, len(self._names))):
            if shared.add(name, 1, seconds):
                return name
        used = shared.get_many(self._names)
        return next((name for name in self._names if name not in used and shared.add(name, 1, seconds)), None)


def _free(name: str) -> None:
    """Free a slot, after the response where there is one: the customer does not wait for it."""
    ask(lambda shared: shared.delete(name), _nothing)
