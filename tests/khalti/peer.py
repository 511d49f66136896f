"""A small server on 127.0.0.1 whose every byte comes from the test."""

import json
import socket
import threading
from collections.abc import Callable
from typing import Any

Behaviour = Callable[["Peer", socket.socket, int], None]


class Peer:
    """Pass each connection, numbered from 1, to ``behaviour``, and record the requests."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.over = threading.Event()
        self._closed = threading.Semaphore(0)  # released whenever a client closes its connection
        self.requests: list[bytes] = []
        self.connections = 0
        self._behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/api/v2/"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def read(self, conn: socket.socket) -> bytes:
        """Return one request; empty when the client has closed the connection."""
        request = b""
        while b"\r\n\r\n" not in request or len(request.partition(b"\r\n\r\n")[2]) < _length(request):
            chunk = conn.recv(65536)
            if not chunk:
                return b""
            request += chunk
        self.requests.append(request)
        return request

    def drip(self, conn: socket.socket, chunk: bytes = b"a") -> None:
        """Send ``chunk`` repeatedly, each time within any timeout of a single receive."""
        while not self.over.wait(0.05):
            conn.sendall(chunk)

    def hold(self, conn: socket.socket) -> None:
        """Send nothing until the client closes the connection."""
        while conn.recv(65536):
            pass

    def closed_by_client(self, count: int) -> bool:
        """Whether clients close so many connections within a second."""
        return all(self._closed.acquire(timeout=1) for _ in range(count))

    def close(self) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(conn, self.connections))
            self._threads.append(thread)
            thread.start()

    def _serve(self, conn: socket.socket, number: int) -> None:
        conn.settimeout(5)
        with conn:
            try:
                self._behaviour(self, conn, number)
                self.hold(conn)
            except OSError:
                pass
            self._closed.release()


def answer(body: Any, *, status: str = "200 OK", headers: str = "") -> bytes:
    """Return an HTTP response; ``body`` is bytes, or anything that becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
    return head.encode() + content


def _length(request: bytes) -> int:
    for line in request.partition(b"\r\n\r\n")[0].lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
