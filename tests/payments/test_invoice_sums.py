"""VAT in whole paisa: taxable amount and VAT make the total, and parts make the whole."""

import random

import pytest

from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.invoice_sums import InvoiceRow, RowKind, sums_of, vat_of_part, without_vat


def row(amount: int, kind: RowKind = RowKind.LINE) -> InvoiceRow:
    return InvoiceRow(kind=kind, amount=Paisa(amount))


@pytest.mark.parametrize(
    ("amount", "net"),
    [(11_300, 10_000), (113, 100), (1, 1), (0, 0), (100, 88), (999, 884), (-11_300, -10_000), (57, 50), (56, 50)],
)
def test_vat_is_thirteen_of_a_hundred_and_thirteen_parts(amount: int, net: int) -> None:
    """U43"""
    assert without_vat(amount) == net


def test_a_price_without_vat_is_found_again() -> None:
    """U43: a shop that adds 13 % and rounds to the paisa."""
    for net in range(0, 20_000, 7):
        assert without_vat((net * 113 + 50) // 100) == net


def test_with_vat_on_the_sum_and_without_vat_on_each_row() -> None:
    """U43"""
    rows = [row(999), row(999), row(999), row(-100, RowKind.DISCOUNT)]

    on_the_sum = sums_of(rows, has_vat=True, prices_include_vat=True)
    per_row = sums_of(rows, has_vat=True, prices_include_vat=False)

    assert (on_the_sum.taxable, on_the_sum.vat, on_the_sum.total) == (2_564, 333, 2_897)
    assert [each.shown for each in per_row.rows] == [884, 884, 884, -88]
    assert (per_row.taxable, per_row.vat) == (2_564, 333)
    without = sums_of(rows, has_vat=False, prices_include_vat=False)
    assert (without.taxable, without.vat, without.total) == (2_897, 0, 2_897)


def test_any_rows_and_any_parts_sum_to_the_paisa() -> None:
    """U43 U44"""
    chance = random.Random(16)
    for _each in range(300):
        rows = [row(chance.randrange(1, 1_000_000)) for _row in range(chance.randrange(1, 6))]
        rows.append(row(-chance.randrange(0, sum(each.amount for each in rows) + 1), RowKind.POINTS))
        for includes in (True, False):
            sums = sums_of(rows, has_vat=True, prices_include_vat=includes)
            assert sums.taxable + sums.vat == sums.total
            assert min(sums.taxable, sums.vat) >= 0
            assert sum(each.shown for each in sums.rows) == (sums.total if includes else sums.taxable)
        credited = credited_vat = 0
        while credited < sums.total:
            part = chance.randrange(1, sums.total - credited + 1)
            vat = vat_of_part(vat=sums.vat, total=sums.total, credited=credited, credited_vat=credited_vat, part=part)
            assert 0 <= vat <= part
            credited, credited_vat = credited + part, credited_vat + vat
        assert credited_vat == sums.vat or not sums.total
