"""The only door to the points: each verb moves them between buckets in the caller's transaction, once.

Repeating a verb with the same figures changes nothing and gives the same answer; with other figures it raises
``Conflict``. The decisive statement is a conditional UPDATE of the account, which also takes its lock, so lots may be
read and changed safely after it. Amounts are points, values paisa.
"""

from datetime import datetime
from hashlib import sha256
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet, Sum
from django.utils import timezone

from loyalink_khalti.errors import Conflict, Frozen, Insufficient
from loyalink_khalti.money import Paisa, Points

from . import rules
from .models import Account, Allocation, Bucket, Entry, Hold, IdempotencyKey, Kind, Lot, OrderAward, OrderRedemption

T = TypeVar("T")


def hold(*, site_key: str, member_id: str, purchase: str, points: Points) -> Hold:
    """Set points aside for a purchase; raises ``Insufficient`` or ``Frozen``. The caller has locked the purchase.

    What was released may be held again; what is held, or was spent, is the answer.
    """
    earlier = list(Hold.objects.filter(purchase=purchase))
    for held in earlier:
        if held.state != Hold.State.RELEASED:
            return _same(held, held.points == points)
    account = find(site_key, member_id)
    if account is None:
        raise Insufficient(f"no points yet, {points} asked for")
    _expire_due(account)
    taken = Account.objects.filter(pk=account.pk, available__gte=points, frozen=False).update(
        available=F("available") - points, held=F("held") + points, seq=F("seq") + 1
    )
    account.refresh_from_db()
    if not taken:
        raise (
            Frozen("the account is frozen")
            if account.frozen
            else Insufficient(f"{account.available} points available, {points} asked for")
        )
    held = Hold.objects.create(account=account, purchase=purchase, points=points)
    _allocate(held)
    _write(
        account, Kind.HOLD, Bucket.AVAILABLE, Bucket.HELD, points,
        key=f"hold:{purchase}:{len(earlier)}", purchase=purchase, hold=held,
    )  # fmt: skip
    return held


def capture(*, purchase: str, value: Paisa) -> Points:
    """Spend the points held for a purchase; ``value`` is what they were worth. 0 where none were held."""
    taken = Hold.objects.filter(purchase=purchase, state=Hold.State.ACTIVE).update(
        state=Hold.State.CAPTURED, captured=F("points")
    )
    held = Hold.objects.select_related("account").filter(purchase=purchase).order_by("-pk").first()
    if held is None:
        return Points(0)
    if not taken:
        return Points(_same(held, held.state == Hold.State.CAPTURED).captured)
    account = held.account
    Account.objects.filter(pk=account.pk).update(
        held=F("held") - held.points,
        lifetime_redeemed=F("lifetime_redeemed") + held.points,
        seq=F("seq") + 1,
    )
    account.refresh_from_db()
    OrderRedemption.objects.create(
        program=account.program, purchase=purchase, account=account, points=held.points, value=value
    )
    _write(
        account, Kind.CAPTURE, Bucket.HELD, Bucket.REDEEMED, held.points,
        key=f"capture:{held.pk}", purchase=purchase, hold=held,
    )  # fmt: skip
    return Points(held.points)


def release(*, purchase: str) -> Points:
    """Give the points held for a purchase back to the lots they came from. 0 where none were held."""
    taken = Hold.objects.filter(purchase=purchase, state=Hold.State.ACTIVE).update(state=Hold.State.RELEASED)
    held = Hold.objects.select_related("account").filter(purchase=purchase).order_by("-pk").first()
    if held is None:
        return Points(0)
    if not taken:
        return Points(_same(held, held.state == Hold.State.RELEASED).points)
    account = held.account
    Account.objects.filter(pk=account.pk).update(
        available=F("available") + held.points, held=F("held") - held.points, seq=F("seq") + 1
    )
    account.refresh_from_db()
    for allocation in held.allocations.all():
        Lot.objects.filter(pk=allocation.lot_id).update(remaining=F("remaining") + allocation.points)
    _write(
        account, Kind.RELEASE, Bucket.HELD, Bucket.AVAILABLE, held.points,
        key=f"release:{held.pk}", purchase=purchase, hold=held,
    )  # fmt: skip
    return Points(held.points)


def award(*, site_key: str, member_id: str, purchase: str, basis: Paisa) -> Points:
    """Give the points that a purchase has earned with ``basis`` paisa of goods, once."""
    points = rules.earned(basis)
    account = _open(site_key, member_id)
    try:
        with transaction.atomic():
            OrderAward.objects.create(
                program=account.program, purchase=purchase, account=account, proportional=points, basis=basis
            )
    except IntegrityError:
        award = OrderAward.objects.get(program=account.program, purchase=purchase)
        return Points(_same(award, award.basis == basis and award.account_id == account.pk).proportional)
    if points:
        _grow(account, points, Kind.EARN, Bucket.ISSUED, key=f"award:{purchase}", purchase=purchase)
    return points


@transaction.atomic
def adjust(*, site_key: str, member_id: str, points: int, key: str, reason: str, actor: str | None = None) -> Points:
    """Add or (negative) take points by hand or import, once per ``key``; never below zero."""
    account = _open(site_key, member_id)
    if not _first_time(f"{account.program}:adjust", key, f"{member_id}:{points}"):
        return Points(points)
    name = f"adjust:{account.program}:{key}"
    if points > 0:
        _grow(account, Points(points), Kind.ADJUST, Bucket.ADJUSTED, key=name, actor=actor, reason=reason)
    elif points < 0:
        _shrink(account, Points(-points), key=name, actor=actor, reason=reason)
    return Points(points)


