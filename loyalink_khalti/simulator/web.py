"""Requests and responses over WSGI, with faulty delivery: dropped, cut or dripped responses."""

import json
import socket
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIEnvironment

MAX_BODY = 1_000_000
"""The largest request body that is read, in bytes."""

SOCKET = "simulator.socket"
"""The environ key under which the server passes the socket, for faults below HTTP."""

Headers = tuple[tuple[str, str], ...]


class Delivery(StrEnum):
    """How the server delivers a response."""

    WHOLE = "whole"
    DROP = "drop"
    CUT = "cut"
    DRIP = "drip"
    HEADER_DRIP = "header drip"


class BadRequest(Exception):
    """The request cannot be read."""

    def __init__(self, detail: str, status: int = 400) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request with its whole body."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    root: str  # the address of this server as the client wrote it: http://127.0.0.1:9911

    @classmethod
    def read(cls, environ: WSGIEnvironment) -> "Request":
        """Return the request of ``environ``. Raises ``BadRequest`` when the body is too large."""
        headers = {name[5:].lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
        host = headers.get("host") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        return cls(
            method=environ["REQUEST_METHOD"],
            path=environ.get("PATH_INFO", "/").encode("latin-1").decode(errors="replace") or "/",
            query=environ.get("QUERY_STRING", ""),
            headers={**headers, "content_type": environ.get("CONTENT_TYPE") or ""},
            body=_body(environ),
            root=f"{environ['wsgi.url_scheme']}://{host}",
        )

    @property
    def args(self) -> dict[str, str]:
        return _fields(self.query)

    @property
    def form(self) -> dict[str, str]:
        return _fields(self.body.decode(errors="replace"))

    @property
    def media_type(self) -> str:
        return self.headers["content_type"].partition(";")[0].strip().lower()

    @property
    def is_cross_site(self) -> bool:
        """Whether the browser says that a page of another site sent this request."""
        site = self.headers.get("sec_fetch_site")
        if site is not None:
            return site not in {"same-origin", "none"}
        return self.headers.get("origin", self.root) != self.root

    def json(self) -> Any:
        """Return the JSON of the body. Raises ``BadRequest`` with the message of Django REST Framework."""
        try:
            return json.loads(self.body.decode())
        except (ValueError, RecursionError) as exc:
            raise BadRequest(f"JSON parse error - {exc}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response; ``pace`` is the number of seconds between two dripped bytes."""

    status: int = 200
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)
    delivery: Delivery = Delivery.WHOLE
    pace: float = 0.0

    @classmethod
    def json(cls, answer: Any, *, status: int = 200, headers: Headers = ()) -> "Response":
        body = json.dumps(answer, separators=(",", ":")).encode()
        return cls(status=status, headers=(("Content-Type", "application/json"), *headers), body=body)

    @classmethod
    def html(cls, page: str, *, status: int = 200) -> "Response":
        return cls(status=status, headers=(("Content-Type", "text/html; charset=utf-8"),), body=page.encode())

    @classmethod
    def redirect(cls, url: str, *, status: int = 302) -> "Response":
        return cls(status=status, headers=(("Location", url),))

    @property
    def line(self) -> str:
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    def head(self) -> list[tuple[str, str]]:
        return [*self.headers, ("Content-Length", str(len(self.body))), ("Cache-Control", "no-store")]

    def send(
        self, environ: WSGIEnvironment, start_response: StartResponse, closing: threading.Event
    ) -> Iterable[bytes]:
        """Deliver the response over WSGI, or directly on the socket when the delivery is faulty."""
        sock: socket.socket | None = environ.get(SOCKET)
        if self.delivery is not Delivery.WHOLE and sock is not None:
            self._send_on_socket(sock, closing)
        start_response(self.line, self.head())
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]

    def _send_on_socket(self, sock: socket.socket, closing: threading.Event) -> None:
        head = "\r\n".join([f"HTTP/1.1 {self.line}", *(f"{name}: {value}" for name, value in self.head())])
        head_bytes = f"{head}\r\nConnection: close\r\n\r\n".encode()
        try:
            if self.delivery is Delivery.DRIP:
                sock.sendall(head_bytes)
                _drip(sock, self.body, self.pace, closing)
            elif self.delivery is Delivery.HEADER_DRIP:
                _drip(sock, head_bytes + self.body, self.pace, closing)
            elif self.delivery is Delivery.CUT:
                sock.sendall(head_bytes + self.body[: len(self.body) // 2])
            sock.shutdown(socket.SHUT_RDWR)
        except OSError as exc:  # the client disconnected
            raise ConnectionAbortedError from exc
        raise ConnectionAbortedError  # WSGI must not send anything after this


def _drip(sock: socket.socket, content: bytes, pace: float, closing: threading.Event) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(len(content)):
        if closing.wait(pace):
            return
        sock.sendall(content[at : at + 1])


def _body(environ: WSGIEnvironment) -> bytes:
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise BadRequest("Content-Length is not a number.") from None
    if not 0 <= length <= MAX_BODY:
        raise BadRequest("The request is too large.", 413)
    body: bytes = environ["wsgi.input"].read(length)
    return body


def _fields(text: str) -> dict[str, str]:
    try:
        return {name: values[-1] for name, values in parse_qs(text, True, max_num_fields=100).items()}
    except ValueError:
        raise BadRequest("Too many fields.") from None
