"""The list of orders and payments: searched, filtered, sorted, and exported as a file in which no formula runs."""

import csv
import io
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from loyalink_khalti import flow
from loyalink_khalti.nepal import KATHMANDU
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Customer
from loyalink_khalti.staff import listing
from tests.backoffice.pages import page_text
from tests.backoffice.payments.test_page import logged
from tests.backoffice.staff import Desk, staff_user
from tests.purchases import Khalti

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sampled]

LIST = "loyalink_khalti_payments"
Begin = Callable[..., Payment]


def export_rows(desk: Desk, **filters: str) -> list[dict[str, str]]:
    """Return the rows of the CSV export."""
    sent = desk.client.get("/admin/khalti/payments/", {**filters, "export": "csv"})
    return list(csv.DictReader(io.StringIO(b"".join(sent.streaming_content).decode("utf-8-sig"))))


def orders(page: Any) -> list[str]:
    return [cell.get_text(strip=True) for cell in page.select("table.listing td.title")]


@pytest.fixture
def several(begin: Begin, khalti: Khalti) -> list[Payment]:
    """Sita has paid, Ram's payment is pending, and Khalti captured a different amount of Gita."""
    paid = begin("11", customer=Customer(name="Sita Maharjan", email="sita@example.com", phone="+9779841000001"))
    khalti.pay(paid.pidx, transaction_id="GFq9PFS7b2iYvL8LirSita")
    flow.verify_payment(paid)
    waits = begin("12", customer=Customer(name="Ram Shrestha", email="ram@example.com", phone="9841000002"))
    odd = begin("13", customer=Customer(name="Gita Tamang", email="gita@example.com", phone="9841000003"))
    khalti.pay(odd.pidx, total_amount=1000)
    flow.verify_payment(odd)
    return [paid, waits, odd]


def test_the_newest_payment_is_first_and_has_its_status(desk: Desk, several: list[Payment]) -> None:
    page = desk.open(LIST)

    assert orders(page) == ["13", "12", "N-11"]
    statuses = [status.get_text(" ", strip=True) for status in page.select(".desk-status")]
    assert statuses == ["! Paid – order not placed", "! Needs review", "… Awaiting payment", "✓ Paid"]


@pytest.mark.money
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("N-11", ["N-11"]),
        ("sita", ["N-11"]),
        ("mah sit", ["N-11"]),
        ("gita@example.com", ["13"]),
        ("9841000002", ["12"]),
        ("98410", ["13", "12", "N-11"]),
        ("GFq9PFS7b2iYvL8LirSita", ["N-11"]),
        ("unknown", []),
    ],
)
def test_a_payment_is_found_by_order_name_email_phone_or_khaltis_ids(
    desk: Desk, several: list[Payment], query: str, found: list[str]
) -> None:
    assert orders(desk.open(LIST, q=query)) == found


def test_a_payment_is_found_by_the_pidx_that_khalti_shows(desk: Desk, several: list[Payment]) -> None:
    Payment.objects.filter(pk=several[1].pk).update(pidx="bZQLD9wRVWo4CdESSfuSsB")

    page = desk.open(LIST, q="bZQLD9wRVWo4CdESSfuSsB")

    assert orders(page) == ["12"]


@pytest.mark.money
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"state": "fulfilled"}, ["N-11"]),
        ({"state": ["initiated", "mismatched"]}, ["13", "12"]),
        ({"needs_review": "true"}, ["13"]),
        ({"needs_review": "false"}, ["12", "N-11"]),
        ({"environment": "live"}, []),
    ],
    ids=str,
)
def test_filters_select_payments(
    desk: Desk, several: list[Payment], filters: dict[str, Any], found: list[str]
) -> None:
    """U8: the states are those of links to the earlier list."""
    assert orders(desk.open(LIST, **filters)) == found


def test_days_are_days_in_nepal(desk: Desk, several: list[Payment]) -> None:
    """18:15 UTC is midnight in Nepal."""
    for payment, at in zip(
        several, ("2026-03-01 23:59:59", "2026-03-02 00:00:00", "2026-03-03 00:00:00"), strict=True
    ):
        moment = datetime.fromisoformat(at).replace(tzinfo=KATHMANDU)
        Purchase.objects.filter(pk=payment.purchase_id).update(created_at=moment)

    page = desk.open(LIST, since="2026-03-02", until="2026-03-02")

    assert orders(page) == ["12"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"since": "0001-01-01"}, 3),
        ({"until": "9999-12-31"}, 3),
        ({"since": "9999-12-31"}, 0),
        ({"until": "0001-01-01"}, 0),
    ],
    ids=str,
)
def test_a_mistyped_year_is_accepted(desk: Desk, several: list[Payment], filters: dict[str, str], found: int) -> None:
    rows = export_rows(desk, **filters)

    assert (len(orders(desk.open(LIST, **filters))), len(rows)) == (found, found)


