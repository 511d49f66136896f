"""Paisa and points as whole numbers: rounding, parts that add up, and rupees as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from typing import NewType

from .nepal import group_digits

Paisa = NewType("Paisa", int)
"""An amount of money. 100 paisa are one Nepali rupee."""

Points = NewType("Points", int)
"""A number of loyalty points."""

KHALTI_MINIMUM = Paisa(1000)
"""Rs 10, the smallest payment: https://docs.khalti.com/khalti-epayment/#error-responses."""


def paisa(rupees: Decimal) -> Paisa:
    """Return rupees in paisa. Raises ``ValueError`` for a fraction of a paisa."""
    try:
        amount = rupees * 100
        whole = int(amount)
    except (InvalidOperation, ValueError, OverflowError) as exc:
        raise ValueError(f"not an amount of rupees: {rupees!r}") from exc
    if whole != amount:
        raise ValueError(f"Rs {rupees} is not a whole number of paisa")
    return Paisa(whole)


def rupees(amount: Paisa) -> Decimal:
    """Return paisa in rupees, with two decimals."""
    return Decimal(amount).scaleb(-2)


def npr(amount: Paisa) -> str:
    """Return an amount with Nepal's digit groups: ``Rs 1,23,456.50``."""
    whole, rest = divmod(abs(amount), 100)
    return f"{'−' if amount < 0 else ''}Rs {group_digits(whole)}.{rest:02d}"


class Rounding(StrEnum):
    """What happens to a fraction of a point or of a paisa."""

    FLOOR = "floor"
    HALF_UP = "half_up"
    CEIL = "ceil"


def round_fraction(value: Fraction, mode: Rounding) -> int:
    """Return ``value``, which is never below 0, as a whole number."""
    if mode is Rounding.FLOOR:
        return value.numerator // value.denominator
    if mode is Rounding.CEIL:
        return -(-value.numerator // value.denominator)
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def cumulative(total: int, part: int, whole: int, mode: Rounding = Rounding.HALF_UP) -> int:
    """Return how much of ``total`` belongs to ``part`` of ``whole``, counted from the start.

    The difference between two such figures is the share of what lies between them. It is never negative, and all
    shares sum to ``total`` however ``whole`` is split. Rounding each share by itself does not.
    """
    if part >= whole:
        return total
    return round_fraction(Fraction(total * max(part, 0), whole), mode)


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """Split ``total`` by weight into whole numbers that sum to it, by largest remainder; ties go to the earlier."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsByPart:
    """What points paid of the two parts of an order: whole points, and their values in paisa."""

    products: Points
    shipping: Points
    products_value: Paisa
    shipping_value: Paisa


def points_by_part(points: int, value: int, *, subtotal: int, shipping: int) -> PointsByPart:
    """Split the ``points`` of an order, worth ``value`` paisa in all: they pay for products first, then for delivery.

    ``subtotal`` and ``shipping`` are the prices of the two parts before points, in paisa. A part without a price gets
    no points. No point is split: where the products cost a fraction of a point, money pays that fraction.
    """
    of_products = points
    if shipping:
        of_products = min(points, subtotal * points // value) if value else points * bool(subtotal)
    value_left = value - (of_products * value // points if points else 0)
    shipping_value = min(value_left, shipping)
    return PointsByPart(
        products=Points(of_products),
        shipping=Points(points - of_products),
        products_value=Paisa(value - shipping_value),
        shipping_value=Paisa(shipping_value),
    )
