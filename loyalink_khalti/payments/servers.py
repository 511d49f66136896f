"""What all processes of a shop know together of Khalti's servers: their outages, and how fast jobs look up.

A timeout, a 5xx and an answer that cannot be read say something of the server and nothing of the payment. So they are
counted here and never for a payment. The first usable answer ends an outage; then everything that waits is polled, no
faster than ``LOOKUPS_PER_SECOND``.

That is in the database. A cache that all have, if there is one, spreads within a second what their circuit breakers
find: for load and courtesy alone, no money depends on it, and while it fails each process goes on by itself.
"""

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import models, transaction
from django.db.models import Q
from django.dispatch import Signal

from loyalink_khalti import telemetry
from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.khalti.circuit_breaker import FAILURE_THRESHOLD, Known, server_of
from loyalink_khalti.khalti.transport import MAX_RETRY_AFTER

from .models import Payment
from .states import PaymentState

log = logging.getLogger(__name__)

T = TypeVar("T")

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
PREFIX = "loyalink_khalti"
PAUSE = 5.0
"""Seconds for which a cache that has failed is not asked."""
FAILURES_KEPT_FOR = 600
"""Seconds after the last failure until a server that was not called since counts as well."""
_own_cache = LocMemCache(PREFIX, {"MAX_ENTRIES": 10_000})
_failed_at: dict[str, float] = {}
"""When a cache has failed last, by this process's monotonic clock."""
_lock_of_caches = threading.Lock()

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


# What they know together through a cache


def ask(alias: str, work: Callable[[Any], T], otherwise: Callable[[], T] | None = None) -> T:
    """Return what ``work`` returns for a cache of the shop.

    A cache that fails is not asked again for ``PAUSE`` seconds; then one caller asks it first. Meanwhile ``work`` is
    called with a cache of this process's own or, if there is an ``otherwise``, that is called.
    """
    otherwise = otherwise or partial(work, _own_cache)
    if not _is_asked(alias):
        return otherwise()
    try:
        found = work(caches[alias])
    except Exception as exc:  # noqa: BLE001 - a cache raises what its client library raises
        if alias not in _failed_at:
            log.error("the cache %r fails, so each process limits for itself: %s", alias, safe_trace(exc))
        _failed_at[alias] = time.monotonic()
        return otherwise()
    if is_failing(alias) and _failed_at.pop(alias, None) is not None:
        log.warning("the cache %r is back", alias)
    return found


def is_failing(alias: str) -> bool:
    """Return whether a cache has failed in this process and is not back yet."""
    return alias in _failed_at


def _is_asked(alias: str) -> bool:
    with _lock_of_caches:
        failed_at, now = _failed_at.get(alias), time.monotonic()
        if failed_at is None:
            return True
        if now < failed_at + PAUSE:
            return False
        _failed_at[alias] = now  # the other callers do without it until this one knows
        return True


def cache_key(*names: str) -> str:
    """Return the key of names in a cache. Memcached allows no spaces, for example."""
    return f"{PREFIX}.{names[0]}:{hashlib.sha256(':'.join(names[1:]).encode()).hexdigest()[:40]}"


def forget_caches() -> None:
    """Forget which caches fail, and what this process has counted meanwhile. For tests."""
    _failed_at.clear()
    _own_cache.clear()


def _nothing() -> None:
    return None


class CachedState:
    """What all processes know of a server in a cache that they share: see ``SharedState``.

    Every change is one operation of the cache, so that none is lost between two processes.
    """

    def __init__(self, server: str, alias: str, *, longest_call: int) -> None:
        """``longest_call``, in seconds: after it a trial has ended, or its process has died."""
        self._alias, self._longest_call = alias, longest_call
        self._failures, self._open, self._throttled, self._trial = (
            cache_key("server", name, server) for name in ("failures", "open", "throttled", "trial")
        )

    def read(self) -> Known | None:
        keys = [self._failures, self._open, self._throttled]

        def work(shared: Any) -> Known:
            found = shared.get_many(keys)
            return Known(
                failures=int(found.get(self._failures, 0)),
                is_open=self._open in found,
                is_throttled=self._throttled in found,
            )

        return ask(self._alias, work, _nothing)

    def add_failure(self, *, cool_down: float) -> int | None:
        def work(shared: Any) -> int:
            failures = _count(shared, self._failures, FAILURES_KEPT_FOR)
            if failures >= FAILURE_THRESHOLD:
                shared.set(self._open, 1, math.ceil(cool_down))
            return failures

        return ask(self._alias, work, _nothing)

    def clear_failures(self) -> None:
        ask(self._alias, lambda shared: shared.delete_many([self._failures, self._open]), _nothing)

    def throttle(self, seconds: float) -> None:
        ask(self._alias, lambda shared: shared.add(self._throttled, 1, math.ceil(seconds)), _nothing)

    def take_trial(self) -> bool | None:
        def work(shared: Any) -> bool | None:
            if not shared.add(self._trial, 1, self._longest_call):
                # A cache that says nothing of its errors has no trial of another process either.
                return False if shared.get(self._trial) else None
            if self._open not in shared:
                return True
            shared.delete(self._trial)  # another process has made it in vain
            return False

        return ask(self._alias, work, _nothing)

    def end_trial(self) -> None:
        ask(self._alias, lambda shared: shared.delete(self._trial), _nothing)

    def publish(self, *, failures: int, open_for: float, throttled_for: float) -> None:
        def work(shared: Any) -> None:
            if failures:
                shared.add(self._failures, failures, FAILURES_KEPT_FOR)
            if open_for:
                shared.add(self._open, 1, math.ceil(open_for))
            if throttled_for:
                shared.add(self._throttled, 1, math.ceil(throttled_for))

        ask(self._alias, work, _nothing)


def _count(shared: Any, name: str, seconds: int) -> int:
    """Count one more and return the number; ``seconds`` after the last one it begins at 0."""
    shared.add(name, 0, seconds)
    try:
        number = int(shared.incr(name))
    except ValueError:  # it was culled, or expired just now
        shared.set(name, 1, seconds)
        return 1
    shared.touch(name, seconds)  # most caches' incr() sets their default timeout (Django 6.0)
    return number
