"""Whole numbers only: rounding, cumulative parts and shares that add up. Pure functions."""

from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction


class Rounding(StrEnum):
    """What becomes of a fraction of a point."""

    FLOOR = "floor"
    HALF_UP = "half_up"
    CEIL = "ceil"


def rounded(value: Fraction, mode: Rounding) -> int:
    """A whole number; ``value`` is never below 0."""
    if mode is Rounding.FLOOR:
        return value.numerator // value.denominator
    if mode is Rounding.CEIL:
        return -(-value.numerator // value.denominator)
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def cumulative(total: int, part: int, whole: int, mode: Rounding = Rounding.HALF_UP) -> int:
    """How much of ``total`` belongs to ``part`` of ``whole``, counted from the beginning.

    The difference between two such figures is a part that is never negative, and all parts sum to ``total`` exactly,
    however often and wherever ``whole`` was cut; rounding each part by itself does not.
    """
    if part >= whole:
        return total
    return rounded(Fraction(total * max(part, 0), whole), mode)


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """Split ``total`` by weight, by largest remainder; ties go to the earlier."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts
