"""Paisa and points: whole numbers only, and how rupees are read and written."""

from decimal import Decimal, InvalidOperation
from typing import NewType

Paisa = NewType("Paisa", int)
"""An amount of money: 100 paisa are one Nepali rupee."""

Points = NewType("Points", int)
"""A number of loyalty points."""

KHALTI_MINIMUM = Paisa(1000)
"""Khalti takes no payment below Rs 10 (documentation of epayment/initiate)."""


def paisa(rupees: Decimal) -> Paisa:
    """Rupees, exact to the paisa; a fraction of a paisa raises ``ValueError``."""
    try:
        amount = rupees * 100
        whole = int(amount)
    except (InvalidOperation, ValueError, OverflowError) as exc:
        raise ValueError(f"not an amount of rupees: {rupees!r}") from exc
    if whole != amount:
        raise ValueError(f"Rs {rupees} is not a whole number of paisa")
    return Paisa(whole)


def rupees(amount: Paisa) -> Decimal:
    """The same amount in rupees, with two decimals."""
    return Decimal(amount).scaleb(-2)


def npr(amount: Paisa) -> str:
    """Write an amount as Nepal does, lakhs and crores apart: ``Rs 1,23,456.50``."""
    whole, rest = divmod(abs(amount), 100)
    return f"{'−' if amount < 0 else ''}Rs {grouped(whole)}.{rest:02d}"


def grouped(number: int) -> str:
    """Group a whole number as in Nepal: three digits, then pairs (``1,23,456``)."""
    digits = str(number)
    head, tail = digits[:-3], digits[-3:]
    pairs = [head[max(end - 2, 0) : end] for end in range(len(head), 0, -2)][::-1]
    return ",".join([*pairs, tail])
