"""The rows of the points ledger. One entry is one transfer between two buckets of one account.

The balances of an account are a cache, kept by the same transaction and under constraints. Rows name people by the
user's pk and purchases by ``shop:ref``, both as text, so that deleting elsewhere never touches them.
"""

from functools import reduce
from operator import or_
from typing import Any, NoReturn

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.errors import LedgerError
from loyalink_khalti.search import SearchTextField

from .buckets import TRANSFERS, Bucket, EntryKind, HoldState
from .program import Program, ProgramVersion


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
    merged_lifetime_earned = models.BigIntegerField(
        default=0, help_text="points that accounts merged into this one had earned"
    )
    seq = models.BigIntegerField(default=0, help_text="the number of the newest entry")
    tier = models.CharField(max_length=40, blank=True, default="", help_text="empty for the lowest tier")
    below_tier_since = models.DateTimeField(
        null=True, blank=True, help_text="when the earned points fell below the tier"
    )
    blocked = models.BooleanField(default=False)
    successor = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="merged")
    joined_at = models.DateTimeField(default=timezone.now)
    last_activity_at = models.DateTimeField(default=timezone.now)
    search_text = SearchTextField(
        null=True, default=None, help_text="what staff find it by; null until it is first indexed"
    )

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        permissions = [
            ("adjust_account", _("Can add and deduct points")),
            ("adjust_beyond_limit", _("Can adjust more points than the limit in the loyalty settings")),
            ("export_account", _("Can export members, their data, and the reports about points")),
        ]
        indexes = [
            models.Index("program", condition=Q(owed__gt=0), name="loyalink_account_owing"),
            models.Index("program", condition=Q(blocked=True), name="loyalink_account_blocked"),
            models.Index(fields=["id"], condition=Q(search_text=None), name="loyalink_account_unindexed"),
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
    """Points that were added together and expire together."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="lots")
    source = models.CharField(max_length=400)
    original = models.BigIntegerField()
    pending = models.BigIntegerField(default=0)
    remaining = models.BigIntegerField(default=0)
    available_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    """Exclusive: from this instant on the points are expired. Null for never."""

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(pending__gte=0, remaining__gte=0, original__gt=0)
                & Q(original__gte=F("pending") + F("remaining")),
                name="loyalink_lot_within_original",
            ),
        ]
        indexes = [
            models.Index("account", "expires_at", condition=Q(remaining__gt=0), name="loyalink_lot_available"),
            models.Index("expires_at", condition=Q(remaining__gt=0), name="loyalink_lot_expiring"),
            models.Index("available_at", condition=Q(pending__gt=0), name="loyalink_lot_pending"),
            models.Index("source", name="loyalink_lot_source"),
        ]

    def __str__(self) -> str:
        return f"{self.remaining} of {self.original} ({self.source})"


class Hold(models.Model):
    """Points reserved for one purchase until it is paid or released."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="holds")
    version = models.ForeignKey(ProgramVersion, on_delete=models.PROTECT, related_name="holds")
    purchase = models.CharField(max_length=192)
    points = models.BigIntegerField()
    captured = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=HoldState, default=HoldState.ACTIVE)
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
    """The part of a hold that came from one lot, so that it can return there with its own expiry."""

    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, related_name="allocations")
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="allocations")
    points = models.BigIntegerField()
    points_restored = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["hold", "lot"], name="loyalink_allocation_once"),
            models.CheckConstraint(
                condition=Q(points__gte=0, points_restored__gte=0, points_restored__lte=F("points")),
                name="loyalink_allocation_restored",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} from lot {self.lot_id}"


class AppendOnly(models.QuerySet["Entry"]):
    """Entries are written once. A wrong one is corrected by another: changes raise ``LedgerError``."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise LedgerError("entries never change; write a correcting one")

    def delete(self) -> NoReturn:
        raise LedgerError("entries are never deleted; write a correcting one")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise LedgerError("entries never change; write a correcting one")


def _allowed_transfers() -> Q:
    pairs = (
        Q(kind=kind.value, src=src.value, dst=dst.value) for kind, moves in TRANSFERS.items() for src, dst in moves
    )
    return reduce(or_, pairs)


class Entry(models.Model):
    """One transfer of points between two buckets of one account.

    It is never changed or deleted: ``save`` of a stored entry and ``delete`` raise ``LedgerError``.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=12, choices=EntryKind)
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
            models.CheckConstraint(condition=_allowed_transfers(), name="loyalink_entry_transfer"),
        ]
        indexes = [
            models.Index("account", "kind", "at", name="loyalink_entry_kind"),
            models.Index(fields=["-at"], condition=Q(kind="adjust"), name="loyalink_entry_adjusted"),
            models.Index("actor", "at", condition=Q(actor__isnull=False), name="loyalink_entry_of_actor"),
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
    """A note of staff about an entry. It is a row of its own so that it can be erased."""

    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="note")
    text = models.TextField()

    def __str__(self) -> str:
        return self.text[:60]


class IdempotencyKey(models.Model):
    """A cause that has been recorded, with a hash of its figures."""

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
