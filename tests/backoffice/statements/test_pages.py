"""The pages of statements: a file is mapped, previewed and matched; differences are decided; days settled."""

import io
from typing import Any
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import Workbook
from wagtail.models import ModelLogEntry

from loyalink_khalti.payments.statements import SettledDay, Statement, StatementDifference, StatementRow
from tests.backoffice.members.conftest import shop, shop_alone
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk, accountant, editor
from tests.flow.statements.conftest import match, paid, row
from tests.purchases import fake_shop

__all__ = ["fake_shop", "shop", "shop_alone"]

pytestmark = pytest.mark.django_db(transaction=True)
UPLOAD, MAP, STATEMENT, DAYS = (f"loyalink_khalti_statement{name}" for name in ("_upload", "_map", "", "_days"))
DIFFERENCE, DIFFERENCES, STATEMENTS = (
    f"loyalink_khalti_{name}" for name in ("difference", "differences", "statements")
)
CHOSEN = {
    "header": "2", "delimiter": "", "transaction_id": "0", "order_id": "", "amount": "1", "unit": "rupees", "fee": "",
    "net": "", "day": "2", "date_order": "clear", "kind": "", "payment_words": "", "refund_words": "",
    "other_words": "", "format_name": "Our bank",
}  # fmt: skip


@pytest.fixture
def desk(shop: Any) -> Desk:
    return Desk(accountant())


def upload(desk: Desk, content: bytes, name: str = "bank.csv") -> BeautifulSoup:
    return desk.post(UPLOAD, file=SimpleUploadedFile(name, content))


def csv(*dates: str, ids: str = "T") -> bytes:
    lines = [f'{ids}{number},"1,000.00",{day},Sita' for number, day in enumerate(dates, 1)]
    return "\n".join(["Statement of our bank", "Txn,Amount,Date,Name", *lines]).encode()


def test_a_kept_delimiter_that_cannot_read_the_next_file_is_left_out(desk: Desk) -> None:
    """U36: the headings are those of the kept format, cut in another way."""
    upload(desk, b"Txn;Amount;Date\nT1;10;2026-11-10")
    kept = Statement.objects.get()
    desk.post(MAP, kept.pk, **{**CHOSEN, "header": "1", "delimiter": ";"}, step="match")
    assert Statement.objects.get().matched_at is not None

    page = upload(desk, b'"Txn","Amount","Date"\n"T2","20","2026-11-10"')

    assert "The first rows of the file" in page_text(page)
    assert page.select_one("select[name=delimiter] option[selected]")["value"] == ""


def test_a_day_settled_by_two_clicks_is_one_entry_of_the_site_history(desk: Desk) -> None:
    """U39"""
    paid("1")
    match(row("T1"))
    key = str(uuid4())

    for _click in range(2):
        desk.client.post(f"{reverse(DAYS)}?month=2026-11-01", {"day": "2026-11-10", "key": key})

    assert SettledDay.objects.count() == 1
    assert ModelLogEntry.objects.filter(action="loyalink_khalti.day_settled").count() == 1


def test_a_file_is_mapped_once_previewed_matched_and_proposed_for_the_next(desk: Desk) -> None:
    """U36"""
    paid("1")
    text = page_text(upload(desk, csv("2026-11-10", "2026-11-10")))
    assert "The first rows of the file" in text
    statement = Statement.objects.get()

    preview = page_text(desk.post(MAP, statement.pk, **CHOSEN, step="preview"))
    assert ("2, Rs 2,000.00" in preview, StatementRow.objects.exists()) == (True, False)
    page = page_text(desk.post(MAP, statement.pk, **CHOSEN, step="match"))

    assert "1 of 2 rows have a payment here" in page
    assert page_text(upload(desk, csv("2026-11-10", "2026-11-10"))).count("uploaded before") == 1
    next_one = upload(desk, csv("2026-11-12"))
    assert "known as “Our bank”" in page_text(next_one)
    assert next_one.select_one("select[name=amount] option[selected]")["value"] == "1"
    assert ModelLogEntry.objects.filter(action="loyalink_khalti.statement_matched").count() == 1


