"""HTTP to Khalti: one session per process, a total deadline, a size limit, no redirects, no proxies, strict JSON."""

import json as jsonlib
import math
import os
import re
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from loyalink_khalti.errors import KhaltiUnreachable, KhaltiUnreadable

from . import circuit_breaker
from .credentials import Secret
from .deadline import Adapter, Exchange, NoCookies, reset_resolver, within

POOL_SIZE = 32  # idle connections kept per host, about as many as a worker has threads
MAX_DEPTH = 20  # of nested JSON
MAX_DIGITS = 20  # of a number in JSON
MAX_RETRY_AFTER = 3600.0  # seconds
MAX_SHAPE_KEYS, MAX_SHAPE_DEPTH = 20, 2  # of what is shown of an answer that cannot be read
_NAME = re.compile(r"[A-Za-z_][A-Za-z_-]{0,39}")
_NOT_PLAIN = re.compile("[\0\ud800-\udfff]")  # what no database stores: NUL and lone surrogates
_HEADERS = {
    "User-Agent": "loyalink-khalti",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
}
_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete HTTP response that arrived in time; ``content`` is None when it exceeds the allowed length."""

    status_code: int
    content: bytes | None = field(repr=False)
    retry_after: float | None = None
    resent: bool = False
    """Whether it answers a second try, because the pooled connection of the first was closed."""
    date: str = ""
    """The server's clock, as it has written it in its Date header."""

    @property
    def body(self) -> Mapping[str, Any]:
        """Return the body as a JSON object. Raises ``KhaltiUnreadable`` when it is anything else."""
        if self.content is None:
            raise KhaltiUnreadable(f"{self.status_code} with a body that is too long")
        body = _parse_json(self.content)
        if body is None:
            raise KhaltiUnreadable(f"{self.status_code} with a body that is not a plain JSON object")
        return body


class KeyHeader(AuthBase):
    """Add ``Authorization: Key …`` when the request is sent, so that no frame of this package holds it.

    https://docs.khalti.com/khalti-epayment/#api-authorization
    """

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = _Masked(f"Key {self._secret.reveal()}")
        return request


