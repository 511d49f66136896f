"""Protection against a Khalti that does not respond: a circuit breaker per server and a bound on concurrent calls.

Both hold for one process. After ``FAILURE_THRESHOLD`` failures in a row the breaker opens and calls fail at once.
After the cool-down it is half-open: one trial call may go through, the others still fail. A response closes it. What
another process has found opens it, too (``open``): ``conf.gateway`` reads that from the database.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import urlsplit

from loyalink_khalti import telemetry
from loyalink_khalti.errors import KhaltiNotCalled, KhaltiRejected, KhaltiThrottled, KhaltiUnreachable

FAILURE_THRESHOLD = 5
"""Failures in a row after which the breaker opens."""
COOL_DOWN = 20.0
"""Seconds that the breaker stays open, plus up to a fifth, so that many processes do not try again at once."""
DEFAULT_RETRY_AFTER = 30.0
"""Seconds to wait after HTTP 429 without a usable Retry-After."""


class CircuitBreaker:
    """The state of one server, as this process has seen it. ``clock`` returns seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until = 0.0
        self._throttled_until = 0.0
        self._trial_is_running = False
        self._checked_at: float | None = None
        self.silence_is_recorded = False
        """Whether the shop's record of this server may say that it is silent, so that an answer must end that."""

    @property
    def is_open(self) -> bool:
        """Whether the server has failed too often and its cool-down is not over."""
        return self._failures >= FAILURE_THRESHOLD and self._clock() < self._open_until

    @property
    def state(self) -> int:
        """Whether calls are made: ``telemetry.CLOSED``, after the cool-down ``HALF_OPEN``, else ``OPEN``."""
        if self._failures < FAILURE_THRESHOLD:
            return telemetry.CLOSED
        return telemetry.OPEN if self.is_open else telemetry.HALF_OPEN

    @property
    def retry_after(self) -> float:
        """Return the seconds until the server, which has answered HTTP 429, accepts deferrable calls again; else 0."""
        return max(self._throttled_until - self._clock(), 0.0)

    def open(self, seconds: float) -> None:
        """Let calls fail at once for ``seconds``: another process has found that the server does not respond."""
        with self._lock:
            self._failures = max(self._failures, FAILURE_THRESHOLD)
            self._open_until = max(self._open_until, self._clock() + seconds)

    def is_check_due(self, *, every: float) -> bool:
        """Return True once in ``every`` seconds: then this process reads what the others have found."""
        now = self._clock()
        with self._lock:
            if self._checked_at is not None and now < self._checked_at + every:
                return False
            self._checked_at = now
            return True

    @contextmanager
    def call(self, *, deferrable: bool) -> Iterator[None]:
        """Allow one call in this block and record how it ends.

        A ``deferrable`` call (a lookup) can be made later just as well, so it waits after HTTP 429. Raises
        ``KhaltiNotCalled`` when the breaker is open or half-open, or when a deferrable call has to wait.
        """
        is_trial = self._enter(deferrable=deferrable)
        try:
            yield
        except KhaltiUnreachable:
            self._record(failed=True)
            raise
        except KhaltiThrottled as exc:
            self._record(failed=False, retry_after=exc.retry_after or DEFAULT_RETRY_AFTER)
            raise
        except KhaltiRejected:
            self._record(failed=False)
            raise
        else:
            self._record(failed=False)
        finally:
            if is_trial:  # a slow call from before the cool-down must not end the trial
                self._trial_is_running = False

    def _enter(self, *, deferrable: bool) -> bool:
        """Return whether this call is the trial of a half-open breaker."""
        with self._lock:
            if deferrable and self.retry_after:
                raise KhaltiNotCalled("Khalti asks to wait before the next call")
            if self._failures < FAILURE_THRESHOLD:
                return False
            if self._trial_is_running or self.is_open:
                raise KhaltiNotCalled("Khalti is not responding")
            self._trial_is_running = True
            return True

    def _record(self, *, failed: bool, retry_after: float = 0.0) -> None:
        now = self._clock()
        with self._lock:
            self._failures = self._failures + 1 if failed else 0
            if self._failures >= FAILURE_THRESHOLD:
                self._open_until = now + COOL_DOWN * random.uniform(1.0, 1.2)  # noqa: S311 - jitter, not a secret
            self._throttled_until = max(self._throttled_until, now + retry_after)


class ConcurrencyLimit:
    """A bound on concurrent calls, so that a hanging Khalti cannot block all threads of a shop.

    A thread that waits for a slot is blocked too, so only half as many threads may wait: none beside a single slot.
    """

    def __init__(self, slots: int) -> None:
        self._free = threading.BoundedSemaphore(slots)
        self._waiting = threading.BoundedSemaphore(slots // 2)

    @contextmanager
    def slot(self, *, timeout: float) -> Iterator[None]:
        """Hold a slot in this block. Raises ``KhaltiNotCalled`` when none is free within ``timeout`` seconds."""
        if not (self._free.acquire(blocking=False) or self._wait(timeout)):
            raise KhaltiNotCalled("too many calls to Khalti are in progress")
        try:
            yield
        finally:
            self._free.release()

    def _wait(self, timeout: float) -> bool:
        if timeout <= 0 or not self._waiting.acquire(blocking=False):
            return False
        began = time.monotonic()
        try:
            return self._free.acquire(timeout=timeout)
        finally:
            self._waiting.release()
            telemetry.waited("slot", time.monotonic() - began)


_breakers: dict[str, CircuitBreaker] = {}
_lock = threading.Lock()


@lru_cache(maxsize=64)
def server_of(url: str) -> str:
    """Return the scheme and host of a URL, by which a server is known: ``https://khalti.com``."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def breaker_for(url: str) -> CircuitBreaker:
    """Return this process's circuit breaker for the server of ``url``."""
    with _lock:
        return _breakers.setdefault(server_of(url), CircuitBreaker())


def breakers() -> dict[str, CircuitBreaker]:
    """Return this process's circuit breakers by the scheme and host of their servers."""
    with _lock:
        return dict(_breakers)


telemetry.observe_breakers(lambda: [(server, breaker.state) for server, breaker in breakers().items()])


def reset() -> None:
    """Forget all servers. Every circuit breaker is closed again."""
    global _lock
    _lock = threading.Lock()  # in a forked process, another thread of the parent may hold the old one
    _breakers.clear()
