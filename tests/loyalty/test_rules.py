"""What a purchase earns, what points are worth, which numbers fit: worked examples and properties."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalink_khalti.loyalty import rules
from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, Points

from .conftest import nepal

totals = st.integers(0, 30_000).map(Paisa)
balances = st.integers(0, 3_000).map(Points)
asked = st.integers(-50, 4_000).map(Points)
leasts = st.sampled_from([Paisa(0), KHALTI_MINIMUM])


def all_that_fit(total: Paisa, balance: Points, least_left: Paisa) -> list[int]:
    """By the words of the rule: tens from 100, covered by the balance, leaving nothing or what Khalti takes."""
    return [
        points
        for points in range(100, balance + 1, 10)
        if points * 10 == total or (points * 10 < total and total - points * 10 >= least_left)
    ]


@pytest.mark.parametrize(
    ("goods", "points"),
    [
        pytest.param(199_900, 199, id="D-1 at a point for Rs 10"),
        pytest.param(2_190, 2, id="SQ-5"),
        pytest.param(10_500, 10, id="SQ-1"),
        pytest.param(999, 0, id="below one point"),
        pytest.param(1_000, 1, id="exactly one point"),
        pytest.param(0, 0, id="nothing"),
        pytest.param(-1, 0, id="never less than nothing"),
    ],
)
def test_a_point_is_earned_for_every_ten_rupees_rounded_down(goods: int, points: int) -> None:
    assert rules.earned(Paisa(goods)) == points


def test_points_pay_goods_first_and_what_they_paid_earns_nothing() -> None:
    assert rules.basis(goods=Paisa(250_000), worth=Paisa(5_000)) == 245_000
    assert rules.basis(goods=Paisa(5_000), worth=Paisa(6_000)) == 0


def test_ten_points_are_one_rupee() -> None:
    assert rules.worth(Points(500)) == 5_000


@pytest.mark.parametrize(
    ("asked", "total", "balance", "fits"),
    [
        pytest.param(0, 50_500, 0, True, id="none"),
        pytest.param(100, 50_500, 100, True, id="the least"),
        pytest.param(90, 50_500, 100, False, id="SE-7 below the least"),
        pytest.param(105, 50_500, 200, False, id="not in tens"),
        pytest.param(110, 50_500, 100, False, id="more than there are"),
        pytest.param(4_950, 50_500, 6_000, True, id="D-4 Rs 10 are left"),
        pytest.param(4_960, 50_500, 6_000, False, id="D-4 less is left than Khalti takes"),
        pytest.param(5_050, 50_500, 6_000, True, id="D-4 full cover"),
        pytest.param(5_060, 50_500, 6_000, False, id="more than the total"),
    ],
)
def test_a_number_fits_or_does_not(asked: int, total: int, balance: int, fits: bool) -> None:
    assert rules.fits(Points(asked), total=Paisa(total), balance=Points(balance)) is fits


@given(asked, totals, balances, leasts)
def test_what_fits_is_what_the_rule_says(points: Points, total: Paisa, balance: Points, least_left: Paisa) -> None:
    fits = rules.fits(points, total=total, balance=balance, least_left=least_left)

    assert fits == (points == 0 or points in all_that_fit(total, balance, least_left))


@given(totals, balances, leasts)
def test_the_most_is_the_largest_that_fits(total: Paisa, balance: Points, least_left: Paisa) -> None:
    assert rules.most(total=total, balance=balance, least_left=least_left) == max(
        all_that_fit(total, balance, least_left), default=0
    )


@given(asked, totals, balances, leasts)
def test_the_nearest_are_the_next_below_and_the_next_above(
    points: Points, total: Paisa, balance: Points, least_left: Paisa
) -> None:
    fitting = all_that_fit(total, balance, least_left)
    below = [number for number in fitting if number <= points]
    above = [number for number in fitting if number > points]

    assert rules.nearest(points, total=total, balance=balance, least_left=least_left) == tuple(below[-1:] + above[:1])


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0, 10**15))
def test_the_nearest_are_found_at_once_whatever_the_figures(points: int, total: int, balance: int) -> None:
    for number in rules.nearest(Points(points), total=Paisa(total), balance=Points(balance)):
        assert rules.fits(number, total=Paisa(total), balance=Points(balance))


@given(totals, st.integers(0, 3_000).map(Points))
def test_points_never_earn_more_than_their_goods_would(total: Paisa, points: Points) -> None:
    assert rules.earned(rules.basis(goods=total, worth=rules.worth(points))) <= rules.earned(total)


@pytest.mark.parametrize(
    ("earned_at", "gone_at"),
    [
        pytest.param(nepal(2025, 2, 25, 12), datetime(2026, 2, 25, 18, 15, tzinfo=UTC), id="D-24"),
        pytest.param(nepal(2025, 1, 31, 23, 50), datetime(2026, 1, 31, 18, 15, tzinfo=UTC), id="D-24 January still"),
        pytest.param(
            datetime(2025, 1, 31, 18, 15, tzinfo=UTC), datetime(2026, 2, 1, 18, 15, tzinfo=UTC), id="D-24 February"
        ),
        pytest.param(nepal(2024, 2, 29, 1), datetime(2025, 2, 28, 18, 15, tzinfo=UTC), id="VF-1 a leap day"),
    ],
)
def test_points_go_at_midnight_in_kathmandu_after_their_last_day(earned_at: datetime, gone_at: datetime) -> None:
    assert rules.expires_at(earned_at) == gone_at


@pytest.mark.parametrize(
    ("day", "later"),
    [
        (date(2026, 1, 25), date(2026, 2, 25)),
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2026, 12, 31), date(2027, 1, 31)),
    ],
)
def test_a_month_later_is_the_same_day_or_that_months_last(day: date, later: date) -> None:
    """VF-1"""
    assert rules.add_months(day, 1) == later


@pytest.mark.parametrize(
    ("earned", "tier", "above"),
    [
        (-5, "Silver", "Gold"),
        (0, "Silver", "Gold"),
        (499, "Silver", "Gold"),
        (500, "Gold", "Platinum"),
        (999, "Gold", "Platinum"),
        (1000, "Platinum", None),
        (10**9, "Platinum", None),
    ],
)
def test_a_level_is_reached_at_its_threshold(earned: int, tier: str, above: str | None) -> None:
    next_tier = rules.next_tier(Points(earned))

    assert rules.tier(Points(earned)).name == tier
    assert (next_tier.name if next_tier else None) == above
