"""What points are worth, and which numbers of them can be spent on a purchase: worked examples and properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalink_khalti.loyalty.redeeming import fits, most, nearest, worth
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, Points

DEFAULT = Rules()
ONE_RUPEE = {"redeem_points": Points(1), "step": Points(1), "least_spent": Points(1)}

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
    ("asked", "balance", "total", "chosen", "spent"),
    [
        pytest.param(1000, 2000, 125_000, {**ONE_RUPEE, "most_percent": 50}, 625, id="D-3"),
        pytest.param(500, 2000, 50_500, ONE_RUPEE, 495, id="D-4 Rs 10 are left"),
        pytest.param(505, 2000, 50_500, ONE_RUPEE, 505, id="D-4 full cover"),
        pytest.param(1000, 5000, 10_000, {"redeem_points": 100}, 1000, id="SE-7"),
        pytest.param(1000, 700, 10_000, {"redeem_points": 100}, 700, id="SE-7 no more than there are"),
        pytest.param(10_000, 10_000, 10_000, {"redeem_points": 100}, 5000, id="SE-7 half the order"),
        pytest.param(1050, 5000, 10_000, {"redeem_points": 100, "redeem_value": 500}, 1000, id="SE-7 other rate"),
        pytest.param(400, 5000, 10_000, {"redeem_points": 100}, 0, id="SE-7 below the least"),
    ],
)
def test_the_most_that_may_be_spent_of_what_is_asked(
    asked: int, balance: int, total: int, chosen: dict[str, int], spent: int, request: pytest.FixtureRequest
) -> None:
    half = {"most_percent": 50, "least_spent": 500, "step": 50} if "SE-7" in request.node.callspec.id else {}
    rules = Rules(**{**half, **chosen})  # type: ignore[arg-type]  # each is an int

    points = most(rules, total=Paisa(total), balance=Points(balance), asked=Points(asked))

    assert points == spent


def test_what_points_take_off_is_exact_to_the_paisa() -> None:
    """D-3, D-4"""
    rules = Rules(**ONE_RUPEE)  # type: ignore[arg-type]  # each is a number of points

    assert (worth(rules, Points(625)), 50_500 - worth(rules, Points(495))) == (62_500, 1000)


def test_a_cap_reduces_what_may_be_spent() -> None:
    rules = Rules(most_spent=Points(250))

    assert most(rules, total=Paisa(250_000), balance=Points(1000)) == 250
    assert not fits(rules, Points(260), total=Paisa(250_000), balance=Points(1000))


def test_nothing_can_be_spent_while_spending_is_paused() -> None:
    assert most(Rules(redeem_paused=True), total=Paisa(250_000), balance=Points(1000)) == 0


def test_ten_points_are_one_rupee() -> None:
    assert worth(DEFAULT, Points(500)) == 5_000


@pytest.mark.parametrize(
    ("asked", "total", "balance", "fitting"),
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
def test_a_number_fits_or_does_not(asked: int, total: int, balance: int, fitting: bool) -> None:
    assert fits(DEFAULT, Points(asked), total=Paisa(total), balance=Points(balance)) is fitting


@given(asked, totals, balances, leasts)
def test_what_fits_is_what_the_rule_says(points: Points, total: Paisa, balance: Points, least_left: Paisa) -> None:
    fit = fits(DEFAULT, points, total=total, balance=balance, least_left=least_left)

    assert fit == (points == 0 or points in all_that_fit(total, balance, least_left))


@given(totals, balances, leasts)
def test_the_most_is_the_largest_that_fits(total: Paisa, balance: Points, least_left: Paisa) -> None:
    assert most(DEFAULT, total=total, balance=balance, least_left=least_left) == max(
        all_that_fit(total, balance, least_left), default=0
    )


@given(asked, totals, balances, leasts)
def test_the_nearest_are_the_next_below_and_the_next_above(
    points: Points, total: Paisa, balance: Points, least_left: Paisa
) -> None:
    fitting = all_that_fit(total, balance, least_left)
    below = [number for number in fitting if number <= points]
    above = [number for number in fitting if number > points]

    assert nearest(DEFAULT, points, total=total, balance=balance, least_left=least_left) == tuple(
        below[-1:] + above[:1]
    )


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0, 10**15))
def test_the_nearest_are_found_at_once_whatever_the_figures(points: int, total: int, balance: int) -> None:
    for number in nearest(DEFAULT, Points(points), total=Paisa(total), balance=Points(balance)):
        assert fits(DEFAULT, number, total=Paisa(total), balance=Points(balance))
