"""Accounts, and the entries that one cause posts to one of them.

``Posting.lock`` takes the account's lock by a write, so that lots can be read and changed safely after it; ``post``
writes all entries and the balances, one statement each.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Sum

from loyalink_khalti.clock import DatabaseTime, database_now, time_of
from loyalink_khalti.errors import AccountMerged, LedgerConflict
from loyalink_khalti.money import Points

from .buckets import EARNED_SIGN, REDEEMED_SIGN, Bucket, EntryKind
from .models import Account, Entry, Hold, IdempotencyKey, Lot
from .orders import OrderAward
from .program import current_version, first_seal, seal
from .rules import Rules, Tier, TierBasis

ERASED = "erased"
"""The reason code of entries that an erasure makes."""
_CACHED = {Bucket.AVAILABLE: "available", Bucket.PENDING: "pending", Bucket.HELD: "held"}
_SAVED = [
    "available", "pending", "held", "owed", "lifetime_earned", "lifetime_redeemed", "merged_lifetime_earned",
    "merged_lifetime_redeemed", "seq", "seal", "sealed_seq", "tier", "below_tier_since",
]  # fmt: skip


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
        """Lock an account and read it; if it was merged into another meanwhile, lock that one."""
        accounts = Account.objects.filter(pk=account_id)
        accounts.update(last_activity_at=DatabaseTime())
        posting = cls.read(accounts, **cause)
        successor_id = posting.account.successor_id
        return cls.lock(successor_id, **cause) if follow_merge and successor_id else posting

    @classmethod
    def read(cls, accounts: QuerySet[Account], **cause: Any) -> "Posting":
        """Read an account that the caller has locked by a write of its own."""
        account = accounts.select_related("program").annotate(read_at=DatabaseTime()).get()  # type: ignore[no-redef]
        if account.sealed_seq < account.seq:  # the version before this one has written entries without a seal
            account.extend_seal()
        return cls(account=account, **cause)

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
        expires_at: datetime | None,
    ) -> None:  # fmt: skip
        """Add points in a lot of their own, pending until ``available_at``, and repay a debt with them."""
        if not points:
            return
        lot = self.new_lot(points, source=key, available_at=available_at, expires_at=expires_at)
        self.transfer(kind, src, Bucket.PENDING if lot.pending else Bucket.AVAILABLE, points, key=key, lot=lot)
        self.repay()

    def new_lot(self, points: int, *, source: str, available_at: datetime, expires_at: datetime | None) -> Lot:
        """Create a lot, pending until ``available_at``. The caller makes the transfer."""
        is_pending = available_at > time_of(self.account)
        return Lot.objects.create(
            account=self.account,
            source=source,
            original=points,
            pending=points if is_pending else 0,
            remaining=0 if is_pending else points,
            available_at=available_at,
            expires_at=expires_at,
        )

    def take_from_lots(self, points: int, *, first: Collection[int] = ()) -> list[tuple[Lot, int]]:
        """Take available points out of lots, from those in ``first`` first, then the earliest expiry first.

        Raises ``LedgerConflict`` where the lots have fewer points than the account: its rows contradict each other.
        """
        parts: list[tuple[Lot, int]] = []
        missing = points
        lots = list(available_lots(self.account)) if points else []
        for lot in sorted(lots, key=lambda lot: lot.pk not in first):  # stable: the others keep their order
            part = min(lot.remaining, missing)
            if part:
                lot.remaining -= part
                missing -= part
                parts.append((lot, part))
        if missing:
            raise LedgerConflict(f"account {self.account.pk}: its lots lack {missing} of {points} available points")
        Lot.objects.bulk_update([lot for lot, _ in parts], ["remaining"])
        return parts

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
        lots = list(overdue_lots(self.account.pk, time_of(self.account)).annotate(earlier=earlier))
        if not lots:
            return Points(0)
        by_system = Posting(account=self.account, entries=self.entries)  # without the purchase and the actor
        for lot in lots:  # a lot that a refund refills after its expiry expires once more
            key = f"expire:{lot.pk}:{lot.earlier}"
            by_system.transfer(EntryKind.EXPIRE, Bucket.AVAILABLE, Bucket.EXPIRED, lot.remaining, key=key, lot=lot)
        expired = sum(lot.remaining for lot in lots)
        Lot.objects.filter(pk__in=[lot.pk for lot in lots]).update(remaining=0)
        return Points(expired)

    def write_off(self) -> None:
        """Write off all points and debts of an erased member. They are void, also those that arrive later."""
        account = self.account
        if not (account.pending or account.available or account.owed):
            return
        void = Posting(account=account, entries=self.entries, reason=ERASED)  # without the purchase and the actor
        for src, dst, points in (
            (Bucket.PENDING, Bucket.WRITTEN_OFF, account.pending),
            (Bucket.AVAILABLE, Bucket.WRITTEN_OFF, account.available),
            (Bucket.WRITTEN_OFF, Bucket.OWED, account.owed),
        ):
            key = f"write_off:{account.pk}:{account.seq + 1}"
            void.transfer(EntryKind.WRITE_OFF, src, dst, points, key=key)
        lots = Lot.objects.filter(account=account).exclude(pending=0, remaining=0)
        lots.update(pending=0, remaining=0)

    def post(self) -> None:
        """Write the entries and the balances; on the account of an erased member all points are written off."""
        if self.account.member_id is None and self.account.successor_id is None:
            self.write_off()
        Entry.objects.bulk_create(self.entries)
        self.entries.clear()
        self.account.save(update_fields=_SAVED)


def available_lots(account: Account) -> QuerySet[Lot]:
    """Return the lots with available points, in the order in which they are redeemed: never-expiring ones last."""
    lots = Lot.objects.filter(account=account, remaining__gt=0)
    return lots.order_by(F("expires_at").asc(nulls_last=True), "available_at", "pk")


def overdue_lots(account_id: int | OuterRef, now: datetime | DatabaseTime) -> QuerySet[Lot]:
    """Return the lots that should be expired by now and still have available points."""
    return Lot.objects.filter(account=account_id, remaining__gt=0, expires_at__lte=now).order_by("expires_at", "pk")


def due_for_activation(now: datetime | DatabaseTime) -> Q:
    """Return the condition for lots whose pending time is over."""
    return Q(pending__gt=0, available_at__lte=now)


# Accounts of members


YEAR = timedelta(days=365)


def own_account(site_key: str, member_id: str) -> Account | None:
    """Return the account with the member's own id, for all that the member sees and does; None without points.

    It may have been merged into another: then it has no points, and the member cannot see those of the other one.
    """
    own = Account.objects.filter(program__site_key=site_key, program__active=True, member_id=member_id)
    return own.select_related("program").first()


def find_account(site_key: str, member_id: str) -> Account | None:
    """Return the account that has a member's points, also after a merge, for staff and for old orders only."""
    own = own_account(site_key, member_id)
    return None if own is None else surviving_account(own)