def _grow(
    account: Account, points: Points, kind: Kind, src: Bucket, *, key: str,
    purchase: str = "", actor: str | None = None, reason: str = "",
) -> None:  # fmt: skip
    now = timezone.now()
    earned = points if kind is Kind.EARN else 0
    Account.objects.filter(pk=account.pk).update(
        available=F("available") + points, lifetime_earned=F("lifetime_earned") + earned, seq=F("seq") + 1
    )
    account.refresh_from_db()
    lot = Lot.objects.create(
        account=account,
        source=key,
        original=points,
        remaining=points,
        available_at=now,
        expires_at=rules.expires_at(now),
    )
    _write(
        account, kind, src, Bucket.AVAILABLE, points, key=key, purchase=purchase, lot=lot, actor=actor, reason=reason
    )


def _shrink(account: Account, points: Points, *, key: str, actor: str | None, reason: str) -> None:
    _expire_due(account)
    taken = Account.objects.filter(pk=account.pk, available__gte=points).update(
        available=F("available") - points, seq=F("seq") + 1
    )
    account.refresh_from_db()
    if not taken:
        raise Insufficient(f"{account.available} points available, {points} to be taken")
    for lot, part in _parts(account, points):
        Lot.objects.filter(pk=lot.pk).update(remaining=F("remaining") - part)
    _write(account, Kind.ADJUST, Bucket.AVAILABLE, Bucket.ADJUSTED, points, key=key, actor=actor, reason=reason)


def _expire_due(account: Account) -> None:
    """Expire what is due, so that a sweep that was missed gives nobody free points."""
    now = timezone.now()
    if not _due(account, now).exists():
        return
    Account.objects.filter(pk=account.pk).update(seq=F("seq"))  # takes the lock; then what is read stays true
    for lot in _due(account, now):
        Account.objects.filter(pk=account.pk).update(available=F("available") - lot.remaining, seq=F("seq") + 1)
        account.refresh_from_db()
        Lot.objects.filter(pk=lot.pk).update(remaining=0)
        times = Entry.objects.filter(lot=lot, kind=Kind.EXPIRE).count()
        _write(
            account, Kind.EXPIRE, Bucket.AVAILABLE, Bucket.EXPIRED, lot.remaining,
            key=f"expire:{lot.pk}:{times}", lot=lot,
        )  # fmt: skip


def due_points(account: Account) -> Points:
    """Available points that have expired and wait for the sweep."""
    return Points(_due(account, timezone.now()).aggregate(points=Sum("remaining"))["points"] or 0)


def _due(account: Account, now: datetime) -> QuerySet[Lot]:
    return Lot.objects.filter(account=account, remaining__gt=0, expires_at__lte=now).order_by("expires_at", "pk")


def _allocate(held: Hold) -> None:
    parts = _parts(held.account, Points(held.points))
    Allocation.objects.bulk_create(Allocation(hold=held, lot=lot, points=part) for lot, part in parts)
    for lot, part in parts:
        Lot.objects.filter(pk=lot.pk).update(remaining=F("remaining") - part)


def _parts(account: Account, points: Points) -> list[tuple[Lot, int]]:
    """Which lots pay: earliest expiry first, never-expiring last."""
    parts: list[tuple[Lot, int]] = []
    missing = int(points)
    spendable = Lot.objects.filter(account=account, remaining__gt=0)
    for lot in spendable.order_by(F("expires_at").asc(nulls_last=True), "available_at", "pk"):
        part = min(lot.remaining, missing)
        parts.append((lot, part))
        missing -= part
        if not missing:
            return parts
    raise Conflict(f"account {account.pk}: its lots hold {points - missing} of {points} available points")


def _write(
    account: Account, kind: Kind, src: Bucket, dst: Bucket, amount: int, *, key: str, purchase: str = "",
    lot: Lot | None = None, hold: Hold | None = None, actor: str | None = None, reason: str = "",
) -> None:  # fmt: skip
    Entry.objects.create(
        account=account, seq=account.seq, kind=kind, src=src, dst=dst, amount=amount, key=key,
        purchase=purchase, lot=lot, hold=hold, actor=actor, reason_code=reason,
    )  # fmt: skip


def find(site_key: str, member_id: str) -> Account | None:
    """A member's account, None where nothing was ever earned."""
    return Account.objects.filter(program=site_key, member_id=member_id).first()


def _open(site_key: str, member_id: str) -> Account:
    return Account.objects.get_or_create(program=site_key, member_id=member_id)[0]


def _first_time(scope: str, key: str, figures: str) -> bool:
    request_hash = sha256(figures.encode()).hexdigest()
    try:
        with transaction.atomic():
            IdempotencyKey.objects.create(scope=scope, key=key, request_hash=request_hash)
    except IntegrityError:
        earlier = IdempotencyKey.objects.get(scope=scope, key=key)
        _same(earlier, earlier.request_hash == request_hash)
        return False
    return True


def _same(earlier: T, same: bool) -> T:
    if not same:
        raise Conflict(f"booked before with other figures: {earlier}")
    return earlier
