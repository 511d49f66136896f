"""Cut work off at any of its statements, commits included.

The connection is *lost* for good, or it *blinks* and can be opened again, or the process is *killed*, so that the
server sees its end vanish in the middle of a transaction. Each of them before the database has done a statement or,
for what stays (commits, and statements outside a transaction), after, so that only the answer is lost: of any other
nobody can tell later whether it was done, for it is rolled back. Whoever comes next finds what was left behind.
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
from loyalink_khalti.flow.audit import audit
from loyalink_khalti.payments.models import Payment

ENOUGH = 600
"""More statements than any verb has."""
NEVER = 10**9
FEW = 3
PATIENT = pytest.mark.timeout(900)
"""A sweep on a busy machine takes its time."""
LIFE = 30
"""seconds that a child may live, whatever becomes of its parent"""
LONG_ENOUGH = timedelta(minutes=5)
"""By then leases, claims and patience have run out, and links to Khalti have not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How work is cut off: ``lost``, ``blink`` or ``kill``."""

    by: str
    executed: bool

    def __str__(self) -> str:
        return f"{self.by}-{'after' if self.executed else 'before'}"


WAYS = [Way(by=by, executed=executed) for by in ("lost", "blink", "kill") for executed in (False, True)]


def in_every_way(*in_full: str, few: int = FEW) -> pytest.MarkDecorator:
    """Cut off in all ways: in those named at every statement, in the others at a seeded few, at every with --all."""
    cases = []
    for way in WAYS:
        if way.by in in_full:
            cases.append(pytest.param(way, None, id=str(way), marks=PATIENT))
        else:
            cases.append(pytest.param(way, few, id=f"{way}-sampled", marks=PATIENT))
            cases.append(pytest.param(way, None, id=str(way), marks=[PATIENT, pytest.mark.slow]))
    return pytest.mark.parametrize(("way", "few"), cases)


class Knife:
    """Counts the statements of all threads that a way cuts at, and cuts at one of them."""

    def __init__(self, way: Way, at: int) -> None:
        self.way, self.at, self.landed, self.counted = way, at, False, 0
        self._counting = threading.Lock()

    def __call__(self, database: BaseDatabaseWrapper, execute: Callable[[], Any], *, stays: bool) -> Any:
        here = self._here(stays=stays)
        if here and self.way.executed:
            execute()
        if here:
            self._cut(database)
        if here or (self.landed and self.way.by != "blink"):
            raise OperationalError("server closed the connection unexpectedly")
        return execute()

    def _here(self, *, stays: bool) -> bool:
        with self._counting:
            if self.landed or (self.way.executed and not stays):
                return False
            self.counted += 1
            return self.counted - 1 == self.at

    def _cut(self, database: BaseDatabaseWrapper) -> None:
        self.landed = True
        if self.way.by == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.way.by == "blink" and database.vendor == "postgresql":
            database.connection.close()  # SQLite has nobody at the other end, and rolls back by itself

    @contextmanager
    def drawn(self) -> Iterator[None]:
        execute: Any = CursorWrapper._execute_with_wrappers
        commit: Any = BaseDatabaseWrapper._commit

        def cut_statement(cursor: Any, *args: Any, **more: Any) -> Any:
            stays = not cursor.db.in_atomic_block
            return self(cursor.db, lambda: execute(cursor, *args, **more), stays=stays)

        def cut_commit(database: BaseDatabaseWrapper) -> None:
            self(database, lambda: commit(database), stays=True)

        with (
            patch.object(CursorWrapper, "_execute_with_wrappers", cut_statement),
            patch.object(BaseDatabaseWrapper, "_commit", cut_commit),
        ):
            yield


class Cut:
    """Do some work once, cut off at one of its statements; ``landed`` tells whether it came so far."""

    def __init__(self, way: Way, at: int) -> None:
        self._knife = Knife(way, at)
        self._kills = way.by == "kill" and at != NEVER
        self.landed = False

    def __call__(self, work: Callable[[], object]) -> None:
        if self._kills:
            self.landed = self._killed(work)
            return
        with self._knife.drawn(), suppress(OperationalError, InterfaceError, LoyalinkError):
            work()
        self.landed = self._knife.landed
        close_old_connections()  # as before every request

    @property
    def statements(self) -> int:
        return self._knife.counted

    def _killed(self, work: Callable[[], object]) -> bool:
        def dies() -> None:
            with self._knife.drawn():
                work()

        end = os.waitstatus_to_exitcode(waited_for(fork(dies)))
        assert end in {0, -signal.SIGKILL}, f"the child ended with {end}"
        return end == -signal.SIGKILL


def sweep(way: Way, few: int | None) -> Iterator[Cut]:
    """Give each cut of a work in turn, until one comes after its end; or, of a work that ends once, a seeded few."""
    if few is None:
        for at in range(ENOUGH):
            cut = Cut(way, at)
            yield cut
            long_ago()
            if not cut.landed:
                return
        pytest.fail("the sweep never came to the end")
    whole = Cut(way, NEVER)
    yield whole
    long_ago()
    landed = 0
    for at in sorted(random.Random(str(way)).sample(range(whole.statements), min(few, whole.statements))):
        cut = Cut(way, at)
        yield cut
        long_ago()
        landed += cut.landed
    assert landed


def long_ago() -> None:
    """Nobody watches any more what the cuts before have left: every pass of the reconciler costs the same."""
    moments = ("created_at", "expires_at", "paid_at", "fulfilled_at", "released_at")
    Payment.objects.update(**{name: F(name) - timedelta(days=40) for name in moments})


def fork(work: Callable[[], object]) -> int:
    """Do ``work`` in a child with connections of its own; its process id."""
    connections.close_all()  # shared over the fork, the child's end would be the parent's
    with warnings.catch_warnings():
        # Python 3.12 warns where there are threads: the simulator's here, of whose locks the child needs none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        _live(work)
    return child


def waited_for(child: int) -> int:
    """How a child ended, as ``os.waitpid`` says it; it does not outlive a test that is broken off."""
    try:
        return os.waitpid(child, 0)[1]
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise


def _live(work: Callable[[], object]) -> NoReturn:
    """The child's whole life: nothing of pytest's is torn down in it."""
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LIFE)
        gc.disable()  # it would touch, and so copy, all that the parent has
        work()
        connections.close_all()
        code = 0
    except BaseException:  # noqa: BLE001 - the parent sees the code, and the test's output the rest
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


class Clock:
    """Time that a test moves on."""

    def __init__(self, traveller: Any) -> None:
        self._traveller = traveller

    def passes(self, time: timedelta = LONG_ENOUGH) -> None:
        self._traveller.shift(time)


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(timezone.now(), tick=True) as traveller:
        yield Clock(traveller)


def reconciled(clock: Clock) -> None:
    """Nobody but the reconciler comes, once leases and patience have run out."""
    clock.passes()
    for _ in flow.reconcile():
        pass


def audited() -> None:
    """All that a database can show holds."""
    report = audit()
    assert report["ok"], report["violations"]
