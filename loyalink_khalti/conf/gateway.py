"""Khalti as a site's payment gateway: whether and how the checkout offers it, and the clients that call it."""

import logging
import math
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Case, Q, When
from django.utils import translation

from loyalink_khalti.after_response import after_response, once_per_request
from loyalink_khalti.clock import DatabaseTime, is_in_future
from loyalink_khalti.errors import KhaltiError, KhaltiNotCalled, KhaltiThrottled, KhaltiUnreachable, safe_trace
from loyalink_khalti.khalti.circuit_breaker import (
    DEFAULT_RETRY_AFTER,
    FAILURE_THRESHOLD,
    ConcurrencyLimit,
    SharedSlots,
    SharedState,
    breaker_for,
    server_of,
)
from loyalink_khalti.khalti.client import Khalti
from loyalink_khalti.khalti.credentials import Secret
from loyalink_khalti.khalti.transport import Transport
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import servers
from loyalink_khalti.payments.credentials import Credentials
from loyalink_khalti.payments.servers import KhaltiServer

from .keys import GatewayRows, NoKeyInThisProcess, gateway_rows, info_of, secret_of, stand_in
from .rate_limits import ask_cache
from .settings import (
    base_url,
    deadline,
    get,
    is_khalti_server,
    is_simulated,
    is_test_mode,
    max_concurrent_calls,
)

log = logging.getLogger(__name__)

CHECKOUT_SLOT_TIMEOUT = 2.0
"""Seconds that a checkout waits for a free slot before it calls Khalti."""
_TRANSACTION = re.compile(r"/[^/\s]+/refund/")
"""The id of a transaction in the path of a refund; staff are mailed the error of an outage."""
CHECK_EVERY = 5.0
"""Seconds between two reads of what other processes have found about a server."""

LONGEST_EXTRA = 30
"""Seconds beyond the deadlines of a call after which its slot, or its trial, is free again: its process has died."""
RANDOM_TRIES = 3
"""Slots that are tried before all are read."""
POLL_SECONDS = 0.1
NOT_SHARED = ("LocMemCache", "DummyCache")
"""Django's caches that each process has for itself."""

EVERYBODY, MEMBERS, STAFF = "everybody", "members", "staff"
"""The customers to whom a site offers Khalti."""


class Caller(Enum):
    """Who calls Khalti. It decides how long the call waits for a free slot among this process's calls."""

    PAGE = "page"
    """A page that shows a payment. It does not wait: it reloads by itself."""
    CHECKOUT = "checkout"
    """A customer who has clicked. Waits ``CHECKOUT_SLOT_TIMEOUT`` seconds."""
    STAFF = "staff"
    """Staff who have clicked. Waits as long as a call may take."""
    JOB = "job"
    """A job. It limits its own threads and needs no slot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KhaltiOptions:
    """How a site offers Khalti; ``unavailable_reason`` is a sentence for the customer, "" when it is available."""

    enabled: bool
    environment: str
    title: str
    text: str
    test_mode: bool
    unavailable_reason: str
    audience: str = EVERYBODY
    """``EVERYBODY``, ``MEMBERS`` or ``STAFF``."""
    minimum_order: Paisa = Paisa(0)
    maximum_order: Paisa | None = None


def khalti_options(site_key: str, rows: GatewayRows | None = None) -> KhaltiOptions:
    """Return what the checkout of a site shows of Khalti; one statement, once for a request.

    With the ``rows`` that the caller has just read it is none.
    """
    if rows is not None:
        return _khalti_options(rows)
    return once_per_request(("khalti_options", site_key), lambda: _khalti_options(gateway_rows(site_key)))


def _khalti_options(rows: GatewayRows) -> KhaltiOptions:
    saved, environment = rows.saved, rows.environment
    enabled = bool(saved.enabled) if saved else True
    return KhaltiOptions(
        enabled=enabled,
        environment=environment,
        title=saved.title if saved else "Khalti",
        text=saved.text if saved else "Pay with your Khalti wallet, mobile banking or card.",
        test_mode=is_test_mode(environment),
        unavailable_reason=_unavailable_reason(rows, enabled=enabled),
        audience=str(saved.audience) if saved else EVERYBODY,
        minimum_order=Paisa(saved.minimum_order) if saved else Paisa(0),
        maximum_order=Paisa(saved.maximum_order) if saved and saved.maximum_order is not None else None,
    )


def _unavailable_reason(rows: GatewayRows, *, enabled: bool) -> str:
    if not enabled:
        return translation.gettext_noop("Khalti is switched off in this shop at the moment.")
    if not settings.USE_TZ:  # check E054
        return translation.gettext_noop("Khalti is not set up in this shop yet.")
    key = info_of(rows.current)
    if key.error:
        log.error("Khalti is not available on %s: %s", rows.site_key, key.error)
    if not key.source or key.error:
        return translation.gettext_noop("Khalti is not set up in this shop yet.")
    if is_not_responding(base_url(rows.environment)):
        return translation.gettext_noop("Khalti is not responding. Try again in a minute, or pay another way.")
    return ""


def is_not_responding(url: str) -> bool:
    """Return whether the server of ``url`` is not called now, as this process or another one has found."""
    _Observer(url, Caller.PAGE).before_call()
    return breaker_for(url).is_open


def is_cache_shared() -> bool:
    """Return whether other processes have the cache ``CACHE``, too: it is not Django's in memory, nor none."""
    backend = str(settings.CACHES.get(get("CACHE"), {}).get("BACKEND", ""))
    return bool(backend) and not backend.endswith(NOT_SHARED)


