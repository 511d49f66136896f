"""Whether a server is worth asking just now, as far as this process knows, and how many calls may be under way.

A server that has been silent so often in a row is left alone for a while; then one call tries it, and the others wait
for what comes of that. A server that asks for patience (429) gets it from whatever may be asked again.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from loyalink_khalti.errors import KhaltiNotAsked, KhaltiRejected, KhaltiThrottled, KhaltiUnreachable

SILENCES = 5
"""How often in a row a server is silent before it is left alone."""
REST = 20.0
"""seconds, and up to a fifth more, so that many processes do not come back at once"""
PATIENCE = 30.0
"""seconds, where a server that asks for patience does not say how much"""


class Gate:
    """What is known of one server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._silences = 0
        self._shut_until = 0.0
        self._paused_until = 0.0
        self._is_tried = False

    @property
    def is_shut(self) -> bool:
        """Whether the server has not been answering, and is not to be tried yet."""
        return self._silences >= SILENCES and self._clock() < self._shut_until

    @property
    def pause(self) -> float:
        """The seconds for which the server asks that nothing more be looked up."""
        return max(self._paused_until - self._clock(), 0.0)

    @contextmanager
    def asking(self, *, can_wait: bool) -> Iterator[None]:
        """Ask in this block, and learn from how it ends; ``KhaltiNotAsked`` where the server is to be left alone.

        ``can_wait``: it may be asked later just as well, and so gives way where the server asks for patience.
        """
        is_trial = self._enter(can_wait=can_wait)
        try:
            yield
        except KhaltiUnreachable:
            self._heard(silent=True)
            raise
        except KhaltiThrottled as exc:
            self._heard(silent=False, pause=exc.retry_after or PATIENCE)
            raise
        except KhaltiRejected:
            self._heard(silent=False)
            raise
        else:
            self._heard(silent=False)
        finally:
            if is_trial:  # and not where a call that began long ago ends beside the one that tries
                self._is_tried = False

    def _enter(self, *, can_wait: bool) -> bool:
        """Say whether this call is the one that tries a server which has been silent."""
        with self._lock:
            if can_wait and self.pause:
                raise KhaltiNotAsked("Khalti asks for a little patience")
            if self._silences < SILENCES:
                return False
            if self._is_tried or self.is_shut:
                raise KhaltiNotAsked("Khalti has not been answering")
            self._is_tried = True
            return True

    def _heard(self, *, silent: bool, pause: float = 0.0) -> None:
        now = self._clock()
        with self._lock:
            self._silences = self._silences + 1 if silent else 0
            if self._silences >= SILENCES:
                self._shut_until = now + REST * random.uniform(1.0, 1.2)  # noqa: S311 - spread, not secret
            self._paused_until = max(self._paused_until, now + pause)


class Places:
    """How many calls may be under way at once, so that a server that hangs cannot keep all of a shop's threads.

    Who waits for a place keeps a thread too, so half as many may wait.
    """

    def __init__(self, number: int) -> None:
        self._free = threading.BoundedSemaphore(number)
        self._waiting = threading.BoundedSemaphore(max(number // 2, 1))

    @contextmanager
    def taken(self, *, patience: float) -> Iterator[None]:
        """Hold a place in this block; ``KhaltiNotAsked`` where none is free within ``patience`` seconds."""
        if not (self._free.acquire(blocking=False) or self._wait(patience)):
            raise KhaltiNotAsked("too many calls to Khalti are under way")
        try:
            yield
        finally:
            self._free.release()

    def _wait(self, patience: float) -> bool:
        if patience <= 0 or not self._waiting.acquire(blocking=False):
            return False
        try:
            return self._free.acquire(timeout=patience)
        finally:
            self._waiting.release()


_gates: dict[str, Gate] = {}
_lock = threading.Lock()


def gate(url: str) -> Gate:
    """What this process knows of the server of ``url``."""
    parts = urlsplit(url)
    with _lock:
        return _gates.setdefault(f"{parts.scheme}://{parts.netloc}", Gate())


def forget() -> None:
    """Know nothing of any server."""
    global _lock
    _lock = threading.Lock()  # in a forked process, another thread of the parent may have held the old one
    _gates.clear()
