"""Which level a member has: reached at once, lost only after a grace."""

from datetime import datetime, timedelta

from django.db.models import Case, F, Q, Sum, When

from loyalink_khalti.money import Points

from .models import Account, Entry, Kind
from .rules import Rules, Tier, TierBasis, tier

YEAR = timedelta(days=365)


def counted(account: Account, rules: Rules, now: datetime) -> Points:
    """The points that count for the tier: earned less taken back, ever or within a year."""
    if rules.tier_basis is TierBasis.LIFETIME:
        return Points(account.lifetime_earned + account.inherited)
    since = Entry.objects.filter(
        Q(account=account) | Q(account__successor=account),
        kind__in=[Kind.EARN, Kind.CLAW_BACK, Kind.FORGIVE],
        at__gt=now - YEAR,
    )
    signed = Case(When(kind=Kind.EARN, then=F("amount")), default=-F("amount"))
    return Points(max(since.aggregate(points=Sum(signed))["points"] or 0, 0))


def follow(account: Account, rules: Rules, now: datetime, *, points: Points | None = None) -> bool:
    """Give a locked account the tier that it has earned; say whether something changed. The caller saves it.

    Up at once. Down at once too, unless the rules give a grace: then only when the points have been too few for that
    long.
    """
    earned = tier(rules, counted(account, rules, now) if points is None else points)
    held = _held(account, rules)
    before = (account.tier, account.below_since)
    if earned.threshold >= held.threshold:
        account.tier, account.below_since = earned.name, None
    elif account.below_since is None and rules.tier_grace_days:
        account.tier, account.below_since = held.name, now
    elif account.below_since is None or account.below_since + timedelta(days=rules.tier_grace_days) <= now:
        account.tier, account.below_since = earned.name, None
    return before != (account.tier, account.below_since)


def _held(account: Account, rules: Rules) -> Tier:
    """The tier of the account under these rules; the lowest where they know its name no more."""
    return next((level for level in rules.tiers if level.name == account.tier), rules.tiers[0])
