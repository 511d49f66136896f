"""An account under lock, and the entries that one cause posts to it.

The account is locked first (``locks.py``), so that its lots can be read and changed safely after it;
``post`` writes all entries and the balances, one statement each.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Sum

from loyalink_khalti.clock import DatabaseTime, time_of
from loyalink_khalti.errors import LedgerConflict
from loyalink_khalti.money import Points
from loyalink_khalti.returning import insert, insert_new, save_fields

from .buckets import EARNED_SIGN, REDEEMED_SIGN, Bucket, EntryKind
from .closed_months import add_late
from .locks import lock
from .lots import take
from .models import Account, Entry, Hold, IdempotencyKey, Lot
from .orders import OrderAward
from .program import current_version, first_seal, get_version, seal
from .rules import Rules

ERASED = "erased"
"""The reason code of entries that an erasure makes."""
LEFT = "left"
"""The reason code of entries that are made because a member has left the programme."""
_CACHED = {Bucket.AVAILABLE: "available", Bucket.PENDING: "pending", Bucket.HELD: "held"}
_SAVED = (
    "available", "pending", "held", "owed", "lifetime_earned", "lifetime_redeemed", "merged_lifetime_earned",
    "merged_lifetime_redeemed", "seq", "seal", "sealed_seq", "tier", "below_tier_since", "forfeited",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Posting:
    """An account under lock, and the entries that are being posted to it for one cause."""

    account: Account
    purchase: str = ""
    refund_ref: str = ""
    actor: str | None = None
    reason: str = ""
    version_id: int | None = None
    entries: list[Entry] = field(default_factory=list)

    @classmethod
    def lock(cls, account_id: int, *, follow_merge: bool = True, **cause: Any) -> "Posting":
        """Lock an account and read it; if it was merged into another meanwhile, lock that one. One statement."""
        account = lock(account_id, follow_merge=follow_merge, purchase=cause.get("purchase", ""))
        return cls(account=account, **cause)

    @property
    def rules(self) -> Rules:
        """Return the rules of now, which decide about the tier; ``version_id`` names those of the cause."""
        newest = self.account.rules_id
        return (get_version(newest) if newest else current_version(self.account.program.site_key)).rules

    def transfer(
        self, kind: EntryKind, src: Bucket, dst: Bucket, points: int, *, key: str, lot: Lot | None = None,
        hold: Hold | None = None,
    ) -> None:  # fmt: skip
        """Move points between two buckets; do nothing for 0 points."""
        if points == 0:
            return
        account = self.account
        for bucket, sign in ((src, -1), (dst, 1)):
            if bucket in _CACHED:
                setattr(account, _CACHED[bucket], getattr(account, _CACHED[bucket]) + sign * points)
            elif bucket is Bucket.OWED:  # a debt makes the bucket negative
                account.owed -= sign * points
        account.lifetime_earned += EARNED_SIGN.get(kind, 0) * points
        account.lifetime_redeemed += REDEEMED_SIGN.get(kind, 0) * points
        account.seq += 1
        entry = Entry(
            account=account, seq=account.seq, kind=kind, src=src, dst=dst, amount=points, key=key, at=time_of(account),
            purchase=self.purchase, lot=lot, hold=hold, refund_ref=self.refund_ref,
            version_id=self.version_id, actor=self.actor, reason_code=self.reason,
        )  # fmt: skip
        before = account.seal or first_seal(account.program_id, account.member_id)
        account.seal, account.sealed_seq = seal(before, [getattr(entry, name) for name in Entry.SEALED]), account.seq
        self.entries.append(entry)

    def credit(
        self, kind: EntryKind, src: Bucket, points: int, *, key: str, available_at: datetime,
        expires_at: datetime | None, source: str = "",
    ) -> None:  # fmt: skip
        """Add points in a lot of their own, pending until ``available_at``, and repay a debt with them.

        The lot is found by its ``source``, which is the ``key`` where none is given.
        """
        if not points:
            return
        lot = self.new_lot(points, source=source or key, available_at=available_at, expires_at=expires_at)
        self.transfer(kind, src, Bucket.PENDING if lot.pending else Bucket.AVAILABLE, points, key=key, lot=lot)
        self.repay()

    def new_lot(self, points: int, *, source: str, available_at: datetime, expires_at: datetime | None) -> Lot:
        """Create a lot, pending until ``available_at``. The caller makes the transfer."""
        is_pending = available_at > time_of(self.account)
        lot = Lot(
            account=self.account,
            source=source,
            original=points,
            pending=points if is_pending else 0,
            remaining=0 if is_pending else points,
            available_at=available_at,
            expires_at=expires_at,
        )
        insert(lot)
        return lot

    def take_from_lots(self, points: int, *, first: Collection[int] = ()) -> None:
        """Take available points out of lots, from those in ``first`` first, then the earliest expiry first.

        Raises ``LedgerConflict`` where the lots have fewer points than the account: its rows contradict each other.
        """
        self.check_none_missing(take(self.account.pk, points, first), points)

    def check_none_missing(self, missing: int, points: int) -> None:
        """Raise ``LedgerConflict`` where the lots lack points that the account has."""
        if missing:
            raise LedgerConflict(f"account {self.account.pk}: its lots lack {missing} of {points} available points")

    def repay(self) -> None:
        """Repay what is owed with what is available. Called whenever points become available."""
        points = min(self.account.available, self.account.owed)
        if points:
            self.take_from_lots(points)
            key = f"repay:{self.account.pk}:{self.account.seq + 1}"
            self.transfer(EntryKind.REPAY, Bucket.AVAILABLE, Bucket.OWED, points, key=key)

    def expire_due(self) -> Points:
        """Expire the lots whose time is over; return how many points expired."""
        earlier = Count("entries", filter=Q(entries__kind=EntryKind.EXPIRE))
        due = overdue_lots(self.account.pk, time_of(self.account))
        lots = list(due.annotate(earlier=earlier))
        if not lots:
            return Points(0)
        by_system = Posting(account=self.account, entries=self.entries)  # without the purchase and the actor
        for lot in lots:  # a lot that a refund refills after its expiry expires once more
            key = f"expire:{lot.pk}:{lot.earlier}"
            by_system.transfer(EntryKind.EXPIRE, Bucket.AVAILABLE, Bucket.EXPIRED, lot.remaining, key=key, lot=lot)
        due.order_by().update(remaining=0)
        return Points(sum(lot.remaining for lot in lots))

    def write_off(self) -> None:
        """Write off all points and debts of an erased member. They are void, also those that arrive later."""
        self._write_off_points(ERASED)
        self._write_off_debt(self.account.owed, ERASED)

    def _write_off_points(self, reason: str) -> int:
        """Write off pending and available points, and empty their lots; return how many."""
        account, written_off = self.account, 0
        void = Posting(account=account, entries=self.entries, reason=reason)  # without the purchase and the actor
        for bucket, points in ((Bucket.PENDING, account.pending), (Bucket.AVAILABLE, account.available)):
            key = f"write_off:{account.pk}:{account.seq + 1}"
            void.transfer(EntryKind.WRITE_OFF, bucket, Bucket.WRITTEN_OFF, points, key=key)
            written_off += points
        if written_off:
            Lot.objects.filter(account=account).exclude(pending=0, remaining=0).update(pending=0, remaining=0)
        return written_off

    def _write_off_debt(self, points: int, reason: str) -> None:
        void = Posting(account=self.account, entries=self.entries, reason=reason)
        key = f"write_off:{self.account.pk}:{self.account.seq + 1}"
        void.transfer(EntryKind.WRITE_OFF, Bucket.WRITTEN_OFF, Bucket.OWED, points, key=key)

    def reverse_lost(self, award: OrderAward, points: int, *, key: str) -> int:
        """Reverse points of an award from before the member joined again with those that they lost by leaving.

        Return how many; the caller reverses the rest. Points that were earned since are not taken for it.
        """
        if not self.account.forfeited or self.gave_up(award.account_id, award.awarded_at) is None:
            return 0
        return self.pay_with_lost(EntryKind.CLAW_BACK, Bucket.REVERSED, points, key=key)

    def gave_up(self, account_id: int, moment: datetime) -> datetime | None:
        """Return when the member joined again after giving up what an account had at that moment; else None.

        The account is the one that is posted to, or one that was merged into it.
        """
        account = self.account
        its_own = account if account_id == account.pk else Account.objects.get(pk=account_id)
        return its_own.rejoined_since(moment)

    def pay_with_lost(self, kind: EntryKind, dst: Bucket, points: int, *, key: str, hold: Hold | None = None) -> int:
        """Take points that must be returned from those that the member lost by leaving, as far as they go.

        Return how many. For what happened before the member joined again: they have given these points up already.
        Debts made since are the member's own to repay.
        """
        lost = min(points, self.account.forfeited)
        self.transfer(kind, Bucket.OWED, dst, lost, key=key, hold=hold)
        self._repay_with_lost(lost)
        return lost

    def lose(self, points: int) -> None:
        """Write off available points, of no lot, that the member gave up by leaving, although they arrive later."""
        void = Posting(account=self.account, entries=self.entries, reason=LEFT)
        key = f"write_off:{self.account.pk}:{self.account.seq + 1}"
        void.transfer(EntryKind.WRITE_OFF, Bucket.AVAILABLE, Bucket.WRITTEN_OFF, points, key=key)
        self.account.forfeited += points

    def _repay_with_lost(self, points: int) -> None:
        self.account.forfeited -= points
        self._write_off_debt(points, LEFT)

    def _forfeit(self) -> None:
        """Write off the points of a member who has left, also those that arrive later. They repay debts all the same.

        Those of a member who has joined again do not: ``pay_with_lost`` finds what is older.
        """
        account = self.account
        if account.left_at is None:
            return
        account.forfeited += self._write_off_points(LEFT)
        self._repay_with_lost(min(account.forfeited, account.owed))

    def post(self) -> None:
        """Write the entries and the balances.

        On the account of an erased member all points are written off, and on that of one who has left.
        """
        if self.account.is_void:
            self.write_off()
        else:
            self._forfeit()
        if len(self.entries) == 1:
            insert(self.entries[0])
        else:
            Entry.objects.bulk_create(self.entries)
        if self.account.is_late:
            add_late(self.account.program_id, self.entries)
        self.entries.clear()
        save_fields(self.account, *_SAVED)


# Lots


def run(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Send a statement that is written as SQL, and return its rows."""
    with transaction.mark_for_rollback_on_error(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall()) if cursor.description else []


def overdue_lots(account_id: int | OuterRef, now: datetime | DatabaseTime) -> QuerySet[Lot]:
    """Return the lots that should be expired by now and still have available points."""
    return Lot.objects.filter(account=account_id, remaining__gt=0, expires_at__lte=now).order_by("expires_at", "pk")


def overdue_points(account: Account) -> Points:
    """Return the available points that have expired and that the next sweep removes."""
    lots = overdue_lots(account.pk, DatabaseTime())
    return Points(lots.aggregate(points=Sum("remaining"))["points"] or 0)


def is_first_time(scope: str, key: str, figures: str) -> bool:
    """Record a cause and return True, or False where it was recorded before.

    Raises ``LedgerConflict`` where it was recorded with other figures.
    """
    request_hash = sha256(figures.encode()).hexdigest()
    if insert_new(IdempotencyKey(scope=scope, key=key, request_hash=request_hash)):
        return True
    if IdempotencyKey.objects.get(scope=scope, key=key).request_hash != request_hash:
        raise LedgerConflict(f"{key} was recorded before with other figures")
    return False
