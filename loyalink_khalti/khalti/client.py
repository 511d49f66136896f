"""Khalti's three verbs. No Django, no orders; the deadline is the transport's."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

from loyalink_khalti.errors import (
    KhaltiKeyRejected,
    KhaltiNotFound,
    KhaltiRejected,
    KhaltiThrottled,
    KhaltiUnreachable,
    KhaltiUnreadable,
)
from loyalink_khalti.money import Paisa

from . import addresses
from .addresses import is_khaltis
from .gate import Gate, Places, gate
from .secret import Secret
from .transport import Answer, KeyHeader, Transport
from .wire import Initiate, Initiated, Lookup, is_id, refund_to_wire

__all__ = ["Khalti", "is_khaltis"]

LONGEST_DETAIL = 500


class Khalti:
    """One merchant's Khalti: a server and the key for it."""

    def __init__(
        self,
        *,
        base_url: str,
        secret: Secret,
        transport: Transport | None = None,
        places: Places | None = None,
        patience: float = 0.0,
    ) -> None:
        """Take a base URL like ``https://khalti.com/api/v2/``; ``ValueError`` for a server that may not be called.

        A call waits up to ``patience`` seconds for one of the ``places``, where there are any.
        """
        self.base_url = addresses.base(base_url)
        self._secret = secret
        self._transport = transport or Transport()
        self._places = places
        self._patience = patience

    def __repr__(self) -> str:
        return f"<Khalti {self.base_url} {self._secret}>"

    @property
    def gate(self) -> Gate:
        """Whether this server is worth asking just now."""
        return gate(self.base_url)

    def initiate(self, request: Initiate) -> Initiated:
        """Open a payment page. Never sent again by itself: the first may have been heard."""
        with self._asking():
            initiated = Initiated.from_wire(self._post(f"{self.base_url}epayment/initiate/", request.to_wire()))
            if not is_khaltis(initiated.payment_url, base_url=self.base_url):
                raise KhaltiUnreadable("a payment_url that is not Khalti's")
            return initiated

    def lookup(self, pidx: str) -> Lookup:
        """Ask what became of ``pidx``."""
        url = f"{self.base_url}epayment/lookup/"
        with self._asking(can_wait=True):
            answer = self._send(url, {"pidx": pidx}, resend_if_stale=True)
            # Lookup says 400 for "Expired" and "User canceled": answers, not errors.
            if answer.status_code == 400 and isinstance(answer.body.get("status"), str):
                return Lookup.from_wire(answer.body)
            return Lookup.from_wire(_yes(answer, urlsplit(url).path))

    def refund(self, transaction_id: str, *, amount: Paisa | None = None, mobile: str | None = None) -> str:
        """Give back all, or ``amount`` in paisa, and return Khalti's words. Never sent again by itself."""
        if not is_id(transaction_id) or not transaction_id.strip("."):
            raise ValueError("not a transaction id of Khalti's")
        # The only endpoint that is not under v2/.
        path = f"merchant-transaction/{quote(transaction_id, safe='')}/refund/"
        with self._asking():
            body = self._post(self.base_url.removesuffix("v2/") + path, refund_to_wire(amount=amount, mobile=mobile))
            detail = body.get("detail")
            if not isinstance(detail, str) or not detail:
                raise KhaltiUnreadable("a refund without a word about it")
            return detail[:LONGEST_DETAIL]

    @contextmanager
    def _asking(self, *, can_wait: bool = False) -> Iterator[None]:
        """Ask only where there is a place, and where the server is worth asking."""
        with self.gate.asking(can_wait=can_wait):
            if self._places is None:
                yield
            else:
                with self._places.taken(patience=self._patience):
                    yield

    def _post(self, url: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return _yes(self._send(url, body), urlsplit(url).path)

    def _send(self, url: str, body: Mapping[str, Any], *, resend_if_stale: bool = False) -> Answer:
        answer = self._transport.post(url, json=body, auth=KeyHeader(self._secret), resend_if_stale=resend_if_stale)
        if answer.content and self._secret.reveal().encode("ascii") in answer.content:
            raise KhaltiUnreadable("an answer that repeats the key")  # no server of Khalti's does; errors keep answers
        return answer


def _yes(answer: Answer, path: str) -> Mapping[str, Any]:
    """Give the body of a 200; raise what any other answer means."""
    if answer.status_code == 200:
        return answer.body
    if not 400 <= answer.status_code < 500:
        raise KhaltiUnreachable(f"{answer.status_code} from {path}")  # 3xx, 5xx: no answer, which is not a "no"
    raise _no(answer, path)


def _no(answer: Answer, path: str) -> KhaltiRejected:
    code = answer.status_code
    if code == 401:
        return KhaltiKeyRejected(path, status_code=code, detail=_detail(answer))
    if code == 429:
        return KhaltiThrottled(path, status_code=code, detail=_detail(answer), retry_after=answer.retry_after)
    detail = answer.body
    # The code of "Not found." is not documented: 404 and 400 have both been seen in others' tests.
    if code == 404 or detail.get("detail") == "Not found.":
        return KhaltiNotFound(path, status_code=code, detail=detail)
    return KhaltiRejected(path, status_code=code, detail=detail)


def _detail(answer: Answer) -> Mapping[str, Any]:
    """Give the body of a code that speaks for itself; nothing where a proxy wrote it."""
    try:
        return answer.body
    except KhaltiUnreadable:
        return {}
