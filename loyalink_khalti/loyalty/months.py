"""Sums of whole months: what moved in a programme, and what the orders of a month have earned an account."""

from django.db import models

from .buckets import Bucket, EntryKind
from .models import Account
from .program import Program


class MonthlyTotal(models.Model):
    """The points of all entries of one month, kind, source and destination in one programme."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="+")
    month = models.DateField(help_text="the first day, in Nepal")
    kind = models.CharField(max_length=12, choices=EntryKind)
    src = models.CharField(max_length=12, choices=Bucket)
    dst = models.CharField(max_length=12, choices=Bucket)
    points = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["program", "month", "kind", "src", "dst"], name="loyalink_monthly_total_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} {self.kind} in {self.month:%Y-%m}"


class AwardedMonth(models.Model):
    """What the orders of one month have earned one account, less what was clawed back of these orders."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    month = models.DateField(help_text="the first day, in Nepal")
    points = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "month"], name="loyalink_awarded_month_once")]

    def __str__(self) -> str:
        return f"{self.points} in {self.month:%Y-%m}"