class _Observer:
    """Keeps what all processes know of a server (``payments.servers``); if that fails, no call's outcome changes."""

    def __init__(self, url: str, caller: Caller) -> None:
        self._server = server_of(url)
        self._breaker = breaker_for(url)
        self._caller = caller

    def before_call(self) -> None:
        """Read every few seconds what other processes have found. In an outage pages do not call; staff try it.

        Jobs read what the database has themselves, once in a pass. What the cache has is read every second, and never
        under a lock.
        """
        if self._caller is not Caller.STAFF and not connection.in_atomic_block:
            self._breaker.shared = _shared_state(self._server)
            self._breaker.refresh()
        if self._caller is Caller.JOB or not self._breaker.is_check_due(every=CHECK_EVERY):
            return
        with _without_failing():
            silent = KhaltiServer.objects.filter(server=self._server, silent_since__isnull=False)
            is_recent = Q(failures__gte=FAILURE_THRESHOLD, last_failure_at__gt=DatabaseTime(-servers.KNOWN_FOR))
            is_recent &= ~is_in_future("last_failure_at")  # the clock was set back
            for row in silent.annotate(stops_pages=Case(When(is_recent, then=True), default=False)):
                self._breaker.silence_is_recorded = True
                if row.stops_pages and self._caller is not Caller.STAFF:
                    self._breaker.open(CHECK_EVERY)

    def after_call(self, error: KhaltiError | None) -> None:
        """Record a failure, and the first answer after one; further answers cost no statement."""
        with _without_failing():
            if isinstance(error, KhaltiUnreachable):
                self._breaker.silence_is_recorded = True
                servers.record_failure(self._server, _TRANSACTION.sub("/…/refund/", str(error)))
                return
            if self._breaker.silence_is_recorded:
                servers.record_answer(self._server)
                self._breaker.silence_is_recorded = False
            if isinstance(error, KhaltiThrottled):
                servers.defer_lookups(self._server, seconds=error.retry_after or DEFAULT_RETRY_AFTER)


@contextmanager
def _without_failing() -> Iterator[None]:
    """Log a failure of the database in this block: money does not depend on the record of outages.

    Inside a transaction (the checkout asks before anything is sent) its error goes on to the caller, who rolls back.
    """
    try:
        yield
    except (DatabaseError, InterfaceError) as exc:
        if connection.in_atomic_block:
            raise
        connection.close_if_unusable_or_obsolete()
        log.error("the record of outages could not be kept: %s", safe_trace(exc))


def client_for(row: Credentials, caller: Caller = Caller.PAGE) -> tuple[Khalti, bool]:
    """Return a client with the secret key that opened a payment, and whether that key still exists.

    If the key is gone (an environment variable has changed) or cannot be decrypted any more, the client has the site's
    current key of the same environment and server. Raises ``ImproperlyConfigured`` without any key, and
    ``NoKeyInThisProcess`` (``SecretKeyUnreadable`` is one) where another process may have it.
    """
    unreadable: NoKeyInThisProcess | None = None
    try:
        secret = secret_of(row)
    except NoKeyInThisProcess as exc:
        secret, unreadable = None, exc
    if secret is not None:
        # A simulator may have moved to today's KHALTI_BASE_URL. Khalti's own servers do not move.
        moved = is_simulated() and not is_khalti_server(row.base_url)
        return _client(base_url(row.environment) if moved else row.base_url, secret, caller), True
    current = stand_in(row)
    if current is not None:
        return client_with_key(row.environment, current, caller), False
    if unreadable is not None:
        raise unreadable
    if not row.ciphertext:
        raise NoKeyInThisProcess("KHALTI_SECRET_KEY is not set, and the site has no key of its own")
    raise ImproperlyConfigured(f"the Khalti key {row.fingerprint} is gone, and the site has no other key")


