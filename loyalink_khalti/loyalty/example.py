"""A worked example: what an order would earn and take under some rules, by the ledger's own arithmetic. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Line

from . import redeeming, sense
from .awarding import Bought
from .expiry import day_of, expires_at
from .rules import Rules

ASKED = Points(500)
"""The points that the example spends, or the nearest to them that can be spent."""
ENOUGH = Points(1_000_000_000)
"""More than any order takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What an order of ``order`` paisa of goods on ``day`` means; days are Kathmandu's."""

    order: Paisa
    day: date
    earns: Points
    levels: tuple[tuple[str, Points], ...]
    """What the members of each level above the lowest earn."""
    spends: Points
    """Points that can be spent on it, 0 where none can."""
    worth: Paisa
    from_day: date
    until: date | None
    """The last day on which what it earned can be spent; None for ever."""
    back: Fraction


def work(rules: Rules, *, order: Paisa, at: datetime, tags: tuple[str, ...] = ()) -> Worked:
    """Work out an order of one line."""
    bought = order_of(order, at=at, tags=tags)
    available_at = at + timedelta(days=rules.waiting_days)
    gone = expires_at(available_at, months=rules.valid_months, month_end=rules.month_end)
    spends = spendable(rules, order)
    return Worked(
        order=order,
        day=day_of(at),
        earns=bought.earns(rules, tier="", first=False).points,
        levels=tuple((tier.name, bought.earns(rules, tier=tier.name, first=False).points) for tier in rules.tiers[1:]),
        spends=spends,
        worth=redeeming.worth(rules, spends),
        from_day=day_of(available_at),
        until=day_of(gone - timedelta(seconds=1)) if gone else None,
        back=sense.gives_back(rules),
    )


def order_of(order: Paisa, *, at: datetime, tags: tuple[str, ...] = ()) -> Bought:
    """An order of one line, delivered free, paid without points."""
    line = Line(sku="example", title="Example", quantity=1, unit=order, total=order, tags=tags)
    return Bought(lines=(line,), shipping=Paisa(0), discount=Paisa(0), worth=Paisa(0), at=at)


def spendable(rules: Rules, order: Paisa) -> Points:
    """Points that can be spent on an order: ``ASKED``, or the nearest to it."""
    if redeeming.fits(rules, ASKED, total=order, balance=ENOUGH):
        return ASKED
    near = redeeming.nearest(rules, ASKED, total=order, balance=ENOUGH)
    return min(near, key=lambda points: abs(points - ASKED), default=Points(0))
