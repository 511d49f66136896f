"""Merge two members, erase a member, and export all that is stored about one."""

from typing import Any

from django.db import transaction

from loyalink_khalti.errors import LedgerError

from .buckets import Bucket, EntryKind, HoldState
from .models import Account, EntryNote, Hold, Lot
from .posting import Posting, open_account, own_account, update_tier
from .program import current_version


@transaction.atomic
def merge(*, site_key: str, member_id: str, into: str, actor: str | None = None) -> Account:
    """Move all points of one member to another, lot by lot with its expiry; return the account that has them.

    Debts are netted. Awards stay on their account and refunds follow to the other one; what both earned counts for
    the tier. Raises ``LedgerError`` while points of the first are held, and where both are one account already.
    """
    ends, stays = open_account(site_key, member_id).pk, open_account(site_key, into).pk
    postings = {
        pk: Posting.lock(pk, follow_merge=False, actor=actor, reason="merge") for pk in sorted((ends, stays))
    }  # fmt: skip
    old, new = postings[ends], postings[stays]
    if ends == stays or old.account.successor or new.account.successor:  # another merge was faster
        return _merged_before(site_key, member_id, into)
    _forbid_holds(old.account)
    key = f"merge:{ends}:{stays}"
    for lot in Lot.objects.filter(account=old.account).exclude(pending=0, remaining=0).order_by("pk"):
        _move_lot(old, new, lot, key=f"{key}:{lot.pk}")
    owed = old.account.owed
    old.transfer(EntryKind.MERGE_OUT, Bucket.ADJUSTED, Bucket.OWED, owed, key=f"{key}:owed:out")
    new.transfer(EntryKind.MERGE_IN, Bucket.OWED, Bucket.ADJUSTED, owed, key=f"{key}:owed:in")
    new.repay()
    new.account.merged_lifetime_earned += old.account.lifetime_earned + old.account.merged_lifetime_earned
    update_tier(new, current_version(site_key).rules)
    old.post()
    new.post()
    Account.objects.filter(pk=ends).update(successor=stays, blocked=True)
    return new.account


def _merged_before(site_key: str, member_id: str, into: str) -> Account:
    """The account that has the points, where this very merge was done before; a merge is never reversed."""
    ended, stays = own_account(site_key, member_id), open_account(site_key, into)
    if open_account(site_key, member_id) != stays:
        raise LedgerError("one of the accounts has just been merged; check again")
    if member_id == into or ended is None or ended.successor is None:
        raise LedgerError("these are one account already")
    return stays


def _move_lot(old: Posting, new: Posting, lot: Lot, *, key: str) -> None:
    for bucket, points in ((Bucket.PENDING, lot.pending), (Bucket.AVAILABLE, lot.remaining)):
        old.transfer(EntryKind.MERGE_OUT, bucket, Bucket.ADJUSTED, points, key=f"{key}:{bucket}:out", lot=lot)
        new.transfer(EntryKind.MERGE_IN, Bucket.ADJUSTED, bucket, points, key=f"{key}:{bucket}:in")
    Lot.objects.create(
        account=new.account, source=lot.source, original=lot.pending + lot.remaining, pending=lot.pending,
        remaining=lot.remaining, available_at=lot.available_at, expires_at=lot.expires_at,
    )  # fmt: skip
    Lot.objects.filter(pk=lot.pk).update(pending=0, remaining=0)


def _forbid_holds(account: Account) -> None:
    if Hold.objects.filter(account=account, state=HoldState.ACTIVE).exists():
        raise LedgerError("points are held for a payment; try again when it is completed")


@transaction.atomic
def erase(*, site_key: str, member_id: str) -> bool:
    """Erase the member's id and all notes from an account; return whether there was one. The figures stay.

    Raises ``LedgerError`` while points are held for a payment.
    """
    account = own_account(site_key, member_id)
    if account is None:
        return False
    _forbid_holds(account)
    EntryNote.objects.filter(entry__account=account).delete()
    Account.objects.filter(pk=account.pk).update(member_id=None, blocked=True, search_text="")
    return True


def personal_data(*, site_key: str, member_id: str) -> dict[str, Any]:
    """Return all that is stored about one member's points, ready for JSON."""
    account = own_account(site_key, member_id)
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
