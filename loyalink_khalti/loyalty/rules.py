"""The rules of a programme: what editors choose. Pure: no database, no clock; money is in paisa.

What follows for one purchase is computed in ``earning`` and ``redeeming``, the same for the preview and the award.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any

from django.utils.translation import gettext_noop

from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Line

from .arithmetic import Rounding


class Shortfall(StrEnum):
    """What becomes of points that are to be taken back and are not there any more."""

    OWE = "owe"
    FORGIVE = "forgive"
    PENDING_ONLY = "pending_only"


class TierBasis(StrEnum):
    """Which points count for a tier."""

    LIFETIME = "lifetime"
    ROLLING_YEAR = "rolling_year"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A level of membership, reached at ``threshold`` points earned."""

    name: str
    threshold: Points
    multiplier: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """More points for a time: ``multiplier`` on goods with one of ``tags`` (all, if none), or ``addition`` once."""

    name: str
    starts_at: datetime
    ends_at: datetime
    multiplier: Fraction = Fraction(1)
    addition: Points = Points(0)
    tags: tuple[str, ...] = ()

    def runs(self, at: datetime) -> bool:
        return self.starts_at <= at < self.ends_at

    def covers(self, line: Line) -> bool:
        return not self.tags or bool(set(self.tags).intersection(line.tags))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All that a programme's editors choose. One version of it is kept by every award and every hold."""

    # Earning: ``points`` for every ``per`` paisa
    points: Points = Points(1)
    per: Paisa = Paisa(1000)
    stepwise: bool = False
    """Count whole steps of ``per`` only, where several points are given for each."""
    rounding: Rounding = Rounding.FLOOR
    earn_on_shipping: bool = False
    earn_before_discounts: bool = False
    earn_on_points: bool = False
    """Count also what was paid with points."""
    vat_percent: int = 0
    """Leave this much value-added tax, included in the prices, out of what earns."""
    minimum_order: Paisa = Paisa(0)
    excluded_tags: tuple[str, ...] = ()
    boosts: tuple[tuple[str, Fraction], ...] = ()
    """Multipliers for goods with a tag."""
    campaigns: tuple[Campaign, ...] = ()
    first_order_bonus: Points = Points(0)
    sign_up_bonus: Points = Points(0)
    most_earned: Points | None = None
    """By one order."""

    # Redeeming: ``redeem_points`` are worth ``redeem_value`` paisa
    redeem_points: Points = Points(10)
    redeem_value: Paisa = Paisa(100)
    least_spent: Points = Points(100)
    step: Points = Points(10)
    most_spent: Points | None = None
    most_percent: int = 100
    """Of an order, that points may pay."""

    # Waiting and expiry
    waiting_days: int = 0
    valid_months: int | None = 12
    month_end: bool = False
    restore_grace_days: int = 0
    notice_days: int = 14
    """How long before they expire members are told of it; 0 where they are not."""

    # Tiers
    tiers: tuple[Tier, ...] = (
        Tier(name=gettext_noop("Silver"), threshold=Points(0)),
        Tier(name=gettext_noop("Gold"), threshold=Points(500)),
        Tier(name=gettext_noop("Platinum"), threshold=Points(1000)),
    )
    tier_basis: TierBasis = TierBasis.LIFETIME
    tier_grace_days: int = 0

    # Refunds
    refund_rounding: Rounding = Rounding.HALF_UP
    shortfall: Shortfall = Shortfall.OWE

    # Pauses
    earn_paused: bool = False
    redeem_paused: bool = False

    def __post_init__(self) -> None:
        if min(self._numbers()) < 0:
            raise ValueError("no rule is below 0")
        if min(self.per, self.redeem_points, self.redeem_value, self.step, self.least_spent) <= 0:
            raise ValueError("rates, steps and the least that is spent are above 0")
        if self.step * self.redeem_value % self.redeem_points:
            raise ValueError(f"{self.step} points are not worth a whole number of paisa")
        if not 0 <= self.most_percent <= 100:
            raise ValueError("points pay between 0 and 100 per cent of an order")
        if not self.tiers or self.tiers[0].threshold != 0:
            raise ValueError("the first tier begins at 0 points")
        if [tier.threshold for tier in self.tiers] != sorted({tier.threshold for tier in self.tiers}):
            raise ValueError("each tier begins above the one before")

    def _numbers(self) -> Iterator[int | Fraction]:
        """Everything that is a number, also within campaigns and tiers."""
        parts: tuple[Rules | Campaign | Tier, ...] = (self, *self.campaigns, *self.tiers)
        for part in parts:
            values = (getattr(part, field.name) for field in fields(part))
            yield from (value for value in values if isinstance(value, int | Fraction))
        yield from (factor for _, factor in self.boosts)

    def to_json(self) -> dict[str, Any]:
        stored: dict[str, Any] = _plain(asdict(self))
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Rules":
        """Read a stored version; a rule that it does not know has its default."""
        known = {field.name for field in fields(cls)}
        chosen = {name: value for name, value in stored.items() if name in known}
        readers: dict[str, Callable[[Any], Any]] = {
            "rounding": Rounding,
            "refund_rounding": Rounding,
            "shortfall": Shortfall,
            "tier_basis": TierBasis,
            "excluded_tags": tuple,
            "boosts": lambda rows: tuple((tag, Fraction(factor)) for tag, factor in rows),
            "campaigns": lambda rows: tuple(_campaign(row) for row in rows),
            "tiers": lambda rows: tuple(Tier(**{**row, "multiplier": Fraction(row["multiplier"])}) for row in rows),
        }
        return cls(**{name: readers[name](value) if name in readers else value for name, value in chosen.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Fraction):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _campaign(row: Mapping[str, Any]) -> Campaign:
    moments = {name: datetime.fromisoformat(row[name]) for name in ("starts_at", "ends_at")}
    return Campaign(**{**row, **moments, "multiplier": Fraction(row["multiplier"]), "tags": tuple(row["tags"])})


def tier(rules: Rules, earned: int) -> Tier:
    """The level that so many points give."""
    return [level for level in rules.tiers if level.threshold <= max(earned, 0)][-1]


def next_tier(rules: Rules, earned: int) -> Tier | None:
    """The level above, None at the top."""
    return next((level for level in rules.tiers if max(earned, 0) < level.threshold), None)
