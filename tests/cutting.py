"""Cut work off at any of its statements, commits included.

The connection is *lost* for good, or it *blinks* and can be opened again, or the process is *killed*, so that the
server loses its client in the middle of a transaction. Each of them before the database has executed a statement or,
for what is durable (commits, and statements outside a transaction), after, so that only the acknowledgement is lost.
Any other statement is rolled back either way. The next process finds what was left behind.
"""

import gc
import os
import random
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn
from unittest.mock import patch

import pytest
import time_machine
from django.db import InterfaceError, OperationalError, close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import F
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.flow import audit
from loyalink_khalti.payments.models import Payment

MOST_STATEMENTS = 600
"""More statements than any verb has."""
NEVER = 10**9
FEW, MORE = 3, 9
SQLITE = os.environ.get("TEST_DATABASE", "sqlite") == "sqlite"
LONG_TIMEOUT = pytest.mark.timeout(900)
"""A sweep on a busy machine takes long."""
CHILD_TIMEOUT = 30
"""seconds after which a child ends by itself"""
LONG_ENOUGH = timedelta(minutes=5)
"""By then leases, claims and timeouts have expired, and payment links have not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How work is cut off: ``lost``, ``blink`` or ``kill``."""

    by: str
    executed: bool

    def __str__(self) -> str:
        return f"{self.by}-{'after' if self.executed else 'before'}"


WAYS = [Way(by=by, executed=executed) for by in ("lost", "blink", "kill") for executed in (False, True)]


def in_every_way(*often: str, few: int = FEW) -> pytest.MarkDecorator:
    """Cut off in all ways at a few statements, other ones in each run, or at every statement with --all.

    ``often`` names ways that SQLite gets at more statements: PostgreSQL gets the same ones.
    """
    cases = []
    for way in WAYS:
        number = MORE if SQLITE and way.by in often else few
        cases.append(pytest.param(way, number, id=f"{way}-sampled", marks=LONG_TIMEOUT))
        cases.append(pytest.param(way, None, id=str(way), marks=[LONG_TIMEOUT, pytest.mark.slow]))
    return pytest.mark.parametrize(("way", "few"), cases)


class Cutter:
    """Count the statements of all threads at which a way cuts, and cut at one of them."""

    def __init__(self, way: Way, at: int) -> None:
        self.way, self.at, self.landed, self.counted = way, at, False, 0
        self._counting = threading.Lock()

    def __call__(self, database: BaseDatabaseWrapper, execute: Callable[[], Any], *, durable: bool) -> Any:
        here = self._here(durable=durable)
        if here and self.way.executed:
            execute()
        if here:
            self._cut(database)
        if here or (self.landed and self.way.by != "blink"):
            raise OperationalError("server closed the connection unexpectedly")
        return execute()

    def _here(self, *, durable: bool) -> bool:
        with self._counting:
            if self.landed or (self.way.executed and not durable):
                return False
            self.counted += 1
            return self.counted - 1 == self.at

    def _cut(self, database: BaseDatabaseWrapper) -> None:
        self.landed = True
        if self.way.by == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.way.by == "blink" and database.vendor == "postgresql":
            database.connection.close()  # SQLite has no server, and rolls back by itself

    @contextmanager
    def active(self) -> Iterator[None]:
        execute: Any = CursorWrapper._execute_with_wrappers
        commit: Any = BaseDatabaseWrapper._commit

        def cut_statement(cursor: Any, *args: Any, **more: Any) -> Any:
            durable = not cursor.db.in_atomic_block
            return self(cursor.db, lambda: execute(cursor, *args, **more), durable=durable)

        def cut_commit(database: BaseDatabaseWrapper) -> None:
            self(database, lambda: commit(database), durable=True)

        with (
            patch.object(CursorWrapper, "_execute_with_wrappers", cut_statement),
            patch.object(BaseDatabaseWrapper, "_commit", cut_commit),
        ):
            yield


class Cut:
    """Do some work once, cut off at one of its statements; ``landed`` says whether the work got that far."""

    def __init__(self, way: Way, at: int) -> None:
        self._cutter = Cutter(way, at)
        self._kills = way.by == "kill" and at != NEVER
        self.landed = False

    def __call__(self, work: Callable[[], object]) -> None:
        if self._kills:
            self.landed = self._kill_during(work)
            return
        with self._cutter.active(), suppress(OperationalError, InterfaceError, LoyalinkError):
            work()
        self.landed = self._cutter.landed
        close_old_connections()  # as before every request

    @property
    def statements(self) -> int:
        return self._cutter.counted

    def _kill_during(self, work: Callable[[], object]) -> bool:
        def dies() -> None:
            with self._cutter.active():
                work()

        end = os.waitstatus_to_exitcode(wait_for(fork(dies)))
        assert end in {0, -signal.SIGKILL}, f"the child ended with {end}"
        return end == -signal.SIGKILL


def sweep(way: Way, few: int | None) -> Iterator[Cut]:
    """Yield each cut of a piece of work until one is after its end; or a few, chosen by the seed of this run."""
    if few is None:
        for at in range(MOST_STATEMENTS):
            cut = Cut(way, at)
            yield cut
            age_payments()
            if not cut.landed:
                return
        pytest.fail("the sweep did not end")
    whole = Cut(way, NEVER)
    yield whole
    age_payments()
    landed = 0
    for at in sorted(random.sample(range(whole.statements), min(few, whole.statements))):
        cut = Cut(way, at)
        yield cut
        age_payments()
        landed += cut.landed
    assert landed


def age_payments() -> None:
    """Make earlier payments too old to be polled, so that every pass of the reconciler costs the same."""
    moments = ("created_at", "expires_at", "paid_at", "fulfilled_at", "released_at")
    Payment.objects.update(**{name: F(name) - timedelta(days=40) for name in moments})


def fork(work: Callable[[], object]) -> int:
    """Do ``work`` in a child process with connections of its own, and return its process id."""
    connections.close_all()  # a connection shared over the fork would end for the parent, too
    with warnings.catch_warnings():
        # Python 3.12 warns of other threads: here they are the simulator's, and the child needs none of their locks.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        _run_child(work)
    return child


def wait_for(child: int) -> int:
    """Return the status of ``os.waitpid`` for a child, which is killed when the test is interrupted."""
    try:
        return os.waitpid(child, 0)[1]
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise


def _run_child(work: Callable[[], object]) -> NoReturn:
    """Do the work and exit: nothing of pytest's is torn down in the child."""
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(CHILD_TIMEOUT)
        gc.disable()  # it would write to, and so copy, all of the parent's memory
        work()
        connections.close_all()
        code = 0
    except BaseException:  # noqa: BLE001 - the parent checks the exit code, and the output has the traceback
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


class Clock:
    """A clock that a test moves on."""

    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller

    def passes(self, time: timedelta = LONG_ENOUGH) -> None:
        self._traveller.shift(time)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(timezone.now(), tick=True) as traveller:
        yield Clock(traveller)


def reconciled(clock: Clock) -> None:
    """Run the reconciler once leases and timeouts have expired."""
    clock.passes()
    for _ in flow.reconcile():
        pass


def audited() -> None:
    """The audit finds nothing wrong."""
    report = audit()
    assert report["ok"], report["violations"]