def test_an_empty_list_explains_how_to_take_the_first_payment(desk: Desk) -> None:
    page = desk.open(LIST)

    assert "three steps" in page_text(page)
    assert len(page.select("main ol.w-list-decimal li")) == 3


def test_what_a_customer_entered_runs_neither_on_the_page_nor_in_the_file(desk: Desk, begin: Begin) -> None:
    begin("19", customer=Customer(name="<script>alert(1)</script>", email="=cmd|' /C calc'!A0", phone="+9841"))

    page = desk.open(LIST)
    file = b"".join(desk.client.get("/admin/khalti/payments/?export=csv").streaming_content).decode("utf-8-sig")

    assert not page.find("script", string="alert(1)")
    assert "<script>alert(1)</script>" in page_text(page)
    row = next(csv.DictReader(io.StringIO(file)))
    assert row["E-mail"] == "'=cmd|' /C calc'!A0"
    assert row["Phone"] == "'+9841"


def test_an_export_has_a_row_for_each_payment_with_rupees_as_numbers(desk: Desk, several: list[Payment]) -> None:
    sent = desk.client.get("/admin/khalti/payments/?export=xlsx")

    sheet = load_workbook(io.BytesIO(b"".join(sent.streaming_content))).active
    head, *rows = sheet.iter_rows(values_only=True)
    assert [row[head.index("Order")] for row in rows] == ["13", "12", "N-11"]
    assert [float(row[head.index("To pay (Rs)")]) for row in rows] == [2500, 2500, 2500]
    assert [row[head.index("Needs review")] for row in rows] == ["yes", "no", "no"]
    assert all(cell.data_type != "f" for cells in sheet.iter_rows() for cell in cells)


def test_an_export_is_logged_with_its_filters_and_without_what_was_searched_for(
    desk: Desk, several: list[Payment]
) -> None:
    """P4"""
    desk.client.get("/admin/khalti/payments/?state=fulfilled&q=Sita+Sharma&export=csv")
    desk.client.get("/admin/khalti/payments/?state=fulfilled")

    (entry,) = logged()
    assert entry == (
        "loyalink_khalti.export",
        "Exported Orders and payments as CSV; filters: state: fulfilled, q: …",
        "maya",
    )


def test_an_export_has_the_filtered_rows(desk: Desk, several: list[Payment]) -> None:
    sent = desk.client.get("/admin/khalti/payments/?state=fulfilled&export=csv")

    rows = list(csv.DictReader(io.StringIO(b"".join(sent.streaming_content).decode("utf-8-sig"))))

    assert [(row["Order"], row["Khalti's fee (Rs)"]) for row in rows] == [("N-11", "0.30")]


def test_a_control_character_breaks_no_export(desk: Desk, begin: Begin) -> None:
    begin("19", customer=Customer(name="Sita\x0bRai", email="sita@example.com", phone="9841000001"))

    sent = desk.client.get("/admin/khalti/payments/?export=xlsx")

    head, row = load_workbook(io.BytesIO(b"".join(sent.streaming_content))).active.iter_rows(values_only=True)
    assert row[head.index("Customer")] == "SitaRai"
    assert [line["Customer"] for line in export_rows(desk)] == ["SitaRai"]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("filters", "error"),
    [
        ({"since": "nonsense"}, "From: Enter a valid date."),
        ({"until": "2099-13-45", "state": "fulfilled"}, "To: Enter a valid date."),
        ({"environment": "nowhere"}, "Khalti's server: Select a valid choice."),
    ],
    ids=["since", "until", "server"],
)
def test_invalid_filters_refuse_the_export(
    desk: Desk, several: list[Payment], filters: dict[str, str], error: str, kind: str
) -> None:
    page = desk.open(LIST, status=400, export=kind, **filters)

    assert f"Nothing was exported: {error}" in page_text(page)
    assert "Sita" not in page_text(page)
    assert page.title.get_text(strip=True).startswith("Not exported")  # type: ignore[union-attr]
    assert page.select("#wagtail-sidebar")
    (back,) = page.select("main a.button-secondary")
    assert back["href"] == "/admin/khalti/payments/"


