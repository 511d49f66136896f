"""A daily close: the counted cash beside the takings of the day, once for each form, and never changed."""

from datetime import date
from typing import Any

import pytest

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotClose, LoyalinkError
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.daily_close import DailyClose, closes_of
from tests.payments.test_takings import TENTH, TWELFTH, february  # noqa: F401 - a fixture
from tests.purchases import at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("february")]


def close(key: str = "a", counted: int = 71_000 + 5000, *, day: date = TENTH, **more: Any) -> flow.Closed:
    given: dict[str, Any] = {"reason": "", "float_amount": Paisa(5000), **more}
    return flow.close_day(site_key="default", day=day, counted=Paisa(counted), actor="1", key=key, **given)


def test_a_close_keeps_the_takings_of_its_day() -> None:
    """U25"""
    found = close().close

    assert (found.expected, found.counted, found.difference) == (76_000, 76_000, 0)
    assert found.takings[1] == {"method": "cod", "received": 45_000, "fees": 0, "refunded": 0}
    assert [row["method"] for row in found.takings] == [
        "khalti", "cod", "bank_transfer", "counter_cash", "counter_card"
    ]  # fmt: skip


def test_a_difference_needs_a_reason() -> None:
    """U25"""
    with pytest.raises(CannotClose, match="say why"):
        close(counted=75_000, reason="  ")

    assert not DailyClose.objects.exists()
    assert close(counted=75_000, reason="Rs 10 in change").close.difference == -1000


def test_a_day_that_has_not_begun_is_not_closed() -> None:
    """U25"""
    with pytest.raises(CannotClose, match="not begun"):
        close(day=date(2199, 1, 1))


def test_a_form_that_is_sent_again_closes_once() -> None:
    """U26"""
    results = at_once(6, lambda _index: close().is_new)

    assert sorted(map(str, results)) == ["False"] * 5 + ["True"]
    assert DailyClose.objects.count() == 1


def test_a_day_is_corrected_by_another_close_and_the_first_is_kept() -> None:
    """U26"""
    close("a", 70_000, reason="a mistake")
    close("b")

    assert [row.counted for row in closes_of("default", TENTH)] == [76_000, 70_000]
    with pytest.raises(LoyalinkError):
        DailyClose.objects.update(counted=0)


def test_on_a_day_with_more_refunds_than_sales_cash_goes_out_of_the_drawer() -> None:
    """U25"""
    found = close(day=TWELFTH, counted=20_000 - 18_000, float_amount=Paisa(20_000)).close

    assert (found.expected, found.difference) == (2000, 0)
