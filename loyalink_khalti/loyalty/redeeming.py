"""Which numbers of points can be spent on one purchase, and what they are worth. Pure functions; money is in paisa."""

from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, Points

from .rules import Rules


def worth(rules: Rules, points: Points) -> Paisa:
    """What points take off a purchase, in paisa."""
    return Paisa(points * rules.redeem_value // rules.redeem_points)


def fits(rules: Rules, points: Points, *, total: Paisa, balance: Points, least_left: Paisa = KHALTI_MINIMUM) -> bool:
    """Whether so many points can be spent on ``total`` paisa: what is left to pay is 0 or at least ``least_left``."""
    if points == 0:
        return True
    left = total - worth(rules, points)
    in_reach = rules.least_spent <= points <= _ceiling(rules, total, balance) and points % rules.step == 0
    return in_reach and (left == 0 or left >= least_left)


def most(
    rules: Rules,
    *,
    total: Paisa,
    balance: Points,
    asked: Points | None = None,
    least_left: Paisa = KHALTI_MINIMUM,
) -> Points:
    """The most points, up to ``asked``, that fit; 0 where none do."""
    top = _ceiling(rules, total, balance)
    start = (top if asked is None else min(asked, top)) // rules.step * rules.step
    for number in range(start, rules.least_spent - 1, -rules.step):
        if fits(rules, Points(number), total=total, balance=balance, least_left=least_left):
            return Points(number)
    return Points(0)


def nearest(
    rules: Rules, points: Points, *, total: Paisa, balance: Points, least_left: Paisa = KHALTI_MINIMUM
) -> tuple[Points, ...]:
    """The numbers of points next below and next above ``points`` that fit, lower first."""
    below = most(rules, total=total, balance=balance, asked=points, least_left=least_left)
    top = _ceiling(rules, total, balance)
    first = max((max(points, 0) // rules.step + 1) * rules.step, -(-rules.least_spent // rules.step) * rules.step)
    above = next(
        (
            Points(number)
            for number in range(first, top + 1, rules.step)
            if fits(rules, Points(number), total=total, balance=balance, least_left=least_left)
        ),
        Points(0),
    )
    return tuple(sorted({number for number in (below, above) if number > 0}))


def _ceiling(rules: Rules, total: Paisa, balance: Points) -> int:
    """The most points that balance, order and caps allow, in whole steps."""
    if rules.redeem_paused:
        return 0
    payable = max(total, 0) * rules.most_percent // 100
    caps = [balance, payable * rules.redeem_points // rules.redeem_value]
    if rules.most_spent is not None:
        caps.append(rules.most_spent)
    return max(min(caps), 0) // rules.step * rules.step
