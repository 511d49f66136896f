"""What a monitor sees of a shop: each item of ``health`` with its level, numbers and times, and nothing of a customer.

``CRITICAL`` is for what should wake somebody at night: money arrives and orders do not, or the shop cannot sell. What
waits for staff, or for Khalti, is a ``WARNING``: nothing is lost, and an e-mail goes to ``ALERTS_TO``.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import DatabaseError, InterfaceError, connection

from loyalink_khalti import telemetry
from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.khalti.circuit_breaker import breakers

from .health import Health, Pending, health, missing_migrations, pending

log = logging.getLogger(__name__)

KEPT_FOR = 5.0
"""Seconds for which a process gives the same report: a monitor that asks often costs no more."""


class Level(StrEnum):
    """How bad an item is."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"


_ORDER = list(Level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of a report; ``text`` says in one English sentence what is wrong, "" where nothing is."""

    level: Level = Level.OK
    text: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Numbers, times, names of servers and of migrations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All items by name; ``at`` is the database's time, None where it did not answer."""

    at: datetime | None
    items: Mapping[str, Item]

    @property
    def level(self) -> Level:
        return max((item.level for item in self.items.values()), key=_ORDER.index)


def report() -> Report:
    """Return the state of the shop; fifteen statements at most, whatever the history. It raises nothing."""
    try:
        connection.ensure_connection()
        missing = missing_migrations()
        items = {"database": Item(), "migrations": _migrations(missing)}
        if not missing:
            items |= _items(health(), pending())
        return Report(at=database_now(), items=items | {"breaker": _breaker()})
    except (DatabaseError, InterfaceError) as exc:
        log.error("the health of the shop could not be read: %s", safe_trace(exc))
        text = "The database does not answer: the shop cannot sell."
        return Report(at=None, items={"database": Item(level=Level.CRITICAL, text=text), "breaker": _breaker()})


def _migrations(missing: list[str]) -> Item:
    if not missing:
        return Item()
    text = "The database lacks migrations of this version, which cannot work without them: run migrate."
    return Item(level=Level.CRITICAL, text=text, figures={"missing": missing})


def _items(now: Health, pending: Pending) -> dict[str, Item]:
    return {
        "reconciler": _reconciler(now),
        "waiting_payments": _waiting(now, pending),
        "flags": _warn(now.open_flags, "{} payments need review.", open=now.open_flags, oldest_at=now.oldest_flag_at),
        "money_without_order": _warn(
            now.without_order.payments, "Money of {} payments has no order and is not refunded.",
            payments=now.without_order.payments,
        ),
        "surplus": _warn(
            now.surplus.payments, "{} orders were paid more than they cost.", orders=now.surplus.payments
        ),
        "unmatched_payments": _warn(
            now.unmatched.payments, "{} payments at Khalti belong to no payment of this shop.",
            payments=now.unmatched.payments,
        ),
        "cancelled_orders": _warn(
            now.cancelled_orders, "{} orders that the shop has cancelled have something to refund.",
            orders=now.cancelled_orders,
        ),
        "unconfirmed_refunds": _warn(
            pending.unconfirmed_refunds, "{} refunds were sent and Khalti has not confirmed them.",
            refunds=pending.unconfirmed_refunds, oldest_at=pending.oldest_unconfirmed_refund_at,
        ),
        "stuck_messages": _warn(
            now.stuck_messages, "{} messages, such as e-mails, have failed again and again.",
            messages=now.stuck_messages,
        ),
        "khalti": _khalti(now),
    }  # fmt: skip


def _warn(number: int, text: str, **figures: Any) -> Item:
    """Return a warning if there is any."""
    return Item(level=Level.WARNING, text=text.format(number), figures=figures) if number else Item(figures=figures)


def _reconciler(now: Health) -> Item:
    last = now.last_pass
    figures = {
        "last_run_at": now.last_reconciled_at,
        "last_pass": None
        if last is None
        else {"started_at": last.started_at, "seconds": last.seconds, "done": last.done, "errors": last.errors},
        "last_points_run_at": now.last_points_run_at,
        "last_audit_at": now.last_audited_at,
    }
    if not now.is_reconciler_running:
        stopped = (
            "khalti_reconcile has not run for an hour" if now.last_reconciled_at else "khalti_reconcile never ran"
        )
        text = f"{stopped}, and payments wait for it: customers may have paid and have no order."
        if now.has_overdue_payments:
            return Item(level=Level.CRITICAL, text=text, figures=figures)
        return Item(level=Level.WARNING, text=f"{stopped}.", figures=figures)
    if last is not None and last.errors:
        text = f"{last.errors} payments failed in its last pass: see the log."
        return Item(level=Level.WARNING, text=text, figures=figures)
    return Item(figures=figures)


def _waiting(now: Health, pending: Pending) -> Item:
    figures = {
        "waiting": pending.waiting_payments,
        "oldest_at": pending.oldest_waiting_at,
        "oldest_overdue_at": now.oldest_overdue_at,
    }
    if now.has_overdue_payments:
        return Item(level=Level.WARNING, text="Payments are overdue for a lookup at Khalti.", figures=figures)
    return Item(figures=figures)


def _khalti(now: Health) -> Item:
    figures = {
        "outages": {row.server: row.silent_since for row in now.outages}, "unreadable_since": now.unreadable_since,
    }  # fmt: skip
    if now.unreadable_since:
        text = "Khalti's answers cannot be read, so no payment is settled: switch Khalti off, and upgrade."
        return Item(level=Level.CRITICAL, text=text, figures=figures)
    if now.outages:
        text = f"{' and '.join(row.server for row in now.outages)} does not respond."
        return Item(level=Level.WARNING, text=text, figures=figures)
    return Item(figures=figures)


def _breaker() -> Item:
    """Return whether this process calls Khalti; another process may see it otherwise."""
    names = {telemetry.CLOSED: "closed", telemetry.HALF_OPEN: "half-open", telemetry.OPEN: "open"}
    states = {server: names[breaker.state] for server, breaker in breakers().items()}
    if set(states.values()) <= {"closed"}:
        return Item(figures=states)
    return Item(level=Level.WARNING, text="This process does not call Khalti at the moment.", figures=states)


class Recent:
    """A report that is at most ``KEPT_FOR`` seconds old; one thread at a time makes a new one."""

    def __init__(self, make: Callable[[], Report] = report, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._make, self._clock = make, clock
        self._lock = threading.Lock()
        self._last: tuple[float, Report] | None = None

    def __call__(self) -> Report:
        with self._lock:
            if self._last is None or self._clock() >= self._last[0] + KEPT_FOR:
                self._last = self._clock(), self._make()
            return self._last[1]

    def forget(self) -> None:
        """Let the next call make a new one."""
        self._last = None


recent_report = Recent()
