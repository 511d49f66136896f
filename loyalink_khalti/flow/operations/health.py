"""Whether the background jobs do their work: for system checks, warnings on the dashboard, and monitoring."""

import pkgutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module

from django.db import connections, router
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Count, Min, Q

from loyalink_khalti import outbox
from loyalink_khalti.flow.verification.verify import unsent_after
from loyalink_khalti.payments import cancelled_orders, job_runs, polling, received
from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.payments.servers import KhaltiServer, silent_servers
from loyalink_khalti.payments.states import LIVE, POLLED_FOR_REFUNDS, UNANSWERED_REFUNDS, FlagReason
from loyalink_khalti.payments.unmatched import unmatched_total
from loyalink_khalti.payments.without_order import MoneyWithoutOrder, money_without_order, payments_without_order

POLL_OVERDUE_AFTER = timedelta(minutes=15)
"""How long after its next poll was due a payment counts as overdue."""
STOPPED_AFTER = timedelta(hours=1)
"""How long after its last run the reconciler counts as stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The state of the background jobs, and how much staff have to review."""

    open_flags: int
    oldest_flag_at: datetime | None
    """When the oldest open Flag was raised; None without one."""
    without_order: MoneyWithoutOrder
    """Captured money that bought nothing and is not refunded, whether its Flags are open or resolved."""
    surplus: MoneyWithoutOrder
    """Money received outside Khalti that bought nothing and is not refunded, with the number of its orders."""
    unmatched: MoneyWithoutOrder
    """Money at Khalti that came back to the shop and that no payment here is."""
    cancelled_orders: int
    """Orders that a shop has cancelled by itself, with money or points left to refund."""
    last_reconciled_at: datetime | None
    """When ``khalti_reconcile`` last ran; None if it never did."""
    is_reconciler_running: bool
    """Whether that is less than ``STOPPED_AFTER`` ago."""
    last_pass: job_runs.RunFigures | None
    """The figures of its last pass that had a payment to look up; None if there was none yet."""
    last_points_run_at: datetime | None
    """When ``loyalty_run`` last ran; None if it never did."""
    last_audited_at: datetime | None
    """When ``loyalink_audit`` last ran; None if it never did."""
    oldest_overdue_at: datetime | None
    """When the oldest payment was created that may be paid and was not polled in time; None without one."""
    stuck_messages: int
    """Messages of the outbox, such as mails, that failed again and again."""
    outages: tuple[KhaltiServer, ...]
    """Khalti's servers that have failed so often in a row that hardly anything calls them."""
    unreadable_since: datetime | None
    """Since when answers of Khalti's lookup cannot be read, where that is so."""

    @property
    def has_overdue_payments(self) -> bool:
        return self.oldest_overdue_at is not None


def outages() -> tuple[KhaltiServer, ...]:
    """Return Khalti's servers that have failed so often in a row that hardly anything calls them."""
    return tuple(row for row in silent_servers() if row.is_in_outage)


def health() -> Health:
    """Return the state of the background jobs; nine queries, whatever the history."""
    polled = polling.polled(unsent_after=unsent_after()).exclude(state__in=POLLED_FOR_REFUNDS)
    overdue = polling.due(polled, overdue_by=POLL_OVERDUE_AFTER)
    runs = job_runs.runs()
    reconciled = runs.get(job_runs.RECONCILE)
    unreadable = Q(reason=FlagReason.ANSWER_UNREADABLE)
    flags = Flag.objects.filter(resolved_at=None).aggregate(
        number=Count("pk"), oldest=Min("raised_at"), unreadable=Min("raised_at", filter=unreadable)
    )
    return Health(
        open_flags=flags["number"],
        oldest_flag_at=flags["oldest"],
        without_order=money_without_order(payments_without_order()),
        surplus=received.surplus_total(),
        unmatched=unmatched_total(),
        cancelled_orders=len(cancelled_orders.to_close()),
        last_reconciled_at=reconciled.at if reconciled else None,
        is_reconciler_running=job_runs.is_recent(reconciled, within=STOPPED_AFTER),
        last_pass=job_runs.figures_of(reconciled),
        last_points_run_at=runs[job_runs.POINTS].at if job_runs.POINTS in runs else None,
        last_audited_at=runs[job_runs.AUDIT].at if job_runs.AUDIT in runs else None,
        oldest_overdue_at=overdue.order_by("created_at").values_list("created_at", flat=True).first(),
        stuck_messages=outbox.stuck(),
        outages=outages(),
        unreadable_since=flags["unreadable"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What waits for a customer or for Khalti: a monitor shows it, and staff need not act."""

    waiting_payments: int
    """Payments that customers have begun and that are neither paid nor released."""
    oldest_waiting_at: datetime | None
    """When the oldest of them was created; None without one."""
    unconfirmed_refunds: int
    """Refunds that were sent to Khalti and that it has neither confirmed nor refused."""
    oldest_unconfirmed_refund_at: datetime | None
    """When the oldest of them was sent; None without one."""


def pending() -> Pending:
    """Return how much waits for customers and for Khalti; two queries."""
    live = Payment.objects.filter(state__in=sorted(LIVE)).aggregate(number=Count("pk"), oldest=Min("created_at"))
    sent = Refund.objects.filter(state__in=sorted(UNANSWERED_REFUNDS))
    unconfirmed = sent.aggregate(number=Count("pk"), oldest=Min("sent_at"))
    return Pending(
        waiting_payments=live["number"],
        oldest_waiting_at=live["oldest"],
        unconfirmed_refunds=unconfirmed["number"],
        oldest_unconfirmed_refund_at=unconfirmed["oldest"],
    )


def missing_migrations() -> list[str]:
    """Return the names of our migrations that the database lacks, the oldest first. One query.

    This version of the code cannot work without them: run ``migrate`` before its processes start.
    """
    label = Payment._meta.app_label
    module, _chosen_by_the_shop = MigrationLoader.migrations_module(label)
    if module is None:  # a test run without migrations
        return []
    names = {
        name for _finder, name, is_package in pkgutil.iter_modules(import_module(module).__path__) if not is_package
    }
    applied = MigrationRecorder(connections[router.db_for_write(Payment)]).applied_migrations()
    return sorted(names - {name for app, name in applied if app == label})
