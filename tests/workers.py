"""Task backends. ``Queue`` acts as a shop's worker: it keeps the tasks until a test runs them."""

from typing import Any

from django_tasks import TaskContext, TaskResult, TaskResultStatus
from django_tasks.backends.base import BaseTaskBackend
from django_tasks.backends.immediate import ImmediateBackend as ImmediateBackendOfTasks

TASKS = {"default": {"BACKEND": f"{__name__}.Queue"}}


class Queue(BaseTaskBackend):
    """Keeps the enqueued tasks of all threads until ``work`` is called."""

    pending: list[TaskResult[Any]] = []

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> TaskResult[Any]:
        self.validate_task(task)
        result: TaskResult[Any] = TaskResult(
            task=task,
            id=str(len(self.pending)),
            status=TaskResultStatus.READY,
            enqueued_at=None,
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=args,
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
        self.pending.append(result)
        return result

    @classmethod
    def work(cls) -> list[Any]:
        """Run the pending tasks and return their results."""
        tasks, cls.pending[:] = list(cls.pending), []
        return [each.task.call(TaskContext(task_result=each), *each.args, **each.kwargs) for each in tasks]


class ImmediateBackend(Queue):
    """Has the name of Django 6's own backend, which runs tasks within the request."""


class QuickBackend(ImmediateBackendOfTasks):
    """A shop's own version of the backend that runs tasks within the request."""
