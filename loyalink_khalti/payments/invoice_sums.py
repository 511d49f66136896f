"""The sums of invoices: value added tax in whole paisa, so that taxable amount and VAT always make the total. Pure.

An invoice's total is what the customer was charged, with VAT. Two ways to find the VAT in it, a setting:

- prices include VAT: once, on the sum. The taxable amount is the total × 100 / 113, rounded half up; VAT is the rest;
- prices are shown without VAT: for each row the price without VAT, rounded half up, as the shop's prices are. The
  taxable amount is their sum; VAT is the rest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from loyalink_khalti.money import Paisa, Rounding, cumulative, round_fraction

VAT_PERCENT = 13
"""Of Nepal's Value Added Tax Act, 2052 (1996)."""


class RowKind(StrEnum):
    """What a row of an invoice is."""

    LINE = "line"
    DISCOUNT = "discount"
    DELIVERY = "delivery"
    CHARGE = "charge"
    POINTS = "points"
    PRODUCTS = "products"
    ROUNDING = "rounding"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRow:
    """A row of an invoice; amounts in paisa, below 0 for what is taken off."""

    kind: RowKind
    title: str = ""
    key: str = ""
    """``Line.key`` of a line."""
    quantity: int = 0
    amount: Paisa = Paisa(0)
    """With VAT, as it was charged."""
    shown: Paisa = Paisa(0)
    """As it is printed: the same, or without VAT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """``taxable`` + ``vat`` = ``total``, always; the printed rows sum to ``total``, or to ``taxable`` without VAT."""

    rows: tuple[InvoiceRow, ...]
    taxable: Paisa
    vat: Paisa
    total: Paisa


def without_vat(amount: int) -> Paisa:
    """Return what an amount with VAT is without it, half a paisa rounded up (away from 0)."""
    part = round_fraction(Fraction(abs(amount) * 100, 100 + VAT_PERCENT), Rounding.HALF_UP)
    return Paisa(part if amount >= 0 else -part)


def sums_of(rows: Sequence[InvoiceRow], *, has_vat: bool, prices_include_vat: bool) -> Sums:
    """Return the sums of an invoice whose rows have their amounts as they were charged."""
    total = sum(row.amount for row in rows)
    if not has_vat or prices_include_vat:
        taxable = without_vat(total) if has_vat else total
        return settled(rows, taxable=Paisa(taxable), total=Paisa(total), shows_vat=True)
    taxable = min(max(sum(without_vat(row.amount) for row in rows), 0), total)
    return settled(rows, taxable=Paisa(taxable), total=Paisa(total), shows_vat=False)


def settled(rows: Iterable[InvoiceRow], *, taxable: Paisa, total: Paisa, shows_vat: bool) -> Sums:
    """Return the sums with known figures; where printed rows miss them by rounding, one more row has the rest."""
    shown = [_shown(row, row.amount if shows_vat else without_vat(row.amount)) for row in rows]
    rest = (total if shows_vat else taxable) - sum(row.shown for row in shown)
    if rest:
        shown.append(InvoiceRow(kind=RowKind.ROUNDING, shown=Paisa(rest)))
    return Sums(rows=tuple(shown), taxable=taxable, vat=Paisa(total - taxable), total=total)


def _shown(row: InvoiceRow, amount: int) -> InvoiceRow:
    return InvoiceRow(
        kind=row.kind, title=row.title, key=row.key, quantity=row.quantity, amount=row.amount, shown=Paisa(amount)
    )


def vat_of_part(*, vat: int, total: int, credited: int, credited_vat: int, part: int) -> Paisa:
    """Return the VAT in the next ``part`` of an invoice that is credited, in paisa, after what is credited so far.

    It is counted from the start, so that all parts sum to the invoice's own VAT, in any number and any order.
    """
    if credited + part >= total:
        return Paisa(vat - credited_vat)
    return Paisa(min(max(cumulative(vat, credited + part, total) - credited_vat, 0), part))
