"""The jobs as tasks, for shops with a worker. ``storefront.middleware`` has the run that ordinary traffic triggers.

Tasks are those of ``django_tasks``, which Wagtail installs. Its default backend runs a task inside the request, so
that a customer would wait for Khalti; only a backend with a worker is used.
"""

from collections.abc import Callable

from django.core.exceptions import ImproperlyConfigured
from django_tasks import DEFAULT_TASK_BACKEND_ALIAS, TaskContext, task, task_backends

from loyalink_khalti import flow
from loyalink_khalti.payments import job_runs

_COMMANDS = {"reconcile": job_runs.RECONCILE, "loyalty_run": job_runs.POINTS, "audit": job_runs.AUDIT}
"""The command that does the same, by the name of the task's function."""
_BACKENDS_WITHOUT_WORKER = {"ImmediateBackend", "DummyBackend"}
"""By class name: since 6.0 Django has these two of its own beside those of ``django_tasks``."""


@task(takes_context=True)
def reconcile(context: TaskContext) -> str:
    """Look up all due payments and return a summary in one line. Enqueue it every minute or so.

    Raises ``ImproperlyConfigured`` for a backend without a worker, and ``JobFailed`` as every task here does.
    """
    return _in_worker(context, flow.reconcile_due)


@task(takes_context=True)
def loyalty_run(context: TaskContext) -> str:
    """Activate and expire points, update tiers, notify members; return a summary. Enqueue it every hour, or daily."""
    return _in_worker(context, flow.run_points)


@task(takes_context=True)
def audit(context: TaskContext) -> str:
    """Check every invariant that the database can show; return a summary. Enqueue it daily."""
    return _in_worker(context, flow.run_audit)


def _in_worker(context: TaskContext, job: Callable[[], flow.JobResult]) -> str:
    if not has_worker(context.task_result.backend):
        raise ImproperlyConfigured(
            f"TASKS has no backend with a worker: run the command {_COMMANDS[context.task_result.task.name]} instead"
        )
    return job().raise_problem()


def has_worker(backend: str = DEFAULT_TASK_BACKEND_ALIAS) -> bool:
    """Return whether a process of its own runs the tasks of a backend."""
    return _BACKENDS_WITHOUT_WORKER.isdisjoint(kind.__name__ for kind in type(task_backends[backend]).__mro__)
