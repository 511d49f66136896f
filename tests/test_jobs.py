"""The jobs, one function each, as tasks of ``django_tasks`` and of Celery; in real workers: ``tests/stories``."""

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from loyalink_khalti import celery_tasks, flow, tasks
from loyalink_khalti.errors import JobFailed
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments import job_runs
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, account, fake_shop, khalti, member, no_call_in_a_transaction, shop
from tests.workers import TASKS, Queue

__all__ = ["account", "fake_shop", "khalti", "member", "no_call_in_a_transaction", "shop"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

OF_DJANGO = (tasks.reconcile, tasks.loyalty_run, tasks.audit)
OF_CELERY = (celery_tasks.reconcile, celery_tasks.loyalty_run, celery_tasks.audit)
COMMANDS = (job_runs.RECONCILE, job_runs.POINTS, job_runs.AUDIT)


@pytest.fixture
def paid(shop: FakeShop, khalti: Khalti, member: str) -> str:
    """A member has paid and closed the page; an order is due in ten minutes."""
    khalti.pay(flow.begin_payment(shop.freeze(shop.cart(member_id=member))).pidx)
    return member


@pytest.fixture(params=["django_tasks", "Celery"])
def run(request: pytest.FixtureRequest, settings: Any) -> Any:
    """Run the job of a place in ``COMMANDS`` as such a task, and return what it returns."""
    settings.TASKS = TASKS
    Queue.pending.clear()

    def as_task(place: int) -> str:
        if request.param == "Celery":
            return OF_CELERY[place]()
        OF_DJANGO[place].enqueue()
        (returned,) = Queue.work()
        return str(returned)

    return as_task


def test_every_job_returns_a_line_and_records_its_run_and_figures(run: Any, paid: str) -> None:
    """G03, G06"""
    with time_machine.travel(timezone.now() + timedelta(minutes=10)):
        lines = [run(place) for place in range(3)]
        health = flow.health()
    found = {name: job_runs.figures_of(row) for name, row in job_runs.runs().items()}

    assert lines == ["1 paid", "nothing was due", "everything agrees"]
    assert health.is_reconciler_running
    assert health.last_points_run_at is not None
    assert health.last_audited_at is not None
    assert {name: (each.done, each.errors) for name, each in found.items() if each} == {
        job_runs.RECONCILE: (1, 0),
        job_runs.POINTS: (0, 0),
        job_runs.AUDIT: (0, 0),
    }


def test_an_audit_that_finds_something_fails_and_logs_what_it_is_about(
    run: Any, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """N26: So that the worker's own monitoring shows it."""
    Account.objects.update(available=account.available + 1)

    with pytest.raises(JobFailed, match=r"2 contradictions found\. The command loyalink_audit shows them"):
        run(2)

    assert "audit: L" in caplog.text
    figures = job_runs.figures_of(job_runs.runs()[job_runs.AUDIT])
    assert figures is not None
    assert figures.errors == 2


def test_a_pass_without_the_servers_keys_fails_and_says_what_to_set(run: Any, paid: str, settings: Any) -> None:
    """D7"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": ""}

    with time_machine.travel(timezone.now() + timedelta(minutes=10)), pytest.raises(JobFailed, match="has no key"):
        run(0)


@pytest.mark.parametrize(("task", "command"), [*zip(OF_DJANGO, COMMANDS, strict=True)], ids=COMMANDS)
def test_without_a_worker_every_task_fails_and_names_its_command(settings: Any, task: Any, command: str) -> None:
    """G06"""
    settings.TASKS = {"default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}}

    assert f"run the command {command} instead" in task.enqueue().errors[0].traceback


def test_celerys_tasks_are_found_by_their_names_and_delivered_again_after_a_kill() -> None:
    celery = pytest.importorskip("celery")
    app = celery.Celery("shop", set_as_current=False)
    app.autodiscover_tasks(["loyalink_khalti"], related_name="celery_tasks", force=True)

    found = [app.tasks[entry["task"]] for entry in celery_tasks.CELERY_BEAT_SCHEDULE.values()]

    assert {task.name for task in found} == {name for name in app.tasks if name.startswith("loyalink_khalti.")}
    assert [task.name for task in found] == [getattr(task, "name", "") for task in OF_CELERY]
    assert all(task.acks_late and task.reject_on_worker_lost for task in found)
    assert all(task.soft_time_limit < task.time_limit < 60 * 60 for task in found)


def test_celerys_module_is_imported_without_celery_and_before_the_apps_are_ready() -> None:
    """N27: Settings may import the schedule."""
    lines = (
        "import sys; sys.modules['celery'] = None",
        "from loyalink_khalti.celery_tasks import CELERY_BEAT_SCHEDULE, reconcile",
        "print(CELERY_BEAT_SCHEDULE, type(reconcile).__name__)",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["{}", "function"]