def surviving_account(account: Account) -> Account:
    """Return the account that has the points of ``account`` now: another one if it was merged."""
    while account.successor is not None:
        account = account.successor
    return account


def open_account(site_key: str, member_id: str) -> Account:
    """Return the account that has a member's points; create it if there is none."""
    found = find_account(site_key, member_id)
    if found is not None:
        return found
    program = current_version(site_key).program
    return Account.objects.get_or_create(program=program, member_id=member_id, defaults={"joined_at": database_now()})[
        0
    ]


def lock_account(site_key: str, member_id: str, **cause: Any) -> Posting:
    """Lock a member's own account; create it if there is none. Usually two statements.

    Raises ``AccountMerged`` where it was merged into another.
    """
    posting = _lock_own(site_key, member_id, **cause) or _lock_new(site_key, member_id, **cause)
    if posting.account.has_ended:
        raise AccountMerged("the account was merged into another one")
    return posting


def lock_account_of_order(site_key: str, member_id: str, *, began_at: datetime, **cause: Any) -> Posting | None:
    """Lock the account that gets what an order earns: that which its member had when the order began.

    After a merge that is the account that stays; after an erasure the erased one. None where the order began on an
    account that had ended before: it earns nothing.
    """
    posting = _lock_own(site_key, member_id, **cause)
    if posting is None or posting.account.joined_at > began_at:  # the member had another account then, or none
        program_id = posting.account.program_id if posting else current_version(site_key).program_id
        erased = IdempotencyKey.objects.filter(scope=erased_scope(program_id), key=cause["purchase"]).first()
        if erased is not None:
            return Posting.lock(erased.result["account"], **cause)
    if posting is None:
        return _lock_new(site_key, member_id, **cause)
    account = posting.account
    if account.successor_id is None:
        return posting
    return Posting.lock(account.pk, **cause) if account.merged_at is None or began_at <= account.merged_at else None


