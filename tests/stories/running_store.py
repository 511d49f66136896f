"""The store in its own processes: a web server with a copy of the database, and a simulated Khalti."""

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
from django.db.models import DateTimeField, F, Q
from django.test import override_settings
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.flow import audit
from loyalink_khalti.khalti import close_connections
from loyalink_khalti.mail_rows import SentMail
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments.models import Payment, Refund
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.simulator import Simulator
from sandbox import children
from sandbox.home import pages
from tests.stories.browser_session import BrowserSession

ROOT = Path(__file__).parent.parent.parent
GUNICORN = ("gunicorn", "sandbox.wsgi:application")
UVICORN = ("uvicorn", "sandbox.asgi:application")
UVICORN_WORKER = ("gunicorn", "sandbox.asgi:application", "-k", "uvicorn_worker.UvicornWorker")
LONG_AGO = 600
"""Seconds after which every deadline, lease, claim and pause of the store is over."""
MAIL_TIMEOUT = 5  # seconds


class Store:
    """A running store, as a test uses it from outside."""

    def __init__(self, khalti: Simulator, folder: Path, *, path: str = "", code: Path = ROOT) -> None:
        """``path`` is the one below which gunicorn serves it: "/pasal", or "" for the root of its host."""
        self.khalti = khalti
        self.folder = folder
        self.code = code
        """The folder of the code that runs: this one, or that of an earlier version."""
        self.port = free_port()
        self.server = GUNICORN
        """The web server: the first words of its command line, with the application."""
        self.address = "127.0.0.1"
        """The address that it listens on; a machine of its own has another one."""
        self.machine: list[str] = []
        """The first words of a command that runs on the store's machine; none for this one."""
        self.path = path
        self.url = f"http://127.0.0.1:{self.port}{path}"
        self.variables: dict[str, str] = {}
        """Environment variables that a story sets for the store."""
        self._server: subprocess.Popen[bytes] | None = None
        self._browsers = 0

    @property
    def environment(self) -> dict[str, str]:
        return (
            os.environ
            | {
                "DJANGO_SETTINGS_MODULE": "tests.stories.settings",
                "PORT": str(self.port),
                "DATABASE_URL": database_url(),
                "KHALTI_BASE_URL": self.khalti.base_url,
                "SANDBOX_VAR": str(self.folder),
                "TRUSTED_PROXIES": "1",  # so that every browser has a network of its own
            }
            | ({"SITE_URL": self.url, "SCRIPT_NAME": self.path} if self.path else {})
            | self.variables
        )

    def start(self, *, workers: int = 2, threads: int = 8) -> None:
        options = ["--workers", str(workers), "--log-level", "warning"]
        if self.server[0] == "uvicorn":
            options += ["--host", self.address, "--port", str(self.port)]
        else:
            # "--preload" imports the store once for all workers.
            options += ["--threads", str(threads), "--preload", "--no-control-socket"]
            options += ["--bind", f"{self.address}:{self.port}"]
        with (self.folder / "store.log").open("ab") as log:
            self._server = children.start(
                [*self.machine, sys.executable, "-m", *self.server, *options],
                cwd=self.code,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        assert children.responds(f"{self.url}/healthz", self._server), (self.folder / "store.log").read_text()

    def stop(self) -> None:
        if self._server:
            children.stop(self._server)

    def restart(self, *, workers: int, threads: int, **variables: str) -> None:
        """Stop the server and start it with these workers, threads and environment variables."""
        self.stop()
        self.variables = variables
        self.start(workers=workers, threads=threads)

    def reload(self) -> None:
        """SIGHUP: gunicorn starts new workers, and lets the old ones finish their requests."""
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
            [*self.machine, sys.executable, "-m", "sandbox.manage", *command],
            cwd=self.code,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def audit(self) -> dict[str, Any]:
        """Return the report of ``loyalink_audit``, made in this process on the same database."""
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
        """Make the same pass in this process on the same database, which is seconds faster than the command."""
        with self.in_this_process():
            for _ in flow.reconcile():
                pass

    @contextmanager
    def in_this_process(self) -> Iterator[None]:
        """Let this process use the flow as the store does: the same database, Khalti and folder of mails."""
        close_old_connections()
        chosen = settings.LOYALINK_KHALTI | {"SITE_URL": self.url, "KHALTI_BASE_URL": self.khalti.base_url}
        mails = {"EMAIL_BACKEND": "sandbox.mail.FileBackend", "EMAIL_FILE_PATH": self.folder / "mail"}
        try:
            with override_settings(LOYALINK_KHALTI=chosen, **mails):
                yield
        finally:
            close_connections()

    def let_time_pass(self, seconds: int = LONG_AGO) -> None:
        """Make all payments, refunds, messages and mails older by ``seconds``."""
        close_old_connections()
        for model in (Payment, Refund, Message, UnmatchedPayment, SentMail):
            times = [field.name for field in model._meta.fields if isinstance(field, DateTimeField)]
            model.objects.update(**{name: F(name) - timedelta(seconds=seconds) for name in times})

    def points(self, email: str) -> int:
        return int(next(account["available"] for account in self.audit()["accounts"] if account["member"] == email))

    def mails_to(self, email: str) -> int:
        """Return how many mails the store has sent to an address."""
        return sum(f"To: {email}" in mail.read_text() for mail in (self.folder / "mail").glob("*"))

    def wait_for_mails(self, email: str, times: int) -> int:
        """Return how many mails an address has got once all are sent; some are sent just after the response."""
        end = time.monotonic() + MAIL_TIMEOUT
        while time.monotonic() < end and (self.mails_to(email) < times or self._has_unsent_mail()):
            time.sleep(0.05)
        return self.mails_to(email)

    @staticmethod
    def _has_unsent_mail() -> bool:
        close_old_connections()
        is_due = Q(due_at__lte=timezone.now()) | Q(attempts__gt=0)  # hooks wait for their customer
        return Message.objects.filter(is_due, sent_at=None, error="").exists()

    def browser(self, email: str = "") -> BrowserSession:
        """Return a new browser session, logged in where there is an ``email``."""
        session = BrowserSession(self.url)
        self._browsers += 1
        session.session.headers["X-Forwarded-For"] = f"10.{self._browsers // 256}.{self._browsers % 256}.7"
        return session.log_in(email) if email else session

    def log(self) -> str:
        return (self.folder / "store.log").read_text()


@contextmanager
def running_store(
    folder: Path, media: Path, *, workers: int = 2, threads: int = 8, path: str = "", **variables: str
) -> Iterator[Store]:
    """Run the demo store, whose rows are in the database and whose pictures are in ``media``; stop it at the end."""
    with Simulator() as khalti:
        store = Store(khalti, folder, path=path)
        (folder / "media").symlink_to(media)
        with override_settings(SITE_URL=store.url):
            pages.update_address()
        store.restart(workers=workers, threads=threads, **variables)
        try:
            yield store
        finally:
            store.stop()


def database_url() -> str:
    """Return the address of this test's database, for another process."""
    chosen = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{chosen['NAME']}"
    return f"postgresql://{chosen['USER']}:@/{chosen['NAME']}?host={chosen['HOST']}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def open_page(url: str) -> requests.Response:
    """Open a page without cookies and follow redirects."""
    session = requests.Session()
    session.trust_env = False
    return session.get(url, timeout=60)
