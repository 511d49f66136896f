"""Keep what comes back from Khalti's page and no payment here has, and look it up with the site's keys.

The browser's words decide nothing and cause no call: a well-formed pidx is kept, a bounded number an hour, and the
reconciler asks Khalti about it. Where money is found, staff decide: ``flow.review.unmatched``.
"""

import logging
from collections.abc import Iterator
from enum import Enum

from django.core.exceptions import ImproperlyConfigured

from loyalink_khalti import conf, outbox
from loyalink_khalti.clock import NOW, DatabaseTime
from loyalink_khalti.conf import Caller
from loyalink_khalti.errors import (
    KhaltiError,
    KhaltiKeyRejected,
    KhaltiNotCalled,
    KhaltiNotFound,
    KhaltiUnreachable,
    KhaltiUnreadable,
    safe_trace,
)
from loyalink_khalti.flow.transactions import advisory_lock, forbid_transaction, in_one_block
from loyalink_khalti.khalti.wire import Lookup
from loyalink_khalti.payments import unmatched
from loyalink_khalti.payments.credentials import Credentials
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.servers import take_turn
from loyalink_khalti.payments.states import PaymentState
from loyalink_khalti.payments.unmatched import UnmatchedPayment, UnmatchedState

from .verify import unsent_after

log = logging.getLogger(__name__)

LOOKUPS_IN_A_PASS = 50
"""How many unmatched payments one pass of the reconciler looks up at most."""
KEYS = 5
"""How many keys of a site are tried, the newest first."""
_MAIL = "loyalink_khalti.flow.review.alerts.mail_unmatched"


def keep_return(
    *, pidx: str, site_key: str, network: str, order_id: str = "", returned_to: Payment | None = None
) -> bool:
    """Keep a pidx that came back to the shop and is not that of the payment there; return whether it is kept.

    ``network`` is a hash ("" where it is not known), ``order_id`` what the browser claims, ``returned_to`` the payment
    of the return address. Khalti is not called. At most ``UNMATCHED_PER_HOUR`` are kept of a site, and
    ``UNMATCHED_PER_HOUR_AND_NETWORK`` of a network. Whether the pidx is known makes no difference here: not to the
    answer, and not to the statements.
    """
    is_starting = returned_to is not None and returned_to.state == PaymentState.CREATED
    wait = unsent_after() if is_starting else NOW  # Khalti's answer, with this very pidx, may be on its way

    def work() -> bool:
        advisory_lock([f"unmatched:{site_key}"])  # so that no more are kept however many come at once
        if not unmatched.is_within_limits(
            site_key=site_key,
            network=network,
            per_site=int(conf.get("UNMATCHED_PER_HOUR")),
            per_network=int(conf.get("UNMATCHED_PER_HOUR_AND_NETWORK")),
        ):
            return False
        unmatched.keep(
            pidx=pidx, site_key=site_key, network=network, order_id=order_id, returned_to=returned_to,
            wait=wait,
        )  # fmt: skip
        return True

    is_kept = in_one_block(work)
    if not is_kept:
        log.warning("a return with an unknown payment is not kept: the limit of the hour is reached")
    return is_kept


def look_up_unmatched(*, due_only: bool = True, most: int = LOOKUPS_IN_A_PASS) -> int:
    """Look up kept returns at Khalti, as a job; return how many payments with money were found just now.

    One that fails does not stop the others. Where Khalti does not respond, or this process has no key, the rest waits.
    Raises ``InsideTransaction`` inside a transaction.
    """
    forbid_transaction("look_up_unmatched")
    rows = list(UnmatchedPayment.objects.looked_up(due_only=due_only)[:most])
    found = 0
    for row in rows:
        try:
            answer = look_up_one(row)
        except Exception as exc:  # noqa: BLE001 - the others must go on
            log.error("unmatched payment %s: %s", row.pk, safe_trace(exc))
            continue
        if answer is Answer.SILENCE:
            break
        found += answer is Answer.FOUND
    return found


class Answer(Enum):
    """What a lookup of an unmatched payment brought."""

    FOUND = "found"
    """Money that was not known before."""
    OTHER = "other"
    SILENCE = "silence"
    """No answer at all: the next one would get none either."""


