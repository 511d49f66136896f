"""What a member reads on the points card."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.utils import timezone

from loyalink_khalti.money import Paisa, Points

from . import ledger, programmes, redeeming, tiers
from .expiry import day_of
from .models import Account, Bucket, Entry, Lot
from .rules import Rules, next_tier, tier

EXPIRING_SOON = timedelta(days=60)
LATEST = 20
_OWN = {Bucket.AVAILABLE, Bucket.PENDING, Bucket.OWED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One line of the history; ``points`` is signed as the member sees it."""

    at: datetime
    kind: str
    label: str
    points: int
    purchase: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    """Points that go soon; ``last_day`` is the last on which they can be spent, in Kathmandu."""

    points: Points
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A member's points, their level and what happened last."""

    available: Points = Points(0)
    pending: Points = Points(0)
    held: Points = Points(0)
    owed: Points = Points(0)
    lifetime_earned: Points = Points(0)
    lifetime_redeemed: Points = Points(0)
    worth: Paisa = Paisa(0)
    """What the available points are worth, in paisa."""
    tier: str = ""
    next_tier: str = ""
    points_to_next: Points = Points(0)
    progress: int = 0
    """Per cent of the way from this tier to the next, 100 at the top."""
    expiring: tuple[Expiring, ...] = ()
    entries: tuple[Movement, ...] = ()


def card(site_key: str, member_id: str) -> Card:
    """Read one member's card; a member who never earned has an empty one."""
    rules = programmes.current(site_key).rules
    account = ledger.find(site_key, member_id)
    if account is None:
        return _climb(None, rules)
    latest = tuple(movement(entry) for entry in account.entries.order_by("-seq")[:LATEST])
    return replace(stands(account, rules), entries=latest)


def stands(account: Account, rules: Rules) -> Card:
    """The card of an account without its history."""
    available = Points(account.available - ledger.due_points(account))
    return replace(
        _climb(account, rules),
        available=available,
        worth=redeeming.worth(rules, available),
        pending=Points(account.pending),
        held=Points(account.held),
        owed=Points(account.owed),
        lifetime_earned=Points(account.lifetime_earned + account.inherited),
        lifetime_redeemed=Points(account.lifetime_redeemed),
        expiring=_expiring(account),
    )


def _climb(account: Account | None, rules: Rules) -> Card:
    """The tier and the way to the next."""
    earned = tiers.counted(account, rules, timezone.now()) if account else Points(0)
    level = tier(rules, earned)
    above = next_tier(rules, earned)
    return Card(
        tier=account.tier or level.name if account else level.name,
        next_tier=above.name if above else "",
        points_to_next=Points(above.threshold - earned if above else 0),
        progress=(earned - level.threshold) * 100 // (above.threshold - level.threshold) if above else 100,
    )


def _expiring(account: Account) -> tuple[Expiring, ...]:
    now = timezone.now()
    lots = Lot.objects.filter(
        account=account, remaining__gt=0, expires_at__gt=now, expires_at__lte=now + EXPIRING_SOON
    ).order_by("expires_at")
    days: dict[date, int] = {}
    for lot in lots:
        if lot.expires_at is not None:
            last_day = day_of(lot.expires_at - timedelta(seconds=1))
            days[last_day] = days.get(last_day, 0) + lot.remaining
    return tuple(Expiring(points=Points(points), last_day=day) for day, points in days.items())


def movement(entry: Entry) -> Movement:
    """An entry as its member sees it."""
    sign = (entry.dst in _OWN) - (entry.src in _OWN)  # 0 where what was taken off before is only settled
    return Movement(
        at=entry.at,
        kind=entry.kind,
        label=entry.get_kind_display(),
        points=sign * entry.amount,
        purchase=entry.purchase,
        reason=entry.reason_code,
    )
