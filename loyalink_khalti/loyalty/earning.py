"""What one order earns, every bonus, and the tier that a member has earned. Money is in paisa.

Every bonus rule is here, and only here. To add a bonus, add its points to ``Rules`` and then

- for a bonus on an order (say for the first order of a month), add a function to ``ORDER_BONUSES``; the quote and the
  award call it. A bonus that depends on earlier orders needs three more lines: a fact in ``OrderHistory`` (say
  ``last_awarded_at``), its query in ``order_history``, and its points in ``NEED_HISTORY``, without which nothing is
  read;
- for a bonus without an order (say for a birthday), add a ``MemberBonus`` and award it with ``award_bonus``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from django.db import transaction
from django.db.models import Q

from loyalink_khalti.clock import time_of
from loyalink_khalti.errors import AccountMerged
from loyalink_khalti.money import Paisa, Points, Rounding, round_fraction, shares
from loyalink_khalti.ports import Line

from . import news
from .buckets import Bucket, EntryKind
from .closed_months import awarded_since
from .locks import lock_account
from .models import Account, IdempotencyKey
from .orders import OrderAward
from .posting import Posting, is_first_time
from .program import current_version, resolve_tags
from .rules import Rules, Tier, TierBasis

# Bonuses on an order


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderHistory:
    """What bonuses may ask about a member's earlier orders."""

    is_first: bool = False


NO_HISTORY = OrderHistory()
"""For examples, and for quotes of one product: without any bonus that depends on earlier orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """What bonuses may ask about an order; ``at`` is when the customer was shown it."""

    lines: Sequence[Line]
    at: datetime
    history: OrderHistory


def first_order_bonus(rules: Rules, order: OrderFacts) -> int:
    return rules.first_order_bonus if order.history.is_first else 0


def campaign_bonus(rules: Rules, order: OrderFacts) -> int:
    return sum(
        campaign.addition
        for campaign in rules.campaigns
        if campaign.runs(order.at) and any(campaign.covers(line) for line in order.lines)
    )


ORDER_BONUSES: tuple[Callable[[Rules, OrderFacts], int], ...] = (first_order_bonus, campaign_bonus)


def order_bonus(rules: Rules, order: OrderFacts) -> int:
    """Return the points of all bonuses on an order."""
    return sum(bonus(rules, order) for bonus in ORDER_BONUSES)


NEED_HISTORY = ("first_order_bonus",)
"""Fields of ``Rules``: where all of them are 0, no earlier orders are read."""


def needs_history(rules: Rules) -> bool:
    """Return whether a bonus of ``rules`` depends on earlier orders."""
    return any(getattr(rules, name) for name in NEED_HISTORY)


def order_history(account: Account | None, rules: Rules, *, purchase: str = "") -> OrderHistory:
    """Read what the bonuses of ``rules`` must know about a member's orders other than ``purchase``."""
    if not needs_history(rules):
        return NO_HISTORY
    if account is None:
        return OrderHistory(is_first=True)
    of_purchase = Q(purchase=purchase) | Q(purchase__startswith=f"{purchase}#")  # withdrawn ones, too
    earlier = OrderAward.objects.filter(account__in=account.with_merged()).exclude(of_purchase)
    return OrderHistory(is_first=not earlier.exists())


