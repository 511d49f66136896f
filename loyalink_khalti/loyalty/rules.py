"""The rules of a loyalty programme: what editors choose. Pure: no database and no clock; money is in paisa.

What they mean for one order is the same for the quote and the award: ``earning`` computes what it earns, and
``redeemable`` how many points can be redeemed on it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any

from django.utils.translation import gettext_noop

from loyalink_khalti.money import Paisa, Points, Rounding
from loyalink_khalti.nepal import add_months, day_of, last_of_month, midnight_after
from loyalink_khalti.ports import Line, known_fields


class Shortfall(StrEnum):
    """What happens when a refund claws back points that the member no longer has."""

    OWE = "owe"
    FORGIVE = "forgive"
    PENDING_ONLY = "pending_only"


class TierBasis(StrEnum):
    """Which earned points count for a tier."""

    LIFETIME = "lifetime"
    ROLLING_YEAR = "rolling_year"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A level of membership that members reach with ``threshold`` points earned."""

    name: str
    threshold: Points
    multiplier: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRule:
    """More points for a limited time.

    ``multiplier`` applies to lines with one of ``tags`` (to all lines if there are none); ``addition`` is added once
    per order.
    """

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
    """All rules of a programme. Every award and every hold keeps the version that applied to it."""

    # Earning: ``points`` for every ``per`` paisa
    points: Points = Points(1)
    per: Paisa = Paisa(1000)
    stepwise: bool = False
    """Count only whole multiples of ``per``."""
    rounding: Rounding = Rounding.FLOOR
    """What happens to a fraction of a point: before any multiplier, and again after all of them, once per order."""
    base_rounding: Rounding | None = None
    """What happens to a fraction before any multiplier, where that is not ``rounding``.

    Editors do not choose it. Versions that were stored before this rule existed always dropped that fraction.
    """
    earn_on_shipping: bool = False
    earn_before_discounts: bool = False
    earn_on_points: bool = False
    """Also count what the customer paid with points."""
    vat_percent: int = 0
    """Leave out this much value-added tax, which the prices include."""
    minimum_order: Paisa = Paisa(0)
    excluded_tags: tuple[str, ...] = ()
    multipliers: tuple[tuple[str, Fraction], ...] = ()
    """Multipliers of products, by tag."""
    campaigns: tuple[CampaignRule, ...] = ()
    first_order_bonus: Points = Points(0)
    signup_bonus: Points = Points(0)
    maximum_earned: Points | None = None
    """Per order."""

    # Redeeming: ``redeem_points`` are worth ``redeem_value`` paisa
    redeem_points: Points = Points(10)
    redeem_value: Paisa = Paisa(100)
    minimum_points: Points = Points(100)
    increment: Points = Points(10)
    maximum_points: Points | None = None
    maximum_percent: int = 100
    """The share of an order that points may pay."""

    # Pending and expiry
    pending_days: int = 0
    valid_months: int | None = 12
    month_end: bool = False
    restore_grace_days: int = 0
    notice_days: int = 14
    """How many days before points expire their member gets a notice; 0 for no notice."""

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
            raise ValueError("no rule may be below 0")
        if min(self.per, self.redeem_points, self.redeem_value, self.increment, self.minimum_points) <= 0:
            raise ValueError("rates, the increment and the minimum points must be above 0")
        if self.increment * self.redeem_value % self.redeem_points:
            raise ValueError(f"{self.increment} points are not worth a whole number of paisa")
        if not 0 <= self.maximum_percent <= 100:
            raise ValueError("points pay between 0 and 100 per cent of an order")
        if not self.tiers or self.tiers[0].threshold != 0:
            raise ValueError("the first tier must begin at 0 points")
        if [tier.threshold for tier in self.tiers] != sorted({tier.threshold for tier in self.tiers}):
            raise ValueError("each tier must begin above the one before")

    def _numbers(self) -> Iterator[int | Fraction]:
        """Everything that is a number, also within campaigns and tiers."""
        parts: tuple[Rules | CampaignRule | Tier, ...] = (self, *self.campaigns, *self.tiers)
        for part in parts:
            values = (getattr(part, field.name) for field in fields(part))
            yield from (value for value in values if isinstance(value, int | Fraction))
        yield from (factor for _, factor in self.multipliers)

    @property
    def tags(self) -> frozenset[str]:
        """Return every tag that a rule names."""
        of_campaigns = (tag for campaign in self.campaigns for tag in campaign.tags)
        return frozenset({*self.excluded_tags, *(tag for tag, _factor in self.multipliers), *of_campaigns})

    def expires_at(self, available_at: datetime) -> datetime | None:
        """Return when points that are available from ``available_at`` expire; None for never.

        It is the midnight after their last valid day in Nepal, in UTC: from this instant on the points are expired.
        """
        if self.valid_months is None:
            return None
        last_day = add_months(day_of(available_at), self.valid_months)
        if self.month_end:
            last_day = last_of_month(last_day)
        return midnight_after(last_day)

    def tier_for(self, earned: int) -> Tier:
        """Return the tier that ``earned`` points reach."""
        return [tier for tier in self.tiers if tier.threshold <= max(earned, 0)][-1]

    def tier_above(self, earned: int) -> Tier | None:
        """Return the tier above the one that ``earned`` points reach; None at the top."""
        return next((tier for tier in self.tiers if max(earned, 0) < tier.threshold), None)

    def to_json(self) -> dict[str, Any]:
        stored: dict[str, Any] = _to_plain(asdict(self))
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Rules":
        """Read a stored version. Missing rules have their defaults, unknown ones are ignored.

        A version without ``base_rounding`` means what it meant when it was stored: its base was always rounded down.
        """
        chosen = known_fields(cls, stored)
        if "base_rounding" not in chosen and chosen.get("rounding", Rounding.FLOOR) != Rounding.FLOOR:
            chosen["base_rounding"] = Rounding.FLOOR
        readers: dict[str, Callable[[Any], Any]] = {
            "rounding": Rounding,
            "base_rounding": lambda mode: mode and Rounding(mode),
            "refund_rounding": Rounding,
            "shortfall": Shortfall,
            "tier_basis": TierBasis,
            "excluded_tags": tuple,
            "multipliers": lambda rows: tuple((tag, Fraction(factor)) for tag, factor in rows),
            "campaigns": lambda rows: tuple(_read_campaign(row) for row in rows),
            "tiers": lambda rows: tuple(map(_read_tier, rows)),
        }
        return cls(**{name: readers[name](value) if name in readers else value for name, value in chosen.items()})


def _to_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _to_plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_to_plain(part) for part in value]
    if isinstance(value, Fraction):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _read_campaign(row: Mapping[str, Any]) -> CampaignRule:
    moments = {name: datetime.fromisoformat(row[name]) for name in ("starts_at", "ends_at")}
    read = {**moments, "multiplier": Fraction(row["multiplier"]), "tags": tuple(row["tags"])}
    return CampaignRule(**known_fields(CampaignRule, row) | read)


def _read_tier(row: Mapping[str, Any]) -> Tier:
    return Tier(**known_fields(Tier, row) | {"multiplier": Fraction(row["multiplier"])})


# What points take off an order; how many it can redeem is in redeemable.py


def points_value(rules: Rules, points: Points) -> Paisa:
    """Return what points take off an order, in paisa."""
    return Paisa(points * rules.redeem_value // rules.redeem_points)
