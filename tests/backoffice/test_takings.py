"""The pages of takings: the report, the daily close, the week on the first page."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from loyalink_khalti.payments.daily_close import DailyClose
from tests.payments.test_takings import TENTH, february  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("february")]

CLOSE = "loyalink_khalti_daily_close"


def page_of(day: Any = TENTH) -> str:
    return f"{reverse(CLOSE)}?day={day}"


def typed(client: Client, **fields: str) -> dict[str, str]:
    key = str(client.get(page_of()).context["form"]["key"].value())
    return {"float_amount": "50", "counted": "760", "reason": "", "key": key, **fields}


def test_the_report_has_each_method_and_its_sums(admin_client: Client) -> None:
    """U22"""
    page = admin_client.get(
        reverse("loyalink_khalti_report_takings"), {"days_from": "2026-02-01", "days_to": "2026-02-28"}
    )

    text = page.content.decode()
    assert "Counter: cash" in text
    assert "Rs 1,290.00" in text  # at the bank: 770 by Khalti, 400 by transfer, 120 by card
    assert "Totals by payment method" in text


def test_a_day_is_closed_on_its_page(admin_client: Client) -> None:
    """U25"""
    answer = admin_client.post(page_of(), typed(admin_client), follow=True)

    text = answer.content.decode()
    assert DailyClose.objects.get().counted == 76_000
    assert "The day is closed" in text
    assert "Close the day again" in text


def test_what_was_typed_stays_where_a_reason_is_missing(admin_client: Client) -> None:
    """U25"""
    answer = admin_client.post(page_of(), typed(admin_client, counted="750.50"))

    text = answer.content.decode()
    assert "The counted cash differs from the takings: say why." in text
    assert 'value="750.50"' in text
    assert not DailyClose.objects.exists()


@pytest.mark.parametrize("day", ["2026-02-30", "tomorrow", "2199-01-01"])
def test_an_impossible_day_is_an_error_beside_its_field_and_closes_nothing(admin_client: Client, day: str) -> None:
    """U25"""
    answer = admin_client.post(page_of(day), typed(admin_client))

    assert answer.status_code == 200
    assert answer.context["day_form"].errors["day"]
    assert not DailyClose.objects.exists()


def test_the_first_page_shows_the_week(admin_client: Client) -> None:
    """U27"""
    text = admin_client.get(reverse("wagtailadmin_home")).content.decode()

    assert "The last seven days" in text
    assert "Net of each day" in text
