"""What points are worth, and how many fit an order: worked examples and properties."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalink_khalti.loyalty.ledger import (
    PointsSteps,
    max_redeemable,
    nearest_redeemable,
    points_fit,
    points_value,
    redeemable_steps,
)
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, Points

DEFAULT = Rules()
ONE_RUPEE = {"redeem_points": Points(1), "increment": Points(1), "minimum_points": Points(1)}

totals = st.integers(0, 30_000).map(Paisa)
balances = st.integers(0, 3_000).map(Points)
asked = st.integers(-50, 4_000).map(Points)
leasts = st.sampled_from([Paisa(0), KHALTI_MINIMUM])


def all_that_fit(total: Paisa, balance: Points, minimum_due: Paisa) -> list[int]:
    """List the numbers by the rule: tens from 100, up to the balance, leaving 0 or at least the minimum to pay."""
    return [
        points
        for points in range(100, balance + 1, 10)
        if points * 10 == total or (points * 10 < total and total - points * 10 >= minimum_due)
    ]


@pytest.mark.parametrize(
    ("wanted", "balance", "total", "chosen", "fitting"),
    [
        pytest.param(1000, 2000, 125_000, {**ONE_RUPEE, "maximum_percent": 50}, 625, id="D-3"),
        pytest.param(500, 2000, 50_500, ONE_RUPEE, 495, id="D-4 Rs 10 are left"),
        pytest.param(505, 2000, 50_500, ONE_RUPEE, 505, id="D-4 full cover"),
        pytest.param(1000, 5000, 10_000, {"redeem_points": 100}, 1000, id="SE-7"),
        pytest.param(1000, 700, 10_000, {"redeem_points": 100}, 700, id="SE-7 no more than available"),
        pytest.param(10_000, 10_000, 10_000, {"redeem_points": 100}, 5000, id="SE-7 half the order"),
        pytest.param(1050, 5000, 10_000, {"redeem_points": 100, "redeem_value": 500}, 1000, id="SE-7 other rate"),
        pytest.param(400, 5000, 10_000, {"redeem_points": 100}, 0, id="SE-7 below the minimum"),
    ],
)
def test_the_most_points_that_fit_up_to_the_wanted_number(
    wanted: int, balance: int, total: int, chosen: dict[str, int], fitting: int, request: pytest.FixtureRequest
) -> None:
    half = (
        {"maximum_percent": 50, "minimum_points": 500, "increment": 50} if "SE-7" in request.node.callspec.id else {}
    )
    rules = Rules(**{**half, **chosen})  # type: ignore[arg-type]  # each is an int

    points = max_redeemable(rules, total=Paisa(total), balance=Points(balance), wanted=Points(wanted))

    assert points == fitting


def test_the_value_of_points_is_exact_to_the_paisa() -> None:
    """D-3, D-4"""
    rules = Rules(**ONE_RUPEE)  # type: ignore[arg-type]  # each is a number of points

    assert (points_value(rules, Points(625)), 50_500 - points_value(rules, Points(495))) == (62_500, 1000)


def test_a_maximum_limits_the_points() -> None:
    rules = Rules(maximum_points=Points(250))

    assert max_redeemable(rules, total=Paisa(250_000), balance=Points(1000)) == 250
    assert not points_fit(rules, Points(260), total=Paisa(250_000), balance=Points(1000))


def test_no_points_fit_while_redeeming_is_paused() -> None:
    assert max_redeemable(Rules(redeem_paused=True), total=Paisa(250_000), balance=Points(1000)) == 0


def test_ten_points_are_one_rupee() -> None:
    assert points_value(DEFAULT, Points(500)) == 5_000


@pytest.mark.parametrize(
    ("asked", "total", "balance", "fitting"),
    [
        pytest.param(0, 50_500, 0, True, id="none"),
        pytest.param(100, 50_500, 100, True, id="the minimum"),
        pytest.param(90, 50_500, 100, False, id="SE-7 below the minimum"),
        pytest.param(105, 50_500, 200, False, id="not in tens"),
        pytest.param(110, 50_500, 100, False, id="more than available"),
        pytest.param(4_950, 50_500, 6_000, True, id="D-4 Rs 10 are left"),
        pytest.param(4_960, 50_500, 6_000, False, id="D-4 less is left than Khalti's minimum"),
        pytest.param(5_050, 50_500, 6_000, True, id="D-4 full cover"),
        pytest.param(5_060, 50_500, 6_000, False, id="more than the total"),
    ],
)
def test_a_number_of_points_fits_or_does_not(asked: int, total: int, balance: int, fitting: bool) -> None:
    assert points_fit(DEFAULT, Points(asked), total=Paisa(total), balance=Points(balance)) is fitting


@given(asked, totals, balances, leasts)
def test_the_numbers_that_fit_are_those_of_the_rule(
    points: Points, total: Paisa, balance: Points, minimum_due: Paisa
) -> None:
    fit = points_fit(DEFAULT, points, total=total, balance=balance, minimum_due=minimum_due)

    assert fit == (points == 0 or points in all_that_fit(total, balance, minimum_due))


@given(totals, balances, leasts)
def test_the_maximum_is_the_largest_number_that_fits(total: Paisa, balance: Points, minimum_due: Paisa) -> None:
    assert max_redeemable(DEFAULT, total=total, balance=balance, minimum_due=minimum_due) == max(
        all_that_fit(total, balance, minimum_due), default=0
    )


@given(asked, totals, balances, leasts)
def test_the_nearest_are_the_next_below_and_the_next_above(
    points: Points, total: Paisa, balance: Points, minimum_due: Paisa
) -> None:
    fitting = all_that_fit(total, balance, minimum_due)
    below = [number for number in fitting if number <= points]
    above = [number for number in fitting if number > points]

    assert nearest_redeemable(DEFAULT, points, total=total, balance=balance, minimum_due=minimum_due) == tuple(
        below[-1:] + above[:1]
    )


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0, 10**15))
def test_the_nearest_numbers_fit_for_any_figures(points: int, total: int, balance: int) -> None:
    for number in nearest_redeemable(DEFAULT, Points(points), total=Paisa(total), balance=Points(balance)):
        assert points_fit(DEFAULT, number, total=Paisa(total), balance=Points(balance))


@st.composite
def rule_sets(draw: st.DrawFn) -> Rules:
    """Any rate, limits and increment of which an increment is worth whole paisa."""
    redeem_points = draw(st.integers(1, 30))
    return Rules(
        redeem_points=Points(redeem_points),
        redeem_value=Paisa(draw(st.integers(1, 300))),
        increment=Points(redeem_points * draw(st.integers(1, 5))),
        minimum_points=Points(draw(st.integers(1, 150))),
        maximum_percent=draw(st.sampled_from([50, 99, 100])),
        maximum_points=draw(st.none() | st.integers(1, 700).map(Points)),
        redeem_paused=draw(st.sampled_from([False, False, False, True])),
    )


@settings(max_examples=60)
@given(rule_sets(), st.integers(0, 9_000).map(Paisa), st.integers(0, 1_200).map(Points), leasts)
def test_a_control_stops_at_every_number_that_fits_and_at_no_other(
    rules: Rules, total: Paisa, balance: Points, minimum_due: Paisa
) -> None:
    """T28"""
    steps = redeemable_steps(rules, total=total, balance=balance, minimum_due=minimum_due)

    fitting = [
        number
        for number in range(balance + 1)
        if points_fit(rules, Points(number), total=total, balance=balance, minimum_due=minimum_due)
    ]
    assert [steps.at(stop) for stop in range(steps.stops + 1)] == fitting
    assert [steps.stop_of(number) for number in fitting] == list(range(steps.stops + 1))


@pytest.mark.parametrize(
    ("total", "balance", "steps"),
    [
        pytest.param(50_500, 6_000, (100, 4_950, 5_050), id="D-4: Rs 10 are left, or nothing"),
        pytest.param(50_500, 1_234, (100, 1_230, 0), id="the balance"),
        pytest.param(1_000, 6_000, (0, 0, 100), id="all of it, or none"),
        pytest.param(50_500, 90, (0, 0, 0), id="fewer than the minimum"),
        pytest.param(10**15, 10**15, (100, 10**14 - 100, 10**14), id="any figures, at once"),
    ],
)
def test_the_steps_of_an_order(total: int, balance: int, steps: tuple[int, int, int]) -> None:
    found = redeemable_steps(DEFAULT, total=Paisa(total), balance=Points(balance))

    assert (found.first, found.last, found.whole) == steps


def test_a_control_stands_at_the_last_stop_below_a_number_that_does_not_fit() -> None:
    steps = PointsSteps(first=Points(100), last=Points(4_950), increment=Points(10), whole=Points(5_050))

    assert [steps.at(steps.stop_of(number)) for number in (-5, 99, 105, 4_999, 5_049, 9_999)] == [
        0, 0, 100, 4_950, 4_950, 5_050,
    ]  # fmt: skip
    with pytest.raises(IndexError):
        steps.at(steps.stops + 1)
