"""The time that decides: the database's, because the clocks of servers differ and are set back.

Leases, back-offs, next polls and every other time that one process writes and another compares come from here. On
PostgreSQL it is ``clock_timestamp()``: ``now()`` is when the transaction began, old after a wait for a lock.
An SQLite file is used on one machine, whose clock is that of its database.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Expression, Q, Value
from django.utils import timezone

NOW = timedelta(0)
SLACK = timedelta(minutes=1)
"""A time is in the future beyond this: a statement that has waited for a lock had read the time before it waited."""

_replacement: Callable[[], datetime | None] | None = None
_is_compiled_for_later: ContextVar[bool] = ContextVar("_is_compiled_for_later", default=False)


def database_now() -> datetime:
    """Return the database's time now; one statement on PostgreSQL, none on SQLite."""
    replaced = _replaced_now()
    if replaced is not None:
        return replaced
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


class Timed:
    """A row that is locked or loaded together with the database's time."""

    read_at: datetime | None = None
    """The database's time then; None where the row was read without it."""


def time_of(row: Timed) -> datetime:
    """Return the database's time when a row was locked or loaded, without a statement; where it has none, now."""
    return row.read_at or database_now()


class DatabaseTime(Expression):
    """The database's time in SQL, ``offset`` from now, for a filter, an UPDATE or an INSERT; no statement of its own.

    In a filter it is read once per statement, so that an index can be used; what is written is read at the write.
    """

    def __init__(self, offset: Any = NOW) -> None:
        """``offset`` is a ``timedelta``, or ``returning.Given`` where each run of the statement has its own."""
        super().__init__(output_field=DateTimeField())
        self.offset = offset
        self._is_written = False

    def resolve_expression(
        self, query: Any = None, allow_joins: bool = True, reuse: Any = None, summarize: bool = False,
        for_save: bool = False,
    ) -> Any:  # fmt: skip
        resolved = super().resolve_expression(query, allow_joins, reuse, summarize, for_save)
        resolved._is_written = for_save
        return resolved

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        if _is_compiled_for_later.get():
            return "%s", [self]
        return compiler.compile(Value(server_now() + self.offset, output_field=DateTimeField()))

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        if _replaced_now() is not None:
            return self.as_sql(compiler, connection)
        sql = "clock_timestamp() + %s" if self.offset else "clock_timestamp()"
        # A volatile function in a condition is called for every row, and no index is used; a subquery is run once.
        return sql if self._is_written else f"(SELECT {sql})", [self.offset] if self.offset else []


@contextmanager
def compiled_for_later() -> Iterator[None]:
    """Let a statement that is compiled in this block have the time of its run: ``DatabaseTime`` is a parameter then.

    Where the database itself reads its clock, the statement says so.
    """
    token = _is_compiled_for_later.set(True)
    try:
        yield
    finally:
        _is_compiled_for_later.reset(token)


def server_now() -> datetime:
    """Return this server's time, or the one of a test: what ``DatabaseTime`` means where a parameter has it."""
    return _replaced_now() or timezone.now()


def is_replaced() -> bool:
    """Return whether a test has replaced the database's time."""
    return _replaced_now() is not None


def now_in_sql() -> tuple[str, list[Any]]:
    """Return the database's time for a statement that is written as SQL: its text, and its parameters."""
    replaced = _replaced_now()
    if replaced is None and connection.vendor == "postgresql":
        return "clock_timestamp()", []
    return "%s", [connection.ops.adapt_datetimefield_value(replaced or timezone.now())]


def is_over(field: str, *, longest: timedelta) -> Q:
    """Return the condition that the wait until the time in ``field`` is over, or that there is none (null).

    A time further ahead than ``longest``, the longest wait that is ever written there, counts as none: the clock that
    wrote it was ahead, or that of the database was set back since.
    """
    past = Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__lte": DatabaseTime()})
    return past | Q(**{f"{field}__gt": DatabaseTime(longest + SLACK)})


def is_in_future(field: str) -> Q:
    """Return the condition that the time in ``field``, at which something was done, is in the future."""
    return Q(**{f"{field}__gt": DatabaseTime(SLACK)})


def is_older(field: str, age: timedelta) -> Q:
    """Return the condition that the time in ``field`` is ``age`` ago or more.

    A time in the future counts as long ago: a wrong clock wrote it.
    """
    return Q(**{f"{field}__lte": DatabaseTime(-age)}) | is_in_future(field)


@contextmanager
def clock_replaced(read: Callable[[], datetime | None]) -> Iterator[None]:
    """For tests: let ``read`` be the database's time in this process; where it returns None, the database's own is."""
    global _replacement
    before, _replacement = _replacement, read
    try:
        yield
    finally:
        _replacement = before


def _replaced_now() -> datetime | None:
    return None if _replacement is None else _replacement()
