"""The jobs as Celery's tasks, for shops that run Celery; ``pip install "loyalink-khalti[celery]"``.

In the shop's ``celery.py``, beside the usual lines (https://docs.celeryq.dev/en/stable/django/)::

    app.autodiscover_tasks(["loyalink_khalti"], related_name="celery_tasks")
    app.conf.beat_schedule |= CELERY_BEAT_SCHEDULE

A task is acknowledged when it has ended, so that one whose worker was killed is delivered again. That one runs twice,
or that two passes overlap, does no harm: each payment has a lease, each message a claim, each account its lock.

This module can be imported before Django's apps are ready, and without Celery: then its tasks are plain functions.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

Job = TypeVar("Job", bound=Callable[[], str])

MINUTE = 60


def _task(name: str, *, minutes: int) -> Callable[[Job], Job]:
    """Register a job with the shop's Celery app. After so many minutes it is ended; the next run does what is left.

    Less than an hour, Redis's ``visibility_timeout``, after which a task that has not ended is delivered again.
    """
    try:
        from celery import shared_task
    except ModuleNotFoundError:
        return lambda job: job
    task = shared_task(
        name=f"loyalink_khalti.{name}", acks_late=True, reject_on_worker_lost=True, ignore_result=True,
        soft_time_limit=minutes * MINUTE, time_limit=(minutes + 5) * MINUTE,
    )  # fmt: skip
    return cast(Callable[[Job], Job], task)


@_task("reconcile", minutes=10)
def reconcile() -> str:
    """Look up all due payments and return a summary in one line. Raises ``JobFailed``, as every task here does."""
    from loyalink_khalti import flow

    return flow.reconcile_due().raise_problem()


@_task("loyalty_run", minutes=50)
def loyalty_run() -> str:
    """Activate and expire points, update tiers, notify members; return a summary."""
    from loyalink_khalti import flow

    return flow.run_points().raise_problem()


@_task("audit", minutes=50)
def audit() -> str:
    """Check every invariant that the database can show; return a summary."""
    from loyalink_khalti import flow

    return flow.run_audit().raise_problem()


def _beat_schedule() -> dict[str, dict[str, Any]]:
    try:
        from celery.schedules import crontab
    except ModuleNotFoundError:
        return {}

    def entry(name: str, schedule: object, *, expires: int) -> dict[str, dict[str, Any]]:
        name = f"loyalink_khalti.{name}"
        return {name: {"task": name, "schedule": schedule, "options": {"expires": expires}}}

    # A task expires when the next one is due: after an hour without a worker one pass is made, not sixty.
    return {
        **entry("reconcile", float(MINUTE), expires=MINUTE),
        **entry("loyalty_run", crontab(minute="17"), expires=60 * MINUTE),
        **entry("audit", crontab(hour="21", minute="45"), expires=24 * 60 * MINUTE),
    }


CELERY_BEAT_SCHEDULE = _beat_schedule()
"""For ``app.conf.beat_schedule``: each minute, each hour, and at 21:45 in Celery's time zone (UTC: 03:30 in Nepal)."""