def test_an_ambiguous_date_is_asked_at_its_field_and_nothing_typed_is_lost(desk: Desk) -> None:
    """U32"""
    upload(desk, csv("03/04/2026"))
    statement = Statement.objects.get()

    page = desk.post(MAP, statement.pk, **CHOSEN, step="preview")

    assert "Row 3: “03/04/2026” may be two dates" in page_text(page)
    assert page.select_one("input[name=format_name]")["value"] == "Our bank"
    assert not StatementRow.objects.exists()
    shown = desk.post(MAP, statement.pk, **{**CHOSEN, "header": "1"}, step="show")
    assert "A: Statement of our bank" in page_text(shown)
    desk.post(MAP, statement.pk, step="discard")
    assert not Statement.objects.exists()


def test_a_bad_file_says_what_to_do_and_is_not_kept(desk: Desk) -> None:
    """U30"""
    assert "old Excel file" in page_text(upload(desk, b"\xd0\xcf\x11\xe0", "a.xls"))
    assert "Row 2 cannot be read" in page_text(upload(desk, b'a,b\nc,"d\n'))
    assert not Statement.objects.exists()


def test_a_workbook_is_read_like_a_csv(desk: Desk) -> None:
    """U30"""
    book, output = Workbook(), io.BytesIO()
    for cells in (["Statement"], ["Txn", "Amount", "Date"], ["T1", 1000, "2026-11-10"]):
        book.active.append(cells)
    book.save(output)
    paid("1")
    upload(desk, output.getvalue(), "bank.xlsx")

    text = page_text(desk.post(MAP, Statement.objects.get().pk, **CHOSEN, step="match"))

    assert "1 of 1 rows have a payment here" in text
    assert "Nothing differs" in text


def test_a_difference_is_attached_or_explained_and_a_day_settled_on_the_pages(desk: Desk) -> None:
    """U38, U39"""
    payment = paid("1")
    match(row("bank-7", fee=""), row("bank-8", rupees="70", fee=""))
    first, second = StatementDifference.objects.filter(kind="missing_here").order_by("pk")

    page = page_text(desk.open(DIFFERENCE, first.pk))
    assert "Possible, by amount and day alone" in page
    refused = desk.post(DIFFERENCE, first.pk, step="attach", named="nothing", reason="It is.", key=str(uuid4()))
    assert "No payment of this site has this." in page_text(refused)
    desk.post(DIFFERENCE, first.pk, step="attach", payment=str(payment.pk), reason="It is.", key=str(uuid4()))
    assert "Enter a reason" in page_text(desk.post(DIFFERENCE, second.pk, step="explain", key=str(uuid4())))
    settle = {"day": "2026-11-10", "key": str(uuid4())}
    url = f"{reverse(DAYS)}?month=2026-11-01"
    desk.client.post(url, settle)
    assert not SettledDay.objects.exists()
    explained = desk.post(DIFFERENCE, second.pk, step="explain", reason="Another shop's.", key=str(uuid4()))
    assert "Bina" in page_text(explained)

    desk.client.post(url, settle)
    assert "Bina" in page_text(desk.open(DAYS, month="2026-11-01"))
    desk.client.post(url, {**settle, "key": str(uuid4()), "step": "undo", "reason": "A file was missing."})

    assert list(SettledDay.objects.order_by("pk").values_list("is_settled", flat=True)) == [True, False]
    actions = ("statement_decided", "day_settled", "day_unsettled")
    logged = [ModelLogEntry.objects.filter(action=f"loyalink_khalti.{action}").count() for action in actions]
    assert logged == [2, 1, 1]


def test_who_sees_reports_on_money_looks_and_only_accountants_act(desk: Desk) -> None:
    """U39"""
    match(row("T9"))
    difference = StatementDifference.objects.get()
    viewer = Desk(editor())

    viewer.open(DIFFERENCE, difference.pk)
    viewer.open(UPLOAD, status=403)
    viewer.post(DIFFERENCE, difference.pk, status=403, step="explain", reason="No.", key=str(uuid4()))
    viewer.post(DAYS, status=403, day="2026-11-10", key=str(uuid4()))
    difference.refresh_from_db()
    assert difference.state == "open"


def test_the_lists_need_the_same_statements_for_any_number_of_rows(desk: Desk) -> None:
    """U37"""

    def queries() -> list[int]:
        counts = []
        for name in (STATEMENTS, DIFFERENCES):
            with CaptureQueriesContext(connection) as captured:
                desk.open(name)
            counts.append(len(captured))
        return counts

    match(row("T9"))
    queries()
    before = queries()
    for number in range(5):
        match(row(f"X{number}"))

    assert queries() == before
