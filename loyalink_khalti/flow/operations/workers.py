"""Work done in several threads at once, each with a connection of its own to the database.

Django's connections belong to a thread, so each thread closes its own. A caller that stops early, by closing the
generator, waits for the work in progress and for no other.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, Queue, SimpleQueue
from typing import TypeVar

from django.db import connections

T = TypeVar("T")
R = TypeVar("R")


def in_threads(items: Sequence[T], work: Callable[[T], R], *, workers: int, stopped: threading.Event) -> Iterator[R]:
    """Yield the result of ``work`` for each item, in the order in which they are ready; ``work`` raises nothing.

    ``stopped`` is set while the threads end, so that work which waits can end as well.
    """
    todo, done = SimpleQueue[T](), Queue[R]()
    for item in items:
        todo.put(item)

    def take_turns() -> None:
        try:
            while not stopped.is_set():
                done.put(work(todo.get_nowait()))
        except Empty:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take_turns, name=f"reconcile-{number}") for number in range(workers)]
    try:
        for thread in threads:
            thread.start()
        for _item in items:
            yield done.get()
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
        stopped.clear()
