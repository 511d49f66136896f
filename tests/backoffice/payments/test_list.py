"""What came to Khalti is found in a list that stays quick, and leaves it as a file in which nothing runs."""

import csv
import io
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from loyalink_khalti import flow
from loyalink_khalti.backoffice import listing
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Customer
from tests.backoffice.staff import worker
from tests.purchases import Khalti

from .conftest import Desk, words

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "loyalink_khalti_payments"
KATHMANDU = ZoneInfo("Asia/Kathmandu")
Begin = Callable[..., Payment]


def sheet(desk: Desk, **asked: str) -> list[dict[str, str]]:
    """The rows of the list as a file."""
    sent = desk.client.get("/admin/khalti/payments/", {**asked, "export": "csv"})
    return list(csv.DictReader(io.StringIO(b"".join(sent.streaming_content).decode("utf-8-sig"))))


def orders(page: Any) -> list[str]:
    return [cell.get_text(strip=True) for cell in page.select("table.listing td.title")]


@pytest.fixture
def several(begin: Begin, khalti: Khalti) -> list[Payment]:
    """Sita has paid, Ram waits, and of Gita's another amount came."""
    paid = begin("11", customer=Customer(name="Sita Maharjan", email="sita@example.com", phone="+9779841000001"))
    khalti.pay(paid.pidx, transaction_id="GFq9PFS7b2iYvL8LirSita")
    flow.finish(paid)
    waits = begin("12", customer=Customer(name="Ram Shrestha", email="ram@example.com", phone="9841000002"))
    odd = begin("13", customer=Customer(name="Gita Tamang", email="gita@example.com", phone="9841000003"))
    khalti.pay(odd.pidx, total_amount=1000)
    flow.finish(odd)
    return [paid, waits, odd]


def test_the_newest_stands_first_with_its_standing_in_words(desk: Desk, several: list[Payment]) -> None:
    page = desk.open(LIST)

    assert orders(page) == ["13", "12", "N-11"]
    chips = [chip.get_text(" ", strip=True) for chip in page.select(".desk-chip")]
    assert chips == ["! Does not match", "! decide", "… Waiting for the shopper", "✓ Paid"]


@pytest.mark.money
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("N-11", ["N-11"]),
        ("sita", ["N-11"]),
        ("mah sit", ["N-11"]),
        ("gita@example.com", ["13"]),
        ("9841000002", ["12"]),
        ("98410", ["13", "12", "N-11"]),
        ("GFq9PFS7b2iYvL8LirSita", ["N-11"]),
        ("nobody", []),
    ],
)
def test_a_payment_is_found_by_whatever_staff_have_of_it(
    desk: Desk, several: list[Payment], typed: str, found: list[str]
) -> None:
    assert orders(desk.open(LIST, q=typed)) == found


def test_a_payment_is_found_by_the_pidx_that_khalti_shows(desk: Desk, several: list[Payment]) -> None:
    Payment.objects.filter(pk=several[1].pk).update(pidx="bZQLD9wRVWo4CdESSfuSsB")

    page = desk.open(LIST, q="bZQLD9wRVWo4CdESSfuSsB")

    assert orders(page) == ["12"]


@pytest.mark.money
@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"state": "fulfilled"}, ["N-11"]),
        ({"state": ["initiated", "mismatched"]}, ["13", "12"]),
        ({"needs_you": "true"}, ["13"]),
        ({"needs_you": "false"}, ["12", "N-11"]),
        ({"environment": "live"}, []),
    ],
    ids=str,
)
def test_filters_leave_what_was_asked_for(
    desk: Desk, several: list[Payment], chosen: dict[str, Any], found: list[str]
) -> None:
    assert orders(desk.open(LIST, **chosen)) == found


