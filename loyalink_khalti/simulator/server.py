"""The simulator as a server with threads, and the object with which a test drives it."""

import shutil
import socket
import socketserver
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIEnvironment

from .app import App
from .desk import Call, Desk, Switches
from .faults import Fault
from .payment import Payment, Plan
from .web import WIRE


class _Handler(WSGIRequestHandler):
    timeout = 60  # seconds that an idle caller is listened to

    def get_environ(self) -> WSGIEnvironment:
        return {**super().get_environ(), WIRE: self.connection}

    def log_message(self, *args: Any, **kwargs: Any) -> None:
        """Stay quiet: the panel shows the calls."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False  # a hanging answer holds nobody up
    request_queue_size = 128

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer would ask the DNS for a name, which takes its time on a machine without one.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of callers that went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Simulator:
    """Khalti in miniature on a port of its own; a context manager, or ``start`` and ``close``.

    Without ``db`` the books are a temporary file. ``port`` 0 takes a free one. ``switches`` are the fields of
    ``Switches``, by name. Amounts are in paisa.
    """

    def __init__(
        self,
        db: str | Path | None = None,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        keys: Iterable[str] = (),
        clock: Callable[[], datetime] | None = None,
        **switches: Any,
    ) -> None:
        turned = Switches()
        for name, value in switches.items():
            turned.turn(name, value)
        self._folder = None if db else tempfile.mkdtemp(prefix="khalti-simulator-")
        path = Path(db) if db else Path(str(self._folder)) / "books.sqlite3"
        try:
            self._desk = Desk(path, keys=keys, switches=turned, clock=clock or _now)
            self._server = self._serve(host, port)
        except BaseException:
            self._tidy()
            raise
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_port}"
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """What a shop writes in ``KHALTI_BASE_URL``."""
        return f"{self.url}/api/v2/"

    @property
    def app(self) -> App:
        """The WSGI application, for other servers."""
        return App(self._desk)

    @property
    def switches(self) -> Switches:
        """Assign to its fields to change them while running."""
        return self._desk.switches

    def start(self) -> Self:
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="khalti-simulator", daemon=True
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop at once, whatever still hangs."""
        self._desk.closing.set()
        if self._thread:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._desk.close()
        self._tidy()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pay(self, pidx: str, khalti_id: str = "9800000001", *, bank: bool = False) -> Payment:
        """Pay as the payer would; ``NotPossible`` unless it is Initiated."""
        return self._desk.pay(pidx, khalti_id, bank=bank)

    def cancel(self, pidx: str) -> Payment:
        """Press Cancel on the hosted page."""
        return self._desk.cancel(pidx)

    def expire(self, pidx: str) -> Payment:
        return self._desk.expire(pidx)

    def fail(self, pidx: str) -> Payment:
        return self._desk.fail(pidx)

    def pend(self, pidx: str) -> Payment:
        """Leave it Pending."""
        return self._desk.pend(pidx)

    def complete(self, pidx: str) -> Payment:
        """Make it Completed whatever it was, expired and cancelled included."""
        return self._desk.complete(pidx)

    def refund(self, pidx: str, amount: int | None = None) -> Payment:
        """Refund in Khalti's dashboard: ``amount`` paisa, or all that is left."""
        return self._desk.refund(pidx, amount)

    def callback(self, pidx: str, plan: Plan | str | None) -> Payment:
        """Choose how the browser comes back from this payment; None: as the switch says."""
        return self._desk.books.plan(pidx, None if plan is None else Plan(plan))

    def return_urls(self, pidx: str) -> tuple[str, ...]:
        """Every address to which the browser would be sent now, in turn."""
        return self._desk.return_urls(pidx)

    def payment(self, pidx: str) -> Payment:
        """One payment, or ``LookupError``."""
        return self._desk.books.get(pidx)

    def payments(self) -> list[Payment]:
        """All payments, the newest first."""
        return self._desk.books.all()

    def fault(
        self,
        kind: str,
        where: str = "lookup",
        times: int | None = 1,
        *,
        seconds: float | None = None,
        pidx: str | None = None,
        after: bool = False,
        status: str | None = None,
    ) -> None:
        """Arm a fault; ``simulator.faults`` lists the kinds."""
        fault = Fault(kind=kind, where=where, times=times, seconds=seconds, pidx=pidx, after=after, status=status)
        self._desk.faults.arm(fault)

    def clear_faults(self) -> None:
        self._desk.faults.clear()

    @property
    def calls(self) -> list[Call]:
        """What the API was asked, the oldest first: ``("lookup", pidx)``."""
        return list(self._desk.calls)

    def clear_calls(self) -> None:
        self._desk.calls.clear()

    def count(self, endpoint: str, subject: str | None = None) -> int:
        """How many calls an endpoint had, about one payment if named."""
        return self._desk.count(endpoint, subject)

    def wait_for(self, endpoint: str, subject: str | None = None, *, times: int = 1, timeout: float = 10) -> bool:
        """Wait until an endpoint has had so many calls; False after ``timeout`` seconds."""
        return self._desk.wait_for(endpoint, subject, times, timeout)

    def _serve(self, host: str, port: int) -> _Server:
        try:
            server = _Server(host, port)
        except BaseException:
            self._desk.close()
            raise
        server.set_app(App(self._desk))
        return server

    def _tidy(self) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _now() -> datetime:
    return datetime.now(UTC)
