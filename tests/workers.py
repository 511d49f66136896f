"""A task backend as a shop with a worker has one: it keeps what is enqueued until a test lets the worker run."""

from typing import Any

from django_tasks import TaskContext, TaskResult, TaskResultStatus
from django_tasks.backends.base import BaseTaskBackend
from django_tasks.backends.immediate import ImmediateBackend as ImmediateBackendOfTasks

TASKS = {"default": {"BACKEND": f"{__name__}.Queue"}}


class Queue(BaseTaskBackend):
    """Keeps what is enqueued, of all threads, until ``work``."""

    waiting: list[TaskResult[Any]] = []

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> TaskResult[Any]:
        self.validate_task(task)
        result: TaskResult[Any] = TaskResult(
            task=task,
            id=str(len(self.waiting)),
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
        self.waiting.append(result)
        return result

    @classmethod
    def work(cls) -> list[Any]:
        """Do what waits, and return what came of each."""
        done, cls.waiting[:] = list(cls.waiting), []
        return [each.task.call(TaskContext(task_result=each), *each.args, **each.kwargs) for each in done]


class ImmediateBackend(Queue):
    """Called what Django 6 calls its own, which runs tasks within the request as well."""


class QuickBackend(ImmediateBackendOfTasks):
    """Some shop's own variety of the one that runs tasks within the request."""
