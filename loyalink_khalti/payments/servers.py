"""What all processes of a shop know together of Khalti's servers: their outages, and how fast jobs look up.

A timeout, a 5xx and an answer that cannot be read say something of the server and nothing of the payment. So they are
counted here and never for a payment. The first usable answer ends an outage; then everything that waits is polled, no
faster than ``LOOKUPS_PER_SECOND``.
"""

import threading
import time
from collections.abc import Collection, Iterator
from datetime import timedelta

from django.db import models, transaction
from django.db.models import Q
from django.dispatch import Signal

from loyalink_khalti import telemetry
from loyalink_khalti.clock import database_now
from loyalink_khalti.khalti.circuit_breaker import FAILURE_THRESHOLD, server_of
from loyalink_khalti.khalti.transport import MAX_RETRY_AFTER

from .models import Payment
from .states import PaymentState

ALERT_AFTER = timedelta(minutes=10)
"""How long an outage lasts before staff get an e-mail about it."""
KNOWN_FOR = timedelta(seconds=60)
"""How long after its last failure pages do not call a server in an outage; passes of the reconciler try it."""
LONGEST_DEFERRAL = timedelta(seconds=2 * MAX_RETRY_AFTER)
"""A ``next_lookup_at`` further ahead was written by a wrong clock, and counts as none."""
CHUNK = 500
"""Payments that one query names."""
MOST_TURNS = 100
"""Turns that a process reserves at once: less than a second at a high rate, so that other machines wait less."""
MARGIN = 1.05
"""How much further apart lookups are than the setting says, so that one that is late does not meet the next."""

outage_lasts = Signal()
"""Sent once when an outage has lasted ``ALERT_AFTER``, in the transaction that records it: ``row``."""
outage_ended = Signal()
"""Sent where an outage ends of which ``outage_lasts`` was sent: ``row`` as it was, ``waiting``, ``ended_at``."""


class KhaltiServer(models.Model):
    """One server of Khalti's: since when it has given no usable answer, and when jobs may make the next lookup."""

    server = models.CharField(max_length=255, unique=True, help_text="scheme and host")
    silent_since = models.DateTimeField(null=True, blank=True, help_text="the first failure after the last answer")
    failures = models.PositiveIntegerField(default=0, help_text="calls in a row without a usable answer")
    last_failure_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True, default="", help_text="of the last failure")
    alerted_at = models.DateTimeField(null=True, blank=True, help_text="when staff were mailed about this outage")
    answered_at = models.DateTimeField(null=True, blank=True, help_text="when the last silence ended")
    next_lookup_at = models.DateTimeField(null=True, blank=True, help_text="of jobs; see LookupPace")

    class Meta:
        verbose_name = "Khalti server"

    def __str__(self) -> str:
        return self.server

    @property
    def is_in_outage(self) -> bool:
        """Whether it has failed so often in a row that only passes of the reconciler still try it."""
        return self.failures >= FAILURE_THRESHOLD


def silent_servers() -> list[KhaltiServer]:
    """Return the servers whose last call had no usable answer, be that the first or one of an outage."""
    return list(KhaltiServer.objects.filter(silent_since__isnull=False).order_by("server"))


def record_failure(server: str, error: str) -> None:
    """Record a call without a usable answer. The one that finds that the outage has lasted long alerts staff, once."""
    with transaction.atomic():
        row, now = _lock(server), database_now()
        if row.silent_since is None or row.silent_since > now:  # the database's clock may have been set back
            row.silent_since = now
        row.failures, row.last_failure_at, row.error = row.failures + 1, now, error[:200]
        is_alert = row.alerted_at is None and now - row.silent_since >= ALERT_AFTER
        if is_alert:
            row.alerted_at = now
        row.save(update_fields=["silent_since", "failures", "last_failure_at", "error", "alerted_at"])
        if is_alert:
            outage_lasts.send(sender=KhaltiServer, row=row)


def record_answer(server: str) -> None:
    """Record a usable answer of a server that was silent. After an outage, let the next pass poll what waits."""
    with transaction.atomic():
        row, now = _lock(server), database_now()
        if row.silent_since is None:
            return
        waiting = _poll_what_waits(row) if row.is_in_outage else 0
        if row.alerted_at is not None:
            outage_ended.send(sender=KhaltiServer, row=row, waiting=waiting, ended_at=now)
        row.silent_since, row.failures, row.error, row.alerted_at, row.answered_at = None, 0, "", None, now
        row.save(update_fields=["silent_since", "failures", "error", "alerted_at", "answered_at"])