def test_a_day_is_a_day_of_kathmandu(desk: Desk, several: list[Payment]) -> None:
    """18:15 UTC is midnight in Nepal."""
    for payment, at in zip(
        several, ("2026-03-01 23:59:59", "2026-03-02 00:00:00", "2026-03-03 00:00:00"), strict=True
    ):
        moment = datetime.fromisoformat(at).replace(tzinfo=KATHMANDU)
        Payment.objects.filter(pk=payment.pk).update(created_at=moment)

    page = desk.open(LIST, since="2026-03-02", until="2026-03-02")

    assert orders(page) == ["12"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"since": "0001-01-01"}, 3),
        ({"until": "9999-12-31"}, 3),
        ({"since": "9999-12-31"}, 0),
        ({"until": "0001-01-01"}, 0),
    ],
    ids=str,
)
def test_a_year_that_nobody_means_is_as_far_away_as_it_says(
    desk: Desk, several: list[Payment], asked: dict[str, str], found: int
) -> None:
    rows = sheet(desk, **asked)

    assert (len(orders(desk.open(LIST, **asked))), len(rows)) == (found, found)


def test_before_the_first_payment_the_page_says_how_to_get_there(desk: Desk) -> None:
    page = desk.open(LIST)

    assert "Three steps" in words(page)
    assert len(page.select("main ol.w-list-decimal li")) == 3


def test_what_was_typed_at_the_checkout_runs_nowhere(desk: Desk, begin: Begin) -> None:
    begin("19", customer=Customer(name="<script>alert(1)</script>", email="=cmd|' /C calc'!A0", phone="+9841"))

    page = desk.open(LIST)
    file = b"".join(desk.client.get("/admin/khalti/payments/?export=csv").streaming_content).decode("utf-8-sig")

    assert not page.find("script", string="alert(1)")
    assert "<script>alert(1)</script>" in words(page)
    row = next(csv.DictReader(io.StringIO(file)))
    assert row["E-mail"] == "'=cmd|' /C calc'!A0"
    assert row["Phone"] == "'+9841"


def test_a_file_has_a_row_for_each_payment_with_rupees_as_numbers(desk: Desk, several: list[Payment]) -> None:
    sent = desk.client.get("/admin/khalti/payments/?export=xlsx")

    sheet = load_workbook(io.BytesIO(b"".join(sent.streaming_content))).active
    head, *rows = sheet.iter_rows(values_only=True)
    assert [row[head.index("Order")] for row in rows] == ["13", "12", "N-11"]
    assert [float(row[head.index("Amount (Rs)")]) for row in rows] == [2500, 2500, 2500]
    assert [row[head.index("Needs a decision")] for row in rows] == ["yes", "no", "no"]
    assert all(cell.data_type != "f" for cells in sheet.iter_rows() for cell in cells)


def test_a_file_holds_what_the_list_was_filtered_to(desk: Desk, several: list[Payment]) -> None:
    sent = desk.client.get("/admin/khalti/payments/?state=fulfilled&export=csv")

    rows = list(csv.DictReader(io.StringIO(b"".join(sent.streaming_content).decode("utf-8-sig"))))

    assert [(row["Order"], row["Khalti's fee (Rs)"]) for row in rows] == [("N-11", "0.30")]


def test_a_character_that_no_file_can_hold_spoils_none(desk: Desk, begin: Begin) -> None:
    begin("19", customer=Customer(name="Sita\x0bRai", email="sita@example.com", phone="9841000001"))

    sent = desk.client.get("/admin/khalti/payments/?export=xlsx")

    head, row = load_workbook(io.BytesIO(b"".join(sent.streaming_content))).active.iter_rows(values_only=True)
    assert row[head.index("Customer")] == "SitaRai"
    assert [line["Customer"] for line in sheet(desk)] == ["SitaRai"]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"since": "nonsense"}, "From: Enter a valid date."),
        ({"until": "2099-13-45", "state": "fulfilled"}, "To: Enter a valid date."),
        ({"environment": "nowhere"}, "Khalti's server: Select a valid choice."),
    ],
    ids=["since", "until", "server"],
)
def test_filters_that_cannot_be_read_take_nothing_along_instead_of_everything(
    desk: Desk, several: list[Payment], asked: dict[str, str], said: str, kind: str
) -> None:
    page = desk.open(LIST, status=400, export=kind, **asked)

    assert f"Nothing was exported: {said}" in words(page)
    assert "Sita" not in words(page)
    assert page.title.get_text(strip=True).startswith("Not exported")  # type: ignore[union-attr]
    assert page.select("#wagtail-sidebar")
    (back,) = page.select("main a.button-secondary")
    assert back["href"] == "/admin/khalti/payments/"


