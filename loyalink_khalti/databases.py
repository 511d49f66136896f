"""Which database a row is read from: what decides over money from the one that is written to, lists from a replica.

A shop may read from a replica, which is behind: by its ``DATABASE_ROUTERS``. A payment, a hold or a key that is read
there is not what it is now. So one router stands before the shop's own:

- rows of this package and those that a host names by ``keep_current`` (orders, baskets, stock) are read where they are
  written;
- inside a transaction of that database, every other row that is written to it is read there, too;
- only within ``reading_from(replica)``, for lists and reports, they are read from a replica.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models, router

T = TypeVar("T")
M = TypeVar("M", bound=models.Model)

MONEY = DEFAULT_DB_ALIAS
"""The database of the money: ``transaction.atomic`` and ``connection`` without an alias mean this one."""

_replica: ContextVar[str] = ContextVar("loyalink_khalti_replica", default="")
"""The replica that the current block reads from; "" where it reads from none."""
_replicas: set[str] = set()
_current = {"loyalink_khalti", "loyalink_khalti_page", "wagtailcore.site"}
"""App labels, and labels of single models."""


class Router:
    """The router that stands before the shop's own; it has no opinion about rows of other databases."""

    def __init__(self, load_hosts: Callable[[], object] = lambda: None) -> None:
        """``load_hosts`` is called before the first read: hosts name their rows by ``keep_current``."""
        self._load_hosts: Callable[[], object] | None = load_hosts

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        replica = _replica.get()
        if not replica and not _replicas and len(router.routers) == 1:
            return None  # there is one database
        if self._load_hosts:
            load, self._load_hosts = self._load_hosts, None
            load()
        meta = model._meta
        is_current = meta.app_label in _current or meta.label_lower in _current
        if not is_current and not replica and not connections[MONEY].in_atomic_block:
            return None
        written_to = self.db_for_write(model, **hints) or MONEY
        if written_to != MONEY:
            return written_to if is_current else None
        return replica if replica and not connections[MONEY].in_atomic_block else MONEY

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str | None:
        """Return what the shop's routers say; a row that was read from a replica is written to ``MONEY`` else."""
        for each in router.routers:
            choose = getattr(each, "db_for_write", None) if each is not self else None
            if choose is not None and (chosen := choose(model, **hints)):
                return str(chosen)
        instance = hints.get("instance")
        known: str | None = instance._state.db if instance is not None else None
        return MONEY if known in _replicas else known

    def allow_relation(self, first: models.Model, second: models.Model, **hints: Any) -> bool | None:
        """Let a row that was read from a replica be related to one of ``MONEY``: it is the same database."""
        same = {MONEY, *_replicas}
        return True if _replicas and {first._state.db, second._state.db} <= same else None


def install(load_hosts: Callable[[], object] = lambda: None) -> None:
    """Put our router before the shop's own, unless it is there; a shop with one database does without."""
    if not any(isinstance(each, Router) for each in router.routers):
        router.routers.insert(0, Router(load_hosts))


def keep_current(*labels: str) -> None:
    """Read the models with these labels ("order", "basket.basket") where they are written, for the whole process."""
    _current.update(label.lower() for label in labels)


def current(manager: "models.Manager[M]") -> "models.QuerySet[M]":
    """Return the rows of a manager as they are now, of a model that the shop may read from a replica elsewhere."""
    return manager.using(router.db_for_write(manager.model))


def shares_connections(alias: str) -> bool:
    """Return whether a pool gives the transactions of one client different connections to PostgreSQL.

    Two connections of ours would never have one process of the server, or one of ours two.
    """
    if connections[alias].vendor != "postgresql":
        return False
    ours = connections[alias].copy(), connections[alias].copy()
    try:
        first, second, again = (_server_process(each) for each in (*ours, ours[0]))
    finally:
        for each in ours:
            each.close()
    return first == second or first != again


def age(replica: str) -> timedelta | None:
    """Return how old the rows of a replica are: 0 where it has all that it was sent; None where it does not say.

    Raises Django's ``DatabaseError`` or ``InterfaceError`` where it cannot be read.
    """
    connection = connections[replica]
    if connection.vendor != "postgresql":
        connection.ensure_connection()
        return None
    with connection.cursor() as cursor:
        cursor.execute(_AGE)
        found: timedelta | None = cursor.fetchone()[0]
    return found


# Without new transactions on the primary the last one that was replayed gets old, and the replica does not.
# https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-RECOVERY-CONTROL
_AGE = """
    SELECT CASE
        WHEN NOT pg_is_in_recovery() THEN NULL
        WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver)
            THEN interval '0'
        ELSE clock_timestamp() - pg_last_xact_replay_timestamp()
    END
"""


def _server_process(connection: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@contextmanager
def reading_from(replica: str) -> Iterator[None]:
    """Read from ``replica``, an alias in ``DATABASES``, in this block: for figures that may be old.

    What is written goes to the database of the money, and so does what is read inside its transactions.
    """
    install()
    _replicas.add(replica)
    token = _replica.set(replica)
    try:
        yield
    finally:
        _replica.reset(token)


def each_reading_from(replica: str, rows: Iterable[T]) -> Iterator[T]:
    """Yield ``rows``, which a database reads as they are asked for, from ``replica``; the caller reads as before."""
    following = iter(rows)
    while True:
        with reading_from(replica):
            try:
                row = next(following)
            except StopIteration:
                return
        yield row