def payments_at(servers: Collection[str], pks: list[int]) -> Iterator[Payment]:
    """Yield those of the payments for which one of these servers would have to be asked, with their purchases."""
    at_them = Q(pk__in=[])
    for server in servers:
        at_them |= Q(credentials__base_url__startswith=f"{server}/")
    rows = Payment.objects.filter(at_them, pidx__isnull=False).exclude(state=PaymentState.REFUNDED)
    for start in range(0, len(pks) if servers else 0, CHUNK):
        yield from rows.filter(pk__in=pks[start : start + CHUNK]).select_related("purchase")


def defer_lookups(server: str, *, seconds: float) -> None:
    """Let no job of any process look up at a server for ``seconds``, as Khalti asks by HTTP 429."""
    with transaction.atomic():
        row, then = _lock(server), database_now() + timedelta(seconds=min(seconds, MAX_RETRY_AFTER))
        if row.next_lookup_at is None or row.next_lookup_at < then:
            KhaltiServer.objects.filter(pk=row.pk).update(next_lookup_at=then)


def _lock(server: str) -> KhaltiServer:
    """Return the row of a server, a new one for a new server, locked until the transaction ends."""
    row, _is_new = KhaltiServer.objects.select_for_update().get_or_create(server=server)
    return row


def _poll_what_waits(row: KhaltiServer) -> int:
    """Make everything due that waits for an answer, the oldest first, and return how many payments that are.

    That is what may have been paid meanwhile, and what was tried in vain. All get the same time, so that they are
    polled in the order of their creation.
    """
    waits = Q(state=PaymentState.INITIATED) | Q(last_lookup_at__gte=row.silent_since)
    return Payment.objects.filter(waits, next_poll_at__isnull=False).update(next_poll_at=row.silent_since)


def take_turn(url: str, *, per_second: int, longest: float = 1.0) -> bool:
    """Wait for the turn of a single lookup of a job; return False if it is more than ``longest`` seconds away."""
    return LookupPace(server_of(url), per_second=per_second, expected=1).wait(threading.Event(), longest=longest)


class LookupPace:
    """Spaces the lookups of jobs at one server, so that all processes together make at most ``per_second``.

    A process reserves time of the server in the database, a second at most, for its threads to share. A lookup that
    comes late moves the next one of its process, never into the time of another process. ``expected`` is how many
    lookups there will be, so that no more is reserved.
    """

    def __init__(self, server: str, *, per_second: int, expected: int) -> None:
        self._server = server
        self._spacing = MARGIN / per_second
        self._per_second = per_second
        self._expected = expected
        self._lock = threading.Lock()
        self._next = self._end = 0.0  # monotonic

    def wait(self, stopped: threading.Event, *, longest: float) -> bool:
        """Wait for the next lookup's turn. Return False after ``stopped``, or if it is ``longest`` seconds away."""
        with self._lock:
            until = (began := time.monotonic()) + longest
            while not stopped.is_set():
                now = time.monotonic()
                if (begin := max(self._next, now)) < self._end:
                    if stopped.wait(begin - now):
                        break
                    telemetry.waited("pace", time.monotonic() - began)
                    self._next = time.monotonic() + self._spacing
                    self._expected -= 1
                    return True
                if not self._reserve(longest=until - now):
                    break
            return False

    def _reserve(self, *, longest: float) -> bool:
        number = max(min(self._per_second, self._expected, MOST_TURNS), 1)
        length = timedelta(seconds=number * self._spacing)
        with transaction.atomic():
            row, now = _lock(self._server), database_now()
            free_at = row.next_lookup_at
            if free_at is None or free_at > now + LONGEST_DEFERRAL:
                free_at = now
            begin = max(free_at, now + timedelta(seconds=max(self._next - time.monotonic(), 0.0)))
            wait = (begin - now).total_seconds()
            if wait > max(longest, 0.0):
                return False
            KhaltiServer.objects.filter(pk=row.pk).update(next_lookup_at=begin + length)
        self._next = time.monotonic() + wait
        self._end = self._next + length.total_seconds()
        return True