def test_who_may_export_but_not_look_is_not_told_what_cannot_be_read(urls: None, several: list[Payment]) -> None:
    desk = Desk(worker("carrier", "export_payment"))

    desk.open(LIST, status=403, export="csv", since="nonsense")


def test_who_may_look_but_not_export_has_no_button_and_is_refused(urls: None, several: list[Payment]) -> None:
    desk = Desk(worker("looker", "view_payment"))

    page = desk.open(LIST)

    assert "Download" not in str(page)
    desk.open(LIST, status=403, export="csv")
    desk.open(LIST, status=403, export="xlsx")


def test_a_list_of_many_costs_no_more_statements_than_one_of_few(desk: Desk, several: list[Payment]) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as sent:
            desk.open(LIST)
        return len(sent)

    statements()
    few = statements()
    copies(several[0], 60)

    assert (statements(), few <= 12) == (few, True)


def test_a_list_counts_no_further_than_anybody_turns_pages(
    desk: Desk, several: list[Payment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST_COUNTED", 40)
    copies(several[0], 60)

    page = desk.open(LIST)

    assert "The first 40 payments" in words(page)
    assert "Page 1 of 2" in words(page)


def copies(payment: Payment, number: int) -> None:
    """As many more purchases and payments, made by the database itself."""
    made = _copy(Purchase, payment.purchase, number, {"ref": "'R-' || n", "words": "'r-' || n || ' buyer' || n"})
    named = {"pidx": "'manymanymany' || n", "token": "'manymanymany' || n", "transaction_id": "'manymanymany' || n"}
    _copy(Payment, payment, number, {**named, "purchase_id": f"{made} + n"})


def _copy(model: Any, row: Any, number: int, changed: dict[str, str]) -> int:
    """Copy a row with other values for some columns; the first new pk is one above what is returned."""
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
def test_among_a_hundred_thousand_search_and_filters_read_no_table_from_end_to_end(
    desk: Desk, several: list[Payment]
) -> None:
    copies(several[0], 100_000)
    with connection.cursor() as cursor:
        for model in (Payment, Purchase):
            cursor.execute(f"ANALYZE {model._meta.db_table}")
    asked: list[dict[str, Any]] = [
        {},
        {"q": "buyer77777"},
        {"q": "gita tam"},
        {"q": "GFq9PFS7b2iYvL8LirSita"},
        {"q": "manymanymany4711"},
        {"state": "initiated"},
        {"state": "fulfilled"},
        {"state": ["mismatched", "paid"]},
        {"needs_you": "true"},
        {"since": "2026-01-01", "until": "2026-01-31"},
        {"p": "400"},
    ]

    for query in asked:
        with CaptureQueriesContext(connection) as sent:
            desk.open(LIST, **query)

        assert len(sent) <= 12, (query, len(sent))
        for statement in (one["sql"] for one in sent if "loyalink_khalti_p" in one["sql"]):
            plan = explained(statement)
            assert "Seq Scan on loyalink_khalti_p" not in plan, (query, statement, plan)


def explained(statement: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + statement.replace("%", "%%") if "%" in statement else "EXPLAIN " + statement)
        return "\n".join(row[0] for row in cursor.fetchall())
