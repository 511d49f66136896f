"""Rupees and paisa: exact conversion both ways, and amounts as text."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalink_khalti.money import Paisa, npr, paisa, rupees


@given(st.integers(-(10**14), 10**14))
def test_paisa_and_rupees_convert_both_ways(amount: int) -> None:
    assert paisa(rupees(Paisa(amount))) == amount


@pytest.mark.parametrize(
    ("text", "amount"), [("19.99", 1999), ("4.35", 435), ("0.01", 1), ("0", 0), ("2500", 250_000), ("1E+2", 10_000)]
)
def test_rupees_become_whole_paisa(text: str, amount: int) -> None:
    """D09"""
    assert paisa(Decimal(text)) == amount


@pytest.mark.parametrize("text", ["0.005", "19.999", "NaN", "Infinity", "-Infinity", "sNaN"])
def test_a_fraction_of_a_paisa_is_refused(text: str) -> None:
    """D09"""
    with pytest.raises(ValueError, match=r"Rs|rupees"):
        paisa(Decimal(text))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "Rs 0.00"),
        (5, "Rs 0.05"),
        (99_999, "Rs 999.99"),
        (100_000, "Rs 1,000.00"),
        (12_345_650, "Rs 1,23,456.50"),
        (1_234_567_800, "Rs 1,23,45,678.00"),
        (-12_345_650, "−Rs 1,23,456.50"),
    ],
)
def test_an_amount_has_nepals_digit_groups(amount: int, text: str) -> None:
    assert npr(Paisa(amount)) == text
