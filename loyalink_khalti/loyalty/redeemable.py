"""How many points can be redeemed on one order, and what they take off. Pure functions; money is in paisa."""

from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, Points

from .rules import Rules


def points_value(rules: Rules, points: Points) -> Paisa:
    """Return what points take off an order, in paisa."""
    return Paisa(points * rules.redeem_value // rules.redeem_points)


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


def _ceiling(rules: Rules, total: Paisa, balance: Points) -> int:
    """The most points that the balance, the order and the limits allow, in whole increments."""
    if rules.redeem_paused:
        return 0
    payable = max(total, 0) * rules.maximum_percent // 100
    limits = [balance, payable * rules.redeem_points // rules.redeem_value]
    if rules.maximum_points is not None:
        limits.append(rules.maximum_points)
    return max(min(limits), 0) // rules.increment * rules.increment
