"""Connections for which one deadline bounds all: name, connect, TLS, request, headers and body.

A timeout of ``requests`` bounds one receive, and a server that drips a byte at a time never meets it. Here each wait
on the socket is given what is left of the whole exchange, so that no watchdog has to shut sockets under it.
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

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

LONGEST_REST = 15.0  # seconds; an idle connection older than this may be dead without a word
_HEADERS = 32 * 1024  # bytes beside the body


class Exchange:
    """One request and its answer: how long and how much it may yet take, and how far it came."""

    def __init__(self, *, seconds: float, max_bytes: int) -> None:
        self._deadline = time.monotonic() + seconds
        self._room = max_bytes + _HEADERS
        self.fresh = False  # only a new connection will do
        self.reused = False  # sent on a connection that had been resting
        self.answered = False  # a byte has come back

    def left(self) -> float:
        """Give the seconds that are left; ``TimeoutError`` when none are."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left

    def took(self, count: int) -> None:
        """Count what came in; ``OSError`` when it is more than any answer of Khalti's."""
        self.answered = self.answered or count > 0
        self._room -= count
        if self._room < 0:
            raise OSError("too long an answer")


_current: ContextVar[Exchange] = ContextVar("exchange")


@contextmanager
def within(exchange: Exchange) -> Iterator[None]:
    """Bound whatever is sent in this block by ``exchange``."""
    token = _current.set(exchange)
    try:
        yield
    finally:
        _current.reset(token)


class _Stream(io.RawIOBase):
    """The receiving end of a socket, each wait bounded by what is left of the exchange."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock, self._raw, self._exchange = sock, raw, _current.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._exchange.left())
        count = self._raw.readinto(buffer) or 0
        self._exchange.took(count)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Stream(sock, self.fp.detach()))


class Connection(HTTPConnection):
    """A connection whose every wait is bounded by the exchange in whose name it is made."""

    response_class = _Response
    debuglevel = 0  # http.client's debugging prints the Authorization header
    _rested: float | None = None  # since when, by the monotonic clock; None while it has served nothing

    @property
    def is_connected(self) -> bool:
        """Whether the connection can be used once more."""
        if _current.get().fresh or (self._rested is not None and time.monotonic() - self._rested > LONGEST_REST):
            return False
        return super().is_connected

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = _current.get()
        exchange.reused = self._rested is not None
        self.sock.settimeout(exchange.left())
        super().send(data)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        response = super().getresponse()
        self._rested = time.monotonic()
        return response

    def _new_conn(self) -> socket.socket:
        self._rested = None
        exchange = _current.get()
        addresses = resolve(self._dns_host.strip("[]"), self.port or self.default_port, exchange.left())
        fault = OSError("the name has no address")
        for index, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(exchange.left() / (len(addresses) - index))  # a dead address leaves time for the next
                sock.connect(address)
                sock.settimeout(exchange.left())
            except OSError as exc:
                sock.close()
                fault = exc
            else:
                return sock
        raise fault


class TLSConnection(Connection, HTTPSConnection):
    """The same over TLS; a handshake as a whole is bounded by the socket's timeout."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = TLSConnection


class Adapter(HTTPAdapter):
    """What ``requests`` sends through: bounded connections, kept open between exchanges."""

    _POOLS: ClassVar = {"http": _Pool, "https": _TLSPool}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._POOLS

    def close(self) -> None:
        """Close what rests in the pools; urllib3 leaves that to whenever the garbage is collected."""
        for key in self.poolmanager.pools.keys():  # noqa: SIM118 - it cannot be iterated, for threads' sake
            self.poolmanager.pools[key].close()
        super().close()


class _Resolver:
    """Ask for addresses in a thread, since nothing can interrupt getaddrinfo; one thread a name, however many wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, int], Future[list[Any]]] = {}

    def __call__(self, host: str, port: int, seconds: float) -> list[Any]:
        name = (host, port)
        with self._lock:
            future = self._asked.get(name)
            if future is None:
                future = Future()
                threading.Thread(target=self._ask, args=(name, future), daemon=True, name=f"resolve {host}").start()
                self._asked[name] = future
        return future.result(timeout=seconds)

    def _ask(self, name: tuple[str, int], future: Future[list[Any]]) -> None:
        addresses: list[Any] = []
        fault: Exception | None = None
        try:
            addresses = socket.getaddrinfo(*name, type=socket.SOCK_STREAM)
        except Exception as exc:  # noqa: BLE001 - a name that cannot be encoded is no OSError; who asked gets it
            fault = exc
        with self._lock:
            self._asked.pop(name, None)
        if fault is None:
            future.set_result(addresses)
        else:
            future.set_exception(fault)


_resolver = _Resolver()


def resolve(host: str, port: int, seconds: float) -> list[Any]:
    """Give the addresses of a host within ``seconds``; ``TimeoutError`` after them."""
    return _resolver(host, port, seconds)


def forget_resolving() -> None:
    """Begin anew in a forked process, where the asking threads do not exist."""
    global _resolver
    _resolver = _Resolver()
