"""What became of a payment: for its owner alone, at once or after a bounded wait for a change; and cancelling it.

A waiting request holds a thread of the server. So few wait at a time in one process, the others are answered at once;
a waiting one costs one short query in a second, and Khalti is called as seldom as by the status page.
"""

import json
import re
import threading
import time
from hashlib import sha256
from typing import Any

from django.utils.translation import gettext as _

from loyalink_khalti import conf, flow
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import PaymentState
from loyalink_khalti.ports import Outcome
from loyalink_khalti.token_pages import TOKEN, throttle

from .callers import Caller
from .problems import Kind, Problem
from .purchases import status_page

INTERVAL = 1.0
"""seconds between two looks of a request that waits"""
RETRY_CANCEL = 3
"""seconds after which cancelling can be tried again"""


class _Places:
    """The places of requests that wait: a quarter of the server's threads, one at least."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    def enter(self) -> bool:
        """Take a place; return False where there is none."""
        with self._lock:
            if self._taken >= max(conf.max_concurrent_calls() // 2, 1):
                return False
            self._taken += 1
            return True

    def leave(self) -> None:
        with self._lock:
            self._taken -= 1


places = _Places()


def own_payment(caller: Caller, payment_id: str) -> Payment:
    """Return a payment of this caller. Raises ``Problem``: another's is answered like one that does not exist."""
    payment = None
    if re.fullmatch(TOKEN, payment_id):
        payment = Payment.objects.select_related("purchase").filter(token=payment_id).first()
    if payment is None or not caller.owns(payment):
        if wait := throttle.seconds_to_wait(caller.request):
            raise Problem(Kind.THROTTLED, retry_after=wait)
        raise Problem(Kind.NOT_FOUND)
    return payment


def read_status(caller: Caller, payment_id: str, *, wait: int, known: str) -> dict[str, Any]:
    """Return the status of a payment, after up to ``wait`` seconds until it is another one than ``known``.

    ``known`` is an `etag`, "" for none: then it waits while the outcome is open.
    """
    payment = own_payment(caller, payment_id)
    status = _verified(payment)
    seconds = min(wait, conf.api_options().longest_wait)
    if seconds and _is_as_known(status, known) and places.enter():
        try:
            status = _wait(payment, status, known=known, until=time.monotonic() + seconds)
        finally:
            places.leave()
    return status


def etag(status: dict[str, Any]) -> str:
    """Return the entity tag of a status."""
    return f'"{sha256(json.dumps(status, sort_keys=True, default=str).encode()).hexdigest()[:32]}"'


def cancel(caller: Caller, payment_id: str) -> dict[str, Any]:
    """Cancel a pending payment and return its status: perhaps it was paid before.

    Raises ``Problem`` where Khalti does not confirm that nothing was paid.
    """
    payment = own_payment(caller, payment_id)
    if flow.cancel_payment(payment) is Outcome.CONFIRMING:
        detail = _("Khalti cannot confirm yet that nothing was paid, so your basket stays reserved. Try again soon.")
        raise Problem(Kind.CANNOT_CANCEL, detail, retry_after=RETRY_CANCEL)
    return show_status(_read(payment))


def show_status(payment: Payment) -> dict[str, Any]:
    """Return a payment as its owner sees it; amounts in paisa."""
    purchase, is_open = payment.purchase, payment.state == PaymentState.INITIATED
    return {
        "id": payment.token,
        "outcome": payment.outcome.value,
        "shop": purchase.shop,
        "reference": purchase.ref,
        "order_number": purchase.number or None,
        "amount": payment.amount,
        "refunded": payment.refunded,
        "points_redeemed": purchase.points_redeemed,
        "points_earned": purchase.earned,
        "payment_url": payment.payment_url if is_open else None,
        "expires_at": payment.expires_at,
        "can_cancel": payment.is_live,
        "status_page": status_page(payment),
    }


def _verified(payment: Payment) -> dict[str, Any]:
    if not payment.is_settled:
        flow.verify_payment(payment, customer_present=True)
        payment = _read(payment)
    return show_status(payment)


def _read(payment: Payment) -> Payment:
    return Payment.objects.select_related("purchase").get(pk=payment.pk)


def _is_as_known(status: dict[str, Any], known: str) -> bool:
    return etag(status) == known if known else status["outcome"] == Outcome.CONFIRMING


def _wait(payment: Payment, status: dict[str, Any], *, known: str, until: float) -> dict[str, Any]:
    """Look at the row in each `INTERVAL`, and let Khalti be asked once more at the end."""
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(INTERVAL, left))
        status = show_status(_read(payment))
        if not _is_as_known(status, known):
            return status
    return _verified(payment)
