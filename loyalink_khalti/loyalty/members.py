"""Merge two members, erase a member, and export all that is stored about one."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.errors import LedgerError, MemberLeft
from loyalink_khalti.money import Points

from .accounts import erased_scope, open_account, own_account, surviving_account
from .buckets import Bucket, EntryKind, HoldState
from .earning import update_tier
from .models import Account, Entry, EntryNote, Hold, IdempotencyKey, Lot
from .posting import ERASED, Posting
from .terms import MembershipEvent

BATCH = 500
"""Rows that are written at once."""


@transaction.atomic
def merge(*, site_key: str, member_id: str, into: str, actor: str | None = None) -> Account:
    """Move all points of one member to another, lot by lot with its expiry; return the account that has them.

    Debts are netted, and a block stays. What both earned and redeemed counts from now on for the account that stays,
    which also gets the awards and refunds of older orders. The other one has ended: it neither uses nor earns points.
    Raises ``LedgerError`` while points of the first are held, where it was merged before, and where both are one
    account already.
    """
    ending = own_account(site_key, member_id) or open_account(site_key, member_id)
    ends, stays = ending.pk, open_account(site_key, into).pk
    postings = {
        pk: Posting.lock(pk, follow_merge=False, actor=actor, reason="merge") for pk in sorted((ends, stays))
    }  # fmt: skip
    old, new = postings[ends], postings[stays]
    if ends == stays or old.account.has_ended or new.account.has_ended:  # another merge was faster
        return _merged_before(site_key, member_id, into)
    if old.account.is_void or new.account.is_void:
        raise LedgerError("one of the members has just been erased; check again")
    if old.account.left_at is not None or new.account.left_at is not None:
        raise MemberLeft("one of the members has left the programme; merge them when they have joined again")
    _forbid_holds(old.account)
    key = f"merge:{ends}:{stays}:{old.account.seq}"  # numbered: after an erasure the same two can be merged again
    _move_lots(old, new, _filled_lots(old.account), key=key)
    owed = old.account.owed
    new.account.forfeited, old.account.forfeited = new.account.forfeited + old.account.forfeited, 0
    old.transfer(EntryKind.MERGE_OUT, Bucket.ADJUSTED, Bucket.OWED, owed, key=f"{key}:owed:out")
    new.transfer(EntryKind.MERGE_IN, Bucket.OWED, Bucket.ADJUSTED, owed, key=f"{key}:owed:in")
    new.repay()
    _count_merged(new.account, old.account, sign=1)
    is_blocked = old.account.blocked or new.account.blocked
    Account.objects.filter(pk=ends).update(successor=stays, merged_at=DatabaseTime(), blocked=True)
    reason = new.account.block_reason or old.account.block_reason
    Account.objects.filter(pk=stays).update(blocked=is_blocked, block_reason=reason)
    new.account.blocked = is_blocked
    update_tier(new.account, new.rules)  # after the first has ended: its points count too
    old.post()
    new.post()
    return new.account


def _merged_before(site_key: str, member_id: str, into: str) -> Account:
    """The account that has the points, where this very merge was done before; a merge is never reversed."""
    ended, stays = own_account(site_key, member_id), open_account(site_key, into)
    if ended is None or surviving_account(ended) != stays:
        if ended is not None and ended.has_ended:
            raise LedgerError("this member was merged into another one before; merge that one")
        raise LedgerError("one of the accounts has just been merged; check again")
    if member_id == into or not ended.has_ended:
        raise LedgerError("these are one account already")
    return stays


def _filled_lots(account: Account) -> QuerySet[Lot]:
    return Lot.objects.filter(account=account).exclude(pending=0, remaining=0).order_by("pk")


def _move_lots(old: Posting, new: Posting, lots: "QuerySet[Lot]", *, key: str) -> None:
    """Move the points of lots; back into the lots that they came from where they came from this account."""
    moving = list(lots)
    for lot in moving:
        for bucket, points in ((Bucket.PENDING, lot.pending), (Bucket.AVAILABLE, lot.remaining)):
            name = f"{key}:{lot.pk}:{bucket}"
            old.transfer(EntryKind.MERGE_OUT, bucket, Bucket.ADJUSTED, points, key=f"{name}:out", lot=lot)
            new.transfer(EntryKind.MERGE_IN, Bucket.ADJUSTED, bucket, points, key=f"{name}:in")
    origins, refilled, created = _lots_by_origin(new.account, lots), {}, []
    for lot in moving:
        candidates = origins.get((lot.source, lot.expires_at), ())
        points = lot.pending + lot.remaining
        origin = next((each for each in candidates if each.original >= each.pending + each.remaining + points), None)
        if origin is None:
            created.append(
                Lot(
                    account=new.account, source=lot.source, original=points, pending=lot.pending,
                    remaining=lot.remaining, available_at=lot.available_at, expires_at=lot.expires_at,
                )
            )  # fmt: skip
        else:
            origin.pending, origin.remaining = origin.pending + lot.pending, origin.remaining + lot.remaining
            refilled[origin.pk] = origin
    Lot.objects.bulk_update(refilled.values(), ["pending", "remaining"], batch_size=BATCH)
    Lot.objects.bulk_create(created, batch_size=BATCH)
    for start in range(0, len(moving), BATCH):
        emptied = [lot.pk for lot in moving[start : start + BATCH]]
        Lot.objects.filter(pk__in=emptied).update(pending=0, remaining=0)


def _lots_by_origin(account: Account, lots: "QuerySet[Lot]") -> dict[tuple[str, Any], list[Lot]]:
    """Return the lots of an account that others can have come from, the oldest first."""
    found: dict[tuple[str, Any], list[Lot]] = defaultdict(list)
    for lot in Lot.objects.filter(account=account, source__in=lots.order_by().values("source")).order_by("pk"):
        found[lot.source, lot.expires_at].append(lot)
    return found


def _count_merged(account: Account, merged: Account, *, sign: int) -> None:
    """Count what a merged account earned and redeemed for another one (1), or no longer (-1)."""
    account.merged_lifetime_earned += sign * merged.earned_in_all
    account.merged_lifetime_redeemed += sign * merged.redeemed_in_all


def _forbid_holds(account: Account) -> None:
    if Hold.objects.filter(account=account, state=HoldState.ACTIVE).exists():
        raise LedgerError("points are held for a payment; try again when it is completed")


@transaction.atomic
def erase(*, site_key: str, member_id: str, purchases: Iterable[str] = ()) -> bool:
    """Erase the member's id and all notes from an account, and write its points off; return whether there was one.

    The history stays, without a name. ``purchases`` are the member's, by their keys: what they earn later is written
    off too. Members who were merged into this one and are not erased have accounts of their own again, with what is
    left of their points. Where this member was merged into another, the points are the other's and stay there. Raises
    ``LedgerError`` while points are held for a payment.
    """
    account = own_account(site_key, member_id)
    if account is None:
        return False
    posting = Posting.lock(account.pk, follow_merge=False, reason=ERASED)
    account = posting.account
    if account.member_id != member_id:  # another process was faster
        return False
    _forbid_holds(account)
    is_intact = account.seal == account.seal_of_entries()
    EntryNote.objects.filter(entry__account=account).delete()
    _mark_purchases(account, purchases)
    account.member_id = None
    if is_intact:  # the seal names the member; one that is broken stays so, for the audit
        account.seal = account.seal_of_entries()
    _settle(posting, blocked=account.blocked)
    Account.objects.filter(pk=account.pk).update(member_id=None, blocked=True, search_text="")
    return True


@transaction.atomic
def settle_erased(account_id: int) -> Points:
    """Write off what an erased account still has, for those erased before points were written off; return it."""
    posting = Posting.lock(account_id, follow_merge=False, reason=ERASED)
    points = posting.account.available + posting.account.pending
    if posting.account.member_id is None and not posting.account.held:
        _settle(posting, blocked=False)
    return Points(points)


def erased_with_points() -> QuerySet[Account]:
    """Return the erased accounts with points or debts, and those that another account was merged into."""
    void = Account.objects.filter(member_id=None, held=0)
    return void.filter(
        Q(merged__isnull=False) | Q(successor=None) & (Q(available__gt=0) | Q(pending__gt=0) | Q(owed__gt=0))
    ).distinct().order_by("pk")  # fmt: skip


def _settle(posting: Posting, *, blocked: bool) -> None:
    """Part an erased account from those that were merged into it, and write off its points."""
    account = posting.account
    for pk in Account.objects.filter(successor=account).order_by("pk").values_list("pk", flat=True):
        merged = Posting.lock(pk, follow_merge=False, reason=ERASED)
        _count_merged(account, merged.account, sign=-1)
        if account.has_ended:
            Account.objects.filter(pk=pk).update(successor=account.successor)
        else:
            _reopen(merged, posting, blocked=blocked)
    posting.post()


def _reopen(merged: Posting, erased: Posting, *, blocked: bool) -> None:
    """Give an account that was merged into an erased one back what is left of the points that it brought."""
    account = merged.account
    account.successor = None
    if account.member_id is not None:
        own = _filled_lots(erased.account).filter(source__in=account.lots.values("source"))
        _move_lots(erased, merged, own, key=f"reopen:{erased.account.pk}:{account.pk}:{account.seq}")
    Account.objects.filter(pk=account.pk).update(
        successor=None, merged_at=None, blocked=blocked or account.member_id is None
    )
    update_tier(account, merged.rules)
    merged.post()


def _mark_purchases(account: Account, purchases: Iterable[str]) -> None:
    """Record whose purchases they were, so that a later award finds the account without its member."""
    scope, result = erased_scope(account.program_id), {"account": account.pk}
    marks = (IdempotencyKey(scope=scope, key=purchase, request_hash="", result=result) for purchase in purchases)
    IdempotencyKey.objects.bulk_create(marks, ignore_conflicts=True, batch_size=500)


def personal_data(*, site_key: str, member_id: str) -> dict[str, Any]:
    """Return all that is stored about one member's points, ready for JSON, also of accounts merged into theirs."""
    account = own_account(site_key, member_id)
    if account is None:
        return {"member": member_id, "entries": [], "lots": []}
    accounts = account.with_merged()
    entries = Entry.objects.filter(account__in=accounts).order_by("at", "pk").select_related("note")
    lots = Lot.objects.filter(account__in=accounts).order_by("pk")
    return {
        "member": member_id,
        "joined_at": account.joined_at.isoformat(),
        "merged_at": account.merged_at and account.merged_at.isoformat(),
        "balances": {name: getattr(account, name) for name in ("available", "pending", "held", "owed")},
        "lifetime": {"earned": account.earned_in_all, "redeemed": account.redeemed_in_all},
        "tier": account.tier,
        "left_at": account.left_at and account.left_at.isoformat(),
        "membership": _membership_events(accounts),
        "lots": [
            {
                "original": lot.original,
                "pending": lot.pending,
                "remaining": lot.remaining,
                "available_at": lot.available_at.isoformat(),
                "expires_at": lot.expires_at and lot.expires_at.isoformat(),
            }
            for lot in lots
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


def _membership_events(accounts: Iterable[int]) -> list[dict[str, Any]]:
    """Return which terms a member has accepted when, in the words that they have read, and when they have left."""
    events = MembershipEvent.objects.filter(account__in=accounts).order_by("pk").select_related("terms")
    return [
        {
            "at": event.at.isoformat(),
            "event": event.kind,
            "terms_version": event.terms.version if event.terms else None,
            "language": event.terms.language if event.terms else None,
            "terms": event.terms.sentences if event.terms else None,
        }
        for event in events
    ]
