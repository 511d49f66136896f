"""Quote: what the checkout shows, and which number of points it takes."""

from typing import Any

import pytest

from loyalink_khalti import flow
from loyalink_khalti.flow import PointsDoNotFit, Quote
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Line, Method
from loyalink_khalti.testing import FakeShop

pytestmark = [pytest.mark.money, pytest.mark.django_db]


def quote(goods: int, points: int = 0, *, member_id: str | None = "7", shipping: int = 0, **more: Any) -> Quote:
    return flow.quote(
        site_key="default",
        member_id=member_id,
        goods=Paisa(goods),
        shipping=Paisa(shipping),
        points=Points(points),
        **{"lines": (Line(sku="pen", title="Pen", quantity=1, unit=Paisa(goods), total=Paisa(goods)),), **more},
    )


def test_points_lower_what_is_left_to_pay_and_what_is_earned(account: Account) -> None:
    told = quote(250_000, 500, shipping=15_000)

    assert (told.worth, told.payable, told.earns) == (5_000, 260_000, 245)
    assert (told.balance, told.spendable, told.least, told.step, told.khalti_off) == (1000, 1000, 100, 10, "")


def test_a_guest_sees_what_a_member_would_earn_and_can_spend_nothing(shop: FakeShop) -> None:
    told = quote(199_900, member_id=None)

    assert (told.earns, told.balance, told.spendable) == (199, 0, 0)
    with pytest.raises(PointsDoNotFit, match="Log in"):
        quote(199_900, 100, member_id=None)


def test_a_line_that_does_not_earn_is_left_out_of_what_earns(shop: FakeShop) -> None:
    card = Line(sku="card", title="Gift card", quantity=1, unit=Paisa(50_000), total=Paisa(50_000), earns=False)
    pen = Line(sku="pen", title="Pen", quantity=1, unit=Paisa(50_000), total=Paisa(50_000))

    assert quote(100_000, lines=(card, pen)).earns == 50


@pytest.mark.parametrize(
    ("points", "words", "nearest"),
    [
        (1010, "You have 1,000 points", (1000,)),
        (95, "in steps of 10, from 100", (100,)),
        (105, "in steps of 10, from 100", (100, 110)),
        (1, "in steps of 10, from 100", (100,)),
        (-100, "cannot be negative", ()),
        (10**12, "You have 1,000 points", (1000,)),
    ],
)
def test_a_number_that_does_not_fit_is_refused_naming_the_nearest(
    points: int, words: str, nearest: tuple[int, ...], account: Account
) -> None:
    """D07"""
    with pytest.raises(PointsDoNotFit, match=words) as told:
        quote(250_000, points)

    assert told.value.nearest == nearest
    assert all(f"{number:,}" in str(told.value) for number in nearest)


@pytest.mark.parametrize("points", [410, 450, 500])
def test_points_that_would_leave_less_than_khalti_takes_are_refused(points: int, account: Account) -> None:
    """D14"""
    with pytest.raises(PointsDoNotFit, match=r"would leave Rs \d\.\d\d to pay") as told:
        quote(5_050, points)

    assert told.value.nearest == (400,)


def test_to_another_method_any_rest_may_be_left(account: Account) -> None:
    assert quote(5_050, 500, method=Method.COD).payable == 50
    assert quote(5_050, method=Method.COD).spendable == 500


def test_points_may_cover_all(account: Account) -> None:
    """D-4"""
    told = quote(5_000, 500)

    assert (told.payable, told.earns, told.khalti_off) == (0, 0, "")


def test_khalti_is_off_below_ten_rupees_and_says_why(shop: FakeShop) -> None:
    """D14"""
    assert "no less than Rs 10.00" in quote(999).khalti_off
    assert quote(1000).khalti_off == ""


def test_a_frozen_account_can_spend_nothing(account: Account) -> None:
    Account.objects.update(frozen=True)

    told = quote(250_000)

    assert (told.balance, told.spendable) == (0, 0)


def test_a_quote_writes_nothing(account: Account, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(8) as queries:
        quote(250_000, 500)

    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)
