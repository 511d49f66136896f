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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from loyalink_khalti import conf, outbox
from loyalink_khalti.clock import database_now, time_of
from loyalink_khalti.conf import Caller
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.flow.refunds.order import apply_refund
from loyalink_khalti.flow.review.alerts import schedule_digest
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block, is_database_failure
from loyalink_khalti.flow.verification.apply import release_payment
from loyalink_khalti.flow.verification.external_refunds import look_up_refunds
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
from loyalink_khalti.payments import polling, received, refunds, unmatched
from loyalink_khalti.payments.flags import raise_flag
from loyalink_khalti.payments.models import Flag, Payment, Purchase
from loyalink_khalti.payments.servers import LookupPace, payments_at, silent_servers
from loyalink_khalti.payments.states import FlagReason, PaymentState, PurchaseState
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.ports import Outcome, ReleaseReason

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


class PassLabel(StrEnum):
    """What a pass says of a payment, beside the outcomes of purchases."""

    FAILED = "failed (see the log)"
    NOT_LOOKED_UP = "not looked up: Khalti is not responding"
    NO_KEY = "not looked up: this process has no key"
    BUSY = "being looked up by another process"
    UNCHANGED = "unchanged"
    REFUNDED = "refunded at Khalti"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """What a pass found about one payment; ``outcome`` is None where it could not look it up."""

    payment: Payment
    outcome: Outcome | None
    label: str
    """The outcome or a ``PassLabel``, for the summary."""


