"""One at a time, across all processes, asks Khalti what became of a payment; no transaction is open meanwhile."""

import logging
import time
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils import timezone

from loyalink_khalti import conf
from loyalink_khalti.conf import Lane
from loyalink_khalti.errors import (
    KhaltiError,
    KhaltiKeyRejected,
    KhaltiNotAsked,
    KhaltiNotFound,
    KhaltiRejected,
    KhaltiThrottled,
)
from loyalink_khalti.khalti.gate import PATIENCE
from loyalink_khalti.khalti.wire import Lookup
from loyalink_khalti.payments import services
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import Reason

from .transactions import in_one_block, is_only_busy

log = logging.getLogger(__name__)

NOT_FOUND_BEFORE_FLAG = 3
POLL = 0.1
"""seconds"""
GRACE = 5.0
"""seconds that a lease lasts longer than the call for which it is taken"""


def read(payment: Payment) -> Payment:
    """The payment as the database has it, with its purchase, the key that opened it and whether it is flagged."""
    found: Payment = services.with_flags().select_related("purchase", "credentials").get(pk=payment.pk)
    return found


def lease(
    payment: Payment, *, lane: Lane, asked_before: datetime | None = None, pause: timedelta | None = None
) -> str:
    """Become the one who asks; "" where it is too soon, or somebody else is at it, and settles it or comes to nothing.

    A visitor is told at once, and so is a job, which comes back to it. Staff, and a shopper with ``pause`` seconds
    between two clicks of theirs, wait until the one before has settled it, is done, or has died.
    """
    seconds = conf.deadline() + conf.patience(lane) + GRACE
    patience = time.monotonic() + seconds + (pause.total_seconds() if pause else 0) + 1
    while True:
        before = timezone.now() - pause if pause else asked_before
        taken = _take(payment, seconds=seconds, asked_before=before, lane=lane)
        if taken or lane is not Lane.STAFF or time.monotonic() > patience or read(payment).is_settled:
            return taken
        time.sleep(POLL)


def _take(payment: Payment, *, seconds: float, asked_before: datetime | None, lane: Lane) -> str:
    name = services.new_lease()  # one for both tries: of the first, the answer alone may have been lost

    def take() -> str:
        return services.take_lease(
            payment,
            seconds=seconds,
            lease=name,
            asked_before=asked_before,
            visitor=lane is Lane.LOOK,
            granted=lane is Lane.JOB,
        )

    try:
        return in_one_block(take)
    except DatabaseError as exc:
        if not is_only_busy(exc):
            raise
        return ""  # somebody else is at this row


def ask(payment: Payment, lease: str, *, lane: Lane) -> Lookup | None:
    """Look the payment up, no transaction open; None where nothing was learned, and the lease is over."""
    try:
        return _lookup(payment, lane=lane)
    except ImproperlyConfigured as exc:
        services.drop_lease(payment, lease, by_job=lane is Lane.JOB)
        _tell(payment, Reason.KEY_GONE, {"key": str(exc)})
    except KhaltiRejected as exc:
        services.drop_lease(payment, lease, by_job=lane is Lane.JOB)
        _refused(payment, exc)
    except KhaltiNotAsked as exc:
        log.info("lookup of payment %s: %s", payment.pk, exc)
        services.drop_lease(payment, lease)
    except KhaltiError as exc:
        log.warning("lookup of payment %s: %s", payment.pk, exc)
        services.drop_lease(payment, lease, by_job=lane is Lane.JOB)
    return None


class _NotThisKeys(KhaltiNotFound):
    """Another key than the one that opened the payment does not know it: that says nothing."""


def _lookup(payment: Payment, *, lane: Lane) -> Lookup:
    """Ask with the key that opened the payment or, where it is gone or revoked, with the one in its place."""
    client, same_key = conf.khalti(payment.credentials, lane)
    try:
        return client.lookup(payment.pidx or "")
    except KhaltiKeyRejected:
        successor = conf.successor(payment.credentials, lane)
        if successor is None:
            raise
    except KhaltiNotFound as exc:
        raise exc if same_key else _not_this_keys(exc) from exc
    try:
        return successor.lookup(payment.pidx or "")
    except KhaltiNotFound as exc:
        raise _not_this_keys(exc) from exc


def _not_this_keys(exc: KhaltiNotFound) -> _NotThisKeys:
    return _NotThisKeys(exc.path, status_code=exc.status_code, detail=exc.detail)


def _refused(payment: Payment, exc: KhaltiRejected) -> None:
    """A "no" to lookup says nothing about the money; staff are told when it does not pass."""
    evidence = {"status_code": exc.status_code, "khalti": exc.words[:500]}
    if isinstance(exc, KhaltiThrottled):
        services.put_off(payment, seconds=exc.retry_after or PATIENCE)
    log.warning("lookup of payment %s: %s", payment.pk, exc)
    if isinstance(exc, KhaltiKeyRejected):
        _tell(payment, Reason.KEY_REFUSED, evidence)
    elif isinstance(exc, _NotThisKeys):
        _tell(payment, Reason.KEY_GONE, evidence)
    elif isinstance(exc, KhaltiNotFound) and services.count_not_found(payment) >= NOT_FOUND_BEFORE_FLAG:
        _tell(payment, Reason.UNKNOWN_AT_KHALTI, evidence)


def _tell(payment: Payment, reason: Reason, evidence: dict[str, object]) -> None:
    in_one_block(lambda: services.raise_flag(payment, reason, evidence))