def test_the_export_needs_the_permission_to_view_payments(urls: None, several: list[Payment]) -> None:
    desk = Desk(staff_user("exporter", "export_payment"))

    desk.open(LIST, status=403, export="csv", since="nonsense")


def test_staff_who_may_not_export_have_no_button_and_are_refused(urls: None, several: list[Payment]) -> None:
    desk = Desk(staff_user("viewer", "view_payment"))

    page = desk.open(LIST)

    assert "Download" not in str(page)
    desk.open(LIST, status=403, export="csv")
    desk.open(LIST, status=403, export="xlsx")


def test_a_long_list_takes_no_more_queries_than_a_short_one(desk: Desk, several: list[Payment]) -> None:
    """U9"""

    def statements() -> int:
        with CaptureQueriesContext(connection) as sent:
            desk.open(LIST)
        return len(sent)

    statements()
    few = statements()
    copies(several[0], 60)

    assert (statements(), few <= 20) == (few, True)


def test_a_list_counts_up_to_its_limit(desk: Desk, several: list[Payment], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "COUNT_LIMIT", 40)
    copies(several[0], 60)

    page = desk.open(LIST)

    assert "The first 40 orders" in page_text(page)
    assert "Page 1 of 2" in page_text(page)


def copies(payment: Payment, number: int) -> None:
    """Insert copies of a purchase and its payment, in SQL."""
    numbered = {"ref": "'R-' || n", "number": "'M-' || n", "search_text": "'r-' || n || ' buyer' || n"}
    made = _copy(Purchase, payment.purchase, number, numbered)
    named = {"pidx": "'manymanymany' || n", "token": "'manymanymany' || n", "transaction_id": "'manymanymany' || n"}
    _copy(Payment, payment, number, {**named, "purchase_id": f"{made} + n"})


def _copy(model: Any, row: Any, number: int, changed: dict[str, str]) -> int:
    """Copy a row with other values for some columns, and return the pk before the first copy."""
    base = model.objects.order_by("-pk").values_list("pk", flat=True)[0]
    columns = [field.column for field in model._meta.concrete_fields]
    values = {"id": f"{base} + n", "created_at": "created_at", **changed}
    series = "generate_series(1, %s) AS numbers(n)"
    if connection.vendor == "sqlite":
        series = "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %s) SELECT n FROM c)"
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)})"
            f" SELECT {', '.join(values.get(name, name) for name in columns)} FROM {table}, {series} WHERE id = %s",
            [number, row.pk],
        )
    return int(base)


# Among 100,000


@pytest.mark.money
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="its planner is PostgreSQL's")
@pytest.mark.timeout(120)
def test_search_and_filters_use_an_index_among_a_hundred_thousand_orders(desk: Desk, several: list[Payment]) -> None:
    """U9"""
    copies(several[0], 100_000)
    with connection.cursor() as cursor:
        for model in (Payment, Purchase):
            cursor.execute(f"ANALYZE {model._meta.db_table}")
    queries: list[dict[str, Any]] = [
        {},
        {"q": "buyer77777"},
        {"q": "gita tam"},
        {"q": "GFq9PFS7b2iYvL8LirSita"},
        {"q": "manymanymany4711"},
        {"state": "initiated"},
        {"state": "fulfilled"},
        {"state": ["mismatched", "partly_refunded", "refunded"]},
        {"state": ["cancelled", "expired", "failed"]},
        {"state": "to_pay"},
        {"method": "cod"},
        {"amount_from": "2,400", "amount_to": "2,499"},
        {"period": "today"},
        {"ordering": "-number"},
        {"ordering": "amount_due"},
        {"ordering": "-method"},
        {"q": "12-1"},
        {"q": "+977 984-1000002"},
        {"needs_review": "true"},
        {"since": "2026-01-01", "until": "2026-01-31"},
        {"p": "400"},
    ]

    for query in queries:
        with CaptureQueriesContext(connection) as sent:
            desk.open(LIST, **query)

        assert len(sent) <= 22, (query, len(sent))
        for statement in (one["sql"] for one in sent if "loyalink_khalti_p" in one["sql"]):
            plan = explained(statement)
            assert not re.search(r"Seq Scan on loyalink_khalti_(purchase|payment)\b", plan), (query, statement, plan)


def explained(statement: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + statement.replace("%", "%%") if "%" in statement else "EXPLAIN " + statement)
        return "\n".join(row[0] for row in cursor.fetchall())
