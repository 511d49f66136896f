"""Protection against a Khalti that does not respond: a circuit breaker per server and a bound on concurrent calls.

After ``FAILURE_THRESHOLD`` failures in a row the breaker opens and calls fail at once. After the cool-down it is
half-open: one trial call may go through, the others still fail. A response closes it.

Both hold for one process and, where there is a `SharedState` and `SharedSlots`, for all of them: then failures count
together, and one process makes the trial. While these cannot be read each process goes on with what it knows itself.
What the database knows of an outage opens the breaker, too (``open``): ``conf.gateway`` reads that.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from loyalink_khalti import telemetry
from loyalink_khalti.errors import KhaltiNotCalled, KhaltiRejected, KhaltiThrottled, KhaltiUnreachable

FAILURE_THRESHOLD = 5
"""Failures in a row after which the breaker opens."""
COOL_DOWN = 20.0
"""Seconds that the breaker stays open, plus up to a fifth, so that many processes do not try again at once."""
DEFAULT_RETRY_AFTER = 30.0
"""Seconds to wait after HTTP 429 without a usable Retry-After."""


READ_EVERY = 1.0
"""Seconds for which a process goes by what it has read of the shared state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What all processes know together of one server."""

    failures: int
    is_open: bool
    is_throttled: bool


class SharedState(Protocol):
    """What all processes know together of one server, for load and courtesy alone: no money depends on it.

    Every method answers at once and raises nothing. One that returns something returns None while it cannot be read.
    """

    def read(self) -> Known | None: ...

    def add_failure(self, *, cool_down: float) -> int | None:
        """Count a failure and return how many there are in a row. The last of too many opens it for ``cool_down``."""

    def clear_failures(self) -> None:
        """Close it: the server has answered."""

    def throttle(self, seconds: float) -> None:
        """Let deferrable calls wait for ``seconds``."""

    def take_trial(self) -> bool | None:
        """Return whether the trial is this process's. One that dies with it has it for a while."""

    def end_trial(self) -> None: ...

    def publish(self, *, failures: int, open_for: float, throttled_for: float) -> None:
        """Add what this process has found while the state could not be read, in seconds, unless others know more."""


class CircuitBreaker:
    """The state of one server, as this process knows it. ``clock`` returns seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.shared: SharedState | None = None
        """What the processes share, None for a process that is alone."""
        self._clock = clock
        self._read_at: float | None = None
        self._changes = 0
        self._is_apart = False
        self._held_until = 0.0
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
            self._held_until = self._clock() + seconds
            self._open_until = max(self._open_until, self._held_until)

    def refresh(self) -> None:
        """Take over what all processes know, read at most once in ``READ_EVERY`` seconds."""
        now = self._clock()
        with self._lock:
            if self.shared is None or (self._read_at is not None and now < self._read_at + READ_EVERY):
                return
            self._read_at, changes, was_apart = now, self._changes, self._is_apart
        known = self.shared.read()
        if known is not None and was_apart:
            self._rejoin(self.shared)
            known = self.shared.read()
        with self._lock:
            if known is None:
                self._is_apart = True
            elif changes == self._changes:  # otherwise what this process has found meanwhile is newer
                self._take_over(known)

    def _take_over(self, known: Known) -> None:
        now = self._clock()
        is_held = now < self._held_until
        self._failures = max(known.failures, FAILURE_THRESHOLD if is_held or known.is_open else 0)
        self._open_until = max(self._held_until, now + READ_EVERY if known.is_open else 0.0)
        if known.is_throttled:
            self._throttled_until = max(self._throttled_until, now + READ_EVERY)

    def _rejoin(self, shared: SharedState) -> None:
        """Let the others know what this process has found while the shared state could not be read."""
        with self._lock:
            self._is_apart = False
            failures, open_for = self._failures, max(self._open_until - self._clock(), 0.0)
            throttled_for = self.retry_after
        shared.publish(failures=failures, open_for=open_for, throttled_for=throttled_for)

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
                if self.shared is not None:
                    self.shared.end_trial()

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
        if self.shared is not None and self.shared.take_trial() is False:
            self._trial_is_running = False
            raise KhaltiNotCalled("Khalti is not responding")
        return True

    def _record(self, *, failed: bool, retry_after: float = 0.0) -> None:
        now, cool_down = self._clock(), COOL_DOWN * random.uniform(1.0, 1.2)  # noqa: S311 - jitter, not a secret
        failures = self._share(failed=failed, cool_down=cool_down, retry_after=retry_after)
        with self._lock:
            self._changes += 1
            self._failures = (self._failures + 1 if failures is None else failures) if failed else 0
            if self._failures >= FAILURE_THRESHOLD:
                self._open_until = now + cool_down
            self._throttled_until = max(self._throttled_until, now + retry_after)

    def _share(self, *, failed: bool, cool_down: float, retry_after: float) -> int | None:
        """Let the others know how a call has ended; nothing where no failure before it is known.

        Return the number of failures in a row, None where only this process counts.
        """
        if self.shared is None:
            return None
        if retry_after:
            self.shared.throttle(retry_after)
        if not failed:
            if self._failures:
                self.shared.clear_failures()
            return None
        failures = self.shared.add_failure(cool_down=cool_down)
        self._is_apart = self._is_apart or failures is None
        return failures


class SharedSlots(Protocol):
    """Slots that all processes share, for courtesy. It raises nothing, and waits ``timeout`` seconds at most."""

    def take(self, *, timeout: float) -> Callable[[], None] | None:
        """Return what frees the slot, None where none is free. While they cannot be read there is always one."""


class ConcurrencyLimit:
    """A bound on concurrent calls, so that a hanging Khalti cannot block all threads of a shop.

    A thread that waits for a slot is blocked too, so only half as many threads may wait: none beside a single slot.
    """

    def __init__(self, slots: int) -> None:
        self.shared: SharedSlots | None = None
        """Slots of which a call needs one, too; None for a process that is alone."""
        self._free = threading.BoundedSemaphore(slots)
        self._waiting = threading.BoundedSemaphore(slots // 2)

    @contextmanager
    def slot(self, *, timeout: float) -> Iterator[None]:
        """Hold a slot in this block. Raises ``KhaltiNotCalled`` when none is free within ``timeout`` seconds."""
        until = time.monotonic() + timeout
        if not (self._free.acquire(blocking=False) or self._wait(timeout)):
            raise KhaltiNotCalled("too many calls to Khalti are in progress")
        free: Callable[[], None] | None = None
        try:
            if self.shared is not None:
                free = self.shared.take(timeout=max(until - time.monotonic(), 0.0))
                if free is None:
                    raise KhaltiNotCalled("too many calls to Khalti are in progress in all processes")
            yield
        finally:
            self._free.release()
            if free is not None:
                free()

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
