"""Ten thousand random baskets, with prices and taxes that do not divide evenly: every paisa is accounted for."""

import random
from decimal import Decimal

import pytest

from loyalink_khalti.hosts.oscar.pricing import rounded, shares
from loyalink_khalti.money import Paisa, Rounding, cumulative, paisa, rupees

BASKETS = 10_000
PRICES = [Decimal(text) for text in ("19.99", "4.35", "0.01", "0.10", "33.33", "999.99", "2500.00", "1.15")]
TAXES = [Decimal(text) for text in ("0", "0.13", "0.125", "0.0333")]
TIES = [Decimal("0.005"), Decimal("0.015"), Decimal("0.004"), Decimal(0)]


def basket(dice: random.Random) -> list[Decimal]:
    """What its lines cost, in rupees with up to eight decimals."""
    return [
        dice.choice(PRICES) * dice.randint(1, 9) * (1 + dice.choice(TAXES)) + dice.choice(TIES)
        for _ in range(dice.randint(1, 8))
    ]


def test_the_lines_of_any_basket_add_up_to_its_total_and_none_is_a_paisa_off() -> None:
    """D09"""
    dice = random.Random(9)
    for _ in range(BASKETS):
        lines = basket(dice)
        total = rounded(sum(lines, Decimal(0)))

        parts = shares(lines, total)

        assert sum(parts) == total
        assert abs(rupees(total) - sum(lines)) <= Decimal("0.005")
        for part, line in zip(parts, lines, strict=True):
            assert abs(rupees(part) - line) <= Decimal("0.01")
        assert paisa(rupees(total)) == total


@pytest.mark.parametrize("mode", Rounding)
def test_refunds_of_any_parts_of_a_basket_sum_to_the_whole(mode: Rounding) -> None:
    """D09: refunds of any number of parts; no splitting gains a paisa."""
    dice = random.Random(mode.value)
    for _ in range(BASKETS // 4):
        subtotal = rounded(sum(basket(dice), Decimal(0)))
        paid = Paisa(dice.randint(0, subtotal))
        cuts = sorted(dice.randint(0, subtotal) for _ in range(dice.randint(0, 9)))
        given = [cumulative(paid, so_far, subtotal, mode) for so_far in (*cuts, subtotal)]

        assert given == sorted(given)
        assert given[-1] == paid
        for back, so_far in zip(given, (*cuts, subtotal), strict=True):
            assert abs(back * subtotal - paid * so_far) <= subtotal