def replacement_client(row: Credentials, caller: Caller) -> Khalti | None:
    """Return a client with the key that has replaced one that Khalti rejects; None when none has."""
    current = stand_in(row)
    if current is None or current.fingerprint == row.fingerprint:
        return None
    return client_with_key(row.environment, current, caller)


def client_with_key(environment: str, secret: Secret, caller: Caller = Caller.STAFF) -> Khalti:
    """Return a client with any key for the current server of an environment. Raises ``ImproperlyConfigured``."""
    return _client(base_url(environment), secret, caller)


def slot_timeout(caller: Caller) -> float:
    """Return the seconds that a call may wait for a free slot before its deadline begins."""
    return {Caller.CHECKOUT: min(CHECKOUT_SLOT_TIMEOUT, deadline()), Caller.STAFF: deadline()}.get(caller, 0.0)


@contextmanager
def page_slot() -> Iterator[bool]:
    """Hold one of the slots that pages share in this block, for a job in a thread of the web server.

    The value is False where none is free: the thread must not call Khalti then.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(_limit().slot(timeout=0))
            is_free = True
        except KhaltiNotCalled:
            is_free = False
        yield is_free


def _client(url: str, secret: Secret, caller: Caller) -> Khalti:
    transport, timeout = _transport(deadline()), slot_timeout(caller)
    limit = None if caller is Caller.JOB else _limit()
    try:
        return Khalti(
            base_url=url, secret=secret, transport=transport, concurrency_limit=limit, slot_timeout=timeout,
            observer=_Observer(url, caller),
        )  # fmt: skip
    except ValueError as exc:
        raise ImproperlyConfigured(f"Khalti cannot be called at {url}: {exc}") from exc


def _limit() -> ConcurrencyLimit:
    limit = _concurrency_limit(max_concurrent_calls())
    limit.shared = _shared_slots()
    return limit


_transport = cache(lambda seconds: Transport(deadline=seconds))
_concurrency_limit = cache(ConcurrencyLimit)
os.register_at_fork(after_in_child=_concurrency_limit.cache_clear)  # its slots are held by threads of the parent


# What the processes share through a cache


def _shared_state(server: str) -> SharedState | None:
    if not is_cache_shared():
        return None
    return servers.CachedState(server, str(get("CACHE")), longest_call=_longest_call())


def _longest_call() -> int:
    return math.ceil(2 * deadline()) + LONGEST_EXTRA  # it may wait for a slot as long as it may take


def _shared_slots() -> SharedSlots | None:
    """Return the slots for calls of pages in all processes; None without a shared cache, or without such a bound."""
    number = int(get("MAX_CONCURRENT_CALLS_IN_ALL"))
    return _CachedSlots(number) if number and is_cache_shared() else None


class _CachedSlots:
    """See ``SharedSlots``: a slot is a key that somebody has added. One of a process that died expires."""

    def __init__(self, number: int) -> None:
        self._names = [servers.cache_key("slot", str(each)) for each in range(number)]

    def take(self, *, timeout: float) -> Callable[[], None] | None:
        until = time.monotonic() + timeout
        while True:
            taken = ask_cache(self._take, lambda: "")
            if taken is not None:
                return partial(after_response, partial(_free, taken)) if taken else lambda: None
            left = until - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(POLL_SECONDS, left))

    def _take(self, shared: Any) -> str | None:
        seconds = _longest_call()
        for name in random.sample(self._names, min(RANDOM_TRIES, len(self._names))):
            if shared.add(name, 1, seconds):
                return name
        used = shared.get_many(self._names)
        free = [name for name in self._names if name not in used]
        taken = next((name for name in free if shared.add(name, 1, seconds)), None)
        if taken is None and free and not shared.get_many(free):
            return ""  # it keeps nothing, and says nothing of its errors
        return taken


def _free(name: str) -> None:
    """Free a slot, after the response where there is one: the customer does not wait for it."""
    ask_cache(lambda shared: shared.delete(name), lambda: None)
