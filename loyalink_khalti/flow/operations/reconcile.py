"""Look up payments whose customers did not return, find refunds made elsewhere, send messages that were not sent.

Any number of passes may run at the same time, in any number of processes: a lease on the row, taken by a conditional
UPDATE, lets each payment be looked up once per pass, and no lock is held during the call. A pass that is killed leaves
nothing behind. The next one starts with the payments whose last lookup is oldest; if it takes only those that are due
(``--loop``), with those whose next poll is most overdue.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from loyalink_khalti import conf, outbox, telemetry
from loyalink_khalti.clock import DatabaseTime, database_now, time_of
from loyalink_khalti.conf import Caller
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.flow.review.alerts import schedule_digest
from loyalink_khalti.flow.transactions import forbid_transaction, is_database_failure
from loyalink_khalti.flow.verification.unmatched import look_up_unmatched
from loyalink_khalti.flow.verification.verify import (
    is_refunding,
    load,
    longest_lease,
    look_up_and_apply,
    release_unsent,
    take_lease,
    unsent_after,
)
from loyalink_khalti.khalti import CircuitBreaker
from loyalink_khalti.khalti.circuit_breaker import breaker_for, server_of
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments import job_runs, polling, received, unmatched
from loyalink_khalti.payments.models import Credentials, Flag, Payment, Purchase
from loyalink_khalti.payments.servers import LookupPace, payments_at, silent_servers
from loyalink_khalti.payments.states import PaymentState, PurchaseState
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.ports import Outcome, ReleaseReason

from .processes import in_processes, processes_for, workers_for
from .results import NOT_DONE, PassLabel, PassResult
from .shared_pace import shared_paces
from .special_cases import flag_failure, reconcile_refunds, release_again
from .workers import in_threads

log = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0
"""seconds that a pass waits when Khalti asks for a pause; if Khalti asks for more, the next pass does the rest"""
LONGEST_PASS = 60
"""seconds of lookups that a pass of the loop takes, as fast as the setting allows; the next begins with new ones"""
LEASE_POLL_INTERVAL = 0.1
"""seconds"""
HEARTBEAT = 60.0
"""seconds after which a pass that is still running records that it is"""
PURGE, PURGE_INTERVAL = "outbox_purge", timedelta(hours=1)
"""The name in ``LastRun`` of removing old messages from the outbox, and how often that is done."""
MESSAGES_PER_REQUEST = 5


class ReconcilerPass:
    """One look at every polled payment; iterate over it to make it.

    A plain pass ignores back-off and waits for leases; ``due_only`` respects both. A payment that fails does not stop
    the others. ``processes`` and ``workers``, the threads of each, are limits; None leaves them to the pass. Raises
    ``InsideTransaction``.
    """

    figures: job_runs.RunFigures | None = None
    """What it has done, once it is complete and if there was anything to look up."""
    _span: telemetry.Span | None = None

    def __init__(
        self, *, workers: int | None = 1, processes: int | None = 1, due_only: bool = False, most: int | None = None,
        waits: bool = True,
    ) -> None:  # fmt: skip
        forbid_transaction("reconcile")
        if due_only:
            polling.schedule_unscheduled()
        self._per_second = conf.lookups_per_second()
        self._most = most if most or not due_only else self._per_second * LONGEST_PASS
        self._wanted = processes, workers
        self._processes = self._workers = 1
        self._due_only = due_only
        self._waits = waits
        self._credentials, self._reported_keys = set[int](), set[int]()
        self._pks = self._chosen()
        self._in_outage: set[str] = set()
        self._paces: dict[str, LookupPace] = {}
        self._urls: dict[int, str] = {}
        self._started_at = database_now()
        self._waits_until = float("inf")  # monotonic clock
        self._stopped = threading.Event()

    def _chosen(self) -> list[int]:
        rows = polling.polled(unsent_after=unsent_after())
        chosen = list((polling.due(rows) if self._due_only else rows).values_list("pk", "credentials")[: self._most])
        self._credentials = {credentials for _pk, credentials in chosen}
        return [pk for pk, _credentials in chosen]

    @property
    def total(self) -> int:
        """The number of payments to look up."""
        return len(self._pks)

    @property
    def is_full(self) -> bool:
        """Whether it has as many payments as one pass takes, so that others may be due as well."""
        return self._most is not None and len(self._pks) >= self._most

    def __iter__(self) -> Generator[PassResult, None, None]:
        job_runs.record_run(job_runs.RECONCILE)
        labels: Counter[str] = Counter()
        recorded_at = begun_at = time.monotonic()
        for result in self.results():
            if time.monotonic() - recorded_at > HEARTBEAT:
                recorded_at = time.monotonic()
                job_runs.record_run(job_runs.RECONCILE)
            labels[result.label] += 1
            yield result
        if labels:
            self._record_figures(labels, seconds=time.monotonic() - begun_at)
        self._look_up_unmatched()
        if Message.objects.filter(sent_at=None).exists():
            outbox.deliver(ignore_back_off=not self._due_only)
        _send_alerts()
        if job_runs.claim_run(PURGE, every=PURGE_INTERVAL) or not self._due_only:
            if Message.objects.filter(sent_at__lt=DatabaseTime(-outbox.KEPT_FOR)).exists():
                outbox.delete_old()
            if Purchase.objects.filter(received.MARKED_EARLIER).exists():
                received.record_all_earlier()
            if UnmatchedPayment.objects.exists():
                unmatched.delete_old()
        job_runs.record_run(job_runs.RECONCILE)

    def _record_figures(self, labels: "Counter[str]", *, seconds: float) -> None:
        self.figures = job_runs.counted(
            labels, started_at=self._started_at, seconds=seconds, failed=PassLabel.FAILED, not_done=NOT_DONE,
            processes=self._processes, workers=self._workers,
        )  # fmt: skip
        job_runs.record_figures(job_runs.RECONCILE, self.figures)

    def _look_up_unmatched(self) -> None:
        """Look up what came back from Khalti and has no payment here; staff get a mail about money that is found."""
        if not self._in_outage and UnmatchedPayment.objects.filter(next_lookup_at__isnull=False).exists():
            look_up_unmatched(due_only=self._due_only)

    def results(self) -> Iterator[PassResult]:
        """Look up the payments, and do nothing else."""
        with telemetry.Span("reconcile", current=False) as self._span:
            yield from self._probe()
            if self._wanted != (1, 1):
                processes, workers = self._wanted
                self._processes = processes_for(processes, items=len(self._pks), per_second=self._per_second)
                self._workers = workers_for(workers, processes=self._processes)
            busy: list[int] = []
            for result in self._in_processes() if self._processes > 1 else self._each(self._pks, self._process):
                if result.label == PassLabel.BUSY and not self._due_only:
                    busy.append(result.payment.pk)
                else:
                    yield result
            self._waits_until = time.monotonic() + longest_lease()
            yield from self._each(busy, self._wait_and_process)

    def _probe(self) -> Iterator[PassResult]:
        """Try each server that did not answer last, by one payment; in an outage no other is looked up there.

        It is another payment each time: of a single one Khalti may know nothing. After an outage more are due.
        """
        probes: list[int] = []
        if not (silent := silent_servers()):
            return
        for row in silent:
            breaker_for(row.server).silence_is_recorded = True  # so that an answer ends it
            rows = polling.to_probe(polling.polled(unsent_after=unsent_after()))
            if not conf.is_simulated():  # a simulator may have moved
                rows = rows.filter(credentials__base_url__startswith=f"{row.server}/")
            # One whose key this process does not have asks nothing, so another is tried.
            while pk := rows.exclude(credentials__in=self._reported_keys).values_list("pk", flat=True).first():
                probes.append(pk)
                yield (result := self._process(pk))
                if result.label != PassLabel.NO_KEY:
                    break
        self._in_outage = {row.server for row in silent_servers() if row.is_in_outage}
        if self._due_only and {row.server for row in silent if row.is_in_outage} - self._in_outage:
            self._pks = self._chosen()
        left = [pk for pk in self._pks if pk not in probes]
        for payment in payments_at(set() if self._reported_keys else self._in_outage, list(left)):
            left.remove(payment.pk)
            yield PassResult(payment=payment, outcome=None, label=PassLabel.NOT_LOOKED_UP)
        self._pks = left[: self._most and self._most - len(probes)]

    def _each(self, pks: list[int], work: Callable[[int], PassResult]) -> Iterator[PassResult]:
        workers = min(self._workers, len(pks))
        return in_threads(pks, work, workers=workers, stopped=self._stopped) if workers > 1 else map(work, pks)

    def _in_processes(self) -> Iterator[PassResult]:
        """Process the payments in children; what a child that was killed has left comes last, in this process."""
        keys = Credentials.objects.filter(pk__in=self._credentials)
        self._paces |= shared_paces(
            keys, per_second=self._per_second, expected=len(self._pks), report=self._report_key
        )
        silent = [row.server for row in silent_servers()]
        lost: list[int] = []

        def begin() -> None:
            for server in silent:
                breaker_for(server).silence_is_recorded = True

        yield from in_processes(
            self._pks, self._process, processes=self._processes, workers=self._workers, stopped=self._stopped,
            lost=lost, begin=begin,
        )  # fmt: skip
        yield from self._each(lost, self._process)

    def _process(self, pk: int) -> PassResult:
        with telemetry.Span("reconcile_payment", part_of=self._span) as span:
            result = self._process_one(pk)
            span.outcome = result.label
            return result

    def _process_one(self, pk: int) -> PassResult:
        payment = Payment(pk=pk)
        try:
            payment = load(payment)
            return self._reconcile(payment)
        except Exception as exc:  # noqa: BLE001 - the other payments must go on
            log.error("reconcile: payment %s: %s", pk, safe_trace(exc))
            if is_database_failure(exc):  # not the payment's fault
                connection.close_if_unusable_or_obsolete()
            else:
                flag_failure(payment, exc, at=self._started_at)
            return PassResult(payment=payment, outcome=None, label=PassLabel.FAILED)

    def _wait_and_process(self, pk: int) -> PassResult:
        """Wait while another process has the lease, until every lease of a dead one is over."""
        result = self._process(pk)
        while result.label == PassLabel.BUSY and time.monotonic() < self._waits_until:
            if self._stopped.wait(LEASE_POLL_INTERVAL):
                break
            result = self._process(pk)
        return result

    def _reconcile(self, payment: Payment) -> PassResult:
        if payment.state == PaymentState.REFUNDED and payment.purchase.state == PurchaseState.OPEN:
            return release_again(payment, ReleaseReason.REFUNDED, at=self._started_at)
        if payment.state == PaymentState.RELEASED and payment.pidx is None:
            return release_again(payment, ReleaseReason(payment.release_reason), at=self._started_at)
        if payment.state == PaymentState.CREATED:
            return _result(payment, release_unsent(payment, customer_present=False))
        try:
            url = self._url(payment.credentials)
        except conf.NoKeyInThisProcess as exc:
            return self._without_key(payment, exc)
        except ImproperlyConfigured:
            url = None  # the lookup says what is wrong, and raises a Flag
        if url is not None and not (self._is_taken(payment) or self._may_look_up(url)):
            return PassResult(payment=payment, outcome=None, label=PassLabel.NOT_LOOKED_UP)
        lease = take_lease(payment, caller=Caller.JOB, last_lookup_before=self._started_at)
        if not lease:
            payment = load(payment)
            # By its id: a lease that ends right now was that of a killed process, and is free in a moment.
            if payment.lease:
                return PassResult(payment=payment, outcome=payment.outcome, label=PassLabel.BUSY)
            return _result(payment, payment.outcome)
        if is_refunding(payment):
            return reconcile_refunds(payment, lease)
        return _result(payment, look_up_and_apply(payment, lease, caller=Caller.JOB))

    def _url(self, key: Credentials) -> str:
        """Return the address of the server for a key, which stays the same for a pass; raises as ``client_for``."""
        if key.pk not in self._urls:
            self._urls[key.pk] = conf.client_for(key, Caller.JOB)[0].base_url
        return self._urls[key.pk]

    def _is_taken(self, payment: Payment) -> bool:
        """Whether another process looks it up, or has done so since this pass began: then it needs no turn here."""
        now = time_of(payment)
        if payment.lease:
            return payment.leased_until is not None and payment.leased_until > now
        return payment.last_lookup_at is not None and self._started_at < payment.last_lookup_at <= now

    def _without_key(self, payment: Payment, exc: conf.NoKeyInThisProcess) -> PassResult:
        """Leave the payment as it is, its next poll too: another process has the key."""
        self._report_key(payment.credentials, exc)
        return PassResult(payment=payment, outcome=None, label=PassLabel.NO_KEY)

    def _report_key(self, credentials: Credentials, exc: conf.NoKeyInThisProcess) -> None:
        """Log each missing key once."""
        if credentials.pk not in self._reported_keys:
            self._reported_keys.add(credentials.pk)
            log.error("reconcile: no payment of key %s is looked up: %s", credentials.fingerprint, exc)

    def _may_look_up(self, url: str) -> bool:
        """Wait for the turn of one lookup; return False in an outage, or where Khalti asks for a longer pause."""
        server, breaker = server_of(url), breaker_for(url)
        if server in self._in_outage or breaker.is_open or not self._pause(breaker):
            return False
        pace = self._paces.get(server) or self._paces.setdefault(
            server, LookupPace(server, per_second=self._per_second, expected=len(self._pks))
        )
        return pace.wait(self._stopped, longest=LONGEST_PAUSE if self._waits else 0.0)

    def _pause(self, breaker: CircuitBreaker) -> bool:
        """Wait as long as Khalti asks (HTTP 429), but not in a request; return whether calls are allowed then.

        Another thread's call may make Khalti ask again and again, so one payment waits ``LONGEST_PAUSE`` at most.
        """
        until = time.monotonic() + LONGEST_PAUSE
        while self._waits and 0 < breaker.retry_after <= until - time.monotonic():
            telemetry.waited("429", breaker.retry_after)
            self._stopped.wait(breaker.retry_after)
            if self._stopped.is_set():
                return False
        return not breaker.retry_after


def reconcile(*, workers: int = 1, due_only: bool = False) -> Iterator[PassResult]:
    """Make one ``ReconcilerPass``, yielding what it finds."""
    return iter(ReconcilerPass(workers=workers, due_only=due_only))


def reconcile_one() -> None:
    """Look up the one payment that is most overdue, and send a few messages that were not sent.

    It runs in a thread of the web server, after a response, so it takes one of the slots of pages, if one is free.
    """
    with conf.page_slot() as is_free:
        if is_free:
            for _result_of_one in ReconcilerPass(due_only=True, most=1, waits=False).results():
                pass
            if UnmatchedPayment.objects.filter(next_lookup_at__isnull=False).exists():
                look_up_unmatched(most=1)
    outbox.deliver(most=MESSAGES_PER_REQUEST)
    _send_alerts()


def _send_alerts() -> None:
    """Schedule an e-mail about new Flags, where a process died before it could."""
    if Flag.objects.unmailed().exists():
        schedule_digest()


def _result(payment: Payment, outcome: Outcome) -> PassResult:
    return PassResult(payment=payment, outcome=outcome, label=outcome.value)
