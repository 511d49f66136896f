"""One function for each job that a shop schedules: the commands, the tasks and Celery's tasks all call these.

Every job may run any number of times, in any number of processes at once, and may be killed at any moment: leases,
claims and conditional UPDATEs decide who does what, and the next run does what is left.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import JobFailed
from loyalink_khalti.flow.counter.privacy import forget_contacts
from loyalink_khalti.flow.members.directory import index_members
from loyalink_khalti.flow.members.expiry import notify_expiring
from loyalink_khalti.flow.review.cancelled_orders import notice_cancelled_orders
from loyalink_khalti.flow.review.missing_orders import notice_missing_orders
from loyalink_khalti.flow.review.reminders import remind_staff
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.payments import job_runs

from .audit import Violation, audit_violations
from .reconcile import ReconcilerPass
from .results import PassLabel, pass_summary

log = logging.getLogger(__name__)

TASK_WORKERS = 4
"""Threads of a pass that runs as a task, in a worker that has other tasks, too."""
NOTIFIED = "notified"
NO_KEY = (
    "Khalti was not asked, and no payment was changed: this process has no key. Set KHALTI_SECRET_KEY and "
    "LOYALINK_FERNET_KEYS in its environment as for the web server (cron does not read the server's environment)."
)
POINTS_FAILED = "The log says what failed; loyalink_audit says what is wrong with those accounts."

Show = Callable[[Iterable[Any], str], Iterable[Any]]
"""Shows the progress of rows, which have a name, and yields them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What a job has done, in one line, and what staff must look at; "" where that is nothing."""

    summary: str
    problem: str = ""

    def raise_problem(self) -> str:
        """Return the summary. Raises ``JobFailed`` where there is a problem: the worker reports the task as failed."""
        if self.problem:
            raise JobFailed(f"{self.summary}. {self.problem}")
        return self.summary


def reconcile_due(*, workers: int = TASK_WORKERS) -> JobResult:
    """Look up every payment that is due, and notice orders that the shop has deleted or cancelled by itself.

    Raises ``InsideTransaction`` inside a transaction.
    """
    labels = Counter(result.label for result in ReconcilerPass(workers=workers, due_only=True))
    notice_missing_orders()
    notice_cancelled_orders()
    remind_staff()
    return JobResult(summary=pass_summary(labels), problem=NO_KEY if labels[PassLabel.NO_KEY] else "")


def run_points(*, show: Show = lambda rows, _name: rows) -> JobResult:
    """Activate and expire points, update tiers, and notify members, each account in a transaction of its own."""
    started_at, begun_at = database_now(), time.monotonic()
    accounts: Counter[str] = Counter()
    points: Counter[str] = Counter()
    for result in show(ledger.sweep(), "accounts"):
        accounts[result.action] += 1
        points[result.action] += result.points
    for notice in show(notify_expiring(), "notices"):
        accounts[NOTIFIED] += 1
        points[NOTIFIED] += notice.points
    index_members()
    forget_contacts()
    figures = job_runs.counted(
        accounts, started_at=started_at, seconds=time.monotonic() - begun_at, failed=ledger.FAILED
    )
    job_runs.record_run(job_runs.POINTS)
    job_runs.record_figures(job_runs.POINTS, figures)
    remind_staff()
    return JobResult(summary=_points_summary(accounts, points), problem=POINTS_FAILED if figures.errors else "")


def run_audit() -> JobResult:
    """Check every invariant that the database can show; log the number and the row of each that is broken."""
    broken = 0
    for violation in recorded_audit():
        broken += 1
        log.error("audit: %s %s", violation.invariant, violation.subject)
    if not broken:
        return JobResult(summary="everything agrees")
    problem = "The command loyalink_audit shows them with their details."
    return JobResult(summary=f"{_count(broken, 'contradiction')} found", problem=problem)


def recorded_audit() -> Iterator[Violation]:
    """Yield every broken invariant, and record the run once all are found."""
    started_at, begun_at, kinds = database_now(), time.monotonic(), Counter[str]()
    for violation in audit_violations():
        kinds[violation.invariant] += 1
        yield violation
    figures = job_runs.RunFigures(
        started_at=started_at, seconds=round(time.monotonic() - begun_at, 3), done=0, errors=kinds.total(),
        labels=kinds,
    )  # fmt: skip
    job_runs.record_run(job_runs.AUDIT)
    job_runs.record_figures(job_runs.AUDIT, figures)


def _points_summary(accounts: "Counter[str]", points: "Counter[str]") -> str:
    """Write accounts and points by what was done: ``1 account activated (250 points), 2 accounts changed tier``."""
    if not accounts.total():
        return "nothing was due"
    return ", ".join(
        f"{_count(number, 'account')} {action}" + (f" ({_count(points[action], 'point')})" if points[action] else "")
        for action, number in sorted(accounts.items())
        if number
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
