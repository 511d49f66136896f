"""Continuous archiving and point-in-time recovery, as PostgreSQL's manual describes them, with its own programs."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT

from tests.postgres import QUICK, START_TIMEOUT, Cluster, Standby

RECOVERY = """
restore_command = 'cp {archive}/%f %p'
recovery_target_time = '{moment}'
recovery_target_action = 'promote'
"""


class Archive:
    """A base backup of a server and every WAL segment that it has finished since."""

    def __init__(self, server: Cluster, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._segments, self._base = folder / "wal", folder / "base"
        self._segments.mkdir()
        _give_to_server(server, folder, self._segments)

    def begin(self) -> None:
        """Restart the server with archiving on, and take the base backup."""
        command = f"cp %p {self._segments}/%f"
        self._server.settings = {**QUICK, "archive_mode": "on", "archive_command": command}
        self._server.restart(SIGINT)
        self._server._run(
            "pg_basebackup", "-h", self._server.data, "-U", "postgres", "-D", self._base, "-X", "none", "-c", "fast"
        )

    def end(self) -> None:
        """Restart the server without archiving."""
        self._server.settings = QUICK
        self._server.restart(SIGINT)

    def now(self) -> str:
        """Return the server's time, to which it can be restored."""
        return str(self._server.value("SELECT clock_timestamp()"))

    def finish_segment(self) -> None:
        """Wait until everything that is committed is in the archive."""
        name = self._server.value("SELECT pg_walfile_name(pg_switch_wal())")
        end = time.monotonic() + START_TIMEOUT
        while not (self._segments / name).exists():
            if time.monotonic() > end:
                raise RuntimeError(
                    f"{name} is not archived: {self._server.value('SELECT last_failed_wal FROM pg_stat_archiver')}"
                )
            time.sleep(0.05)

    @contextmanager
    def restored(self, moment: str) -> Iterator[Cluster]:
        """Run a server with the data of ``moment``: the base backup, and the archive until then."""
        restored = Standby(self._folder, primary=self._server)
        self._base.rename(restored.data)
        for copied in restored.data.glob(".s.PGSQL*"):  # the socket of the server is in its data folder
            copied.unlink()
        with (restored.data / "postgresql.auto.conf").open("a") as settings:
            settings.write(RECOVERY.format(archive=self._segments, moment=moment))
        (restored.data / "recovery.signal").touch()
        _give_to_server(restored, restored.data / "recovery.signal")
        try:
            restored._start()
            restored._wait_for("SELECT NOT pg_is_in_recovery()")
            yield restored
        finally:
            restored.stop()


def _give_to_server(server: Cluster, *paths: Path) -> None:
    if server._as:
        for path in paths:
            os.chown(path, server._as["user"], server._as["group"])
