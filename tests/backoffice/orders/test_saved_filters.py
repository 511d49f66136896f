"""Filters that staff save under a name, and the export of the rows that they tick."""

import csv
import io
from datetime import date

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from loyalink_khalti import bikram_sambat
from loyalink_khalti.backoffice.models import SavedFilter
from loyalink_khalti.backoffice.orders import periods
from loyalink_khalti.backoffice.orders.periods import Days, Period
from tests.backoffice.orders.conftest import Place
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk, accountant

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "loyalink_khalti_payments"


def save(desk: Desk, name: str, query: str) -> BeautifulSoup:
    """Save the filters of a URL, as the form above the list does."""
    answer = desk.client.post(
        reverse("loyalink_khalti_orders_save_filter"), {"name": name, "query": query}, follow=True
    )  # fmt: skip
    return BeautifulSoup(answer.content, "html.parser")


def test_filters_are_saved_opened_replaced_and_deleted_by_their_owner_alone(desk: Desk) -> None:
    """U3"""
    other = Desk(accountant())
    saved = save(desk, "Cash", "method=cod&q=Sita&p=3&evil=1&ordering=-amount_due")
    save(desk, "Cash", "method=cod&state=to_pay")

    (row,) = SavedFilter.objects.all()
    assert row.query == "method=cod&state=to_pay"
    assert saved.find("a", string="Cash")["href"] == "/admin/khalti/payments/?method=cod&ordering=-amount_due"
    assert other.open(LIST).find("a", string="Cash") is None
    other.post("loyalink_khalti_orders_delete_filter", row.pk)
    assert SavedFilter.objects.count() == 1
    desk.post("loyalink_khalti_orders_delete_filter", row.pk)
    assert SavedFilter.objects.count() == 0


def test_nothing_is_saved_without_a_filter_or_a_name(desk: Desk) -> None:
    """U3"""
    without = save(desk, "All", "q=Sita")
    unnamed = save(desk, " ", "method=cod")

    assert "there is nothing to save" in page_text(without)
    assert "Enter a name for these filters." in page_text(unnamed)
    assert not SavedFilter.objects.exists()


def exported(client: Client, **query: object) -> list[str]:
    sent = client.get(reverse(LIST), {**query, "export": "csv"})
    rows = csv.DictReader(io.StringIO(b"".join(sent.streaming_content).decode("utf-8-sig")))  # type: ignore[attr-defined]
    return [row["Order"] for row in rows]


def test_the_ticked_rows_are_exported_or_all_that_match(desk: Desk, place: Place) -> None:
    """U3"""
    one, two, _three = place("A-1"), place("A-2"), place("A-3")

    some = exported(desk.client, only_selected="1", selected=[one.pk, two.pk])
    every = exported(desk.client, method="cod")
    nothing = desk.client.get(reverse(LIST), {"only_selected": "1", "export": "csv"}, follow=True)

    assert some == [two.number, one.number]
    assert len(every) == 3
    assert "Tick the orders to export first." in page_text(nothing)


TODAY = date(2026, 12, 1)


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        (Period.TODAY, TODAY, TODAY),
        (Period.YESTERDAY, date(2026, 11, 30), date(2026, 11, 30)),
        (Period.THIS_MONTH, date(2026, 12, 1), date(2026, 12, 31)),
        (Period.LAST_MONTH, date(2026, 11, 1), date(2026, 11, 30)),
        (Period.THIS_FISCAL_YEAR, date(2026, 7, 17), date(2027, 7, 16)),
        (Period.LAST_FISCAL_YEAR, date(2025, 7, 17), date(2026, 7, 16)),
    ],
)
def test_periods_are_days_of_nepal(period: Period, first: date, last: date) -> None:
    """U3"""
    assert periods.days_of(period, TODAY) == Days(first=first, last=last)


def test_without_the_library_a_sentence_stands_for_the_fiscal_years(monkeypatch: pytest.MonkeyPatch) -> None:
    """U3"""

    def missing(_day: date) -> None:
        raise ImportError

    monkeypatch.setattr(bikram_sambat, "is_installed", lambda: False)
    monkeypatch.setattr(bikram_sambat, "fiscal_year", missing)

    assert [value for value, _label in periods.choices(TODAY)] == ["today", "yesterday", "this_month", "last_month"]
    assert "pip install loyalink-khalti[bikram-sambat]" in periods.missing_reason(TODAY)