# The points of an order


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What an order earns: ``proportional`` points for ``basis`` paisa of its price, and ``fixed`` bonus points.

    ``shipping_proportional`` of the points, for ``shipping_basis`` of the paisa, are earned by delivery.
    """

    basis: Paisa
    proportional: Points
    fixed: Points
    shipping_basis: Paisa = Paisa(0)
    shipping_proportional: Points = Points(0)

    @property
    def points(self) -> Points:
        return Points(self.proportional + self.fixed)


NOTHING = Earned(basis=Paisa(0), proportional=Points(0), fixed=Points(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSnapshot:
    """An order as the customer was shown it; money in paisa, after offers and coupons."""

    lines: Sequence[Line]
    shipping: Paisa
    discount: Paisa
    points_value: Paisa
    """What points paid of it."""
    at: datetime

    @property
    def subtotal(self) -> Paisa:
        return Paisa(sum(line.total for line in self.lines))

    def earned(self, rules: Rules, *, tier: str = "", history: OrderHistory = NO_HISTORY) -> Earned:
        """Compute what the order earns under ``rules`` for a member of ``tier``."""
        if rules.earn_paused or self.subtotal < rules.minimum_order:
            return NOTHING
        return replace(self, lines=resolve_tags(self.lines, rules)).earned_by_tags(rules, tier=tier, history=history)

    def earned_by_tags(self, rules: Rules, *, tier: str = "", history: OrderHistory = NO_HISTORY) -> Earned:
        """Compute the same of lines that name categories as ``rules`` do; reads nothing."""
        if rules.earn_paused or self.subtotal < rules.minimum_order:
            return NOTHING
        amounts = _earning_amounts(rules, self)
        total = sum(amounts)
        if not total:
            return NOTHING
        basis = total * 100 // (100 + rules.vat_percent)
        factors = [*(line_multiplier(rules, line, self.at) for line in self.lines), Fraction(1)]
        weights = [amount * factor for amount, factor in zip(amounts, factors, strict=True)]
        mean = sum(weights, Fraction(0)) / total
        points = round_fraction(base_points(rules, basis) * mean * tier_multiplier(rules, tier), rules.rounding)
        fixed = order_bonus(rules, OrderFacts(lines=self.lines, at=self.at, history=history))
        proportional, fixed = _capped(rules, points, fixed)
        return Earned(
            basis=Paisa(basis),
            proportional=proportional,
            fixed=fixed,
            shipping_basis=Paisa(_share_of_last(basis, amounts)),
            shipping_proportional=Points(_share_of_last(proportional, weights)),
        )


def base_points(rules: Rules, basis: int) -> int:
    """Points for ``basis`` paisa before any multiplier."""
    if rules.stepwise:
        return basis // rules.per * rules.points
    return round_fraction(Fraction(basis * rules.points, rules.per), rules.base_rounding or rules.rounding)


def _share_of_last(total: int, weights: Sequence[int | Fraction]) -> int:
    """The share of delivery, whose weight is the last, in whole numbers; half of one goes to the products."""
    if not weights[-1]:
        return 0
    whole, last = sum(weights, Fraction(0)), Fraction(weights[-1])
    return total - round_fraction(total * (whole - last) / whole, Rounding.HALF_UP) if whole else 0


def _earning_amounts(rules: Rules, order: OrderSnapshot) -> list[int]:
    """What earns of each line and, last, of shipping. Points pay for products first, in proportion, then shipping."""
    totals = [line.total for line in order.lines]
    paid_by_points = 0 if rules.earn_on_points else min(order.points_value, order.subtotal)
    by_points = shares(paid_by_points, totals)
    discounts = shares(order.discount if rules.earn_before_discounts else 0, totals)
    excluded = set(rules.excluded_tags)
    amounts = [
        total - less + more if line.earns and not excluded.intersection(line.tags) else 0
        for line, total, less, more in zip(order.lines, totals, by_points, discounts, strict=True)
    ]
    rest_of_points = 0 if rules.earn_on_points else max(order.points_value - order.subtotal, 0)
    return [*amounts, max(order.shipping - rest_of_points, 0) if rules.earn_on_shipping else 0]


def line_multiplier(rules: Rules, line: Line, at: datetime) -> Fraction:
    """The highest multiplier that applies to a line: multipliers are not multiplied with each other."""
    by_tag = [factor for tag, factor in rules.multipliers if tag in line.tags]
    running = [campaign.multiplier for campaign in rules.campaigns if campaign.runs(at) and campaign.covers(line)]
    return max([Fraction(1), *by_tag, *running])


def tier_multiplier(rules: Rules, name: str) -> Fraction:
    return next((tier.multiplier for tier in rules.tiers if tier.name == name), rules.tiers[0].multiplier)


def _capped(rules: Rules, proportional: int, fixed: int) -> tuple[Points, Points]:
    cap = proportional + fixed if rules.maximum_earned is None else rules.maximum_earned
    proportional = min(proportional, cap)
    return Points(proportional), Points(min(fixed, cap - proportional))


# Bonuses without an order


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberBonus:
    """A bonus without an order; ``name`` is part of its key, and ``reason`` the reason code of its entry."""

    name: str
    reason: str
    points: Callable[[Rules], Points]


SIGNUP = MemberBonus(name="signup", reason="sign_up", points=lambda rules: rules.signup_bonus)


def award_bonus(bonus: MemberBonus, *, site_key: str, member_id: str, occasion: str = "") -> Points:
    """Award a bonus in whole points, once per member and ``occasion`` (the year of a birthday, say).

    Return 0 where the rules give no such bonus, where earning is paused, where the account has ended by a merge or its
    member has left, and where the bonus was awarded before, however many points it was then: to this account or to one
    that was merged into it. Runs in a transaction of its own or in the caller's.
    """
    version = current_version(site_key)
    points = bonus.points(version.rules)
    if not points or version.rules.earn_paused:
        return Points(0)
    with transaction.atomic():
        try:
            account = lock_account(site_key, member_id)
        except AccountMerged:
            return Points(0)
        if account.left_at is not None:
            return Points(0)
        posting = Posting(account=account, reason=bonus.reason, version_id=version.pk)
        scope, keys = f"{account.program_id}:{bonus.name}", [_bonus_key(pk, occasion) for pk in account.with_merged()]
        if IdempotencyKey.objects.filter(scope=scope, key__in=keys).exists() or not is_first_time(scope, keys[0], ""):
            return Points(0)
        now = time_of(account)
        posting.credit(
            EntryKind.ADJUST, Bucket.ADJUSTED, points, key=f"{bonus.name}:{keys[0]}", available_at=now,
            expires_at=version.rules.expires_at(now),
        )  # fmt: skip
        posting.post()
    return points


def _bonus_key(account_id: int, occasion: str) -> str:
    return f"{account_id}:{occasion}" if occasion else str(account_id)


def award_signup_bonus(*, site_key: str, member_id: str) -> Points:
    """Award the sign-up bonus in whole points, once per member; 0 where there is none (see ``award_bonus``)."""
    return award_bonus(SIGNUP, site_key=site_key, member_id=member_id)


# Tiers: a member moves up at once, and down only after the grace period of the rules


YEAR = timedelta(days=365)


def tier_points(account: Account, rules: Rules, now: datetime) -> Points:
    """Return the points that count for the tier: earned less clawed back, in a lifetime or within a year.

    What a refund claws back counts when it was earned, not when it is refunded: an order of more than a year ago takes
    nothing from what was earned since.
    """
    if rules.tier_basis is TierBasis.LIFETIME:
        return Points(account.lifetime_earned + account.merged_lifetime_earned)
    return Points(awarded_since(account, now - YEAR))


def update_tier(account: Account, rules: Rules) -> bool:
    """Give a locked account the tier that it has earned; return whether anything changed. The caller saves it.

    An account moves up at once. It moves down at once too, unless the rules give a grace period: then only after its
    points have been too few for so long.
    """
    now = time_of(account)
    earned = rules.tier_for(tier_points(account, rules, now))
    held = held_tier(account, rules)
    before = (account.tier, account.below_tier_since)
    if earned.threshold >= held.threshold:
        account.tier, account.below_tier_since = _stored_name(earned, rules), None
        if earned.threshold > held.threshold and account.member_id:
            news.tier_raised.send(sender=None, account=account, tier=earned.name)
    elif account.below_tier_since is None and rules.tier_grace_days:
        account.below_tier_since = now
    elif account.below_tier_since is None or account.below_tier_since + timedelta(days=rules.tier_grace_days) <= now:
        account.tier, account.below_tier_since = _stored_name(earned, rules), None
    return before != (account.tier, account.below_tier_since)


def _stored_name(tier: Tier, rules: Rules) -> str:
    """What the account keeps: "" for the lowest tier, so that the sweep finds the few that can fall at once."""
    return "" if tier.threshold == rules.tiers[0].threshold else tier.name


def held_tier(account: Account, rules: Rules) -> Tier:
    """The tier of the account under these rules; the lowest where they have no tier of its name any more."""
    return next((tier for tier in rules.tiers if tier.name == account.tier), rules.tiers[0])
