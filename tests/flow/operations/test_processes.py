"""A pass over several processes: each payment is looked up once, also where one of the processes is killed."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.flow.operations import processes
from loyalink_khalti.flow.operations.processes import processes_for, workers_for
from loyalink_khalti.flow.operations.shared_pace import SharedPace
from loyalink_khalti.payments import job_runs
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.cutting import fork, wait_for
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


class Notes:
    """Lines that any process appends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def add(self, *words: object) -> None:
        with self._path.open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")

    @property
    def lines(self) -> list[str]:
        return self._path.read_text().splitlines()

    def first(self) -> bool:
        """Return True to one caller of all processes."""
        try:
            self._path.with_suffix(".first").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


@pytest.fixture
def paid(shop: FakeShop, khalti: Khalti, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> list[Payment]:
    """Eight payments whose customers have paid and closed the page; the process of each lookup is noted."""
    monkeypatch.setattr(processes, "ITEMS_PER_PROCESS", 2)
    payments = [flow.begin_payment(shop.freeze(shop.cart(f"order-{number}"))) for number in range(8)]
    for payment in payments:
        khalti.pay(payment.pidx)
    khalti.while_looking_up = lambda: notes.add(os.getpid())
    return payments


def in_a_process(work: Callable[[], object]) -> int:
    """Do ``work`` in a process with a single thread, as a command has it, and return its status."""
    return wait_for(fork(work))


def test_a_pass_over_two_processes_looks_up_each_payment_once(paid: list[Payment], notes: Notes) -> None:
    """G01, N19: one summary, and one line for each payment."""

    def run() -> None:
        out = StringIO()
        call_command("khalti_reconcile", "--processes=2", "--workers=2", "-v2", stdout=out)
        for line in sorted(out.getvalue().splitlines()):
            notes.add("printed", line)

    assert in_a_process(run) == 0

    by = [line for line in notes.lines if line.isdigit()]
    assert (len(by), len(set(by))) == (8, 2)
    printed = [line.removeprefix("printed ") for line in notes.lines if not line.isdigit()]
    assert printed[0] == "8 looked up in " + printed[0].removeprefix("8 looked up in ")
    assert printed[0].endswith("by 2 × 2 workers")
    assert printed[1:] == ["8 paid", *(f"order-{number}-1: paid" for number in range(8))]
    assert set(Payment.objects.values_list("state", "lease")) == {("fulfilled", "")}
    last = flow.health().last_pass
    assert last is not None
    assert (last.done, last.errors, last.processes, last.workers, last.labels) == (8, 0, 2, 2, {"paid": 8})


def test_after_a_process_was_killed_the_others_do_its_payments_and_the_next_pass_the_one_in_its_hands(
    paid: list[Payment], khalti: Khalti, notes: Notes
) -> None:
    """B08, G01, N20"""

    def die_once() -> None:
        if notes.first():
            os.kill(os.getpid(), signal.SIGKILL)

    khalti.while_looking_up = die_once

    def run() -> None:
        for result in flow.ReconcilerPass(processes=2, workers=1, due_only=True):
            notes.add(result.label)

    with time_machine.travel(timezone.now() + timedelta(minutes=10)):
        assert in_a_process(run) == 0
    states = list(Payment.objects.values_list("state", flat=True))
    with time_machine.travel(timezone.now() + timedelta(minutes=20)):
        after = [result.label for result in flow.reconcile(due_only=True)]

    assert sorted(notes.lines) == [flow.PassLabel.BUSY, *["paid"] * 7]
    assert sorted(states) == ["fulfilled"] * 7 + ["initiated"]
    assert after == ["paid"]


def test_sigterm_ends_a_pass_over_processes_in_order(paid: list[Payment], khalti: Khalti, notes: Notes) -> None:
    """N21: A service is stopped: what is in progress is completed, nothing new is begun, no process is left behind."""

    def stop() -> None:
        notes.add(os.getpid())
        if notes.first():
            os.kill(os.getppid(), signal.SIGTERM)

    khalti.while_looking_up = stop

    def run() -> None:
        out = StringIO()
        try:
            call_command("khalti_reconcile", "--processes=2", "--workers=1", stdout=out)
        except SystemExit as ended:
            notes.add("exit", ended.code, len(multiprocessing.active_children()))

    assert in_a_process(run) == 0

    lookups = [line for line in notes.lines if line.isdigit()]
    assert notes.lines[-1] == "exit 143 0"
    assert Payment.objects.filter(state="fulfilled").count() == len(lookups) < 8
    assert not Payment.objects.exclude(lease="").exists()


def test_where_the_parent_was_killed_its_processes_end_after_what_is_in_progress(
    paid: list[Payment], khalti: Khalti, notes: Notes
) -> None:
    """N22"""

    def kill() -> None:
        notes.add(os.getpid())
        if notes.first():
            os.kill(os.getppid(), signal.SIGKILL)

    khalti.while_looking_up = kill

    assert in_a_process(lambda: list(flow.ReconcilerPass(processes=2, workers=1))) == signal.SIGKILL
    for pid in set(notes.lines):
        if psutil.pid_exists(int(pid)):
            psutil.Process(int(pid)).wait(20)

    assert Payment.objects.filter(state="fulfilled").count() == len(notes.lines)
    assert not Payment.objects.exclude(lease="").exists()


def test_the_processes_of_a_pass_share_one_pace(notes: Notes, db: None) -> None:
    """R1d: LOOKUPS_PER_SECOND holds for all together, and none has the server for itself."""
    per_second, number = 50, 30
    pace = SharedPace("https://dev.khalti.com", per_second=per_second, expected=number)
    stopped = threading.Event()

    def take_turn(_item: int) -> bool:
        is_in_time = pace.wait(stopped, longest=10)
        notes.add(os.getpid(), time.monotonic())
        return is_in_time

    def run() -> None:
        items = list(range(number))
        turns = processes.in_processes(items, take_turn, processes=2, workers=4, stopped=stopped, lost=[])
        assert all(turns)

    assert in_a_process(run) == 0

    taken = sorted((float(at), pid) for pid, at in map(str.split, notes.lines))
    assert taken[-1][0] - taken[0][0] >= (number - 1) / per_second * 0.95
    assert sum(one[1] != next_one[1] for one, next_one in pairwise(taken)) > 3


def test_a_process_with_other_threads_does_not_fork(monkeypatch: pytest.MonkeyPatch, paid: list[Payment]) -> None:
    """N23: A lock that another thread holds would never be released in the child."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        err = StringIO()
        call_command("khalti_reconcile", "--processes=2", stdout=StringIO(), stderr=err)
    finally:
        done.set()
        thread.join()

    assert err.getvalue().startswith("This process has other threads already. One process looks the payments up")
    last = job_runs.figures_of(job_runs.runs()[job_runs.RECONCILE])
    assert last is not None
    assert (last.done, last.processes) == (8, 1)


@pytest.mark.parametrize(
    ("wanted", "items", "per_second", "cores", "expected"),
    [
        (None, 1000, 1000, 4, 4),
        (None, 1000, 20, 4, 1),  # one process manages 20 a second
        (None, 1000, 100, 8, 3),
        (None, 149, 1000, 4, 2),
        (None, 99, 1000, 4, 1),
        (4, 1000, 20, 2, 4),
        (4, 120, 20, 2, 2),
        (1, 1000, 1000, 4, 1),
    ],
)
def test_the_number_of_processes(
    monkeypatch: pytest.MonkeyPatch, wanted: int | None, items: int, per_second: int, cores: int, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)))
    monkeypatch.setattr(processes, "obstacle", lambda: "")
    if wanted is None and connection.vendor == "sqlite":
        expected = 1  # one process writes at a time

    assert processes_for(wanted, items=items, per_second=per_second) == expected


def test_all_processes_together_have_32_threads_by_default() -> None:
    assert [workers_for(None, processes=number) for number in (1, 2, 4, 8, 16)] == [16, 16, 8, 4, 4]
    assert workers_for(10, processes=8) == 10
