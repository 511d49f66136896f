"""How the flow commits: by itself, never inside a caller's transaction, and a second time after a lost race."""

import logging
import random
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.utils.translation import gettext as _

from loyalink_khalti.after_response import reads
from loyalink_khalti.errors import CannotPay, InsideTransaction, LedgerError, ShopCannot, safe_trace
from loyalink_khalti.payments.flags import raise_flag
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import FlagReason

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_RETRY_DELAY = 0.05
"""seconds"""
TIMEOUTS = {"lock_timeout": "5s", "idle_in_transaction_session_timeout": "60s"}
"""PostgreSQL's settings for our transactions, where the shop's connections have none of their own.

A wait for a lock ends, and the server ends a transaction whose process sends nothing any more, for example because its
machine has frozen. https://www.postgresql.org/docs/current/runtime-config-client.html
"""
_TIMEOUTS = frozenset({"55P03", "57014"})
"""PostgreSQL's lock_not_available and query_canceled, where lock_timeout or statement_timeout is set."""

_ENDED = frozenset({"25P03", "25P04"})
"""PostgreSQL's idle_in_transaction_session_timeout and transaction_timeout; Django 5.2 raises InternalError."""


def forbid_transaction(verb: str) -> None:
    """Raise ``InsideTransaction`` inside a transaction: the flow must commit before it calls Khalti."""
    if connection.in_atomic_block:
        raise InsideTransaction(
            f"flow.{verb} commits by itself; with ATOMIC_REQUESTS on, decorate the view with "
            "@django.db.transaction.non_atomic_requests"
        )


def is_database_failure(exc: BaseException) -> bool:
    """Return whether the database itself failed or rolled back: a lost connection, a deadlock, SQLSTATE class 40.

    Such an error rolls the whole block back; any other error is the shop's, and only its savepoint is rolled back.
    """
    if isinstance(exc, OperationalError | InterfaceError):
        return True
    sqlstate = getattr(exc.__cause__, "sqlstate", None) or ""
    return isinstance(exc, DatabaseError) and (sqlstate.startswith("40") or sqlstate in _ENDED)


def after_commit(work: Callable[..., object], **arguments: object) -> None:
    """Call ``work`` once the transaction is committed; a failure of it changes nothing."""
    transaction.on_commit(partial(work, **arguments), robust=True)


def is_contention(exc: BaseException) -> bool:
    """Return whether another transaction was in the way: a lock or a statement timed out, or a race was lost."""
    sqlstate = getattr(exc.__cause__, "sqlstate", None) or ""
    return sqlstate.startswith("40") or sqlstate in _TIMEOUTS or "database is locked" in str(exc)


def in_one_block(work: Callable[[], T]) -> T:
    """Run ``work`` in one durable transaction; after a database failure a second time, then raise it.

    On PostgreSQL no wait in it is without end: see ``TIMEOUTS``.
    """
    return _at_most_twice(work, _in_transaction)


def in_one_statement(work: Callable[[], T]) -> T:
    """Run ``work``, which sends one statement, so that it commits by itself; with the second try of ``in_one_block``.

    Only a connection without ``TIMEOUTS`` of its own needs a transaction around it, which has them.
    """
    return _at_most_twice(work, _in_statement)


def _at_most_twice(work: Callable[[], T], run: Callable[[Callable[[], T]], T]) -> T:
    try:
        return run(work)
    except (DatabaseError, InterfaceError) as exc:  # Django's InterfaceError is not a DatabaseError
        if not is_database_failure(exc):
            raise
        connection.close_if_unusable_or_obsolete()
        if is_contention(exc):  # the other transaction is tried again, too: not at the same moment
            time.sleep(random.uniform(0, LONGEST_RETRY_DELAY))  # noqa: S311 - jitter, not secret
    return run(work)


def _in_statement(work: Callable[[], T]) -> T:
    if connection.in_atomic_block or not connection.get_autocommit() or missing_timeouts():
        return _in_transaction(work)
    return work()


def _in_transaction(work: Callable[[], T]) -> T:
    (reads.get() or {}).clear()
    try:
        with transaction.atomic(durable=True):
            _limit_waits()
            return work()
    finally:
        (reads.get() or {}).clear()


_missing: WeakKeyDictionary[Any, list[str]] = WeakKeyDictionary()
"""The ``TIMEOUTS`` that a connection lacks, by psycopg's connection."""


def missing_timeouts() -> list[str]:
    """Return the names of the ``TIMEOUTS`` that the current connection to PostgreSQL lacks; read once for each."""
    if connection.vendor != "postgresql":
        return []
    connection.ensure_connection()
    if connection.connection not in _missing:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(['current_setting(%s)'] * len(TIMEOUTS))}", list(TIMEOUTS))
            set_to = zip(TIMEOUTS, cursor.fetchone(), strict=True)
        _missing[connection.connection] = [name for name, value in set_to if value == "0"]
    return _missing[connection.connection]


def _limit_waits() -> None:
    """Set the missing ``TIMEOUTS`` for the current transaction, which suits any pool of connections."""
    missing = missing_timeouts()
    if missing:
        with connection.cursor() as cursor:
            values = [value for name in missing for value in (name, TIMEOUTS[name])]
            cursor.execute(f"SELECT {', '.join(['set_config(%s, %s, true)'] * len(missing))}", values)


def in_one_block_or_cannot_pay(work: Callable[[], T]) -> T:
    """Run ``work`` like ``in_one_block``; after two database failures raise ``CannotPay``, which asks to try again."""
    try:
        return in_one_block(work)
    except (DatabaseError, InterfaceError) as exc:
        if not is_database_failure(exc):
            raise
        log.warning("the database failed twice: %s", safe_trace(exc))
        raise CannotPay(_("The shop is very busy at the moment. Please try again.")) from exc


def advisory_lock(names: Iterable[str]) -> None:
    """Let transactions that have a name in common pass one at a time, until each ends; sorted, so that none deadlock.

    On PostgreSQL only, one statement: SQLite has one writer anyway. Money and points do not rest on this, they have
    constraints.
    """
    wanted = [f"loyalink_khalti:{name}" for name in sorted(names)]
    if not wanted or connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:  # an array is read in its order
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(n, 0)) FROM unnest(%s::text[]) n", [wanted])


def in_savepoint(
    work: Callable[[], None], purchase: Purchase, payment: Payment, *, without: Callable[[], bool] = lambda: True
) -> bool:
    """Do the shop's part in a savepoint; where it fails roll only that back, raise a Flag and return False.

    ``without`` is done before the Flag is raised, and returns whether it is.
    """
    try:
        with transaction.atomic():
            work()
    except Exception as exc:
        if is_database_failure(exc):
            raise
        purchase.refresh_from_db()
        payment.refresh_from_db()
        payment.purchase = purchase
        reason, evidence = _failure(exc)
        log.warning("purchase %s: %s: %s", purchase, reason, safe_trace(exc))
        if without():
            raise_flag(payment, reason, evidence)
        return False
    return True


def _failure(exc: Exception) -> tuple[FlagReason, dict[str, str]]:
    if isinstance(exc, LedgerError):
        return FlagReason.LATE, {"points": str(exc)}
    if isinstance(exc, ShopCannot):
        reason = exc.reason if exc.reason in {known.value for known in FlagReason} else FlagReason.HOST_FAILED
        return FlagReason(reason), {"shop": exc.detail or exc.reason}
    return FlagReason.HOST_FAILED, {"shop": type(exc).__name__}
