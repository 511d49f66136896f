"""The rows of the points ledger. One entry is one transfer between two buckets of one account.

The balances of an account are a cache, kept by the same transaction and under constraints. Rows name people by the
user's pk and purchases by ``shop:ref``, both as text, so that deleting elsewhere never touches them.
"""

from datetime import datetime
from functools import reduce
from operator import or_

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.append_only import AppendOnlyModel
from loyalink_khalti.clock import Timed
from loyalink_khalti.errors import LedgerError
from loyalink_khalti.search import SearchTextField

from .buckets import TRANSFERS, Bucket, EntryKind, HoldState
from .program import Program, ProgramVersion, first_seal, seal


class Account(Timed, models.Model):
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
    merged_lifetime_redeemed = models.BigIntegerField(
        default=0, db_default=0, help_text="points that accounts merged into this one had redeemed"
    )
    seq = models.BigIntegerField(default=0, help_text="the number of the newest entry")
    tier = models.CharField(max_length=40, blank=True, default="", help_text="empty for the lowest tier")
    below_tier_since = models.DateTimeField(
        null=True, blank=True, help_text="when the earned points fell below the tier"
    )
    blocked = models.BooleanField(default=False)
    block_reason = models.CharField(max_length=40, blank=True, default="", db_default="")
    left_at = models.DateTimeField(null=True, blank=True, help_text="when the member left; null for a member")
    rejoined_at = models.DateTimeField(null=True, blank=True, help_text="when the member last joined again")
    forfeited = models.BigIntegerField(default=0, db_default=0, help_text="lost by leaving, less debts repaid since")
    successor = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="merged")
    merged_at = models.DateTimeField(null=True, blank=True, help_text="when the account ended by a merge")
    seal = models.CharField(max_length=64, blank=True, default="", db_default="", help_text="digest of the entries")
    sealed_seq = models.BigIntegerField(default=0, db_default=0, help_text="the newest entry in the seal")
    joined_at = models.DateTimeField(default=timezone.now)
    last_activity_at = models.DateTimeField(default=timezone.now)
    search_text = SearchTextField(
        null=True, default=None, help_text="what staff find it by; null until it is first indexed"
    )

    # Read with the lock of an account, and with no other read: see ``accounts.lock_where``
    rules_id: int | None = None
    """The newest version of the rules of its programme."""
    earlier_holds: int = 0
    """How often points were held for the purchase that moves points now."""
    is_refunded: bool = False
    """Whether a refund of that purchase has been applied."""
    is_late: bool = False
    """Whether the time of the lock is in a month that is closed."""

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
            models.Index("program", condition=Q(left_at__isnull=False), name="loyalink_account_left"),
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
            models.CheckConstraint(condition=Q(forfeited__gte=0), name="loyalink_account_forfeited"),
        ]

    def __str__(self) -> str:
        return f"{self.program} · {self.member_id}"

    @property
    def has_ended(self) -> bool:
        """Return whether the account was merged into another, which has its points now."""
        return self.successor_id is not None

    @property
    def is_void(self) -> bool:
        """Return whether its member is erased, so that all points on it are written off."""
        return self.member_id is None and self.successor_id is None

    def earns_for_order(self, began_at: datetime) -> bool:
        """Return whether an order of its member that began then earns points: they have not left since.

        Also of an account that was merged since: what its member gave up before does not come back by the merge.
        """
        return self.left_at is None and self.rejoined_since(began_at) is None

    def rejoined_since(self, moment: datetime) -> datetime | None:
        """Return when its member last joined again, where they gave up what they had at that moment; else None.

        What was merged into another account is given up when the member of that one leaves after the merge.
        """
        account, found = self, None
        while True:
            if account.rejoined_at is not None and moment < account.rejoined_at:
                found = account.rejoined_at
            if account.successor is None:
                return found
            moment = max(moment, account.merged_at or moment)
            account = account.successor

    @property
    def earned_in_all(self) -> int:
        """Return the points earned less clawed back, of all that belongs to the account."""
        return self.lifetime_earned + self.merged_lifetime_earned

    @property
    def redeemed_in_all(self) -> int:
        """Return the points redeemed less restored, of all that belongs to the account."""
        return self.lifetime_redeemed + self.merged_lifetime_redeemed

    def with_merged(self) -> tuple[int, ...]:
        """Return the pks of all that belongs to this account: its own, and every account merged into it.

        A merge of merges counts too. Whatever reads a history (a tier, a bonus, a total, a list of entries) reads the
        rows of all these accounts.
        """
        found = newest = [self.pk]
        while newest:
            newest = list(Account.objects.filter(successor__in=newest).order_by("pk").values_list("pk", flat=True))
            found = found + newest
        return tuple(found)

    def extend_seal(self) -> None:
        """Extend the seal of a locked account to its newest entry; the caller saves it."""
        self.seal, self.sealed_seq = self._seal(self.seal, since=self.sealed_seq, until=self.seq), self.seq

    def seal_of_entries(self) -> str:
        """Return what the seal should be by the entries that it covers; "" without any."""
        return self._seal("", since=0, until=self.sealed_seq)

    def _seal(self, newest: str, *, since: int, until: int) -> str:
        entries = self.entries.filter(seq__gt=since, seq__lte=until).order_by("seq")
        for values in entries.values_list(*Entry.SEALED).iterator():
            newest = seal(newest or first_seal(self.program_id, self.member_id), values)
        return newest


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
            models.Index(
                "account",
                "expires_at",
                "available_at",
                "id",
                condition=Q(remaining__gt=0),
                name="loyalink_lot_in_order",
            ),
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


def _allowed_transfers() -> Q:
    pairs = (
        Q(kind=kind.value, src=src.value, dst=dst.value) for kind, moves in TRANSFERS.items() for src, dst in moves
    )
    return reduce(or_, pairs)


class Entry(AppendOnlyModel):
    """One transfer of points between two buckets of one account. A wrong one is corrected by another."""

    REFUSAL = LedgerError
    SEALED = (
        "account_id", "seq", "kind", "src", "dst", "amount", "key", "purchase", "lot_id", "hold_id", "refund_ref",
        "version_id", "actor", "reason_code", "at",
    )  # fmt: skip
    """What the seal of an account covers of each entry: everything."""

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

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(fields=["account", "seq"], name="loyalink_entry_seq"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="loyalink_entry_positive"),
            models.CheckConstraint(condition=_allowed_transfers(), name="loyalink_entry_transfer"),
        ]
        indexes = [
            models.Index("account", "kind", "at", name="loyalink_entry_kind"),
            models.Index("at", name="loyalink_entry_at"),
            models.Index(fields=["-at"], condition=Q(kind="adjust"), name="loyalink_entry_adjusted"),
            models.Index("actor", "at", condition=Q(actor__isnull=False), name="loyalink_entry_of_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.seq} {self.kind} {self.amount}"


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


# Sums of months that are over: see ``closed_months``
