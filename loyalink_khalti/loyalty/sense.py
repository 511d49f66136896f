"""Whether rules make sense, in words: what cannot be, and what is dear. Pure functions; money is in paisa."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import gcd
from typing import Any

from django.utils.translation import gettext as _

from loyalink_khalti.money import Paisa, npr

from .rules import Rules, Tier

DEAR = Fraction(10, 100)
"""Of what customers pay; who gives more back is asked whether they mean it."""
SHORTEST_MONTH = 28

Fault = tuple[str, str]
"""The name of a rule, and what is wrong with it."""


def faults(chosen: Mapping[str, Any]) -> Iterator[Fault]:
    """What cannot be, of rules that are each right by themselves; those that are missing are not looked at."""
    if _has(chosen, "redeem_points", "redeem_value", "step"):
        for fault in _steps(chosen["redeem_points"], chosen["redeem_value"], chosen["step"]):
            yield fault
            chosen = {name: value for name, value in chosen.items() if name != "step"}  # of no use to the others
    if _has(chosen, "step", "least_spent"):
        yield from _least(chosen["step"], chosen["least_spent"])
    if _has(chosen, "step", "least_spent", "most_spent"):
        yield from _most(chosen["step"], chosen["least_spent"], chosen["most_spent"])
    if _has(chosen, "valid_months", "notice_days"):
        yield from _notice(chosen["valid_months"], chosen["notice_days"])
    if _has(chosen, "excluded_tags", "boosts") and set(chosen["excluded_tags"]) & {
        tag for tag, _f in chosen["boosts"]
    }:
        yield "excluded_tags", _("A category that earns nothing cannot earn more points as well: see below.")


def _has(chosen: Mapping[str, Any], *names: str) -> bool:
    return all(chosen.get(name) is not None for name in names)


def _steps(points: int, value: int, step: int) -> Iterator[Fault]:
    if step * value % points:
        whole = points // gcd(points, value)
        words = {"step": step, "points": points, "value": npr(Paisa(value)), "whole": whole}
        yield (
            "step",
            _(
                "Where %(points)s points are worth %(value)s, %(step)s are not worth whole paisa. Take %(whole)s, or a"
                " multiple of it."
            )
            % words,
        )


def _least(step: int, least: int) -> Iterator[Fault]:
    if least % step:
        above = -(-least // step) * step
        words = {"least": least, "step": step, "above": above}
        yield "least_spent", _("%(least)s is not a multiple of the step of %(step)s: take %(above)s, say.") % words


def _most(step: int, least: int, most: int) -> Iterator[Fault]:
    if most < least:
        yield "most_spent", _("This is less than the %(least)s from which points are spent.") % {"least": least}
    elif most % step:
        words = {"most": most, "step": step, "below": most // step * step}
        yield "most_spent", _("%(most)s is not a multiple of the step of %(step)s: take %(below)s, say.") % words


def _notice(months: int, days: int) -> Iterator[Fault]:
    if days >= months * SHORTEST_MONTH:
        words = _("Points are valid for %(months)s months only: members would be told before they have them.")
        yield "notice_days", words % {"months": months}


def levels(tiers: Sequence[Tier]) -> Iterator[tuple[int, str, str]]:
    """What is wrong with levels as they follow each other: the row, the field, the words."""
    seen: set[str] = set()
    for row, tier in enumerate(tiers):
        if tier.name.casefold() in seen:
            yield row, "name", _("There is a level of this name already.")
        seen.add(tier.name.casefold())
        if row == 0 and tier.threshold:
            yield row, "threshold", _("The first level begins at 0 points, so that every member has one.")
        if row and tier.threshold <= tiers[row - 1].threshold:
            words = {"before": tiers[row - 1].threshold}
            yield row, "threshold", _("Each level begins above the one before it, here at %(before)s points.") % words


def gives_back(rules: Rules) -> Fraction:
    """What comes back of what is paid, as points at their worth, on the lowest level."""
    return Fraction(rules.points * rules.redeem_value, rules.per * rules.redeem_points) * rules.tiers[0].multiplier


def gives_most_back(rules: Rules) -> Fraction:
    """The same for the level and the goods that earn most, campaigns of today left out."""
    level = max(tier.multiplier for tier in rules.tiers)
    goods = max([Fraction(1), *(factor for _tag, factor in rules.boosts)])
    return Fraction(rules.points * rules.redeem_value, rules.per * rules.redeem_points) * level * goods


def warnings(rules: Rules) -> Iterator[str]:
    """What is allowed, and dear."""
    most = gives_most_back(rules)
    words = {"most": percent(most), "back": percent(gives_back(rules))}
    if most >= 1:
        yield (
            _("A point is worth more than it costs to earn: up to %(most)s %% of what customers pay comes back.")
            % words
        )
    elif most > DEAR:
        yield _("This is a lot: up to %(most)s %% of what customers pay comes back to them.") % words


def percent(share: Fraction) -> str:
    """A share in per cent, to two decimals, as people write it: ``1``, ``2.5``."""
    hundredths = (share * 10_000 * 2 + 1) // 2
    whole, rest = divmod(int(hundredths), 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".")
