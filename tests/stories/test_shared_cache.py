"""Two processes of the store share what they know of Khalti in a real Redis, which is killed in the middle."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from loyalink_khalti.khalti.circuit_breaker import FAILURE_THRESHOLD
from sandbox import children
from tests.stories.comparison import disagreements
from tests.stories.ordering import guest_who_paid
from tests.stories.running_store import Store, open_page

REDIS = shutil.which("redis-server")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(REDIS is None, reason="needs Redis: apt-get install redis-server"),
]

WORKERS, THREADS = 2, 4
CUSTOMERS = 12


class Redis:
    """A Redis that keeps nothing on the disk, at a socket of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, folder / "redis.sock"
        self._program: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert REDIS
        self.socket.unlink(missing_ok=True)
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self.folder)]
        with (self.folder / "redis.log").open("ab") as log:
            self._program = children.start([REDIS, *options], cwd=self.folder, env={}, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while not self.socket.exists():
            assert time.monotonic() < end, (self.folder / "redis.log").read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        assert self._program
        self._program.send_signal(signal.SIGKILL)
        self._program.wait()

    def keys(self, kind: str) -> int:
        """Return how many keys of ours of a kind there are."""
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            return len(list(client.scan_iter(match=f"*loyalink_khalti.{kind}:*")))


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Redis]:
    shared = Redis(tmp_path)
    shared.start()
    yield shared
    shared.kill()


def test_a_redis_that_is_killed_and_started_again_loses_no_payment_and_stops_no_sale(
    store: Store, shared: Redis
) -> None:
    """N16"""
    store.restart(workers=WORKERS, threads=THREADS, STORY_REDIS=f"unix://{shared.socket}")
    with ThreadPoolExecutor(4) as customers:
        first = list(customers.map(lambda number: guest_who_paid(store, f"first{number}"), range(CUSTOMERS)))
        counted = shared.keys("limit")
        store.khalti.fault("hang", where="lookup", times=None, seconds=1)
        visits = [customers.submit(open_page, back) for back in first]
        assert store.khalti.wait_for("lookup")
        shared.kill()
        pages = [visit.result() for visit in visits]
        store.khalti.clear_faults()
        without = list(customers.map(lambda number: guest_who_paid(store, f"without{number}"), range(CUSTOMERS)))
        pages += customers.map(open_page, without)
        shared.start()
        again = list(customers.map(lambda number: guest_who_paid(store, f"again{number}"), range(CUSTOMERS)))
        pages += customers.map(open_page, again)

    assert counted > 0
    assert {page.status_code for page in pages} == {200}
    store.let_time_pass()
    store.reconcile_here()
    assert disagreements(store) == []
    assert len([row for row in store.audit()["payments"] if row["state"] == "fulfilled"]) >= 3 * CUSTOMERS


def test_what_one_process_finds_out_about_khalti_stops_the_other_within_a_second(store: Store, shared: Redis) -> None:
    """N14"""
    store.restart(workers=WORKERS, threads=THREADS, STORY_REDIS=f"unix://{shared.socket}")
    backs = [guest_who_paid(store, f"silent{number}") for number in range(4 * FAILURE_THRESHOLD)]
    store.khalti.fault("503", where="lookup", times=None)
    store.khalti.clear_calls()

    for back in backs:
        open_page(back)
    calls = store.khalti.count("lookup")
    known = shared.keys("server")
    store.khalti.clear_faults()
    store.let_time_pass()
    store.reconcile_here()

    assert known > 0
    assert calls <= 2 * FAILURE_THRESHOLD - 1, "each process has counted for itself"
    assert disagreements(store) == []
