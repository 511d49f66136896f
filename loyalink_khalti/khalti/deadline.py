"""Connections with one deadline for a whole exchange: name resolution, connect, TLS, request, headers and body.

A timeout of ``requests`` bounds a single receive, so a server that sends a byte at a time never exceeds it. Here each
wait on the socket gets the time left for the whole exchange.
"""

import http.client
import io
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool
from urllib3.response import HTTPResponse

MAX_IDLE = 15.0  # seconds; the server may have closed an older idle connection unnoticed
_MAX_HEADERS = 32 * 1024  # bytes, in addition to the body


class Exchange:
    """One request and its response: the time and bytes left for it, and how far it got."""

    def __init__(self, *, seconds: float, max_bytes: int) -> None:
        self._deadline = time.monotonic() + seconds
        self._bytes_left = max_bytes + _MAX_HEADERS
        self.needs_new_connection = False
        self.reused = False  # sent on a connection that was idle before
        self.answered = False  # a byte of the response has arrived

    def seconds_left(self) -> float:
        """Return the seconds until the deadline. Raises ``TimeoutError`` after it."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline has passed")
        return seconds

    def count_received(self, count: int) -> None:
        """Count received bytes. Raises ``OSError`` when they exceed the largest response that is accepted."""
        self.answered = self.answered or count > 0
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise OSError("the response is too long")


_current: ContextVar[Exchange] = ContextVar("exchange")


@contextmanager
def within(exchange: Exchange) -> Iterator[None]:
    """Apply the limits of ``exchange`` to everything sent in this block."""
    token = _current.set(exchange)
    try:
        yield
    finally:
        _current.reset(token)


class _Stream(io.RawIOBase):
    """The receiving end of a socket. Each wait is bounded by the time left for the exchange."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock, self._raw, self._exchange = sock, raw, _current.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._exchange.seconds_left())
        count = self._raw.readinto(buffer) or 0
        self._exchange.count_received(count)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Stream(sock, self.fp.detach()))


class Connection(HTTPConnection):
    """A connection that keeps the deadline of the current exchange."""

    response_class = _Response
    debuglevel = 0  # http.client's debugging prints the Authorization header
    _idle_since: float | None = None  # monotonic clock; None before the first exchange
    _body_follows = False
    _head = b""  # of the request; it is sent together with the body, as one packet

    @property
    def is_connected(self) -> bool:
        """Whether the connection can be used again."""
        if _current.get().needs_new_connection or (
            self._idle_since is not None and time.monotonic() - self._idle_since > MAX_IDLE
        ):
            return False
        return super().is_connected

    def request(self, method: str, url: str, body: Any = None, *args: Any, **kwargs: Any) -> None:
        self._body_follows, self._head = bool(body) and isinstance(body, bytes), b""
        super().request(method, url, body, *args, **kwargs)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if self._body_follows:
            self._body_follows, self._head = False, data
            return
        if self._head:
            self._head, data = b"", self._head + data
        exchange = _current.get()
        exchange.reused = self._idle_since is not None
        self.sock.settimeout(exchange.seconds_left())
        super().send(data)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # the signature of urllib3
        response = super().getresponse()
        self._idle_since = time.monotonic()
        return response

    def _new_conn(self) -> socket.socket:
        self._idle_since = None
        exchange = _current.get()
        addresses = resolve(self._dns_host.strip("[]"), self.port or self.default_port, exchange.seconds_left())
        error = OSError("the name has no address")
        for index, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                # A share of the time, so that a dead address leaves time for the next one.
                sock.settimeout(exchange.seconds_left() / (len(addresses) - index))
                sock.connect(address)
                sock.settimeout(exchange.seconds_left())
            except OSError as exc:
                sock.close()
                error = exc
            else:
                return sock
        raise error


class TLSConnection(Connection, HTTPSConnection):
    """The same over TLS. The socket's timeout bounds the whole handshake."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = TLSConnection


class NoCookies(RequestsCookieJar):
    """A jar that stays empty."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take none."""


class Adapter(HTTPAdapter):
    """The adapter for ``requests``: connections with a deadline, kept open between exchanges.

    Only POSTs of ``transport`` come here: to few servers, always with the same TLS settings, without proxies.
    """

    _POOLS: ClassVar = {"http": _Pool, "https": _TLSPool}

    def __init__(self, **options: Any) -> None:
        self._pool_of: dict[str, ConnectionPool] = {}
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._POOLS

    def get_connection_with_tls_context(
        self, request: PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> ConnectionPool:
        """Return the pool of the request's server, found once."""
        server, _ = _server_and_path(request)
        pool = self._pool_of.get(server)
        if pool is None or getattr(pool, "pool", None) is None:  # urllib3 has closed it to make room for other servers
            pool = super().get_connection_with_tls_context(request, verify, proxies=None, cert=cert)
            self._pool_of[server] = pool
        return pool

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        """Return the path of the URL: there is no proxy."""
        return _server_and_path(request)[1]

    def build_response(self, req: PreparedRequest, resp: HTTPResponse) -> Response:  # type: ignore[override]
        """Return what ``transport`` reads of a response, without cookies and the guess of its encoding."""
        response = Response()
        response.status_code, response.reason, response.raw = resp.status, resp.reason or "", resp
        response.headers = CaseInsensitiveDict(resp.headers)
        response.request, response.url = req, req.url or ""
        return response

    def close(self) -> None:
        """Close the idle connections. urllib3 would close them only at garbage collection."""
        for key in self.poolmanager.pools.keys():  # noqa: SIM118 - urllib3's container is not iterable
            self.poolmanager.pools[key].close()
        super().close()


def _server_and_path(request: PreparedRequest) -> tuple[str, str]:
    """Split a checked URL: ``https://khalti.com`` and ``/api/v2/…``."""
    scheme, _, rest = (request.url or "").partition("://")
    server, _, path = rest.partition("/")
    return f"{scheme}://{server}", f"/{path}"


class _Resolver:
    """Resolve names in threads, because getaddrinfo cannot be interrupted. One thread per name serves all waiters."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, int], Future[list[Any]]] = {}

    def __call__(self, host: str, port: int, seconds: float) -> list[Any]:
        name = (host, port)
        with self._lock:
            future = self._pending.get(name)
            if future is None:
                future = Future()
                threading.Thread(
                    target=self._resolve, args=(name, future), daemon=True, name=f"resolve {host}"
                ).start()
                self._pending[name] = future
        return future.result(timeout=seconds)

    def _resolve(self, name: tuple[str, int], future: Future[list[Any]]) -> None:
        addresses: list[Any] = []
        error: Exception | None = None
        try:
            addresses = socket.getaddrinfo(*name, type=socket.SOCK_STREAM)
        except Exception as exc:  # noqa: BLE001 - a name that cannot be encoded raises no OSError; the waiters get it
            error = exc
        with self._lock:
            self._pending.pop(name, None)
        if error is None:
            future.set_result(addresses)
        else:
            future.set_exception(error)


_resolver = _Resolver()


def resolve(host: str, port: int, seconds: float) -> list[Any]:
    """Return the addresses of a host. Raises ``TimeoutError`` after ``seconds``, ``OSError`` for an unknown name."""
    return _resolver(host, port, seconds)


def reset_resolver() -> None:
    """Start a new resolver in a forked process, which does not have the parent's threads."""
    global _resolver
    _resolver = _Resolver()
