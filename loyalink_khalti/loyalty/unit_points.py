"""What one unit of a product earns by its price: the number that a product page promises.

It is a promise, so it is a lower bound: an order of the product, of one unit or more, at this price and with whatever
is charged for delivery, never earns less. What an order earns once (a campaign's addition, the bonus of the first
order) is no part of it: two products would promise it twice. Coupons, points that pay, and the rounding beside other
products that are multiplied less, can lower what an order earns.
"""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from loyalink_khalti.money import Paisa, Points, Rounding, round_fraction
from loyalink_khalti.ports import Line

from .earning import NOTHING, OrderSnapshot, base_points, line_multiplier, tier_multiplier
from .program import resolve_tags
from .rules import Rules


def unit_points(rules: Rules, lines: Sequence[Line], *, tier: str, at: datetime) -> list[Points]:
    """Return what each line of one unit earns by its price if it is bought alone; at most one statement for all."""
    if rules.earn_paused:
        return [Points(0)] * len(lines)
    return [_points(rules, line, tier, at) for line in resolve_tags(lines, rules)]


def _points(rules: Rules, line: Line, tier: str, at: datetime) -> Points:
    free = Paisa(0)
    order = OrderSnapshot(lines=[line], shipping=free, discount=free, points_value=free, at=at)
    earned = NOTHING if order.subtotal < rules.minimum_order else order.earned_by_tags(rules, tier=tier)
    if not rules.earn_on_shipping or not earned.proportional:
        return earned.proportional
    factor = line_multiplier(rules, line, at)
    if factor == 1:
        return earned.proportional
    return min(earned.proportional, _least_with_delivery(rules, line, factor, tier))


def _least_with_delivery(rules: Rules, line: Line, factor: Fraction, tier: str) -> Points:
    """Return the fewest points of an order of the line in which delivery earns, too, and is not multiplied.

    Delivery lowers the mean multiplier before it adds a point. So the order earns the fewest just before its price,
    ``limit`` paisa, is worth the next point.
    """
    base = base_points(rules, line.total * 100 // (100 + rules.vat_percent))
    limit = Fraction(_next_step(rules, base) * (100 + rules.vat_percent), 100)
    mean = (line.total * (factor - 1) + limit) / limit
    return Points(round_fraction(base * mean * tier_multiplier(rules, tier), rules.rounding))


def _next_step(rules: Rules, base: int) -> int:
    """Return the least basis, in paisa, that is worth more than ``base`` points before any multiplier."""
    if rules.stepwise:
        return (base // rules.points + 1) * rules.per
    mode = rules.base_rounding or rules.rounding
    missing = {Rounding.FLOOR: Fraction(1), Rounding.HALF_UP: Fraction(1, 2), Rounding.CEIL: Fraction(0)}[mode]
    step = (base + missing) * rules.per / rules.points
    return int(step) + 1 if mode is Rounding.CEIL else round_fraction(step, Rounding.CEIL)
