"""What a purchase earns, what points are worth and which number of them can be spent. Pure functions.

The figures are constants for now: 1 point for every Rs 10 of goods, 10 points are Rs 1, spent in tens from 100.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_noop

from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, Points

KATHMANDU = ZoneInfo("Asia/Kathmandu")

PAISA_PER_POINT_EARNED = 1000
POINT_WORTH = 10
"""paisa"""
LEAST_SPENT = Points(100)
STEP = Points(10)
VALID_MONTHS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A level of membership, reached at ``threshold`` points earned in all."""

    name: str
    threshold: Points


TIERS = (
    Tier(name=gettext_noop("Silver"), threshold=Points(0)),
    Tier(name=gettext_noop("Gold"), threshold=Points(500)),
    Tier(name=gettext_noop("Platinum"), threshold=Points(1000)),
)


def earned(basis: Paisa) -> Points:
    """Points for goods of ``basis`` paisa, rounded down."""
    return Points(max(basis, 0) // PAISA_PER_POINT_EARNED)


def basis(*, goods: Paisa, worth: Paisa) -> Paisa:
    """What earns: goods after offers, coupons and points. Points pay goods first, then shipping."""
    return Paisa(max(goods - worth, 0))


def worth(points: Points) -> Paisa:
    """What points take off a purchase, in paisa."""
    return Paisa(points * POINT_WORTH)


def fits(points: Points, *, total: Paisa, balance: Points, least_left: Paisa = KHALTI_MINIMUM) -> bool:
    """Whether so many points can be spent on ``total`` paisa: what is left to pay is 0 or at least ``least_left``."""
    if points == 0:
        return True
    left = total - worth(points)
    return LEAST_SPENT <= points <= balance and points % STEP == 0 and (left == 0 or left >= least_left)


def most(*, total: Paisa, balance: Points, least_left: Paisa = KHALTI_MINIMUM) -> Points:
    """The most points that fit, 0 where none do."""
    return _best(range(_ceiling(total, balance), 0, -STEP), total=total, balance=balance, least_left=least_left)


def nearest(
    points: Points, *, total: Paisa, balance: Points, least_left: Paisa = KHALTI_MINIMUM
) -> tuple[Points, ...]:
    """The numbers of points next below and next above ``points`` that fit, lower first."""
    top = _ceiling(total, balance)
    start = min(max(points, 0) // STEP * STEP, top)
    below = _best(range(start, 0, -STEP), total=total, balance=balance, least_left=least_left)
    above = _best(
        range(max(start + STEP, LEAST_SPENT), top + 1, STEP), total=total, balance=balance, least_left=least_left
    )
    return tuple(sorted({number for number in (below, above) if number > 0}))


def _ceiling(total: Paisa, balance: Points) -> int:
    return min(balance, max(total, 0) // POINT_WORTH) // STEP * STEP


def _best(numbers: range, *, total: Paisa, balance: Points, least_left: Paisa) -> Points:
    # What does not fit is a short run beside the whole total or below the least, so few numbers are looked at.
    if numbers.step < 0 and numbers and numbers[0] < LEAST_SPENT:
        return Points(0)
    for number in numbers:
        if fits(Points(number), total=total, balance=balance, least_left=least_left):
            return Points(number)
        if number < LEAST_SPENT:
            break
    return Points(0)


def expires_at(available_at: datetime) -> datetime:
    """The instant at which points are gone: midnight in Kathmandu after their last valid day, in UTC."""
    last_day = add_months(available_at.astimezone(KATHMANDU).date(), VALID_MONTHS)
    return datetime.combine(last_day + timedelta(days=1), time(), tzinfo=KATHMANDU).astimezone(UTC)


def add_months(day: date, months: int) -> date:
    """The same day ``months`` later, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def tier(lifetime_earned: Points) -> Tier:
    """The level that so many points earned in all give."""
    return [level for level in TIERS if level.threshold <= max(lifetime_earned, 0)][-1]


def next_tier(lifetime_earned: Points) -> Tier | None:
    """The level above, None at the top."""
    return next((level for level in TIERS if max(lifetime_earned, 0) < level.threshold), None)
