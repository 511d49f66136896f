"""The earlier answers to a Flag: a later answer replaces one, or reopens the Flag, and nothing is deleted."""

from django.db import models
from django.utils import timezone

from .models import Flag

REOPENED = "reopened"
"""The resolution of an entry that records a reopening."""


class FlagEntry(models.Model):
    """An answer to a Flag that a later one has replaced, or its reopening. The newest answer is on the Flag itself."""

    flag = models.ForeignKey(Flag, on_delete=models.PROTECT, related_name="entries")
    at = models.DateTimeField(default=timezone.now)
    resolution = models.CharField(max_length=20)
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")

    class Meta:
        verbose_name_plural = "flag entries"

    def __str__(self) -> str:
        return f"{self.resolution} ({self.flag_id})"


def keep_answer(flag: Flag) -> None:
    """Keep the answer of a resolved Flag, before a later one replaces it; nothing for an open Flag."""
    if flag.resolved_at is not None:
        FlagEntry.objects.create(
            flag=flag, at=flag.resolved_at, resolution=flag.resolution, note=flag.note, actor=flag.actor
        )


def reopen(flag: Flag, *, actor: str, note: str) -> None:
    """Open a resolved Flag of a locked payment again; its answer, and who reopened it and why, are kept as entries."""
    keep_answer(flag)
    FlagEntry.objects.create(flag=flag, resolution=REOPENED, actor=actor, note=note)
    flag.resolved_at, flag.resolution, flag.actor, flag.note = None, "", None, ""
    flag.save(update_fields=["resolved_at", "resolution", "actor", "note"])
