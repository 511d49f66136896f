"""The quote: what the checkout shows, and which numbers of points it accepts."""

from typing import Any

import pytest

from loyalink_khalti import flow
from loyalink_khalti.flow import PointsDoNotFit, Quote
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Line, PaymentMethod
from loyalink_khalti.testing import FakeShop

pytestmark = [pytest.mark.money, pytest.mark.django_db]


LINES = (Line(sku="pen", title="Pen", quantity=1, unit=Paisa(50_000), total=Paisa(50_000)),)


def quote(subtotal: int, points: int = 0, *, member_id: str | None = "7", shipping: int = 0, **more: Any) -> Quote:
    return flow.quote(
        site_key="default",
        member_id=member_id,
        subtotal=Paisa(subtotal),
        shipping=Paisa(shipping),
        points=Points(points),
        **{"lines": (Line(sku="pen", title="Pen", quantity=1, unit=Paisa(subtotal), total=Paisa(subtotal)),), **more},
    )


def test_points_lower_the_amount_due_and_the_points_earned(account: Account) -> None:
    quoted = quote(250_000, 500, shipping=15_000)

    assert (quoted.points_value, quoted.amount_due, quoted.points_earned) == (5_000, 260_000, 245)
    assert (
        quoted.points_balance,
        quoted.redeemable,
        quoted.minimum,
        quoted.increment,
        quoted.khalti_unavailable_reason,
    ) == (
        1000,
        1000,
        100,
        10,
        "",
    )


def test_a_guest_sees_what_a_member_earns_and_can_redeem_nothing(shop: FakeShop) -> None:
    quoted = quote(199_900, member_id=None)

    assert (quoted.points_earned, quoted.points_balance, quoted.redeemable) == (199, 0, 0)
    with pytest.raises(PointsDoNotFit, match="Log in"):
        quote(199_900, 100, member_id=None)


def test_a_line_that_earns_nothing_does_not_count(shop: FakeShop) -> None:
    card = Line(sku="card", title="Gift card", quantity=1, unit=Paisa(50_000), total=Paisa(50_000), earns=False)
    pen = Line(sku="pen", title="Pen", quantity=1, unit=Paisa(50_000), total=Paisa(50_000))

    assert quote(100_000, lines=(card, pen)).points_earned == 50


@pytest.mark.parametrize(
    ("points", "words", "nearest"),
    [
        (1010, "You have 1,000 points", (1000,)),
        (95, "in increments of 10, starting at 100", (100,)),
        (105, "in increments of 10, starting at 100", (100, 110)),
        (1, "in increments of 10, starting at 100", (100,)),
        (-100, "cannot be negative", ()),
        (10**12, "You have 1,000 points", (1000,)),
    ],
)
def test_a_number_that_does_not_fit_is_refused_naming_the_nearest(
    points: int, words: str, nearest: tuple[int, ...], account: Account
) -> None:
    """D07"""
    with pytest.raises(PointsDoNotFit, match=words) as caught:
        quote(250_000, points)

    assert caught.value.nearest == nearest
    assert all(f"{number:,}" in str(caught.value) for number in nearest)


@pytest.mark.parametrize("points", [410, 450, 500])
def test_points_that_leave_less_than_khaltis_minimum_are_refused(points: int, account: Account) -> None:
    """D14"""
    with pytest.raises(PointsDoNotFit, match=r"would leave Rs \d\.\d\d to pay") as caught:
        quote(5_050, points)

    assert caught.value.nearest == (400,)


def test_other_methods_have_no_minimum(account: Account) -> None:
    assert quote(5_050, 500, method=PaymentMethod.COD).amount_due == 50
    assert quote(5_050, method=PaymentMethod.COD).redeemable == 500


def test_points_may_cover_everything(account: Account) -> None:
    """D-4"""
    quoted = quote(5_000, 500)

    assert (quoted.amount_due, quoted.points_earned, quoted.khalti_unavailable_reason) == (0, 0, "")


def test_khalti_is_unavailable_below_ten_rupees_and_says_why(shop: FakeShop) -> None:
    """D14"""
    assert "payments of Rs 10.00 or more" in quote(999).khalti_unavailable_reason
    assert quote(1000).khalti_unavailable_reason == ""


def test_a_blocked_account_can_redeem_nothing(account: Account) -> None:
    Account.objects.update(blocked=True)

    quoted = quote(250_000)

    assert (quoted.points_balance, quoted.redeemable) == (0, 0)


def test_a_quote_writes_nothing(account: Account, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(8) as queries:
        quote(250_000, 500)

    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


def test_a_member_whose_account_has_ended_is_offered_no_points_and_earns_none(account: Account) -> None:
    """M6"""
    ledger.merge(site_key="default", member_id="7", into="8")

    quoted, alone = quote(250_000), flow.points_for_lines(site_key="default", member_id="7", lines=LINES)

    assert (quoted.points_balance, quoted.redeemable, quoted.points_earned) == (0, 0, 0)
    assert (quoted.account_merged, quoted.points_blocked, alone) == (True, False, [0])
    with pytest.raises(PointsDoNotFit):
        quote(250_000, 100)
    assert (quote(250_000, member_id="8").points_balance, quote(250_000, member_id="8").account_merged) == (
        1000,
        False,
    )
