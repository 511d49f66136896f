"""The rows of the points ledger: one entry is one transfer between two buckets of one account.

Balances on the account are a cache that the same transaction keeps, under constraints. People are the user's pk as
text and purchases ``shop:ref`` as text, so that no deletion elsewhere touches these rows.
"""

from functools import reduce
from operator import or_
from typing import Any, NoReturn

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.errors import LedgerError
from loyalink_khalti.finding import WordsField

from .programmes import Program, ProgramVersion


class Bucket(models.TextChoices):
    """Where points can be. The sum over all buckets of an account is always 0."""

    ISSUED = "issued", _("issued")
    PENDING = "pending", _("pending")
    AVAILABLE = "available", _("available")
    HELD = "held", _("on hold")
    REDEEMED = "redeemed", _("spent")
    EXPIRED = "expired", _("expired")
    REVERSED = "reversed", _("taken back")
    OWED = "owed", _("owed")
    WRITTEN_OFF = "written_off", _("written off")
    ADJUSTED = "adjusted", _("adjusted")


class Kind(models.TextChoices):
    """Why points moved."""

    EARN = "earn", _("Earned")
    ACTIVATE = "activate", _("Ready to spend")
    HOLD = "hold", _("Reserved")
    CAPTURE = "capture", _("Spent")
    RELEASE = "release", _("Given back")
    LATE_CAPTURE = "late_capture", _("Spent late")
    EXPIRE = "expire", _("Expired")
    CLAW_BACK = "claw_back", _("Taken back")
    FORGIVE = "forgive", _("Forgiven")
    RESTORE = "restore", _("Returned")
    REPAY = "repay", _("Set off")
    ADJUST = "adjust", _("Adjusted")
    MERGE_OUT = "merge_out", _("Moved to another account")
    MERGE_IN = "merge_in", _("Moved from another account")


MOVES: dict[Kind, tuple[tuple[Bucket, Bucket], ...]] = {
    Kind.EARN: ((Bucket.ISSUED, Bucket.PENDING), (Bucket.ISSUED, Bucket.AVAILABLE)),
    Kind.ACTIVATE: ((Bucket.PENDING, Bucket.AVAILABLE),),
    Kind.HOLD: ((Bucket.AVAILABLE, Bucket.HELD),),
    Kind.CAPTURE: ((Bucket.HELD, Bucket.REDEEMED),),
    Kind.RELEASE: ((Bucket.HELD, Bucket.AVAILABLE),),
    Kind.LATE_CAPTURE: ((Bucket.AVAILABLE, Bucket.REDEEMED), (Bucket.OWED, Bucket.REDEEMED)),
    Kind.EXPIRE: ((Bucket.AVAILABLE, Bucket.EXPIRED),),
    Kind.CLAW_BACK: (
        (Bucket.PENDING, Bucket.REVERSED),
        (Bucket.AVAILABLE, Bucket.REVERSED),
        (Bucket.OWED, Bucket.REVERSED),
    ),
    Kind.FORGIVE: ((Bucket.WRITTEN_OFF, Bucket.REVERSED),),
    Kind.RESTORE: ((Bucket.REDEEMED, Bucket.AVAILABLE),),
    Kind.REPAY: ((Bucket.AVAILABLE, Bucket.OWED),),
    Kind.ADJUST: ((Bucket.ADJUSTED, Bucket.AVAILABLE), (Bucket.AVAILABLE, Bucket.ADJUSTED)),
    Kind.MERGE_OUT: (
        (Bucket.PENDING, Bucket.ADJUSTED),
        (Bucket.AVAILABLE, Bucket.ADJUSTED),
        (Bucket.ADJUSTED, Bucket.OWED),
    ),
    Kind.MERGE_IN: (
        (Bucket.ADJUSTED, Bucket.PENDING),
        (Bucket.ADJUSTED, Bucket.AVAILABLE),
        (Bucket.OWED, Bucket.ADJUSTED),
    ),
}
"""The transfers that exist; the database refuses any other."""


def _allowed_moves() -> Q:
    pairs = (Q(kind=kind.value, src=src.value, dst=dst.value) for kind, moves in MOVES.items() for src, dst in moves)
    return reduce(or_, pairs)