def look_up_one(row: UnmatchedPayment) -> Answer:
    """Look up one unmatched payment and record the answer, unless another process does so at this moment."""
    if not in_one_block(lambda: unmatched.claim(row)):
        return Answer.OTHER
    if unmatched.has_payment(row):  # it is known by now, or always was: that payment is looked up by itself
        UnmatchedPayment.objects.filter(pk=row.pk, payment=None).delete()
        return Answer.OTHER
    try:
        found = ask(row, caller=Caller.JOB)
    except KhaltiNotFound:
        in_one_block(lambda: _record_not_found(row))
        return Answer.OTHER
    except conf.NoKeyInThisProcess as exc:
        log.info("unmatched payment %s: %s", row.pk, exc)
        _not_charged(row)
        return Answer.OTHER  # another site may have a key
    except KhaltiNotCalled as exc:
        log.info("unmatched payment %s: %s", row.pk, exc)
        _not_charged(row)
        return Answer.SILENCE
    except (KhaltiError, ImproperlyConfigured) as exc:
        log.warning("unmatched payment %s: %s", row.pk, exc)
        in_one_block(lambda: _record_no_answer(row))
        if not isinstance(exc, KhaltiUnreachable) or isinstance(exc, KhaltiUnreadable):
            return Answer.OTHER
        _not_charged(row)  # the silence is the server's
        return Answer.SILENCE
    return Answer.FOUND if in_one_block(lambda: _record(row, *found)) else Answer.OTHER


def _not_charged(row: UnmatchedPayment) -> None:
    """Let a row be due again at once, but after those that wait already: it may be the only one that fails."""
    UnmatchedPayment.objects.filter(pk=row.pk, lookups=row.lookups + 1, next_lookup_at__isnull=False).update(
        next_lookup_at=DatabaseTime()
    )


def _record(row: UnmatchedPayment, answer: Lookup, credentials: Credentials) -> bool:
    locked = unmatched.lock(row.pk)
    if locked.state not in {UnmatchedState.WAITING, UnmatchedState.FOUND}:
        return False  # staff were quicker
    is_new = unmatched.record_answer(locked, answer, credentials)
    if is_new:
        log.warning("unmatched payment %s: Khalti has money for it, and no payment here is it", row.pk)
        outbox.post_once(_MAIL, key=_MAIL)
    return is_new


def _record_not_found(row: UnmatchedPayment) -> None:
    locked = unmatched.lock(row.pk)
    if locked.state in {UnmatchedState.WAITING, UnmatchedState.FOUND}:
        unmatched.record_not_found(locked)


def _record_no_answer(row: UnmatchedPayment) -> None:
    unmatched.record_no_answer(unmatched.lock(row.pk))


def ask(row: UnmatchedPayment, *, caller: Caller) -> tuple[Lookup, Credentials]:
    """Return Khalti's answer about a pidx, and the key that found it. No transaction is open.

    The keys of the site are tried, the newest first: a restored database may not have the one that opened the payment.
    Raises ``KhaltiNotFound`` where no key finds it, ``KhaltiError`` where Khalti does not answer, and
    ``ImproperlyConfigured`` where no key can be used (``NoKeyInThisProcess`` where this process has none).
    """
    problem: Exception | None = None
    was_found_by_none: KhaltiNotFound | None = None
    for credentials in _keys(row):
        try:
            client, is_same_key = conf.client_for(credentials, caller)
            if is_same_key or row.credentials is not None:  # otherwise the successor is in the list, too
                if caller is Caller.JOB and not take_turn(client.base_url, per_second=conf.lookups_per_second()):
                    raise KhaltiNotCalled("other lookups come first")
                answer = client.lookup(row.pidx)
                break
        except KhaltiNotFound as exc:
            was_found_by_none = exc
        except (KhaltiKeyRejected, ImproperlyConfigured) as exc:
            problem = problem or exc
    else:
        raise was_found_by_none or problem or conf.NoKeyInThisProcess("the site has no key for Khalti")
    if answer.pidx != row.pidx:
        raise KhaltiError("Khalti answered about another payment")
    return answer, credentials


def _keys(row: UnmatchedPayment) -> Iterator[Credentials]:
    """Yield the key that found it before, else the site's current one and those it has had, each once."""
    if row.credentials is not None:
        if not is_test_money(row.credentials, row.site_key):
            yield row.credentials
        return
    seen: set[tuple[str, str]] = set()
    try:
        current = [conf.credentials(row.site_key)]
    except ImproperlyConfigured as exc:
        log.info("site %s: %s", row.site_key, exc)
        current = []
    former = Credentials.objects.filter(site_key=row.site_key).order_by("-pk")[: KEYS * 2]
    for credentials in [*current, *former]:
        key = (credentials.fingerprint, credentials.base_url)
        if key not in seen and len(seen) < KEYS and not is_test_money(credentials, row.site_key):
            seen.add(key)
            yield credentials


def is_test_money(credentials: Credentials, site_key: str) -> bool:
    """Return whether what this key finds is no money, on a site that takes real money.

    A shop often began with a test key, even Khalti's public one: with that anyone pays any amount on the test server.
    """
    environment = conf.environment_of(conf.khalti_settings(site_key))
    return not conf.is_test_mode(environment) and credentials.base_url != conf.SERVERS[conf.LIVE]