class _Masked(str):
    """A header value that is masked on error pages, which print the variables of every frame."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


def _prepared(
    url: str, json: Mapping[str, Any], headers: Mapping[str, str] | None, auth: AuthBase | None
) -> requests.PreparedRequest:
    """Return the request that ``requests`` would prepare, without what it does for other URLs, bodies and sessions.

    The URL is ASCII and checked (``credentials.checked_base_url``), the body is JSON; there are no cookies and hooks.
    """
    body = jsonlib.dumps(dict(json), allow_nan=False).encode("utf-8")
    request = requests.PreparedRequest()
    request.method, request.url, request.body, request.hooks = "POST", url, body, {"response": []}
    request.headers = {**_HEADERS, "Content-Length": str(len(body)), **(headers or {})}  # type: ignore[assignment]
    return auth(request) if auth else request


class Transport:
    """Post JSON and return within ``deadline`` seconds, whatever the server does."""

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
        """Post once and return the response. Raises ``KhaltiUnreachable`` without a complete response in time.

        ``resend_if_stale`` is for idempotent requests only: it sends the request again when a pooled connection turns
        out to be closed.
        """
        exchange = Exchange(seconds=self.deadline, max_bytes=self.max_bytes)
        result = self._try(exchange, url, json, headers, auth)
        if isinstance(result, str) and resend_if_stale and exchange.reused and not exchange.answered:
            exchange.needs_new_connection = True
            result = self._try(exchange, url, json, headers, auth)
        if isinstance(result, str):
            raise KhaltiUnreachable(f"no answer from {urlsplit(url).path} ({result})")
        return result

    def _try(
        self,
        exchange: Exchange,
        url: str,
        json: Mapping[str, Any],
        headers: Mapping[str, str] | None,
        auth: AuthBase | None,
    ) -> Answer | str:
        """Return the response, or the name of the exception that prevented it."""
        try:
            with (
                within(exchange),
                _session().send(
                    _prepared(url, json, headers, auth),
                    timeout=exchange.seconds_left(),
                    allow_redirects=False,
                    proxies=None,
                ) as response,
            ):
                answer = self._read(response, resent=exchange.needs_new_connection)
                exchange.seconds_left()  # a response that ends after the deadline does not count
                return answer
        except Exception as exc:  # noqa: BLE001 - no exception is passed on or chained: those of requests
            # carry the request, and the frames of their tracebacks hold the bytes that were sent.
            return _cause(exc)

    def _read(self, response: requests.Response, *, resent: bool) -> Answer:
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
            resent=resent,
            date=response.headers.get("Date", ""),
            retry_after=retry_after_seconds(
                response.headers.get("Retry-After", ""), date=response.headers.get("Date", "")
            ),
        )


def _check_length(headers: Mapping[str, str], length: int) -> None:
    declared = headers.get("Content-Length")
    if declared is not None and "Transfer-Encoding" not in headers and declared.strip() != str(length):
        raise OSError("the response is truncated")


def _cause(exc: BaseException) -> str:
    """Return the name of the exception at the root of the chain, without its text."""
    while (inner := exc.__cause__ or exc.__context__) is not None:
        exc = inner
    return type(exc).__name__


def decoded(content: bytes, *, coding: str, max_bytes: int) -> bytes | None:
    """Return the content without gzip or deflate; None when it exceeds ``max_bytes``.

    Raises ``ValueError`` for truncated content or another coding.
    """
    if coding.strip().lower() in {"", "identity"}:
        return content if len(content) <= max_bytes else None
    if coding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        raise ValueError("unknown content coding")
    inflate = zlib.decompressobj(wbits=47)  # gzip or zlib, by its header
    try:
        plain = inflate.decompress(content, max_bytes + 1)
    except zlib.error as exc:
        raise ValueError("broken content coding") from exc
    if len(plain) > max_bytes:
        return None
    if not inflate.eof or inflate.unused_data:
        raise ValueError("truncated content coding")
    return plain


def retry_after_seconds(header: str, *, date: str) -> float | None:
    """Return the seconds of a Retry-After header, at most ``MAX_RETRY_AFTER``; None when it is unusable.

    An HTTP date counts from the ``date`` header of the same response.
    """
    if not header:
        return None
    if header.isascii() and header.isdigit():
        return min(float(header[:9]), MAX_RETRY_AFTER)
    until, now = _http_date(header), _http_date(date) or datetime.now(UTC)
    return None if until is None else min(max((until - now).total_seconds(), 0.0), MAX_RETRY_AFTER)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _parse_json(content: bytes) -> dict[str, Any] | None:
    try:
        body = _DECODER.decode(content.decode("utf-8"))
        return body if isinstance(body, dict) and _is_plain(body) else None
    except (ValueError, RecursionError):  # no `from exc`: the frames below hold the body
        return None


def shape_of(content: bytes) -> str:
    """Return the keys and types of a JSON text, without its values: ``{pidx: string, fee: integer}``; "" for no JSON.

    A name that is no identifier could be a value, so it is shown as ``…``.
    """
    try:
        return _shape(jsonlib.loads(content.decode("utf-8"), parse_int=len))  # however many digits
    except (ValueError, RecursionError):
        return ""


def _shape(value: object, depth: int = 0) -> str:
    if not isinstance(value, dict):
        return _JSON_TYPES.get(type(value), "array")
    if depth > MAX_SHAPE_DEPTH:
        return "object"
    members = [
        f"{name if _NAME.fullmatch(name) else '…'}: {_shape(member, depth + 1)}"
        for name, member in list(value.items())[:MAX_SHAPE_KEYS]
    ]
    return f"{{{', '.join(members + ['…'] * (len(value) > MAX_SHAPE_KEYS))}}}"


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate key")
    return members


def _reject_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _bounded_integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("the number is too long")
    return int(digits)


_DECODER = jsonlib.JSONDecoder(
    object_pairs_hook=_object_without_duplicates, parse_constant=_reject_constant, parse_int=_bounded_integer
)


def _is_plain(value: object, depth: int = 0) -> bool:
    """Whether a value is shallow and every database can store it: no infinity, no NUL, no lone surrogate."""
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, str):
        return _NOT_PLAIN.search(value) is None
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(member, depth + 1) for key, member in value.items())
    if isinstance(value, list):
        return all(_is_plain(member, depth + 1) for member in value)
    return True


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # the environment sets no proxy, netrc or certificates
        self.stream = True
        self.cookies = NoCookies()
        for scheme in ("http://", "https://"):
            self.mount(scheme, Adapter(pool_connections=4, pool_maxsize=POOL_SIZE, max_retries=0))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None. Otherwise requests reads the whole body of a redirect that it does not follow."""


_lock = threading.Lock()
_shared: _Session | None = None
_inherited: list[_Session] = []


def _session() -> _Session:
    global _shared
    with _lock:
        if _shared is None:
            _shared = _Session()
        return _shared


def close_connections() -> None:
    """Close the idle connections and reset the circuit breakers."""
    global _shared
    circuit_breaker.reset()
    with _lock:
        session, _shared = _shared, None
    if session is not None:
        session.close()


def _forked() -> None:
    """Do not use the parent's connections: two processes on one socket would read each other's responses."""
    global _lock, _shared
    _lock = threading.Lock()  # another thread may hold the old one
    if _shared is not None:
        _inherited.append(_shared)  # kept: closing it could wait for a lock whose thread does not exist here
    _shared = None
    circuit_breaker.reset()
    reset_resolver()


os.register_at_fork(after_in_child=_forked)