class Account(models.Model):
    """One member's points in one programme (a site)."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="accounts")
    member_id = models.CharField(max_length=64, null=True, blank=True)
    available = models.BigIntegerField(default=0)
    pending = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    owed = models.BigIntegerField(default=0)
    lifetime_earned = models.BigIntegerField(default=0)
    lifetime_redeemed = models.BigIntegerField(default=0)
    inherited = models.BigIntegerField(default=0, help_text="points that accounts merged into this one had earned")
    seq = models.BigIntegerField(default=0)
    tier = models.CharField(max_length=40, blank=True, default="")
    below_since = models.DateTimeField(null=True, blank=True, help_text="when the points fell below the tier")
    frozen = models.BooleanField(default=False)
    successor = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="merged")
    joined_at = models.DateTimeField(default=timezone.now)
    touched_at = models.DateTimeField(default=timezone.now)
    words = WordsField(null=True, default=None, help_text="what staff find it by; null until somebody looks")

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        permissions = [
            ("adjust_account", _("Can add and take points by hand")),
            ("adjust_beyond_limit", _("Can adjust more points than the limit in the loyalty settings")),
            ("export_account", _("Can export members, their data, and the reports about points")),
        ]
        indexes = [
            models.Index("program", condition=Q(owed__gt=0), name="loyalink_account_owing"),
            models.Index("program", condition=Q(frozen=True), name="loyalink_account_frozen"),
            models.Index(fields=["id"], condition=Q(words=None), name="loyalink_account_nameless"),
            models.Index("member_id", name="loyalink_account_of_member"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["program", "member_id"], name="loyalink_account_member"),
            models.CheckConstraint(
                condition=Q(available__gte=0, pending__gte=0, held__gte=0, owed__gte=0),
                name="loyalink_account_not_negative",
            ),
            models.CheckConstraint(condition=Q(available=0) | Q(owed=0), name="loyalink_account_repays_first"),
        ]

    def __str__(self) -> str:
        return f"{self.program} · {self.member_id}"


class Lot(models.Model):
    """Points that came together and expire together."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="lots")
    source = models.CharField(max_length=400)
    original = models.BigIntegerField()
    pending = models.BigIntegerField(default=0)
    remaining = models.BigIntegerField(default=0)
    available_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    """Exclusive: from this instant on the points are gone."""

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(pending__gte=0, remaining__gte=0, original__gt=0)
                & Q(original__gte=F("pending") + F("remaining")),
                name="loyalink_lot_within_original",
            ),
        ]
        indexes = [
            models.Index("account", "expires_at", condition=Q(remaining__gt=0), name="loyalink_lot_spendable"),
            models.Index("expires_at", condition=Q(remaining__gt=0), name="loyalink_lot_expiring"),
            models.Index("available_at", condition=Q(pending__gt=0), name="loyalink_lot_waiting"),
            models.Index("source", name="loyalink_lot_source"),
        ]

    def __str__(self) -> str:
        return f"{self.remaining} of {self.original} ({self.source})"


class Hold(models.Model):
    """Points set aside for one purchase until it is paid or released."""

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        CAPTURED = "captured", _("captured")
        RELEASED = "released", _("released")

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="holds")
    version = models.ForeignKey(ProgramVersion, on_delete=models.PROTECT, related_name="holds")
    purchase = models.CharField(max_length=192)
    points = models.BigIntegerField()
    captured = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    held_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purchase"], condition=Q(state="active"), name="loyalink_one_active_hold"),
            models.CheckConstraint(
                condition=Q(points__gt=0, captured__gte=0, captured__lte=F("points")), name="loyalink_hold_captured"
            ),
        ]
        indexes = [models.Index("purchase", name="loyalink_hold_purchase")]

    def __str__(self) -> str:
        return f"{self.points} for {self.purchase} ({self.state})"


class Allocation(models.Model):
    """The part of a hold that came from one lot, so that it can go back there with its own expiry."""

    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, related_name="allocations")
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="allocations")
    points = models.BigIntegerField()
    restored = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["hold", "lot"], name="loyalink_allocation_once"),
            models.CheckConstraint(
                condition=Q(points__gte=0, restored__gte=0, restored__lte=F("points")),
                name="loyalink_allocation_restored",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} from lot {self.lot_id}"


class AppendOnly(models.QuerySet["Entry"]):
    """Entries are written once; a wrong one is answered by another."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise LedgerError("entries never change; write a correcting one")

    def delete(self) -> NoReturn:
        raise LedgerError("entries are never deleted; write a correcting one")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise LedgerError("entries never change; write a correcting one")


class Entry(models.Model):
    """One transfer of points between two buckets of one account, for ever."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=Kind)
    src = models.CharField(max_length=12, choices=Bucket)
    dst = models.CharField(max_length=12, choices=Bucket)
    amount = models.BigIntegerField(help_text="points")
    at = models.DateTimeField(default=timezone.now)
    key = models.CharField(max_length=400, unique=True, help_text="named after the cause")
    purchase = models.CharField(max_length=192, blank=True, default="")
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, null=True, blank=True, related_name="entries")
    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, null=True, blank=True, related_name="entries")
    refund_ref = models.CharField(max_length=128, blank=True, default="")
    version = models.ForeignKey(
        ProgramVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="entries"
    )
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk; null is the system")
    reason_code = models.CharField(max_length=40, blank=True, default="")

    objects = AppendOnly.as_manager()

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(fields=["account", "seq"], name="loyalink_entry_seq"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="loyalink_entry_positive"),
            models.CheckConstraint(condition=_allowed_moves(), name="loyalink_entry_move"),
        ]
        indexes = [
            models.Index("account", "kind", "at", name="loyalink_entry_kind"),
            models.Index(fields=["-at"], condition=Q(kind="adjust"), name="loyalink_entry_adjusted"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.seq} {self.kind} {self.amount}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise LedgerError("entries never change; write a correcting one")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise LedgerError("entries are never deleted; write a correcting one")


class EntryNote(models.Model):
    """Words about an entry, for staff; apart from it, so that they can be erased."""

    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="note")
    text = models.TextField()

    def __str__(self) -> str:
        return self.text[:60]


class IdempotencyKey(models.Model):
    """A cause that has been booked, with a hash of its figures."""

    scope = models.CharField(max_length=255)
    key = models.CharField(max_length=200)
    request_hash = models.CharField(max_length=64)
    result = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="loyalink_idempotency_key"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} · {self.key}"
