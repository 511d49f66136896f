"""The client for Khalti: initiate, lookup and refund. It uses neither Django nor orders.

https://docs.khalti.com/khalti-epayment/ and https://docs.khalti.com/api/refund/
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from loyalink_khalti.errors import (
    KhaltiError,
    KhaltiKeyRejected,
    KhaltiNotCalled,
    KhaltiNotFound,
    KhaltiRejected,
    KhaltiThrottled,
    KhaltiUnreachable,
    KhaltiUnreadable,
)
from loyalink_khalti.money import Paisa
from loyalink_khalti.telemetry import KhaltiCall

from .circuit_breaker import CircuitBreaker, ConcurrencyLimit, breaker_for
from .credentials import Secret, checked_base_url, is_khalti_url
from .transport import Answer, KeyHeader, Transport, shape_of
from .wire import Initiate, Initiated, Lookup, is_id, refund_to_wire

MAX_DETAIL = 500


class Observer(Protocol):
    """What keeps together what all processes of a shop know of a server."""

    def before_call(self) -> None:
        """Open the circuit breaker if the server is known not to respond."""

    def after_call(self, error: KhaltiError | None) -> None:
        """Take note of how a call has ended that was sent; ``error`` is None after an answer. Raises nothing."""


class Khalti:
    """One merchant's Khalti: a server and the secret key for it."""

    def __init__(
        self,
        *,
        base_url: str,
        secret: Secret,
        transport: Transport | None = None,
        concurrency_limit: ConcurrencyLimit | None = None,
        slot_timeout: float = 0.0,
        observer: Observer | None = None,
    ) -> None:
        """Take a base URL such as ``https://khalti.com/api/v2/``. Raises ``ValueError`` when it must not be called.

        With a ``concurrency_limit`` a call waits up to ``slot_timeout`` seconds for a free slot. The ``observer`` sees
        every call.
        """
        self.base_url = checked_base_url(base_url)
        self._secret = secret
        self._transport = transport or Transport()
        self._concurrency_limit = concurrency_limit
        self._slot_timeout = slot_timeout
        self._observer = observer

    def __repr__(self) -> str:
        return f"<Khalti {self.base_url} {self._secret}>"

    @property
    def circuit_breaker(self) -> CircuitBreaker:
        """Return this process's circuit breaker for the server."""
        return breaker_for(self.base_url)

    def initiate(self, request: Initiate) -> Initiated:
        """Open a payment at Khalti and return its ``payment_url``. Never sent twice: it is not idempotent.

        Raises ``KhaltiNotCalled`` when nothing was sent, ``KhaltiUnreachable`` when the outcome is unknown and
        ``KhaltiRejected`` when Khalti refuses the request.
        https://docs.khalti.com/khalti-epayment/#initiating-a-payment-request
        """
        url = f"{self.base_url}epayment/initiate/"
        with self._call("initiate") as call:
            answer = self._send(call, url, request.to_wire())
            with _shape_in_error(answer):
                initiated = Initiated.from_wire(_body_of_200(answer, urlsplit(url).path))
            if not is_khalti_url(initiated.payment_url, base_url=self.base_url):
                raise KhaltiUnreadable("a payment_url that is not Khalti's")
            return initiated

    def lookup(self, pidx: str) -> Lookup:
        """Return Khalti's current answer about the payment ``pidx``.

        Raises ``KhaltiNotCalled`` when nothing was sent, ``KhaltiUnreachable`` when there is no usable answer,
        ``KhaltiNotFound`` for an unknown pidx and ``KhaltiRejected`` when Khalti refuses the request.
        https://docs.khalti.com/khalti-epayment/#payment-verification-lookup
        """
        url = f"{self.base_url}epayment/lookup/"
        with self._call("lookup", deferrable=True) as call:
            answer = self._send(call, url, {"pidx": pidx}, resend_if_stale=True)
            with _shape_in_error(answer):
                found = _lookup_of(answer, urlsplit(url).path)
            call.outcome = found.status.value
            return found

    def refund(self, transaction_id: str, *, amount: Paisa | None = None, mobile: str | None = None) -> str:
        """Refund everything, or ``amount`` in paisa, and return Khalti's message. Never sent twice.

        Raises ``ValueError`` for an impossible ``transaction_id``, ``KhaltiNotCalled`` when nothing was sent,
        ``KhaltiUnreachable`` when the outcome is unknown and ``KhaltiRejected`` when Khalti refuses the refund.
        https://docs.khalti.com/api/refund/
        """
        if not is_id(transaction_id) or not transaction_id.strip("."):
            raise ValueError("not a transaction id of Khalti's")
        # The only endpoint that is not under v2/.
        path = f"merchant-transaction/{quote(transaction_id, safe='')}/refund/"
        with self._call("refund") as call:
            url = self.base_url.removesuffix("v2/") + path
            answer = self._send(call, url, refund_to_wire(amount=amount, mobile=mobile))
            detail = _body_of_200(answer, urlsplit(url).path).get("detail")
            if not isinstance(detail, str) or not detail:
                raise KhaltiUnreadable("a refund without a detail")
            return detail[:MAX_DETAIL]

    @contextmanager
    def _call(self, operation: str, *, deferrable: bool = False) -> Iterator[KhaltiCall]:
        """Allow one call in this block when the circuit breaker and the concurrency limit allow it."""
        with (
            KhaltiCall(operation, self.base_url) as call,
            self._observed(),
            self.circuit_breaker.call(deferrable=deferrable),
        ):
            if self._concurrency_limit is None:
                yield call
            else:
                with self._concurrency_limit.slot(timeout=self._slot_timeout):
                    yield call

    @contextmanager
    def _observed(self) -> Iterator[None]:
        """Let the observer see the call in this block, unless it is not sent."""
        if self._observer is None:
            yield
            return
        self._observer.before_call()
        try:
            yield
        except KhaltiNotCalled:
            raise
        except KhaltiError as exc:
            self._observer.after_call(exc)
            raise
        self._observer.after_call(None)

    def _send(self, call: KhaltiCall, url: str, body: Mapping[str, Any], *, resend_if_stale: bool = False) -> Answer:
        auth, began = KeyHeader(self._secret), perf_counter()
        try:
            answer = self._transport.post(url, json=body, auth=auth, resend_if_stale=resend_if_stale)
        finally:
            call.seconds = perf_counter() - began
        call.answered(answer.status_code, resent=answer.resent)
        if answer.content and self._secret.reveal().encode("ascii") in answer.content:
            raise KhaltiUnreadable("an answer that repeats the key")  # Khalti never does; errors keep the answer
        return answer


