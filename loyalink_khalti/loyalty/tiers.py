"""Which level a member has: reached at once, lost only after a grace."""

from datetime import datetime, timedelta

from django.db.models import Case, F, Q, Sum, When
from django.utils import timezone

from loyalink_khalti.money import Points

from .book import Book
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


def follow(book: Book, rules: Rules) -> bool:
    """Give a locked account the tier that it has earned; say whether something changed. The caller closes the book.

    Up at once. Down at once too, unless the rules give a grace: then only when the points have been too few for that
    long.
    """
    book.write()
    account, now = book.account, timezone.now()
    earned = tier(rules, counted(account, rules, now))
    held = _held(account, rules)
    before = (account.tier, account.below_since)
    if earned.threshold >= held.threshold:
        account.tier, account.below_since = _name(earned, rules), None
    elif account.below_since is None and rules.tier_grace_days:
        account.below_since = now
    elif account.below_since is None or account.below_since + timedelta(days=rules.tier_grace_days) <= now:
        account.tier, account.below_since = _name(earned, rules), None
    return before != (account.tier, account.below_since)


def _name(level: Tier, rules: Rules) -> str:
    """What the account keeps: nothing for the lowest, so that those who can fall are few and found at once."""
    return "" if level.threshold == rules.tiers[0].threshold else level.name


def _held(account: Account, rules: Rules) -> Tier:
    """The tier of the account under these rules; the lowest where they know its name no more."""
    return next((level for level in rules.tiers if level.name == account.tier), rules.tiers[0])
