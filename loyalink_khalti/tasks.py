"""The reconciler in the background: as a task for shops that have a worker, and nudged by ordinary traffic.

Tasks are those of ``django_tasks``, which Wagtail brings. Its own default backend runs them inside the request, which
would make a shopper wait for Khalti, so only a backend with a worker is used.
"""

import time
from collections import Counter
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django_tasks import DEFAULT_TASK_BACKEND_ALIAS, TaskContext, task, task_backends

from loyalink_khalti import flow
from loyalink_khalti.flow.reconcile import summary
from loyalink_khalti.payments import watch

WORKERS = 4
EVERY = timedelta(minutes=1)
"""The least time between two nudges, of all processes together."""
NUDGE = "nudge"
"""The name of nudging in ``LastRun``."""

_WITHOUT_WORKER = {"ImmediateBackend", "DummyBackend"}
"""By name, for Django has brought these two of its own since 6.0, beside those of ``django_tasks``."""


@task(takes_context=True)
def reconcile(context: TaskContext) -> str:
    """Look at everything that is due; what came of it, as a line. To be enqueued every minute or so."""
    if not has_worker(context.task_result.backend):
        raise ImproperlyConfigured("TASKS has no backend with a worker: run the command khalti_reconcile instead")
    told = Counter(looked.told for looked in flow.reconcile(workers=WORKERS, due_only=True))
    return summary(told)


def has_worker(backend: str = DEFAULT_TASK_BACKEND_ALIAS) -> bool:
    """Whether tasks are run by a process of their own."""
    return _WITHOUT_WORKER.isdisjoint(kind.__name__ for kind in type(task_backends[backend]).__mro__)


class Nudge:
    """One look a minute at a payment that is due, so that a shop that schedules nothing still recovers."""

    def __init__(self) -> None:
        self._not_before = 0.0

    def is_due(self) -> bool:
        """Whether this process has not nudged just now; asks nobody."""
        return time.monotonic() >= self._not_before

    def __call__(self) -> None:
        """Hand what is due to a worker or, where there is none, look at one payment here, after a response."""
        if not self.is_due():
            return
        self._not_before = time.monotonic() + EVERY.total_seconds()
        if not watch.claim(NUDGE, every=EVERY):
            return
        if has_worker():
            reconcile.enqueue()
        else:
            flow.nudge()


nudge = Nudge()