class ReconcilerPass:
    """One look at every polled payment; iterate over it to make it.

    A plain pass ignores back-off and waits for leases; ``due_only`` respects both. A payment that fails does not stop
    the others. Raises ``InsideTransaction``.
    """

    def __init__(
        self, *, workers: int = 1, due_only: bool = False, most: int | None = None, waits: bool = True
    ) -> None:
        forbid_transaction("reconcile")
        if due_only:
            polling.schedule_unscheduled()
        self._per_second = conf.lookups_per_second()
        self._most = most if most or not due_only else self._per_second * LONGEST_PASS
        self._workers = workers
        self._due_only = due_only
        self._waits = waits
        self._pks = self._chosen()
        self._in_outage: set[str] = set()
        self._paces: dict[str, LookupPace] = {}
        self._started_at = database_now()
        self._waits_until = float("inf")  # monotonic clock
        self._stopped = threading.Event()
        self._reported_keys: set[int] = set()

    def _chosen(self) -> list[int]:
        rows = polling.polled(unsent_after=unsent_after())
        return list((polling.due(rows) if self._due_only else rows).values_list("pk", flat=True)[: self._most])

    @property
    def total(self) -> int:
        """The number of payments to look up."""
        return len(self._pks)

    @property
    def is_full(self) -> bool:
        """Whether it has as many payments as one pass takes, so that others may be due as well."""
        return self._most is not None and len(self._pks) >= self._most

    def __iter__(self) -> Iterator[PassResult]:
        polling.record_run(polling.RECONCILE)
        recorded_at = time.monotonic()
        for result in self.results():
            if time.monotonic() - recorded_at > HEARTBEAT:
                recorded_at = time.monotonic()
                polling.record_run(polling.RECONCILE)
            yield result
        self._look_up_unmatched()
        outbox.deliver(ignore_back_off=not self._due_only)
        _send_alerts()
        if polling.claim_run(PURGE, every=PURGE_INTERVAL) or not self._due_only:
            outbox.delete_old()
            if Purchase.objects.filter(received.MARKED_EARLIER).exists():
                received.record_all_earlier()
            if UnmatchedPayment.objects.exists():
                unmatched.delete_old()
        polling.record_run(polling.RECONCILE)

    def _look_up_unmatched(self) -> None:
        """Look up what came back from Khalti and has no payment here; staff get a mail about money that is found."""
        if not self._in_outage and UnmatchedPayment.objects.filter(next_lookup_at__isnull=False).exists():
            look_up_unmatched(due_only=self._due_only)

    def results(self) -> Iterator[PassResult]:
        """Look up the payments, and do nothing else."""
        yield from self._probe()
        busy: list[int] = []
        for result in self._each(self._pks, self._process):
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

    def _process(self, pk: int) -> PassResult:
        payment = Payment(pk=pk)
        try:
            payment = load(payment)
            return self._reconcile(payment)
        except Exception as exc:  # noqa: BLE001 - the other payments must go on
            log.error("reconcile: payment %s: %s", pk, safe_trace(exc))
            if is_database_failure(exc):  # not the payment's fault
                connection.close_if_unusable_or_obsolete()
            else:
                self._flag_failure(payment, exc)
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
            return self._release_again(payment, ReleaseReason.REFUNDED)
        if payment.state == PaymentState.RELEASED and payment.pidx is None:
            return self._release_again(payment, ReleaseReason(payment.release_reason))
        if payment.state == PaymentState.CREATED:
            return _result(payment, release_unsent(payment, customer_present=False))
        try:
            url = conf.client_for(payment.credentials, Caller.JOB)[0].base_url
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
            return _reconcile_refunds(payment, lease)
        return _result(payment, look_up_and_apply(payment, lease, caller=Caller.JOB))

    def _is_taken(self, payment: Payment) -> bool:
        """Whether another process looks it up, or has done so since this pass began: then it needs no turn here."""
        now = time_of(payment)
        if payment.lease:
            return payment.leased_until is not None and payment.leased_until > now
        return payment.last_lookup_at is not None and self._started_at < payment.last_lookup_at <= now

    def _without_key(self, payment: Payment, exc: conf.NoKeyInThisProcess) -> PassResult:
        """Leave the payment as it is, its next poll too, and log each missing key once: another process has it."""
        if payment.credentials_id not in self._reported_keys:
            self._reported_keys.add(payment.credentials_id)
            log.error("reconcile: no payment of key %s is looked up: %s", payment.credentials.fingerprint, exc)
        return PassResult(payment=payment, outcome=None, label=PassLabel.NO_KEY)

    def _release_again(self, payment: Payment, reason: ReleaseReason) -> PassResult:
        """Release what a payment without money still holds, where the shop failed before; later and later."""
        outcome = release_payment(payment, reason, customer_present=False, states=())
        if not Purchase.objects.filter(pk=payment.purchase_id, state=PurchaseState.OPEN).exists():
            return _result(payment, outcome)
        self._poll_later(payment)
        return PassResult(payment=payment, outcome=outcome, label=PassLabel.FAILED)

    def _may_look_up(self, url: str) -> bool:
        """Wait for the turn of one lookup; return False in an outage, or where Khalti asks for a longer pause."""
        server, breaker = server_of(url), breaker_for(url)
        if server in self._in_outage or breaker.is_open or not self._pause(breaker):
            return False
        pace = LookupPace(server, per_second=self._per_second, expected=len(self._pks))
        longest = LONGEST_PAUSE if self._waits else 0.0
        return self._paces.setdefault(server, pace).wait(self._stopped, longest=longest)

    def _pause(self, breaker: CircuitBreaker) -> bool:
        """Wait as long as Khalti asks (HTTP 429), but not in a request; return whether calls are allowed then.

        Another thread's call may make Khalti ask again and again, so one payment waits ``LONGEST_PAUSE`` at most.
        """
        until = time.monotonic() + LONGEST_PAUSE
        while self._waits and 0 < breaker.retry_after <= until - time.monotonic():
            self._stopped.wait(breaker.retry_after)
            if self._stopped.is_set():
                return False
        return not breaker.retry_after

    def _flag_failure(self, payment: Payment, exc: Exception) -> None:
        """Poll a payment that cannot be processed ever later, and raise a Flag once."""
        try:
            self._poll_later(payment)
            evidence = {"error": type(exc).__name__}
            in_one_block(lambda: raise_flag(payment, FlagReason.HOST_FAILED, evidence))
        except Exception as worse:  # noqa: BLE001 - logged above, and tried again by the next pass
            log.error("reconcile: payment %s could not be flagged: %s", payment.pk, safe_trace(worse))

    def _poll_later(self, payment: Payment) -> None:
        failures = payment.poll_failures + 1
        wait = polling.next_poll(payment, PaymentState(payment.state), failures=failures)
        Payment.objects.filter(pk=payment.pk).update(
            last_lookup_at=self._started_at, poll_failures=failures, next_poll_at=polling.poll_after(wait)
        )


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


def pass_summary(labels: "Counter[str]") -> str:
    """Return in one line what a pass found: ``1 expired, 3 paid``."""
    if not labels:
        return "nothing to look up"
    return ", ".join(f"{number} {label}" for label, number in sorted(labels.items()))


def _result(payment: Payment, outcome: Outcome) -> PassResult:
    return PassResult(payment=payment, outcome=outcome, label=outcome.value)


def _reconcile_refunds(payment: Payment, lease: str) -> PassResult:
    outcome = look_up_refunds(payment, lease)
    for refund in refunds.unapplied(payment.purchase):
        apply_refund(refund)
    label = PassLabel.FAILED if outcome is None else PassLabel.UNCHANGED
    if outcome is not None and load(payment).state != payment.state:
        label = PassLabel.REFUNDED
    return PassResult(payment=payment, outcome=outcome, label=label)
