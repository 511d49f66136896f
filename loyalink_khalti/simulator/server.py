"""The simulator as a threaded server, and the object with which a test controls it."""

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
from .faults import Fault
from .payment import CallbackPlan, Payment
from .service import Call, KhaltiService, Switches
from .web import SOCKET


class _Handler(WSGIRequestHandler):
    timeout = 60  # seconds after which an idle connection is closed

    def get_environ(self) -> WSGIEnvironment:
        return {**super().get_environ(), SOCKET: self.connection}

    def log_message(self, *args: Any, **kwargs: Any) -> None:
        """Log nothing: the panel shows the calls."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False  # closing does not wait for a hanging response
    request_queue_size = 128

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer would resolve the host name, which is slow on a machine without DNS.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do not log clients that disconnect."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Simulator:
    """A simulated Khalti on a port of its own; a context manager, or ``start`` and ``close``. Amounts are in paisa.

    Without ``db`` the database is a temporary file. ``port`` 0 picks a free port. ``switches`` are fields of
    ``Switches`` by name. Raises ``ValueError`` for a wrong switch, ``OSError`` when it cannot listen on the port and
    ``sqlite3.Error`` when it cannot open the database.
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
        chosen = Switches()
        for name, value in switches.items():
            chosen.set(name, value)
        self._folder = None if db else tempfile.mkdtemp(prefix="khalti-simulator-")
        path = Path(db) if db else Path(str(self._folder)) / "payments.sqlite3"
        try:
            self._service = KhaltiService(path, keys=keys, switches=chosen, clock=clock or _now)
            self._server = self._serve(host, port)
        except BaseException:
            self._remove_folder()
            raise
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_port}"
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """Return the value for a shop's ``KHALTI_BASE_URL``."""
        return f"{self.url}/api/v2/"

    @property
    def app(self) -> App:
        """Return the WSGI application, for another server."""
        return App(self._service)

    @property
    def switches(self) -> Switches:
        """Return the switches. Assigning to a field takes effect at once."""
        return self._service.switches

    def start(self) -> Self:
        """Serve in a thread."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="khalti-simulator", daemon=True
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop at once, without waiting for hanging responses."""
        self._service.closing.set()
        if self._thread:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._service.close()
        self._remove_folder()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pay(self, pidx: str, khalti_id: str = "9800000001", *, bank: bool = False) -> Payment:
        """Pay as the customer would. Raises ``NotPossible`` unless the payment is Initiated."""
        return self._service.pay(pidx, khalti_id, bank=bank)

    def cancel(self, pidx: str) -> Payment:
        """Cancel as the customer would on the hosted page. Raises ``NotPossible`` when it is too late."""
        return self._service.cancel(pidx)

    def expire(self, pidx: str) -> Payment:
        """Make the payment Expired. Raises ``NotPossible`` when it is too late."""
        return self._service.expire(pidx)

    def fail(self, pidx: str) -> Payment:
        """Make the payment Failed. Raises ``NotPossible`` when it is too late."""
        return self._service.fail(pidx)

    def pend(self, pidx: str) -> Payment:
        """Make the payment Pending. Raises ``NotPossible`` unless it is Initiated."""
        return self._service.pend(pidx)

    def complete(self, pidx: str) -> Payment:
        """Make the payment Completed, even after it expired, failed or was cancelled."""
        return self._service.complete(pidx)

    def refund(self, pidx: str, amount: int | None = None) -> Payment:
        """Refund as in Khalti's dashboard: ``amount`` in paisa, or everything. Raises ``NotPossible``."""
        return self._service.refund(pidx, amount)

    def callback(self, pidx: str, plan: CallbackPlan | str | None) -> Payment:
        """Choose how this payment sends the browser back; None follows the switch ``callback``."""
        return self._service.database.set_plan(pidx, None if plan is None else CallbackPlan(plan))

    def return_urls(self, pidx: str) -> tuple[str, ...]:
        """Return the URLs to which the browser would be sent now, in order."""
        return self._service.return_urls(pidx)

    def payment(self, pidx: str) -> Payment:
        """Return one payment. Raises ``LookupError`` for an unknown pidx."""
        return self._service.database.get(pidx)

    def payments(self) -> list[Payment]:
        """Return all payments, newest first."""
        return self._service.database.all()

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
        """Arm a fault; ``simulator.faults`` lists the kinds. Raises ``ValueError`` for an unknown one."""
        fault = Fault(kind=kind, where=where, times=times, seconds=seconds, pidx=pidx, after=after, status=status)
        self._service.faults.arm(fault)

    def clear_faults(self) -> None:
        """Disarm all faults."""
        self._service.faults.clear()

    @property
    def calls(self) -> list[Call]:
        """Return the calls that the API received, oldest first: ``("lookup", pidx)``."""
        return list(self._service.calls)

    def clear_calls(self) -> None:
        """Forget the recorded calls."""
        self._service.calls.clear()

    def count(self, endpoint: str, subject: str | None = None) -> int:
        """Return how many calls an endpoint received, about one subject or about any."""
        return self._service.count(endpoint, subject)

    def wait_for(self, endpoint: str, subject: str | None = None, *, times: int = 1, timeout: float = 10) -> bool:
        """Wait until an endpoint has received ``times`` calls. Return False after ``timeout`` seconds."""
        return self._service.wait_for(endpoint, subject, times, timeout)

    def _serve(self, host: str, port: int) -> _Server:
        try:
            server = _Server(host, port)
        except BaseException:
            self._service.close()
            raise
        server.set_app(App(self._service))
        return server

    def _remove_folder(self) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _now() -> datetime:
    return datetime.now(UTC)
