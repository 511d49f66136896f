"""Statements of others about our payments: their rows, what differs, who decided what, and settled days.

A statement changes no payment: its rows stand beside them. Amounts are paisa, days are Nepal's. A row counts once, in
whatever files it comes (``identity``); a person's decision and a settled day are written once and answered by another
row.
"""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.append_only import AppendOnlyModel
from loyalink_khalti.errors import CannotMatch

from .models import Payment, Refund
from .statement_values import RowKind


class StatementFormat(models.Model):
    """How files with certain headings are read, under a name: chosen once, and proposed for the next one."""

    site_key = models.CharField(max_length=255)
    name = models.CharField(max_length=60)
    headings = models.CharField(max_length=64, help_text="hash of the headings")
    mapping = models.JSONField()
    actor = models.CharField(max_length=64, help_text="the user's pk")
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["site_key", "name"], name="loyalink_statement_format")]
        indexes = [models.Index(fields=["site_key", "headings"], name="loyalink_statement_headings")]

    def __str__(self) -> str:
        return self.name


class Statement(models.Model):
    """An uploaded file. Its contents are kept until its columns are mapped, a day at most; then only its rows are."""

    site_key = models.CharField(max_length=255)
    name = models.CharField(max_length=100, help_text="of the file")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the contents")
    content = models.BinaryField(null=True, help_text="null once it is matched")
    format_name = models.CharField(max_length=60, blank=True, default="")
    mapping = models.JSONField(default=dict)
    first_day = models.DateField(null=True)
    last_day = models.DateField(null=True)
    rows = models.PositiveIntegerField(default=0)
    known_rows = models.PositiveIntegerField(default=0, help_text="that an earlier file had")
    left_out = models.PositiveIntegerField(default=0)
    has_refunds = models.BooleanField(default=False)
    actor = models.CharField(max_length=64, help_text="the user's pk")
    uploaded_at = models.DateTimeField(default=timezone.now)
    matched_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("statement")
        verbose_name_plural = _("statements")
        default_permissions = ()
        permissions = [("match_statement", _("Can upload statements, decide their differences and settle days"))]
        constraints = [models.UniqueConstraint(fields=["site_key", "digest"], name="loyalink_statement_once")]
        indexes = [models.Index(fields=["site_key", "first_day", "last_day"], name="loyalink_statement_days")]

    def __str__(self) -> str:
        return self.name


class StatementRow(models.Model):
    """One row of a statement, with the columns that were mapped and nothing else."""

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="lines")
    site_key = models.CharField(max_length=255)
    identity = models.CharField(max_length=64, help_text="hash of what it says, and which of the same in its file")
    number = models.PositiveIntegerField(help_text="in the file")
    kind = models.CharField(max_length=10, choices=RowKind)
    transaction_id = models.CharField(max_length=128, blank=True, default="")
    order_id = models.CharField(max_length=128, blank=True, default="")
    amount = models.BigIntegerField(help_text="paisa, never negative")
    fee = models.BigIntegerField(null=True, help_text="paisa")
    net = models.BigIntegerField(null=True, help_text="paisa")
    day = models.DateField()
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, related_name="statement_rows")
    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, null=True, related_name="statement_rows")

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["site_key", "identity"], name="loyalink_statement_row_once"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="loyalink_statement_row_amount"),
        ]
        indexes = [models.Index(fields=["site_key", "day"], name="loyalink_statement_row_day")]

    def __str__(self) -> str:
        return f"row {self.number} of {self.statement_id}"


class DifferenceKind(models.TextChoices):
    """How a statement and our payments differ."""

    MISSING_HERE = "missing_here", _("Missing here")
    UNCLEAR = "unclear", _("Several payments fit")
    NOT_PAID_HERE = "not_paid_here", _("Not paid here")
    AMOUNT = "amount", _("Other amount")
    FEE = "fee", _("Other fee")
    DOUBLE = "double", _("Double row")
    REFUND_MISSING_HERE = "refund_here", _("Refund missing here")
    MISSING_THERE = "missing_there", _("Missing in the statement")
    REFUND_MISSING_THERE = "refund_there", _("Refund missing in the statement")


class DifferenceState(models.TextChoices):
    """``open → gone | closed``; ``closed → open`` by a person."""

    OPEN = "open", _("Open")
    GONE = "gone", _("Solved")
    CLOSED = "closed", _("Explained")


class StatementDifference(models.Model):
    """Something that differs, until it is solved or a person explains it."""

    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="differences")
    site_key = models.CharField(max_length=255)
    key = models.CharField(max_length=100, help_text="its kind, and the row, payment or refund that it is about")
    kind = models.CharField(max_length=20, choices=DifferenceKind)
    state = models.CharField(max_length=10, choices=DifferenceState, default=DifferenceState.OPEN)
    day = models.DateField(help_text="the day that it keeps from being settled")
    row = models.ForeignKey(StatementRow, on_delete=models.PROTECT, null=True, related_name="differences")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, related_name="+")
    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, null=True, related_name="+")
    here = models.BigIntegerField(null=True, help_text="paisa: amount or fee here")
    there = models.BigIntegerField(null=True, help_text="paisa: amount or fee in the statement")
    found_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("difference")
        verbose_name_plural = _("differences")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["site_key", "key"], name="loyalink_difference_once")]
        indexes = [
            models.Index(fields=["site_key", "day"], condition=Q(state="open"), name="loyalink_difference_open"),
            models.Index(fields=["state", "-day", "-id"], name="loyalink_difference_state"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} on {self.day} ({self.state})"


class Decision(models.TextChoices):
    """What a person did with a difference."""

    ATTACHED = "attached", _("Attached to a payment")
    EXPLAINED = "explained", _("Explained")
    REOPENED = "reopened", _("Opened again")


class StatementDecision(AppendOnlyModel):
    """Who decided what about a difference, and why. It is written once."""

    CHANGEABLE = ("reason",)
    """It may name a customer."""
    REFUSAL = CannotMatch
    difference = models.ForeignKey(StatementDifference, on_delete=models.PROTECT, related_name="decisions")
    decision = models.CharField(max_length=10, choices=Decision)
    reason = models.CharField(max_length=1000)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, related_name="+")
    actor = models.CharField(max_length=64, help_text="the user's pk")
    key = models.CharField(max_length=64, unique=True, help_text="of the form")
    decided_at = models.DateTimeField(default=timezone.now)

    is_repeated: bool = False
    """Whether the flow has returned what the same form had done before."""

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.decision} {self.difference_id}"


class SettledDay(AppendOnlyModel):
    """That a day was settled, or that this was undone: the newest row of a day counts. It is written once."""

    REFUSAL = CannotMatch
    site_key = models.CharField(max_length=255)
    day = models.DateField()
    is_settled = models.BooleanField()
    rows = models.PositiveIntegerField(default=0, help_text="of statements on that day, at that time")
    amount = models.BigIntegerField(default=0, help_text="paisa of its payments here, at that time")
    note = models.CharField(max_length=500, blank=True, default="")
    actor = models.CharField(max_length=64, help_text="the user's pk")
    key = models.CharField(max_length=64, unique=True, help_text="of the form")
    at = models.DateTimeField(default=timezone.now)

    is_repeated: bool = False
    """Whether the flow has returned what the same form had done before."""

    class Meta:
        verbose_name = _("settled day")
        verbose_name_plural = _("settled days")
        default_permissions = ()
        indexes = [models.Index(fields=["site_key", "day", "-id"], name="loyalink_settled_day")]

    def __str__(self) -> str:
        return f"{self.day} of {self.site_key}: {self.is_settled}"
