"""The pace of lookups that the processes of one pass keep together; the database keeps that of all passes."""

import mmap
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress

from django.core.exceptions import ImproperlyConfigured

from loyalink_khalti import conf
from loyalink_khalti.conf import Caller
from loyalink_khalti.khalti.circuit_breaker import server_of
from loyalink_khalti.payments.credentials import Credentials
from loyalink_khalti.payments.servers import LookupPace

with suppress(ImportError):  # Windows has none, and no fork either
    import fcntl


def shared_paces(
    keys: Iterable[Credentials],
    *,
    per_second: int,
    expected: int,
    report: Callable[[Credentials, conf.NoKeyInThisProcess], None],
) -> dict[str, LookupPace]:
    """Return a pace for each server that is looked up with one of these keys; ``report`` gets the keys that are gone.

    Make it before the fork. ``expected`` is the number of lookups of all processes together.
    """
    paces: dict[str, LookupPace] = {}
    for key in keys:
        try:
            server = server_of(conf.client_for(key, Caller.JOB)[0].base_url)
        except conf.NoKeyInThisProcess as exc:
            report(key, exc)
        except ImproperlyConfigured:
            continue  # the lookup says what is wrong, and raises a Flag
        else:
            paces[server] = paces.get(server) or SharedPace(server, per_second=per_second, expected=expected)
    return paces


class SharedPace(LookupPace):
    """The pace of all children of a pass together: they share the time that one of them reserves.

    Otherwise each of them would wait while another one has the server to itself. Make it before the fork.
    """

    def __init__(self, server: str, *, per_second: int, expected: int) -> None:
        self._shared = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("d")
        super().__init__(server, per_second=per_second, expected=expected)
        self._lock = _SharedLock()  # type: ignore[assignment]  # it is only entered

    @property
    def _next(self) -> float:
        return self._shared[0]

    @_next.setter
    def _next(self, value: float) -> None:
        self._shared[0] = value

    @property
    def _end(self) -> float:
        return self._shared[1]

    @_end.setter
    def _end(self, value: float) -> None:
        self._shared[1] = value

    @property
    def _expected(self) -> int:
        return int(self._shared[2])

    @_expected.setter
    def _expected(self, value: int) -> None:
        self._shared[2] = value


class _SharedLock:
    """A lock among the threads of several processes, which the system releases when its holder is killed."""

    def __init__(self) -> None:
        self._file = os.memfd_create("loyalink-pace")
        weakref.finalize(self, os.close, self._file)
        self._threads = threading.Lock()

    def __enter__(self) -> None:
        self._threads.acquire()
        fcntl.lockf(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_exc: object) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN)
        self._threads.release()
