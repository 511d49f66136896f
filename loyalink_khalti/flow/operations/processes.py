"""Work done in several processes, each of several threads: one interpreter lets only one thread compute at a time.

The children are forked from a process without other threads, after it has closed its connections to the database. Each
item goes to one child at a time. A child that is killed takes no item with it, and one whose parent is gone ends.
"""

import gc
import logging
import math
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from django.db import connection, connections

from loyalink_khalti import telemetry

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

WORKERS, ALL_WORKERS, FEWEST_WORKERS = 16, 32, 4
"""Threads of one process, of all together, and of one of many, by default; each has a connection to the database."""
ITEMS_PER_PROCESS = 50
"""Payments below which another process costs more than it brings."""
LOOKUPS_PER_PROCESS = 40
"""Lookups a second that one process manages; ``LOOKUPS_PER_SECOND`` may ask for less."""
AHEAD = 2
"""Items that a child has waiting beside those in progress, so that no thread waits for the parent."""
END_TIMEOUT = 60.0
"""Seconds after which a child that should end is killed: no call and no lock takes that long."""


def processes_for(wanted: int | None, *, items: int, per_second: int) -> int:
    """Return the number of processes for so many payments; ``wanted`` None: as many as this machine has cores.

    None means fewer where ``LOOKUPS_PER_SECOND`` leaves them no work, and one on SQLite, where one process writes at
    a time. One in any case where no process can be forked safely: ``obstacle``.
    """
    if wanted is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        wanted = 1 if connection.vendor == "sqlite" else min(cores, math.ceil(per_second / LOOKUPS_PER_PROCESS))
    number = min(wanted, items // ITEMS_PER_PROCESS)
    return number if number > 1 and not obstacle() else 1


def workers_for(wanted: int | None, *, processes: int) -> int:
    """Return the number of threads of each process; ``wanted`` None: 16, and fewer where there are many processes."""
    return wanted or max(min(WORKERS, ALL_WORKERS // processes), FEWEST_WORKERS)


def obstacle() -> str:
    """Return why this process must not fork, as a sentence; "" if it may.

    A lock that another thread holds during the fork is never released in the child.
    """
    if sys.platform != "linux":
        return "Processes are forked on Linux alone."
    if multiprocessing.current_process().daemon:
        return "This process is a worker itself and may have no children."
    _close_connections()  # with their pools, which have threads
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        return "This process has other threads already."
    return ""


def _close_connections() -> None:
    for each in connections.all(initialized_only=True):
        each.close()
        close_pool: Callable[[], None] | None = getattr(each, "close_pool", None)
        if close_pool is not None:
            close_pool()


def in_processes(
    items: Sequence[T],
    work: Callable[[T], R],
    *,
    processes: int,
    workers: int,
    stopped: threading.Event,
    lost: list[T],
    begin: Callable[[], None] = lambda: None,
) -> Iterator[R]:
    """Yield the result of ``work`` for each item, in the order in which they are ready; ``work`` raises nothing.

    ``lost`` gets the items that are left where a child ended before its work was done. ``begin`` is called in each
    child, and ``stopped`` is set there when it is to end. A caller that stops early, by closing the generator, waits
    for the work in progress and for no other.
    """
    left = list(reversed(items))
    children = _start(
        lambda connection: _serve(connection, work, workers=workers, stopped=stopped, begin=begin), processes
    )
    try:
        while children and (left or any(child.items for child in children)):
            for child in children:
                child.give(left, most=workers + AHEAD)
            ready = wait([child.connection for child in children])
            for child in [child for child in children if child.connection in ready]:
                try:
                    result = child.receive()
                except (EOFError, OSError):
                    children.remove(child)
                    lost += child.end()
                else:
                    yield result
        lost += reversed(left)
    finally:
        for child in children:
            child.connection.close()  # all of them first, so that they end side by side
        for child in children:
            child.end()


class _Child:
    """The parent's end of a child, with the items that it has and no result of yet."""

    def __init__(self, process: ForkProcess, connection: Connection) -> None:
        self.process, self.connection = process, connection
        self.items: dict[Any, None] = {}

    def give(self, left: list[Any], *, most: int) -> None:
        """Give it items from the end of ``left`` until it has ``most``; one that has ended takes none."""
        with suppress(OSError):
            while left and len(self.items) < most:
                self.connection.send(left[-1])
                self.items[left.pop()] = None

    def receive(self) -> Any:
        """Return its next result. Raises ``EOFError`` or ``OSError`` where it has ended."""
        item, result = self.connection.recv()
        self.items.pop(item)
        return result

    def end(self) -> list[Any]:
        """Wait until it has ended, for ``END_TIMEOUT`` at most, and return the items that it has left."""
        self.connection.close()
        self.process.join(END_TIMEOUT)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        if self.process.exitcode:
            log.error("a process of the pass has ended with exit code %s", self.process.exitcode)
        return list(self.items)


def _start(serve: Callable[[Connection], None], number: int) -> list[_Child]:
    """Fork so many children, or as many as this machine allows; each has one connection to this process."""
    _close_connections()
    context = multiprocessing.get_context("fork")
    pairs = [context.Pipe() for _child in range(number)]

    def run(theirs: Connection) -> None:
        for pair in pairs:  # or this child would keep another one from learning that the parent is gone
            for end in pair:
                if end is not theirs:
                    end.close()
        serve(theirs)

    children = []
    for place, (ours, theirs) in enumerate(pairs):
        process = context.Process(target=run, args=(theirs,), name=f"reconcile-{place}", daemon=True)
        try:
            process.start()
        except OSError as exc:
            log.error("no more than %d processes could be started: %s", place, exc)
            break
        children.append(_Child(process, ours))
    for _ours, theirs in pairs:
        theirs.close()
    return children


def _serve(
    connection: Connection,
    work: Callable[[T], object],
    *,
    workers: int,
    stopped: threading.Event,
    begin: Callable[[], None],
) -> None:
    """Do what the parent sends, in threads, until it closes the connection; SIGTERM ends a child as well.

    Ctrl-C reaches the children too, and is left to the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    gc.freeze()  # no collection here looks at, and so copies, the memory of the parent
    begin()
    todo, sending = SimpleQueue[T | None](), threading.Lock()

    def take_turns() -> None:
        try:
            while (item := todo.get()) is not None:
                if not stopped.is_set():
                    result = work(item)
                    with sending:
                        connection.send((item, result))
        except OSError:  # the parent does not listen any more
            stopped.set()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take_turns, name=f"reconcile-{number}") for number in range(workers)]
    for thread in threads:
        thread.start()
    try:
        while True:
            todo.put(connection.recv())
    except (EOFError, OSError):
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stopped.set()
        for _thread in threads:
            todo.put(None)
        for thread in threads:
            thread.join()
        telemetry.flush()
