"""When each job last ran, and what its last run found; and that the database's clock was set back.

A check, the desk and monitoring warn where a job does not run any more.
"""

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import F

from loyalink_khalti.clock import NOW, SLACK, DatabaseTime, is_in_future

from .models import Payment

log = logging.getLogger(__name__)

RECONCILE, POINTS, AUDIT = "khalti_reconcile", "loyalty_run", "loyalink_audit"
"""The names of the jobs in ``LastRun``, which are those of their commands."""


class LastRun(models.Model):
    """When a job last ran, and the figures of its last run that had something to do."""

    name = models.CharField(max_length=40)
    at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True, help_text="of the run that has the figures")
    seconds = models.FloatField(null=True, blank=True, help_text="how long it took")
    figures = models.JSONField(null=True, blank=True, help_text="see RunFigures")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="loyalink_last_run_name")]

    def __str__(self) -> str:
        return f"{self.name}: {self.at:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """What one run of a job did; ``labels`` has a number for each kind of result."""

    started_at: datetime
    seconds: float
    done: int
    """Payments that were looked up, accounts that were changed."""
    errors: int
    """Those that failed; the log has the reasons."""
    processes: int = 1
    workers: int = 1
    """Threads of each process."""
    labels: Mapping[str, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return self.done / self.seconds if self.seconds else 0.0


def counted(
    labels: "Counter[str]", *, started_at: datetime, seconds: float, failed: str, not_done: Collection[str] = (),
    processes: int = 1, workers: int = 1,
) -> RunFigures:  # fmt: skip
    """Return the figures of a run by the number of its results by label; ``failed`` and ``not_done`` are labels."""
    done = labels.total() - sum(labels[label] for label in {failed, *not_done})
    return RunFigures(
        started_at=started_at, seconds=round(seconds, 3), done=done, errors=labels[failed], processes=processes,
        workers=workers, labels=labels,
    )  # fmt: skip


def record_run(name: str) -> None:
    """Record that a job is running. This is where it shows that the database's clock was set back."""
    # The UPDATE comes first: a write makes SQLite wait for its turn.
    if LastRun.objects.filter(name=name, at__lte=DatabaseTime(SLACK)).update(at=DatabaseTime()):
        return
    _row, created = LastRun.objects.get_or_create(name=name, defaults={"at": DatabaseTime()})
    if not created:
        correct_schedule()


def record_figures(name: str, figures: RunFigures) -> None:
    """Record what a run has done, in place of an earlier one; ``record_run`` was called for this job before."""
    rest: dict[str, Any] = {
        "done": figures.done,
        "errors": figures.errors,
        "processes": figures.processes,
        "workers": figures.workers,
        "labels": dict(figures.labels),
    }
    row = LastRun.objects.filter(name=name)
    row.update(started_at=figures.started_at, seconds=figures.seconds, figures=rest)


def runs() -> dict[str, LastRun]:
    """Return the last run of every job, by its name, each with the database's time in ``read_at``. One query."""
    return {row.name: row for row in LastRun.objects.annotate(read_at=DatabaseTime())}


def figures_of(row: LastRun | None) -> RunFigures | None:
    """Return the figures that a job has recorded; None where it has recorded none."""
    if row is None or row.started_at is None or row.figures is None:
        return None
    known = {name: row.figures[name] for name in RunFigures.__dataclass_fields__ if name in row.figures}
    return RunFigures(started_at=row.started_at, seconds=row.seconds or 0.0, **known)


def is_recent(row: LastRun | None, *, within: timedelta) -> bool:
    """Return whether a row of ``runs`` is of a run within this time; a run in the future counts as long ago."""
    if row is None:
        return False
    now: datetime = row.read_at  # type: ignore[attr-defined]  # annotated by ``runs``
    return row.at - SLACK <= now < row.at + within


def last_run(name: str) -> datetime | None:
    """Return when a job last ran; None if it never did."""
    return LastRun.objects.filter(name=name).values_list("at", flat=True).first()


def claim_run(name: str, *, every: timedelta) -> bool:
    """Return True to one process in each interval ``every``, and record the run."""
    last_run = LastRun.objects.filter(name=name)
    due = last_run.filter(at__lte=DatabaseTime(-every))
    if due.update(at=DatabaseTime()):
        return True
    _row, created = LastRun.objects.get_or_create(name=name, defaults={"at": DatabaseTime()})
    if created or not last_run.filter(is_in_future("at")).exists():
        return created
    correct_schedule()
    return bool(due.update(at=DatabaseTime()))


def correct_schedule() -> None:
    """Bring all runs and next polls forward by as much as the newest run is in the future: the clock was set back.

    Without this no payment is polled for as long as the difference.
    """
    with transaction.atomic():
        runs = LastRun.objects.select_for_update().order_by("pk").annotate(read_at=DatabaseTime())
        ahead = max((run.at - run.read_at for run in runs), default=NOW)
        if ahead <= SLACK:  # another process was first
            return
        log.warning("the database's clock was set back by %s; all next polls are brought forward by as much", ahead)
        LastRun.objects.update(at=F("at") - ahead)
        Payment.objects.filter(next_poll_at__gt=DatabaseTime()).update(next_poll_at=F("next_poll_at") - ahead)
