"""Audit the ledger: are the cached balances what the entries, the lots and the holds add up to?

Invariants are numbered as in docs/loyalty.md. Each is checked for some hundred accounts at a time and summed by the
database, so that memory does not grow with the history. Not checked here: invariant 2 (an entry adds to one bucket
what it takes from another, so all buckets sum to 0) and what unique keys and constraints already refuse.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Case, Count, F, Max, Min, Q, QuerySet, Sum, When

from .buckets import EARNED_SIGN, REDEEMED_SIGN, Bucket, EntryKind, HoldState
from .closed_months import rebuild_months, wrong_accounts, wrong_months
from .models import Account, Allocation, Entry, Hold, Lot
from .orders import OrderAward, OrderRedemption
from .posting import LEFT
from .program import Program, first_seal, seal

__all__ = ["Violation", "rebuild_months", "repair", "violations"]
CHUNK = 500
Balances = dict[str, int]
Violation = tuple[str, str, str]
"""The subject, the invariant, and a description."""
_BUCKETS = ("available", "pending", "held", "owed")
_CACHED = (*_BUCKETS, "lifetime_earned", "lifetime_redeemed", "seq")
_NOTHING: dict[str, int] = {}


def violations() -> Iterator[Violation]:
    """Yield everything in the ledger that does not add up: (subject, invariant, description)."""
    accounts = Account.objects.order_by("pk").iterator(chunk_size=CHUNK)
    while chunk := list(islice(accounts, CHUNK)):
        for account, found in _check_chunk(chunk):
            for invariant, detail in found:
                yield f"account {account.pk}", invariant, detail
    for program in Program.objects.order_by("pk"):
        for invariant, detail in (*_check_program(program), *_check_forfeited(program), *_check_versions(program)):
            yield f"programme {program}", invariant, detail
    for program, month in wrong_months():
        yield f"programme {program}", "L16", f"the sums of {month:%Y-%m} are not those of its entries"
    for account_id in wrong_accounts():
        yield f"account {account_id}", "L16", "its closed months are not what its orders have earned"


def repair() -> int:
    """Rebuild the cached balances that do not agree with the entries; return how many accounts were repaired.

    What the entries themselves have wrong (a negative balance, a gap) stays as it is, for staff to decide.
    """
    repaired = 0
    accounts = Account.objects.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=CHUNK)
    while ids := list(islice(accounts, CHUNK)):
        replayed = _replay(ids)
        for account in Account.objects.filter(pk__in=ids).order_by("pk"):
            if not _agrees(account, replayed[account.pk]):
                repaired += _rebuild(account.pk)
    return repaired


def _rebuild(account_id: int) -> bool:
    with transaction.atomic():
        Account.objects.filter(pk=account_id).update(last_activity_at=F("last_activity_at"))  # takes its lock
        replayed = _replay([account_id])[account_id]
        valid = min(replayed[name] for name in _BUCKETS) >= 0 and not (replayed["available"] and replayed["owed"])
        if not valid or _agrees(Account.objects.get(pk=account_id), replayed):
            return False
        Account.objects.filter(pk=account_id).update(**{name: replayed[name] for name in _CACHED})
    return True


def _agrees(account: Account, replayed: Balances) -> bool:
    return all(getattr(account, name) == replayed[name] for name in _CACHED)


def _check_chunk(accounts: list[Account]) -> Iterator[tuple[Account, list[tuple[str, str]]]]:
    ids = [account.pk for account in accounts]
    replayed, lots, holds = _replay(ids), _lots(ids), _holds(ids)
    awards = _sums(OrderAward.objects.filter(account__in=ids), awarded=Sum(F("proportional") + F("fixed")))
    redemptions = _sums(OrderRedemption.objects.filter(account__in=ids), redeemed=Sum("points"))
    reserved = Allocation.objects.filter(hold__account__in=ids, hold__state=HoldState.ACTIVE)
    from_lots = _sums(reserved, by="hold__account", points=Sum("points"))
    seals, merged = _seals(accounts), _merged(ids)
    for account in accounts:
        pk, replay = account.pk, replayed[account.pk]
        found = [
            *_check_balances(account, replay),
            *_check_lots(account, lots.get(pk, _NOTHING), from_lots.get(pk, _NOTHING)),
            *_check_holds(account, replay, holds.get(pk, _NOTHING)),
            *_check_orders(replay, awards.get(pk, _NOTHING), redemptions.get(pk, _NOTHING)),
            *_check_merged(account, merged.get(pk, _NOTHING)),
        ]
        if account.seal != seals[pk]:
            found.append(("L14", f"an entry up to number {account.sealed_seq}, or the member, was changed"))
        if found:
            yield account, found


def _check_balances(account: Account, replay: Balances) -> Iterator[tuple[str, str]]:
    for name in _CACHED[:-1]:
        if getattr(account, name) != replay[name]:
            yield "L1", f"{name} is {getattr(account, name)}, its entries sum to {replay[name]}"
    for name in _BUCKETS:
        if getattr(account, name) < 0:
            yield "L5", f"{name} is {getattr(account, name)}"
    if account.available > 0 and account.owed > 0:
        yield "L5", f"{account.available} available while {account.owed} are owed"
    if (replay["first"], replay["count"], replay["seq"]) != (min(account.seq, 1), account.seq, account.seq):
        numbers = f"number {replay['first']} to {replay['seq']}, expected 1 to {account.seq}"
        yield "L10", f"{replay['count']} entries, {numbers}"


def _check_lots(account: Account, lots: Balances, from_lots: Balances) -> Iterator[tuple[str, str]]:
    remaining, pending = lots.get("remaining", 0), lots.get("pending", 0)
    if (remaining, pending) != (account.available, account.pending):
        expected = f"{account.available} and {account.pending}"
        yield "L3", f"lots have {remaining} available and {pending} pending, expected {expected}"
    if from_lots.get("points", 0) != account.held:
        yield "L3", f"{from_lots.get('points', 0)} points of lots are reserved, held is {account.held}"
    if lots.get("invalid", 0):
        yield "L4", f"{lots['invalid']} lot(s) are below 0 or above their original points"


def _check_holds(account: Account, replay: Balances, holds: Balances) -> Iterator[tuple[str, str]]:
    if holds.get("active", 0) != account.held:
        yield "L3", f"active holds are {holds.get('active', 0)}, held is {account.held}"
    expected = {
        "captured": replay[EntryKind.CAPTURE] + replay[EntryKind.LATE_CAPTURE],
        "released": replay[EntryKind.RELEASE],
        "points": replay[EntryKind.HOLD] + replay[EntryKind.LATE_CAPTURE],  # late ones were never held
    }
    for name, points in expected.items():
        if holds.get(name, 0) != points:
            yield "L7", f"holds have {holds.get(name, 0)} {name}, the entries {points}"


def _check_orders(replay: Balances, awards: Balances, redemptions: Balances) -> Iterator[tuple[str, str]]:
    captured = replay[EntryKind.CAPTURE] + replay[EntryKind.LATE_CAPTURE]
    if awards.get("awarded", 0) != replay[EntryKind.EARN]:
        yield "L6", f"purchases were awarded {awards.get('awarded', 0)}, the entries {replay[EntryKind.EARN]}"
    if redemptions.get("redeemed", 0) != captured:
        yield "L6", f"purchases redeemed {redemptions.get('redeemed', 0)}, the entries {captured}"


def _check_merged(account: Account, merged: Balances) -> Iterator[tuple[str, str]]:
    for name in ("earned", "redeemed"):
        kept = getattr(account, f"merged_lifetime_{name}")
        if kept != merged.get(name, 0):
            yield "L15", f"merged accounts {name} {merged.get(name, 0)}, {kept} are counted"
    if account.is_void and (account.available or account.pending or account.owed or merged):
        yield "L15", "its member is erased, but it has points or is merged into; loyalty_run writes them off"
    if account.left_at is not None and (account.available or account.pending or (account.owed and account.forfeited)):
        yield "L17", "its member has left, but it has points; loyalty_run writes them off"


def _check_versions(program: Program) -> Iterator[tuple[str, str]]:
    newest = ""
    for version in program.versions.filter(number__lte=program.sealed_number).order_by("number"):
        newest = version.next_seal(newest)
    if newest != program.seal:
        yield "L14", f"a version of its rules up to number {program.sealed_number} was changed"


def _check_program(program: Program) -> Iterator[tuple[str, str]]:
    """Compare refunds over all accounts: after a merge they move on another account than the one that earned."""
    kinds = [
        EntryKind.CLAW_BACK, EntryKind.FORGIVE, EntryKind.EARN_AGAIN, EntryKind.RESTORE, EntryKind.REDEEM_AGAIN,
    ]  # fmt: skip
    entries = Entry.objects.filter(account__program=program, kind__in=kinds)
    moved = {row["kind"]: row["total"] for row in entries.values("kind").annotate(total=Sum("amount")).order_by()}
    reversed_points = (
        moved.get(EntryKind.CLAW_BACK, 0) + moved.get(EntryKind.FORGIVE, 0) - moved.get(EntryKind.EARN_AGAIN, 0)
    )
    restored_points = moved.get(EntryKind.RESTORE, 0) - moved.get(EntryKind.REDEEM_AGAIN, 0)
    awards, redemptions = OrderAward.objects.filter(program=program), OrderRedemption.objects.filter(program=program)
    clawed_back = awards.aggregate(total=Sum("points_clawed_back"))["total"] or 0
    restored = redemptions.aggregate(total=Sum("points_restored"))["total"] or 0
    if clawed_back != reversed_points:
        yield "L8", f"{clawed_back} points of purchases were clawed back, the entries say {reversed_points}"
    if restored != restored_points:
        yield "L9", f"{restored} points of purchases were restored, the entries say {restored_points}"


def _check_forfeited(program: Program) -> Iterator[tuple[str, str]]:
    """Compare over all accounts what members lost by leaving: a merge moves it to the account that stays."""
    entries = Entry.objects.filter(account__program=program, kind=EntryKind.WRITE_OFF, reason_code=LEFT)
    lost = entries.filter(dst=Bucket.WRITTEN_OFF).aggregate(total=Sum("amount"))["total"] or 0
    repaid = entries.filter(dst=Bucket.OWED).aggregate(total=Sum("amount"))["total"] or 0
    kept = Account.objects.filter(program=program).aggregate(total=Sum("forfeited"))["total"] or 0
    if kept != lost - repaid:
        yield "L17", f"members have forfeited {kept} points, the entries say {lost - repaid}"


def _replay(ids: list[int]) -> dict[int, Balances]:
    names = [*Bucket.values, *EntryKind.values, "lifetime_earned", "lifetime_redeemed", "seq", "count", "first"]
    replayed = {pk: dict.fromkeys(names, 0) for pk in ids}
    moved = Entry.objects.filter(account__in=ids).values("account", "kind", "src", "dst").order_by()
    for row in moved.annotate(total=Sum("amount"), number=Count("pk"), first=Min("seq"), last=Max("seq")):
        replay, kind = replayed[row["account"]], EntryKind(row["kind"])
        replay[row["src"]] -= row["total"]
        replay[row["dst"]] += row["total"]
        replay[row["kind"]] += row["total"]
        replay["lifetime_earned"] += EARNED_SIGN.get(kind, 0) * row["total"]
        replay["lifetime_redeemed"] += REDEEMED_SIGN.get(kind, 0) * row["total"]
        replay["count"] += row["number"]
        replay["first"] = min(replay["first"], row["first"]) if replay["seq"] else row["first"]
        replay["seq"] = max(replay["seq"], row["last"])
    for replay in replayed.values():
        replay["owed"] = -replay["owed"]
    return replayed


def _seals(accounts: list[Account]) -> dict[int, str]:
    """What the seal of each account should be by the entries that it covers."""
    seals = dict.fromkeys((account.pk for account in accounts), "")
    by_pk = {account.pk: account for account in accounts}
    entries = Entry.objects.filter(account__in=by_pk, seq__lte=F("account__sealed_seq"))
    for values in entries.order_by("account", "seq").values_list(*Entry.SEALED).iterator(chunk_size=CHUNK):
        pk = values[0]
        seals[pk] = seal(seals[pk] or first_seal(by_pk[pk].program_id, by_pk[pk].member_id), values)
    return seals


def _merged(ids: list[int]) -> dict[int, Balances]:
    """What the accounts that were merged into each account count for it."""
    rows = Account.objects.filter(successor__in=ids)
    return _sums(
        rows,
        by="successor",
        earned=Sum(F("lifetime_earned") + F("merged_lifetime_earned")),
        redeemed=Sum(F("lifetime_redeemed") + F("merged_lifetime_redeemed")),
    )


def _lots(ids: list[int]) -> dict[int, Balances]:
    invalid = Q(remaining__lt=0) | Q(pending__lt=0) | Q(original__lt=F("remaining") + F("pending"))
    rows = Lot.objects.filter(account__in=ids).filter(invalid | Q(remaining__gt=0) | Q(pending__gt=0))
    return _sums(rows, remaining=Sum("remaining"), pending=Sum("pending"), invalid=Count("pk", filter=invalid))


def _holds(ids: list[int]) -> dict[int, Balances]:
    released = Case(
        When(state=HoldState.RELEASED, then=F("points")),
        When(state=HoldState.CAPTURED, then=F("points") - F("captured")),
        default=0,
    )
    return _sums(
        Hold.objects.filter(account__in=ids),
        active=Sum("points", filter=Q(state=HoldState.ACTIVE)),
        captured=Sum("captured"),
        released=Sum(released),
        points=Sum("points"),
    )


def _sums(rows: "QuerySet[Any]", *, by: str = "account", **sums: "Count | Sum") -> dict[int, Balances]:
    """The named sums of each account."""
    # An annotation may not have the name of a column.
    named = {f"sum_{name}": sum_ for name, sum_ in sums.items()}
    return {
        row[by]: {name: row[f"sum_{name}"] or 0 for name in sums}
        for row in rows.order_by().values(by).annotate(**named)
    }
