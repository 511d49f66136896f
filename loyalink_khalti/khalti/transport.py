"""How the wire is reached: one pooled session a process, a total deadline, a byte cap, no redirects, no proxies."""

import os
import threading
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from loyalink_khalti.errors import KhaltiUnreachable

from . import gate
from .answer import Answer, decoded, seconds_to_wait
from .bounded import Adapter, Exchange, forget_resolving, within
from .secret import Secret

__all__ = ["Answer", "KeyHeader", "Transport", "hang_up"]

POOL = 32  # connections kept to one host, about as many as a worker has threads


class KeyHeader(AuthBase):
    """Put ``Authorization: Key …`` on a request as it leaves, so that no frame of ours holds it."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = _Masked(f"Key {self._secret.reveal()}")
        return request


class _Masked(str):
    """A header value that error pages, which print the variables of every frame, show as dots."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


class Transport:
    """Post JSON and be back within ``deadline`` seconds, whatever the other side does."""

    def __init__(self, deadline: float = 10.0, max_bytes: int = 64 * 1024) -> None:
        self.deadline = deadline
        self.max_bytes = max_bytes

    def post(
        self,
        url: str,
        *,
        json: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
        auth: AuthBase | None = None,
        resend_if_stale: bool = False,
    ) -> Answer:
        """Post once; ``KhaltiUnreachable`` when no whole answer came in time.

        ``resend_if_stale`` is for what may be asked twice: a pooled connection can turn out dead only when it is used.
        """
        exchange = Exchange(seconds=self.deadline, max_bytes=self.max_bytes)
        outcome = self._try(exchange, url, json, headers, auth)
        if isinstance(outcome, str) and resend_if_stale and exchange.reused and not exchange.answered:
            exchange.fresh = True
            outcome = self._try(exchange, url, json, headers, auth)
        if isinstance(outcome, str):
            raise KhaltiUnreachable(f"no answer from {urlsplit(url).path} ({outcome})")
        return outcome

    def _try(
        self,
        exchange: Exchange,
        url: str,
        json: Mapping[str, Any],
        headers: Mapping[str, str] | None,
        auth: AuthBase | None,
    ) -> Answer | str:
        """Give the answer, or the name of what stood in its way."""
        try:
            with (
                within(exchange),
                _session().post(
                    url, json=dict(json), headers=headers, auth=auth, timeout=exchange.left(), allow_redirects=False
                ) as response,
            ):
                answer = self._read(response)
                exchange.left()  # what ends after the deadline has not come
                return answer
        except Exception as exc:  # noqa: BLE001 - whatever it was goes no further, and nothing is chained to it:
            # the exceptions of requests carry the request, and the frames of their tracebacks the bytes sent.
            return _cause(exc)

    def _read(self, response: requests.Response) -> Answer:
        content = b""
        while len(content) <= self.max_bytes:
            chunk = response.raw.read(self.max_bytes + 1 - len(content), decode_content=False)
            if not chunk:
                break
            content += chunk
        whole = len(content) <= self.max_bytes
        if whole:
            _check_length(response.headers, len(content))
        coding = response.headers.get("Content-Encoding", "")
        return Answer(
            status_code=response.status_code,
            content=decoded(content, coding=coding, max_bytes=self.max_bytes) if whole else None,
            retry_after=seconds_to_wait(
                response.headers.get("Retry-After", ""), date=response.headers.get("Date", "")
            ),
        )


def _check_length(headers: Mapping[str, str], length: int) -> None:
    declared = headers.get("Content-Length")
    if declared is not None and "Transfer-Encoding" not in headers and declared.strip() != str(length):
        raise OSError("a cut answer")


def _cause(exc: BaseException) -> str:
    """Name what lies at the bottom of an exception, without its text."""
    while (inner := exc.__cause__ or exc.__context__) is not None:
        exc = inner
    return type(exc).__name__


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # no proxy, no netrc, no other certificates by the environment
        self.stream = True
        self.headers.update({"User-Agent": "loyalink-khalti", "Accept": "application/json"})
        self.headers["Accept-Encoding"] = "identity"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.mount(scheme, Adapter(pool_connections=4, pool_maxsize=POOL, max_retries=0))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Go nowhere; requests would read the whole body of a redirect before not following it."""


_lock = threading.Lock()
_shared: _Session | None = None
_inherited: list[_Session] = []


def _session() -> _Session:
    global _shared
    with _lock:
        if _shared is None:
            _shared = _Session()
        return _shared


def hang_up() -> None:
    """Close the connections that rest in the pool, and forget what was learned of the servers."""
    global _shared
    gate.forget()
    with _lock:
        session, _shared = _shared, None
    if session is not None:
        session.close()


def _forked() -> None:
    """Leave the parent its connections: two processes on one socket would read each other's answers."""
    global _lock, _shared
    _lock = threading.Lock()  # another thread may have held the old one
    if _shared is not None:
        _inherited.append(_shared)  # kept, since closing it could wait for a lock held by a thread that is no more
    _shared = None
    gate.forget()
    forget_resolving()


os.register_at_fork(after_in_child=_forked)
