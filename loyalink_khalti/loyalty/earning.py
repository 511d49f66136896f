"""What one purchase earns under a programme's rules. Pure functions; money is in paisa."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Line

from .arithmetic import rounded, shares
from .rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What a purchase earns: ``proportional`` to ``basis`` paisa of goods, and ``fixed`` whatever they cost."""

    basis: Paisa
    proportional: Points
    fixed: Points

    @property
    def points(self) -> Points:
        return Points(self.proportional + self.fixed)


def base(rules: Rules, basis: int) -> int:
    """Points for ``basis`` paisa before any multiplier."""
    if rules.stepwise:
        return basis // rules.per * rules.points
    return basis * rules.points // rules.per


def earn(
    rules: Rules,
    *,
    lines: Sequence[Line],
    shipping: Paisa,
    at: datetime,
    discount: Paisa = Paisa(0),
    worth: Paisa = Paisa(0),
    tier: str = "",
    first: bool = False,
) -> Earned:
    """What lines (after offers) and shipping earn at a moment; ``worth`` is what points paid of it, in paisa."""
    nothing = Earned(basis=Paisa(0), proportional=Points(0), fixed=Points(0))
    if rules.earn_paused or sum(line.total for line in lines) < rules.minimum_order:
        return nothing
    amounts = _amounts(rules, lines, shipping=shipping, discount=discount, worth=worth)
    total = sum(amounts)
    if not total:
        return nothing
    basis = total * 100 // (100 + rules.vat_percent)
    factors = [*(_factor(rules, line, at) for line in lines), Fraction(1)]
    mean = sum((amount * factor for amount, factor in zip(amounts, factors, strict=True)), Fraction(0)) / total
    proportional = rounded(base(rules, basis) * mean * _tier_factor(rules, tier), rules.rounding)
    fixed = _additions(rules, lines, at) + (rules.first_order_bonus if first else 0)
    return _capped(rules, Paisa(basis), proportional, fixed)


def _amounts(rules: Rules, lines: Sequence[Line], *, shipping: Paisa, discount: Paisa, worth: Paisa) -> list[int]:
    """What earns of each line and, last, of shipping. Points pay goods first, every line its share, then shipping."""
    totals = [line.total for line in lines]
    goods = sum(totals)
    by_points = 0 if rules.earn_on_points else min(worth, goods)
    taken = shares(by_points, totals)
    added = shares(discount if rules.earn_before_discounts else 0, totals)
    excluded = set(rules.excluded_tags)
    amounts = [
        total - less + more if line.earns and not excluded.intersection(line.tags) else 0
        for line, total, less, more in zip(lines, totals, taken, added, strict=True)
    ]
    left = shipping if rules.earn_on_points else max(shipping - max(worth - goods, 0), 0)
    return [*amounts, left if rules.earn_on_shipping else 0]


def _factor(rules: Rules, line: Line, at: datetime) -> Fraction:
    """The best multiplier of a line: of several that apply the customer has the highest, not their product."""
    boosts = [factor for tag, factor in rules.boosts if tag in line.tags]
    running = [campaign.multiplier for campaign in rules.campaigns if campaign.runs(at) and campaign.covers(line)]
    return max([Fraction(1), *boosts, *running])


def _tier_factor(rules: Rules, name: str) -> Fraction:
    return next((tier.multiplier for tier in rules.tiers if tier.name == name), rules.tiers[0].multiplier)


def _additions(rules: Rules, lines: Sequence[Line], at: datetime) -> int:
    return sum(
        campaign.addition
        for campaign in rules.campaigns
        if campaign.runs(at) and any(campaign.covers(line) for line in lines)
    )


def _capped(rules: Rules, basis: Paisa, proportional: int, fixed: int) -> Earned:
    cap = proportional + fixed if rules.most_earned is None else rules.most_earned
    proportional = min(proportional, cap)
    return Earned(basis=basis, proportional=Points(proportional), fixed=Points(min(fixed, cap - proportional)))
