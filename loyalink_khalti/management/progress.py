"""What commands show of their work: counts with the right plural, a progress bar on a terminal; and how they end."""

import shutil
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
BAR_WIDTH = 30


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 account``, ``2 accounts``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def with_progress(rows: Iterable[T], *, total: int, stream: Any, label: str) -> Iterator[T]:
    """Yield the rows; on a terminal show a bar of how many of about ``total`` are done."""
    if not stream.isatty():
        yield from rows
        return
    try:
        for number, row in enumerate(rows, 1):
            yield row
            _draw(stream, number, max(total, number), label)
    finally:
        _write(stream, " " * (_columns() - 1) + "\r")


@contextmanager
def ending_on_signals() -> Iterator[list[int]]:
    """Let SIGTERM, with which systemd ends a service, raise ``KeyboardInterrupt`` in this block, as Ctrl-C does.

    The value gets the number of the signal. Only the main thread of a process can receive one.
    """
    received: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def _draw(stream: Any, number: int, total: int, label: str) -> None:
    done = BAR_WIDTH * number // total
    line = f"{label} {'█' * done}{'·' * (BAR_WIDTH - done)} {number}/{total}"
    _write(stream, line[: _columns() - 1])


def _write(stream: Any, line: str) -> None:
    stream.write("\r" + line, style_func=str, ending="")  # on stderr Django would write it in red
    stream.flush()


def _columns() -> int:
    return shutil.get_terminal_size().columns
