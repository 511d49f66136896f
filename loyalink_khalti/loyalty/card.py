"""The points card of a member: balances, tier, and points by the day from which or until which they can be used."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet, Sum
from django.utils import timezone

from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of

from .accounts import own_account
from .earning import held_tier, tier_points
from .history import signed_points
from .models import Account, Entry, Lot
from .posting import overdue_points
from .program import current_version
from .rules import Rules, points_value

SHOWN_BEFORE_EXPIRY = timedelta(days=60)
MOST_DAYS = 24
"""How many days of expiry, and of pending points, a card shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardEntry:
    """One entry for staff; ``points`` has the sign that the member sees."""

    at: datetime
    kind: str
    label: str
    points: int
    purchase: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringPoints:
    """Points that expire together; ``last_day`` is the last on which they can be redeemed, in Nepal."""

    points: Points
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsByDay:
    """Available points by their last day (None: they do not expire), or pending ones by the day they are available."""

    points: Points
    day: date | None
    is_soon: bool = False
    """Whether they expire within 60 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsCard:
    """A member's points and tier."""

    available: Points = Points(0)
    pending: Points = Points(0)
    held: Points = Points(0)
    owed: Points = Points(0)
    lifetime_earned: Points = Points(0)
    lifetime_redeemed: Points = Points(0)
    points_value: Paisa = Paisa(0)
    """What the available points are worth, in paisa."""
    tier: str = ""
    next_tier: str = ""
    points_to_next: Points = Points(0)
    tier_points: Points = Points(0)
    """Earned points that count for the tier."""
    next_threshold: Points = Points(0)
    """With so many of them the next tier begins; 0 at the top."""
    progress: int = 0
    """Per cent of the way from this tier to the next, 100 at the top."""
    merged_at: datetime | None = None
    """When the account was merged into another, which has the points now; None for one that has not ended."""
    left_at: datetime | None = None
    """When the member left the programme; None for a member."""
    is_blocked: bool = False
    block_reason: str = ""
    expiring: tuple[ExpiringPoints, ...] = ()
    """What expires within 60 days."""


def points_card(site_key: str, member_id: str) -> PointsCard:
    """Return one member's card; for a member without points it is empty, in the lowest tier.

    After a merge the account that ended has no points, and the one that stays has both.
    """
    rules = current_version(site_key).rules
    account = own_account(site_key, member_id)
    return _tier_card(None, rules) if account is None else balance_card(account, rules)


def balance_card(account: Account, rules: Rules) -> PointsCard:
    """Return the card of an account. Points that are overdue are not available."""
    available = Points(account.available - overdue_points(account))
    return replace(
        _tier_card(account, rules),
        available=available,
        points_value=points_value(rules, available),
        pending=Points(account.pending),
        held=Points(account.held),
        owed=Points(account.owed),
        lifetime_earned=Points(account.earned_in_all),
        lifetime_redeemed=Points(account.redeemed_in_all),
        merged_at=(account.merged_at or account.last_activity_at) if account.has_ended else None,
        left_at=account.left_at,
        is_blocked=account.blocked and not account.has_ended,
        block_reason=account.block_reason,
        expiring=_expiring(account),
    )


def card_entry(entry: Entry) -> CardEntry:
    """Return an entry as staff see it."""
    return CardEntry(
        at=entry.at,
        kind=entry.kind,
        label=entry.get_kind_display(),
        points=signed_points(entry),
        purchase=entry.purchase,
        reason=entry.reason_code,
    )


def points_by_expiry(account: Account) -> tuple[PointsByDay, ...]:
    """Return the available points by their last day, the first to expire first; at most ``MOST_DAYS`` days."""
    now = timezone.now()
    lots = Lot.objects.filter(account=account, remaining__gt=0).exclude(expires_at__lte=now)
    return tuple(
        PointsByDay(
            points=Points(points),
            day=day_of(expires_at - timedelta(seconds=1)) if expires_at else None,
            is_soon=expires_at is not None and expires_at <= now + SHOWN_BEFORE_EXPIRY,
        )
        for expires_at, points in _sums(lots, "expires_at", "remaining")
    )


def pending_by_day(account: Account) -> tuple[PointsByDay, ...]:
    """Return the pending points by the day from which they can be used; at most ``MOST_DAYS`` days."""
    lots = Lot.objects.filter(account=account, pending__gt=0)
    days: dict[date, int] = {}
    for available_at, points in _sums(lots, "available_at", "pending"):
        day = day_of(available_at)
        days[day] = days.get(day, 0) + points
    return tuple(PointsByDay(points=Points(points), day=day) for day, points in days.items())


def _sums(lots: QuerySet[Lot], moment: str, points: str) -> Iterator[tuple[Any, int]]:
    """Yield a moment of lots, the earliest first and none last, with the sum of their points."""
    grouped = lots.order_by().values(moment).annotate(points=Sum(points))
    yield from grouped.order_by(F(moment).asc(nulls_last=True)).values_list(moment, "points")[:MOST_DAYS]


def _tier_card(account: Account | None, rules: Rules) -> PointsCard:
    """The tier with which the member earns, and the way to the next."""
    earned = tier_points(account, rules, timezone.now()) if account else Points(0)
    tier, above = rules.tier_for(earned), rules.tier_above(earned)
    return PointsCard(
        tier=held_tier(account, rules).name if account else tier.name,
        next_tier=above.name if above else "",
        points_to_next=Points(above.threshold - earned if above else 0),
        tier_points=earned,
        next_threshold=above.threshold if above else Points(0),
        progress=(earned - tier.threshold) * 100 // (above.threshold - tier.threshold) if above else 100,
    )


def _expiring(account: Account) -> tuple[ExpiringPoints, ...]:
    now = timezone.now()
    lots = Lot.objects.filter(
        account=account, remaining__gt=0, expires_at__gt=now, expires_at__lte=now + SHOWN_BEFORE_EXPIRY
    ).order_by("expires_at")
    days: dict[date, int] = {}
    for lot in lots:
        if lot.expires_at is not None:
            last_day = day_of(lot.expires_at - timedelta(seconds=1))
            days[last_day] = days.get(last_day, 0) + lot.remaining
    return tuple(ExpiringPoints(points=Points(points), last_day=day) for day, points in days.items())
