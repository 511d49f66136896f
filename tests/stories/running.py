"""The store as processes of its own: gunicorn before a copy of the database, and a simulated Khalti."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from django.db import close_old_connections, connection

from loyalink_khalti.flow.audit import audit
from loyalink_khalti.simulator import Simulator
from sandbox import children
from tests.stories.shopper import Shopper

ROOT = Path(__file__).parent.parent.parent


class Store:
    """A running store, and everything that a test asks of it from outside."""

    def __init__(self, khalti: Simulator, folder: Path) -> None:
        self.khalti = khalti
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "sandbox.settings",
            "PORT": str(self.port),
            "DATABASE_URL": _database_url(),
            "KHALTI_BASE_URL": self.khalti.base_url,
            "SANDBOX_VAR": str(self.folder),
        }

    def start(self, *, workers: int = 2, threads: int = 8) -> None:
        options = ["--workers", str(workers), "--threads", str(threads), "--log-level", "warning"]
        with (self.folder / "store.log").open("ab") as log:
            self._server = children.start(
                [
                    *(sys.executable, "-m", "gunicorn", "sandbox.wsgi:application", "--no-control-socket"),
                    *("--bind", f"127.0.0.1:{self.port}", *options),
                ],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        assert children.answers(f"{self.url}/healthz", self._server), (self.folder / "store.log").read_text()

    def stop(self) -> None:
        if self._server:
            children.stop(self._server)

    def kill(self) -> None:
        """``kill -9`` of the server and all of its workers, at this moment."""
        assert self._server
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait()

    def manage(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sandbox.manage", *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def audit(self) -> dict[str, Any]:
        """What ``loyalink_audit`` says, asked in this process, which sees the same database."""
        close_old_connections()
        return audit()

    def audit_command(self) -> dict[str, Any]:
        done = self.manage("loyalink_audit", "--json")
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert (done.returncode == 0) == report["ok"]
        return report

    def reconcile(self) -> str:
        done = self.manage("khalti_reconcile", "-v2")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def points(self, email: str) -> int:
        return int(next(account["available"] for account in self.audit()["accounts"] if account["member"] == email))

    def mails_to(self, email: str) -> int:
        """How many mails the store has sent to somebody."""
        return sum(f"To: {email}" in mail.read_text() for mail in (self.folder / "mail").glob("*"))

    def shopper(self, email: str = "") -> Shopper:
        visitor = Shopper(self.url)
        return visitor.log_in(email) if email else visitor

    def log(self) -> str:
        return (self.folder / "store.log").read_text()


@contextmanager
def running(folder: Path) -> Iterator[Store]:
    """Run a store with its demo data, and end it whatever happens."""
    with Simulator() as khalti:
        store = Store(khalti, folder)
        done = store.manage("load_demo")
        assert done.returncode == 0, done.stderr
        store.start()
        try:
            yield store
        finally:
            store.stop()


def _database_url() -> str:
    chosen = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{chosen['NAME']}"
    return f"postgresql://{chosen['USER']}:@/{chosen['NAME']}?host={chosen['HOST']}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def open_page(url: str) -> requests.Response:
    """A browser that nobody knows, following where it is led."""
    session = requests.Session()
    session.trust_env = False
    return session.get(url, timeout=60)
