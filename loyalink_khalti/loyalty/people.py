"""What staff do with a member's points, and what a person may ask of their data."""

from datetime import datetime
from typing import Any

from django.db import transaction

from loyalink_khalti.errors import Insufficient, LedgerError
from loyalink_khalti.money import Points

from . import programmes, tiers
from .accounts import first_time, open_account, own
from .awarding import grow
from .book import Book
from .models import Account, Bucket, Entry, EntryNote, Hold, Kind, Lot


@transaction.atomic
def adjust(
    *,
    site_key: str,
    member_id: str,
    points: int,
    key: str,
    reason: str,
    note: str = "",
    actor: str | None = None,
    expires_at: datetime | None = None,
) -> Points:
    """Add or (negative) take points by hand or import, once per ``key``; never below zero.

    What is added expires as the rules say, or at ``expires_at``.
    """
    account = open_account(site_key, member_id)
    figures = f"{member_id}:{points}" + (f":{expires_at.isoformat()}" if expires_at else "")
    if not points or not first_time(f"{account.program_id}:adjust", key, figures):
        return Points(points)
    version = programmes.current(site_key)
    book = Book.locked(account.pk, actor=actor, reason=reason, version_id=version.pk)
    name = f"adjust:{account.program_id}:{key}"
    if points > 0:
        grow(book, points, Kind.ADJUST, Bucket.ADJUSTED, version.rules, key=name, expires_at=expires_at)
    else:
        book.expire_due()
        if book.account.available < -points:
            raise Insufficient(f"{book.account.available} points available, {-points} to be taken")
        book.take(-points)
        book.move(Kind.ADJUST, Bucket.AVAILABLE, Bucket.ADJUSTED, -points, key=name)
    book.close()
    if note:
        EntryNote.objects.create(entry=Entry.objects.get(key=name), text=note)
    return Points(points)


def was_adjusted(account: Account, key: str) -> bool:
    """Whether an adjustment of this key has been booked."""
    return Entry.objects.filter(key=f"adjust:{account.program_id}:{key}").exists()


def freeze(*, site_key: str, member_id: str, frozen: bool) -> bool:
    """Let no points of a member be spent, or let them again; False where it was so. What is earned still comes."""
    account = open_account(site_key, member_id)
    return bool(Account.objects.filter(pk=account.pk, frozen=not frozen).update(frozen=frozen))


@transaction.atomic
def merge(*, site_key: str, member_id: str, into: str, actor: str | None = None) -> Account:
    """Move all of one member's points to another, lot by lot with its expiry; debts net.

    Refused while points of the first are held. Awards stay where they are, and their refunds follow; what both earned
    counts for the tier.
    """
    ends, stays = open_account(site_key, member_id).pk, open_account(site_key, into).pk
    books = {pk: Book.locked(pk, follow=False, actor=actor, reason="merge") for pk in sorted((ends, stays))}
    out, new = books[ends], books[stays]
    if ends == stays or out.account.successor or new.account.successor:  # another merge came first
        return _merged_before(site_key, member_id, into)
    if Hold.objects.filter(account=out.account, state=Hold.State.ACTIVE).exists():
        raise LedgerError("points are held for a payment; try again when it is done")
    key = f"merge:{ends}:{stays}"
    for lot in Lot.objects.filter(account=out.account).exclude(pending=0, remaining=0).order_by("pk"):
        _move_lot(out, new, lot, key=f"{key}:{lot.pk}")
    owed = out.account.owed
    out.move(Kind.MERGE_OUT, Bucket.ADJUSTED, Bucket.OWED, owed, key=f"{key}:owed:out")
    new.move(Kind.MERGE_IN, Bucket.OWED, Bucket.ADJUSTED, owed, key=f"{key}:owed:in")
    new.repay()
    new.account.inherited += out.account.lifetime_earned + out.account.inherited
    tiers.follow(new, programmes.current(site_key).rules)
    out.close()
    new.close()
    Account.objects.filter(pk=ends).update(successor=stays, frozen=True)
    return new.account


def _merged_before(site_key: str, member_id: str, into: str) -> Account:
    """The account that the points are in, where this merge has been done; none is done back."""
    ended, stays = own(site_key, member_id), open_account(site_key, into)
    if open_account(site_key, member_id) != stays:
        raise LedgerError("one of them was merged just now; look again")
    if member_id == into or ended is None or ended.successor is None:
        raise LedgerError("these are one account already")
    return stays


def _move_lot(out: Book, new: Book, lot: Lot, *, key: str) -> None:
    for bucket, points in ((Bucket.PENDING, lot.pending), (Bucket.AVAILABLE, lot.remaining)):
        out.move(Kind.MERGE_OUT, bucket, Bucket.ADJUSTED, points, key=f"{key}:{bucket}:out", lot=lot)
        new.move(Kind.MERGE_IN, Bucket.ADJUSTED, bucket, points, key=f"{key}:{bucket}:in")
    Lot.objects.create(
        account=new.account, source=lot.source, original=lot.pending + lot.remaining, pending=lot.pending,
        remaining=lot.remaining, available_at=lot.available_at, expires_at=lot.expires_at,
    )  # fmt: skip
    Lot.objects.filter(pk=lot.pk).update(pending=0, remaining=0)


@transaction.atomic
def erase(*, site_key: str, member_id: str) -> bool:
    """Forget whose account it is and what was noted about it; the numbers stay. False where there is none."""
    account = own(site_key, member_id)
    if account is None:
        return False
    if Hold.objects.filter(account=account, state=Hold.State.ACTIVE).exists():
        raise LedgerError("points are held for a payment; try again when it is done")
    EntryNote.objects.filter(entry__account=account).delete()
    Account.objects.filter(pk=account.pk).update(member_id=None, frozen=True, words="")
    return True


def data_of(*, site_key: str, member_id: str) -> dict[str, Any]:
    """All that is kept about one member's points, for the member to take along."""
    account = own(site_key, member_id)
    if account is None:
        return {"member": member_id, "entries": [], "lots": []}
    entries = account.entries.order_by("seq").select_related("note")
    return {
        "member": member_id,
        "joined_at": account.joined_at.isoformat(),
        "balances": {name: getattr(account, name) for name in ("available", "pending", "held", "owed")},
        "lifetime": {"earned": account.lifetime_earned, "redeemed": account.lifetime_redeemed},
        "tier": account.tier,
        "lots": [
            {
                "original": lot.original,
                "pending": lot.pending,
                "remaining": lot.remaining,
                "available_at": lot.available_at.isoformat(),
                "expires_at": lot.expires_at and lot.expires_at.isoformat(),
            }
            for lot in account.lots.order_by("pk")
        ],
        "entries": [
            {
                "number": entry.seq,
                "at": entry.at.isoformat(),
                "kind": entry.kind,
                "from": entry.src,
                "to": entry.dst,
                "points": entry.amount,
                "purchase": entry.purchase,
                "reason": entry.reason_code,
                "note": entry.note.text if hasattr(entry, "note") else "",
            }
            for entry in entries
        ],
    }
