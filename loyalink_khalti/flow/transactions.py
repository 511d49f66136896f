"""How the flow commits: on its own, never inside somebody else's transaction, and once more after a lost race."""

import logging
import random
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.utils.translation import gettext as _

from loyalink_khalti.errors import CannotPay, InsideTransaction, traced

log = logging.getLogger(__name__)

T = TypeVar("T")

A_WHILE = 0.05
"""seconds"""
_TOOK_TOO_LONG = frozenset({"55P03", "57014"})
"""PostgreSQL's lock_not_available and query_canceled, for whoever has set lock_timeout or statement_timeout."""


def forbid_transaction(verb: str) -> None:
    """Refuse to go on inside a transaction: what is written must be committed before Khalti hears of it."""
    if connection.in_atomic_block:
        raise InsideTransaction(
            f"flow.{verb} commits by itself; with ATOMIC_REQUESTS on, decorate the view with "
            "@django.db.transaction.non_atomic_requests"
        )


def is_the_databases_own(exc: BaseException) -> bool:
    """Whether the database itself failed or gave way (a lost connection, a deadlock, SQLSTATE class 40).

    Such an error rolls the whole block back; any other is the shop's and only its savepoint is lost.
    """
    if isinstance(exc, OperationalError | InterfaceError):
        return True
    sqlstate = getattr(exc.__cause__, "sqlstate", None) or ""
    return isinstance(exc, DatabaseError) and sqlstate.startswith("40")


def is_only_busy(exc: BaseException) -> bool:
    """Whether the database is there and others were quicker: a lock or a statement took too long, a race was lost."""
    sqlstate = getattr(exc.__cause__, "sqlstate", None) or ""
    return sqlstate.startswith("40") or sqlstate in _TOOK_TOO_LONG or "database is locked" in str(exc)


def in_one_block(work: Callable[[], T]) -> T:
    """Run ``work`` in one durable transaction; once more where the database gave way."""
    try:
        with transaction.atomic(durable=True):
            return work()
    except (DatabaseError, InterfaceError) as exc:  # Django's InterfaceError is not a DatabaseError
        if not is_the_databases_own(exc):
            raise
        connection.close_if_unusable_or_obsolete()
        if is_only_busy(exc):  # whoever it ran into tries again too: not at the same moment
            time.sleep(random.uniform(0, A_WHILE))  # noqa: S311 - spread, not secret
    with transaction.atomic(durable=True):
        return work()


def in_one_block_or_busy(work: Callable[[], T]) -> T:
    """The same for a shopper's click: where the database gives way twice, ``CannotPay`` asks them to try again."""
    try:
        return in_one_block(work)
    except (DatabaseError, InterfaceError) as exc:
        if not is_the_databases_own(exc):
            raise
        log.warning("the database gave way twice: %s", traced(exc))
        raise CannotPay(_("The shop is very busy just now. Please try again in a moment.")) from exc


def one_at_a_time(names: Iterable[str]) -> None:
    """Let no two transactions that have a name in common pass here at once; in one order, so that none wait in a ring.

    SQLite has one writer anyway. Only what is a courtesy rests on this: money and points have constraints.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for name in sorted(names):
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"loyalink_khalti:{name}"])