@contextmanager
def _shape_in_error(answer: Answer) -> Iterator[None]:
    """Add the shape of an answer to the error in this block which says that it cannot be read."""
    try:
        yield
    except KhaltiUnreadable as exc:  # `from None`: the frames of the error hold the answer
        raise KhaltiUnreadable(str(exc), shape=shape_of(answer.content or b"")) from None


def _lookup_of(answer: Answer, path: str) -> Lookup:
    # HTTP 400 is an ordinary answer for "Expired" and "User canceled":
    # https://docs.khalti.com/khalti-epayment/#payment-status-code
    if answer.status_code == 400 and isinstance(answer.body.get("status"), str):
        return Lookup.from_wire(answer.body)
    return Lookup.from_wire(_body_of_200(answer, path))


def _body_of_200(answer: Answer, path: str) -> Mapping[str, Any]:
    """Return the body of a 200. Raises the error that any other status code means."""
    if answer.status_code == 200:
        return answer.body
    if not 400 <= answer.status_code < 500:
        raise KhaltiUnreachable(f"{answer.status_code} from {path}")  # 3xx and 5xx leave the outcome unknown
    raise _rejection(answer, path)


def _rejection(answer: Answer, path: str) -> KhaltiRejected:
    """Return the error of a 4xx: https://docs.khalti.com/khalti-epayment/#generic-errors."""
    code = answer.status_code
    if code == 401:
        return KhaltiKeyRejected(path, status_code=code, detail=_detail(answer))
    if code == 429:
        return KhaltiThrottled(path, status_code=code, detail=_detail(answer), retry_after=answer.retry_after)
    detail = answer.body
    # Khalti does not document the status code of "Not found."; integrators' tests have 404 and 400.
    if code == 404 or detail.get("detail") == "Not found.":
        return KhaltiNotFound(path, status_code=code, detail=detail)
    return KhaltiRejected(path, status_code=code, detail=detail)


def _detail(answer: Answer) -> Mapping[str, Any]:
    """Return the body of a status code that needs none; empty when a proxy wrote it."""
    try:
        return answer.body
    except KhaltiUnreadable:
        return {}