def _lock_own(site_key: str, member_id: str, **cause: Any) -> Posting | None:
    own = Account.objects.filter(program__site_key=site_key, program__active=True, member_id=member_id)
    if not own.update(last_activity_at=DatabaseTime()):
        return None
    try:
        return Posting.read(own, **cause)
    except Account.DoesNotExist:  # erased while the UPDATE waited: PostgreSQL had found it by the site before
        return None


def _lock_new(site_key: str, member_id: str, **cause: Any) -> Posting:
    return Posting.lock(open_account(site_key, member_id).pk, follow_merge=False, **cause)


def erased_scope(program_id: int) -> str:
    """Return the scope of the keys that name, by purchase, the account of a member who is erased."""
    return f"{program_id}:{ERASED}"


def overdue_points(account: Account) -> Points:
    """Return the available points that have expired and that the next sweep removes."""
    lots = overdue_lots(account.pk, DatabaseTime())
    return Points(lots.aggregate(points=Sum("remaining"))["points"] or 0)


def is_first_time(scope: str, key: str, figures: str) -> bool:
    """Record a cause and return True, or False where it was recorded before.

    Raises ``LedgerConflict`` where it was recorded with other figures.
    """
    request_hash = sha256(figures.encode()).hexdigest()
    try:
        with transaction.atomic():
            IdempotencyKey.objects.create(scope=scope, key=key, request_hash=request_hash)
    except IntegrityError:
        if IdempotencyKey.objects.get(scope=scope, key=key).request_hash != request_hash:
            raise LedgerConflict(f"{key} was recorded before with other figures") from None
        return False
    return True


# Tiers: a member moves up at once, and down only after the grace period of the rules


def tier_points(account: Account, rules: Rules, now: datetime) -> Points:
    """Return the points that count for the tier: earned less clawed back, in a lifetime or within a year.

    What a refund claws back counts when it was earned, not when it is refunded: an order of more than a year ago takes
    nothing from what was earned since.
    """
    if rules.tier_basis is TierBasis.LIFETIME:
        return Points(account.lifetime_earned + account.merged_lifetime_earned)
    awards = OrderAward.objects.filter(account__in=account.with_merged(), awarded_at__gt=now - YEAR)
    kept = F("proportional") + F("fixed") - F("points_clawed_back")
    return Points(awards.aggregate(points=Sum(kept))["points"] or 0)


def update_tier(posting: Posting, rules: Rules) -> bool:
    """Give a locked account the tier that it has earned; return whether anything changed. The caller posts.

    An account moves up at once. It moves down at once too, unless the rules give a grace period: then only after its
    points have been too few for so long.
    """
    account, now = posting.account, time_of(posting.account)
    earned = rules.tier_for(tier_points(account, rules, now))
    held = held_tier(account, rules)
    before = (account.tier, account.below_tier_since)
    if earned.threshold >= held.threshold:
        account.tier, account.below_tier_since = _stored_name(earned, rules), None
    elif account.below_tier_since is None and rules.tier_grace_days:
        account.below_tier_since = now
    elif account.below_tier_since is None or account.below_tier_since + timedelta(days=rules.tier_grace_days) <= now:
        account.tier, account.below_tier_since = _stored_name(earned, rules), None
    return before != (account.tier, account.below_tier_since)


def _stored_name(tier: Tier, rules: Rules) -> str:
    """What the account keeps: "" for the lowest tier, so that the sweep finds the few that can fall at once."""
    return "" if tier.threshold == rules.tiers[0].threshold else tier.name


def held_tier(account: Account, rules: Rules) -> Tier:
    """The tier of the account under these rules; the lowest where they have no tier of its name any more."""
    return next((tier for tier in rules.tiers if tier.name == account.tier), rules.tiers[0])
