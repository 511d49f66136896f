"""A PgBouncer in front of the tests' PostgreSQL, with the file of docs/production."""

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox import children
from tests import postgres

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
MISSING = "no PgBouncer here: apt-get install pgbouncer"
WRITTEN = Path(__file__).parent.parent / "docs" / "production" / "pgbouncer.ini"
START_TIMEOUT = 15  # seconds


class PgBouncer:
    """One PgBouncer: few connections to the server, taken in turn, so that each transaction gets another one."""

    def __init__(self, server: postgres.Cluster, folder: Path, *, port: int, address: str = "", size: int = 5) -> None:
        self.folder, self.port = folder, port
        self._as: dict[str, Any] = postgres.unprivileged()
        self._log = folder / "log"
        text = WRITTEN.read_text()
        for written, here in {
            "shop = host=/var/run/postgresql dbname=shop": f"{postgres.DATABASE} = host={server.data}",
            "listen_addr = 127.0.0.1": f"listen_addr = {address}",
            "listen_port = 6432": f"listen_port = {port}",
            "unix_socket_dir = /var/run/postgresql": f"unix_socket_dir = {folder}",
            "auth_type = scram-sha-256": "auth_type = trust",
            "/etc/pgbouncer/": f"{folder}/",
            "default_pool_size = 20": f"default_pool_size = {size}",
        }.items():
            assert written in text, written
            text = text.replace(written, here)
        (folder / "pgbouncer.ini").write_text(f"{text}\nserver_round_robin = 1\nadmin_users = postgres\n")
        (folder / "userlist.txt").write_text('"postgres" ""\n')

    def url(self, host: str = "") -> str:
        """Return the address of the database behind it, as ``DATABASE_URL`` has it; by the socket without a host."""
        place = f"{host}:{self.port}" if host else f":{self.port}"
        return f"postgresql://postgres@{place}/{postgres.DATABASE}" + ("" if host else f"?host={self.folder}")

    def start(self) -> None:
        assert PROGRAM
        with self._log.open("ab") as output:
            command = [PROGRAM, str(self.folder / "pgbouncer.ini")]
            self._process = children.start(command, stdout=output, stderr=output, **self._as)
        end = time.monotonic() + START_TIMEOUT
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        children.stop(self._process)

    def restart(self) -> None:
        """Kill it, with all of its connections, and start it again."""
        self._process.kill()
        self._process.wait()
        self.start()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(f"{self.folder}/.s.PGSQL.{self.port}") == 0


@contextmanager
def running(*, port: int, address: str = "", size: int = 5) -> Iterator[PgBouncer]:
    """Run a PgBouncer in front of the server of this process's tests."""
    assert postgres.running_cluster
    with postgres.readable_folder() as folder:
        folder.chmod(0o777)  # its account writes the socket
        made = PgBouncer(postgres.running_cluster, folder, port=port, address=address, size=size)
        made.start()
        try:
            yield made
        finally:
            made.stop()
