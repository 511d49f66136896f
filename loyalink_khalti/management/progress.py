"""A bar on a terminal, and nothing where nobody watches."""

import shutil
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
WIDTH = 30


def shown(rows: Iterable[T], *, total: int, stream: Any, what: str) -> Iterator[T]:
    """The same rows; on a terminal with a bar of how many of about ``total`` have passed."""
    if not stream.isatty():
        yield from rows
        return
    try:
        for number, row in enumerate(rows, 1):
            yield row
            _draw(stream, number, max(total, number), what)
    finally:
        _write(stream, " " * (_columns() - 1) + "\r")


def _draw(stream: Any, number: int, total: int, what: str) -> None:
    done = WIDTH * number // total
    line = f"{what} {'█' * done}{'·' * (WIDTH - done)} {number}/{total}"
    _write(stream, line[: _columns() - 1])


def _write(stream: Any, line: str) -> None:
    stream.write("\r" + line, style_func=str, ending="")  # as it is: on stderr Django writes in red
    stream.flush()


def _columns() -> int:
    return shutil.get_terminal_size().columns
