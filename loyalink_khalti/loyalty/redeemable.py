"""How many points one order can redeem: the rules, the balance, the total and Khalti's minimum decide.

Not each multiple of the increment fits: what it leaves to pay is 0 or at least Khalti's minimum.
"""

from dataclasses import dataclass

from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, Points

from .rules import Rules, points_value


def points_fit(
    rules: Rules, points: Points, *, total: Paisa, balance: Points, minimum_due: Paisa = KHALTI_MINIMUM
) -> bool:
    """Return whether ``points`` can be redeemed on an order of ``total`` paisa.

    What is left to pay must be 0 or at least ``minimum_due`` paisa.
    """
    if points == 0:
        return True
    due = total - points_value(rules, points)
    allowed = rules.minimum_points <= points <= _ceiling(rules, total, balance) and points % rules.increment == 0
    return allowed and (due == 0 or due >= minimum_due)


def max_redeemable(
    rules: Rules,
    *,
    total: Paisa,
    balance: Points,
    wanted: Points | None = None,
    minimum_due: Paisa = KHALTI_MINIMUM,
) -> Points:
    """Return the highest number of points that fits, up to ``wanted``; 0 where none does."""
    top = _ceiling(rules, total, balance)
    start = (top if wanted is None else min(wanted, top)) // rules.increment * rules.increment
    for number in range(start, rules.minimum_points - 1, -rules.increment):
        if points_fit(rules, Points(number), total=total, balance=balance, minimum_due=minimum_due):
            return Points(number)
    return Points(0)


def nearest_redeemable(
    rules: Rules, points: Points, *, total: Paisa, balance: Points, minimum_due: Paisa = KHALTI_MINIMUM
) -> tuple[Points, ...]:
    """Return the next lower and the next higher number of points that fit, the lower first."""
    below = max_redeemable(rules, total=total, balance=balance, wanted=points, minimum_due=minimum_due)
    step, top = rules.increment, _ceiling(rules, total, balance)
    first = max((max(points, 0) // step + 1) * step, -(-rules.minimum_points // step) * step)
    above = next(
        (
            Points(number)
            for number in range(first, top + 1, step)
            if points_fit(rules, Points(number), total=total, balance=balance, minimum_due=minimum_due)
        ),
        Points(0),
    )
    return tuple(sorted({number for number in (below, above) if number > 0}))


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsSteps:
    """Every number of points that an order can redeem, from few to many; for a control that stops at no other.

    They are 0, then ``first`` to ``last`` in steps of ``increment`` where there are any, then ``whole`` where that
    many points leave nothing to pay and are not among them.
    """

    first: Points = Points(0)
    """The fewest points above 0, in steps; 0 where there is no step."""
    last: Points = Points(0)
    increment: Points = Points(1)
    whole: Points = Points(0)
    """The points that pay for all of the order; 0 where they are a step already, or do not fit."""

    @property
    def stops(self) -> int:
        """Return how many numbers above 0 fit."""
        in_steps = (self.last - self.first) // self.increment + 1 if self.first else 0
        return in_steps + bool(self.whole)

    def at(self, stop: int) -> Points:
        """Return the points of a stop, 0 for none, up to ``stops``. Raises ``IndexError`` for any other."""
        if not 0 <= stop <= self.stops:
            raise IndexError(stop)
        if stop == self.stops and self.whole:
            return self.whole
        return Points(self.first + (stop - 1) * self.increment if stop else 0)

    def stop_of(self, points: int) -> int:
        """Return the last stop with at most this many points: where a control stands for them."""
        if self.whole and points >= self.whole:
            return self.stops
        if not self.first or points < self.first:
            return 0
        return (min(points, self.last) - self.first) // self.increment + 1


def redeemable_steps(
    rules: Rules, *, total: Paisa, balance: Points, minimum_due: Paisa = KHALTI_MINIMUM
) -> PointsSteps:
    """Return all the numbers of points that fit an order of ``total`` paisa: those for which `points_fit`."""
    step, top = rules.increment, _ceiling(rules, total, balance)
    first = max(-(-rules.minimum_points // step), 1) * step
    # The most points whose value leaves ``minimum_due``: the value is rounded down, so up to the next paisa of it.
    spare = max(total - minimum_due + 1, 0) * rules.redeem_points
    last = min((spare - 1) // rules.redeem_value if spare else 0, top) // step * step
    whole = top if first <= top != last and points_value(rules, Points(top)) == total else 0
    if last < first:
        return PointsSteps(increment=step, whole=Points(whole))
    return PointsSteps(first=Points(first), last=Points(last), increment=step, whole=Points(whole))


def _ceiling(rules: Rules, total: Paisa, balance: Points) -> int:
    """The most points that the balance, the order and the limits allow, in whole increments."""
    if rules.redeem_paused:
        return 0
    payable = max(total, 0) * rules.maximum_percent // 100
    limits = [balance, payable * rules.redeem_points // rules.redeem_value]
    if rules.maximum_points is not None:
        limits.append(rules.maximum_points)
    return max(min(limits), 0) // rules.increment * rules.increment
