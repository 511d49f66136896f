"""One locked account, the entries that one cause writes into it, and the lots that its points lie in.

``Book.locked`` takes the account's lock by a write, so that lots may be read and changed safely after it; ``close``
writes the balances and all entries, one statement each.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet
from django.utils import timezone

from loyalink_khalti.errors import Conflict
from loyalink_khalti.money import Points

from .models import Account, Bucket, Entry, Hold, Kind, Lot

_CACHED = {Bucket.AVAILABLE: "available", Bucket.PENDING: "pending", Bucket.HELD: "held"}
EARNED = {Kind.EARN: 1, Kind.CLAW_BACK: -1, Kind.FORGIVE: -1}
REDEEMED = {Kind.CAPTURE: 1, Kind.LATE_CAPTURE: 1, Kind.RESTORE: -1}
_SAVED = [
    "available", "pending", "held", "owed", "lifetime_earned", "lifetime_redeemed", "inherited", "seq", "tier",
    "below_since",
]  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Book:
    """An account under lock, and what is being written into it."""

    account: Account
    purchase: str = ""
    refund_ref: str = ""
    actor: str | None = None
    reason: str = ""
    version_id: int | None = None
    entries: list[Entry] = field(default_factory=list)

    @classmethod
    def locked(cls, account_id: int, *, follow: bool = True, **cause: Any) -> "Book":
        """Lock an account and read it; where it was merged meanwhile, the one that its points are in now."""
        which = Account.objects.filter(pk=account_id)
        which.update(touched_at=timezone.now())
        book = cls.read(which, **cause)
        successor_id = book.account.successor_id
        return cls.locked(successor_id, **cause) if follow and successor_id else book

    @classmethod
    def read(cls, which: QuerySet[Account], **cause: Any) -> "Book":
        """Read an account that the caller has locked by a write of its own."""
        return cls(account=which.select_related("program").get(), **cause)

    def move(
        self, kind: Kind, src: Bucket, dst: Bucket, amount: int, *, key: str, lot: Lot | None = None,
        hold: Hold | None = None,
    ) -> None:  # fmt: skip
        """Move points between two buckets; nothing where ``amount`` is 0."""
        if amount == 0:
            return
        account = self.account
        for bucket, sign in ((src, -1), (dst, 1)):
            if bucket in _CACHED:
                setattr(account, _CACHED[bucket], getattr(account, _CACHED[bucket]) + sign * amount)
            elif bucket is Bucket.OWED:  # the bucket is below 0 by what is owed
                account.owed -= sign * amount
        account.lifetime_earned += EARNED.get(kind, 0) * amount
        account.lifetime_redeemed += REDEEMED.get(kind, 0) * amount
        account.seq += 1
        self.entries.append(
            Entry(
                account=account, seq=account.seq, kind=kind, src=src, dst=dst, amount=amount, key=key,
                purchase=self.purchase, lot=lot, hold=hold, refund_ref=self.refund_ref,
                version_id=self.version_id, actor=self.actor, reason_code=self.reason,
            )
        )  # fmt: skip

    def new_lot(self, points: int, *, source: str, available_at: datetime, expires_at: datetime | None) -> Lot:
        """Points that came together; pending until ``available_at``."""
        waits = available_at > timezone.now()
        return Lot.objects.create(
            account=self.account,
            source=source,
            original=points,
            pending=points if waits else 0,
            remaining=0 if waits else points,
            available_at=available_at,
            expires_at=expires_at,
        )

    def take(self, points: int, *, first: Collection[int] = ()) -> list[tuple[Lot, int]]:
        """Take available points out of lots, those of ``first`` first, then in the order in which they expire."""
        parts: list[tuple[Lot, int]] = []
        missing = points
        lots = list(spendable(self.account)) if points else []
        for lot in sorted(lots, key=lambda lot: lot.pk not in first):  # stable: the rest keep their order
            part = min(lot.remaining, missing)
            if part:
                lot.remaining -= part
                missing -= part
                parts.append((lot, part))
        if missing:
            raise Conflict(f"account {self.account.pk}: its lots lack {missing} of {points} available points")
        Lot.objects.bulk_update([lot for lot, _ in parts], ["remaining"])
        return parts

    def repay(self) -> None:
        """Set what is available off against what is owed; whenever points have come."""
        amount = min(self.account.available, self.account.owed)
        if amount:
            self.take(amount)
            key = f"repay:{self.account.pk}:{self.account.seq + 1}"
            self.move(Kind.REPAY, Bucket.AVAILABLE, Bucket.OWED, amount, key=key)

    def expire_due(self) -> Points:
        """Expire lots that are due, and return how many points went."""
        earlier = Count("entries", filter=Q(entries__kind=Kind.EXPIRE))
        lots = list(due(self.account.pk, timezone.now()).annotate(earlier=earlier))
        if not lots:
            return Points(0)
        nobody = Book(account=self.account, entries=self.entries)  # it is time's doing, whoever came upon it
        for lot in lots:  # what was returned to a lot after it had expired expires once more
            key = f"expire:{lot.pk}:{lot.earlier}"
            nobody.move(Kind.EXPIRE, Bucket.AVAILABLE, Bucket.EXPIRED, lot.remaining, key=key, lot=lot)
        gone = sum(lot.remaining for lot in lots)
        Lot.objects.filter(pk__in=[lot.pk for lot in lots]).update(remaining=0)
        return Points(gone)

    def write(self) -> None:
        """Write the entries, so that they can be counted."""
        Entry.objects.bulk_create(self.entries)
        self.entries.clear()

    def close(self) -> None:
        """Write entries and balances."""
        self.write()
        self.account.save(update_fields=_SAVED)


def spendable(account: Account) -> QuerySet[Lot]:
    """Lots in the order in which they are spent: earliest expiry first, never-expiring last."""
    lots = Lot.objects.filter(account=account, remaining__gt=0)
    return lots.order_by(F("expires_at").asc(nulls_last=True), "available_at", "pk")


def due(account_id: int | OuterRef, now: datetime) -> QuerySet[Lot]:
    """Lots whose time is over and that still hold available points."""
    return Lot.objects.filter(account=account_id, remaining__gt=0, expires_at__lte=now).order_by("expires_at", "pk")


def waiting(now: datetime) -> Q:
    """Lots whose waiting time is over."""
    return Q(pending__gt=0, available_at__lte=now)
