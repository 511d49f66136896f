"""Check that rules fit together, with messages for editors: errors, and warnings. Pure; money is in paisa."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import gcd
from typing import Any

from django.utils.translation import gettext as _

from loyalink_khalti.money import Paisa, npr

from .rules import Rules, Tier

HIGH_REWARD_RATE = Fraction(10, 100)
"""Of what customers pay; above it editors get a warning."""
SHORTEST_MONTH = 28

RuleError = tuple[str, str]
"""The name of a rule, and the message."""


def rule_errors(chosen: Mapping[str, Any]) -> Iterator[RuleError]:
    """Yield what contradicts itself among rules that are each valid; rules that are missing are not checked."""
    if _has(chosen, "redeem_points", "redeem_value", "increment"):
        for error in _increment(chosen["redeem_points"], chosen["redeem_value"], chosen["increment"]):
            yield error
            chosen = {name: value for name, value in chosen.items() if name != "increment"}  # checked no further
    if _has(chosen, "increment", "minimum_points"):
        yield from _minimum(chosen["increment"], chosen["minimum_points"])
    if _has(chosen, "increment", "minimum_points", "maximum_points"):
        yield from _maximum(chosen["increment"], chosen["minimum_points"], chosen["maximum_points"])
    if _has(chosen, "valid_months", "notice_days"):
        yield from _notice(chosen["valid_months"], chosen["notice_days"])
    if _has(chosen, "excluded_tags", "multipliers") and set(chosen["excluded_tags"]) & {
        tag for tag, _f in chosen["multipliers"]
    }:
        yield "excluded_tags", _("A category that earns no points cannot have a multiplier: see below.")


def _has(chosen: Mapping[str, Any], *names: str) -> bool:
    return all(chosen.get(name) is not None for name in names)


def _increment(points: int, value: int, increment: int) -> Iterator[RuleError]:
    if increment * value % points:
        whole = points // gcd(points, value)
        fields = {"increment": increment, "points": points, "value": npr(Paisa(value)), "whole": whole}
        yield (
            "increment",
            _(
                "If %(points)s points are worth %(value)s, then %(increment)s points are not worth a whole number of"
                " paisa. Enter %(whole)s or a multiple of it."
            )
            % fields,
        )


def _minimum(increment: int, minimum: int) -> Iterator[RuleError]:
    if minimum % increment:
        fields = {"minimum": minimum, "increment": increment, "above": -(-minimum // increment) * increment}
        yield (
            "minimum_points",
            _("%(minimum)s is not a multiple of the increment %(increment)s. Enter %(above)s, for example.") % fields,
        )


def _maximum(increment: int, minimum: int, maximum: int) -> Iterator[RuleError]:
    if maximum < minimum:
        yield "maximum_points", _("This is less than the minimum of %(minimum)s points.") % {"minimum": minimum}
    elif maximum % increment:
        fields = {"maximum": maximum, "increment": increment, "below": maximum // increment * increment}
        yield (
            "maximum_points",
            _("%(maximum)s is not a multiple of the increment %(increment)s. Enter %(below)s, for example.") % fields,
        )


def _notice(months: int, days: int) -> Iterator[RuleError]:
    if days >= months * SHORTEST_MONTH:
        message = _("Points are valid for only %(months)s months: members would get the notice before the points.")
        yield "notice_days", message % {"months": months}


def tier_errors(tiers: Sequence[Tier]) -> Iterator[tuple[int, str, str]]:
    """Yield what is wrong with a sequence of tiers: the row, the field, the message."""
    seen: set[str] = set()
    for row, tier in enumerate(tiers):
        if tier.name.casefold() in seen:
            yield row, "name", _("There is already a tier with this name.")
        seen.add(tier.name.casefold())
        if row == 0 and tier.threshold:
            yield row, "threshold", _("The first tier must begin at 0 points, so that every member has a tier.")
        if row and tier.threshold <= tiers[row - 1].threshold:
            fields = {"before": tiers[row - 1].threshold}
            yield row, "threshold", _("Each tier must begin above the one before it, here %(before)s points.") % fields


def reward_rate(rules: Rules) -> Fraction:
    """Return the value of the points earned, as a share of what is paid, in the lowest tier."""
    return Fraction(rules.points * rules.redeem_value, rules.per * rules.redeem_points) * rules.tiers[0].multiplier


def highest_reward_rate(rules: Rules) -> Fraction:
    """Return the reward rate for the tier and the products that earn most, without campaigns."""
    tier = max(tier.multiplier for tier in rules.tiers)
    products = max([Fraction(1), *(factor for _tag, factor in rules.multipliers)])
    return Fraction(rules.points * rules.redeem_value, rules.per * rules.redeem_points) * tier * products


def rule_warnings(rules: Rules) -> Iterator[str]:
    """Yield warnings about rules that are valid and expensive."""
    highest = highest_reward_rate(rules)
    fields = {"highest": percent(highest)}
    if highest >= 1:
        yield (
            _("Points are worth more than they cost: customers get up to %(highest)s %% of what they pay as points.")
            % fields
        )
    elif highest > HIGH_REWARD_RATE:
        yield _("This is a lot: customers get up to %(highest)s %% of what they pay as points.") % fields


def percent(share: Fraction) -> str:
    """Return a share in per cent, to two decimals, without trailing zeros: ``1``, ``2.5``."""
    hundredths = (share * 10_000 * 2 + 1) // 2
    whole, rest = divmod(int(hundredths), 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".")
