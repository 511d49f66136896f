"""The points card of a member: balances, tier, expiring points and the newest entries."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of

from .accounts import own_account
from .buckets import Bucket
from .earning import held_tier, tier_points
from .models import Account, Entry, Lot
from .posting import overdue_points
from .program import current_version
from .rules import Rules, points_value

SHOWN_BEFORE_EXPIRY = timedelta(days=60)
NEWEST = 20
_OWN = {Bucket.AVAILABLE, Bucket.PENDING, Bucket.OWED}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardEntry:
    """One line of the history; ``points`` has the sign that the member sees."""

    at: datetime
    kind: str
    label: str
    points: int
    purchase: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringPoints:
    """Points that expire soon; ``last_day`` is the last on which they can be redeemed, in Nepal."""

    points: Points
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsCard:
    """A member's points, tier and newest entries."""

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
    progress: int = 0
    """Per cent of the way from this tier to the next, 100 at the top."""
    merged_at: datetime | None = None
    """When the account was merged into another, which has the points now; None for one that has not ended."""
    expiring: tuple[ExpiringPoints, ...] = ()
    entries: tuple[CardEntry, ...] = ()


def points_card(site_key: str, member_id: str) -> PointsCard:
    """Return one member's card; for a member without points it is empty, in the lowest tier.

    After a merge the account that ended has its own history alone and no points, and the one that stays has both.
    """
    rules = current_version(site_key).rules
    account = own_account(site_key, member_id)
    if account is None:
        return _tier_card(None, rules)
    newest = tuple(card_entry(entry) for entry in newest_entries(account)[:NEWEST])
    return replace(balance_card(account, rules), entries=newest)


def newest_entries(account: Account) -> QuerySet[Entry]:
    """Return the entries of an account and of those merged into it, the newest first."""
    ids = account.with_merged()
    return Entry.objects.filter(account__in=ids).order_by(*(("-at", "-pk") if len(ids) > 1 else ("-seq",)))


def balance_card(account: Account, rules: Rules) -> PointsCard:
    """Return the card of an account without its entries. Points that are overdue are not available."""
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
        expiring=_expiring(account),
    )


def card_entry(entry: Entry) -> CardEntry:
    """Return an entry as its member sees it."""
    sign = (entry.dst in _OWN) - (entry.src in _OWN)  # 0 for one that only settles an earlier deduction
    return CardEntry(
        at=entry.at,
        kind=entry.kind,
        label=entry.get_kind_display(),
        points=sign * entry.amount,
        purchase=entry.purchase,
        reason=entry.reason_code,
    )


def _tier_card(account: Account | None, rules: Rules) -> PointsCard:
    """The tier with which the member earns, and the way to the next."""
    earned = tier_points(account, rules, timezone.now()) if account else Points(0)
    tier, above = rules.tier_for(earned), rules.tier_above(earned)
    return PointsCard(
        tier=held_tier(account, rules).name if account else tier.name,
        next_tier=above.name if above else "",
        points_to_next=Points(above.threshold - earned if above else 0),
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
