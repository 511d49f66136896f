"""The store as processes of its own: gunicorn before a copy of the database, and a simulated Khalti."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import requests
from django.conf import settings
from django.db import close_old_connections, connection
from django.db.models import DateTimeField, F
from django.test import override_settings

from loyalink_khalti import flow
from loyalink_khalti.flow.audit import audit
from loyalink_khalti.khalti import hang_up
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments.models import Payment, Refund
from loyalink_khalti.simulator import Simulator
from sandbox import children
from tests.stories.shopper import Shopper

ROOT = Path(__file__).parent.parent.parent
LONG = 600
"""Seconds after which no deadline, lease, claim or pause of the store's is still running."""
MAILS_WITHIN = 5  # seconds


class Store:
    """A running store, and everything that a test asks of it from outside."""

    def __init__(self, khalti: Simulator, folder: Path) -> None:
        self.khalti = khalti
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.variables: dict[str, str] = {}
        """What this story sets in the store's environment besides."""
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return (
            os.environ
            | {
                "DJANGO_SETTINGS_MODULE": "sandbox.settings",
                "PORT": str(self.port),
                "DATABASE_URL": _database_url(),
                "KHALTI_BASE_URL": self.khalti.base_url,
                "SANDBOX_VAR": str(self.folder),
            }
            | self.variables
        )

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

    def start_anew(self, *, workers: int, threads: int, **variables: str) -> None:
        """End the server and start it with so many workers, and with these variables."""
        self.stop()
        self.variables = variables
        self.start(workers=workers, threads=threads)

    def reload(self) -> None:
        """SIGHUP: gunicorn starts new workers, and lets the old ones finish what they are at."""
        assert self._server
        self._server.send_signal(signal.SIGHUP)

    def workers(self) -> list[psutil.Process]:
        assert self._server
        return psutil.Process(self._server.pid).children()

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

    def reconcile_here(self) -> None:
        """The same pass in this process, which sees the same database: seconds quicker than the command."""
        close_old_connections()
        chosen = settings.LOYALINK_KHALTI | {"SITE_URL": self.url, "KHALTI_BASE_URL": self.khalti.base_url}
        mails = {"EMAIL_BACKEND": "sandbox.mail.FileBackend", "EMAIL_FILE_PATH": self.folder / "mail"}
        try:
            with override_settings(LOYALINK_KHALTI=chosen, **mails):
                for _ in flow.reconcile():
                    pass
        finally:
            hang_up()

    def let_time_pass(self, seconds: int = LONG) -> None:
        """Make all that the store has written of payments, refunds and messages so much older."""
        close_old_connections()
        for model in (Payment, Refund, Message):
            times = [field.name for field in model._meta.fields if isinstance(field, DateTimeField)]
            model.objects.update(**{name: F(name) - timedelta(seconds=seconds) for name in times})

    def points(self, email: str) -> int:
        return int(next(account["available"] for account in self.audit()["accounts"] if account["member"] == email))

    def mails_to(self, email: str) -> int:
        """How many mails the store has sent to somebody."""
        return sum(f"To: {email}" in mail.read_text() for mail in (self.folder / "mail").glob("*"))

    def wait_for_mails(self, email: str, times: int) -> int:
        """How many mails somebody has once nothing is left to send; mails may leave just after the answer."""
        end = time.monotonic() + MAILS_WITHIN
        while time.monotonic() < end and (self.mails_to(email) < times or self._has_mail_to_send()):
            time.sleep(0.05)
        return self.mails_to(email)

    @staticmethod
    def _has_mail_to_send() -> bool:
        close_old_connections()
        return Message.objects.filter(sent_at=None, error="").exists()

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
        done = store.manage("load_demo", "--no-thumbnails")
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
