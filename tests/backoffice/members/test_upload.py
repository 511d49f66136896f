"""Points of many members by a file: every error with its row, a preview that changes nothing, then all of it once."""

from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import Workbook
from wagtail.models import ModelLogEntry, Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import LoyaltySettings
from loyalink_khalti.errors import SelfDealing
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import ImportRow
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.money import Points
from loyalink_khalti.outbox import Message
from tests.backoffice.pages import page_text
from tests.purchases import at_once

from .conftest import MemberDesk, customer, member

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]
PAGE = "loyalink_khalti_points_upload"
OPENING = {"kind": "opening"}
ADJUST = {"kind": "adjust", "reason": "goodwill"}


def csv(*lines: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("points.csv", "\r\n".join(lines).encode())


def xlsx(*rows: tuple[Any, ...]) -> SimpleUploadedFile:
    book, written = Workbook(), BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(written)
    return SimpleUploadedFile("points.xlsx", written.getvalue())


def preview(desk: MemberDesk, file: Any, *, status: int = 200, **form: Any) -> Any:
    return desk.post(PAGE, status=status, **(form or OPENING), file=file, step="preview")


def confirm(desk: MemberDesk, page: Any, *, status: int = 200) -> str:
    token = page.select_one("input[name=upload]")["value"]
    return page_text(desk.post(PAGE, status=status, upload=token, step="confirm"))


def available() -> dict[str, int]:
    return {str(account.member_id): account.available for account in Account.objects.all()}


def limit(**limits: int) -> None:
    LoyaltySettings.objects.create(site=Site.objects.get(is_default_site=True), **limits)


def test_opening_balances_are_shown_and_then_given_once(editor: MemberDesk, sita: Account) -> None:
    """U59"""
    ram = customer("Ram")
    file = ("member,points,expires,note", f"{ram.email},1200,2090-03-31,old card", f"{sita.member_id},300,,")

    page = preview(editor, csv(*file))
    assert available() == {str(sita.member_id): 1000}
    assert "+1,200 0 1,200" in page_text(page)
    assert "+300 1,000 1,300" in page_text(page)
    assert "2 rows are done." in confirm(editor, page)
    again = preview(editor, csv(*file))

    assert available() == {str(ram.pk): 1200, str(sita.member_id): 1300}
    assert "Done before, skipped 2" in page_text(again)
    assert again.select_one("button[value=confirm]") is None
    assert "All these rows were done before." in confirm(editor, page)
    (entry,) = ModelLogEntry.objects.filter(action="loyalink_khalti.upload_points")
    assert (entry.data["rows"], entry.data["added"]) == (2, 1500)
    assert ram.email not in str(entry.data) + entry.label


def test_adjustments_add_and_deduct_with_a_reason_and_members_are_told(editor: MemberDesk, sita: Account) -> None:
    """U59: numbers of a spreadsheet, and as people type them."""
    ram = member(customer("Ram"), 50)
    file = xlsx(("Member", "Points"), (int(str(sita.member_id)), -250), ("ram@example.com", "१,२००"))

    confirm(editor, preview(editor, file, **ADJUST))

    assert available() == {str(sita.member_id): 750, str(ram.member_id): 1250}
    made = Entry.objects.filter(reason_code="goodwill").values_list("actor", flat=True)
    assert list(made) == [str(editor.user.pk)] * 2
    assert Message.objects.filter(payload__event="adjusted").count() == 2


def test_the_same_table_in_another_kind_of_file_is_the_same_and_another_name_gives_it_again(
    editor: MemberDesk, sita: Account
) -> None:
    """U59"""
    confirm(editor, preview(editor, csv("member,points", f"{sita.member_id},10"), **ADJUST))
    same = preview(editor, xlsx(("member", "points"), (sita.member_id, 10)), **ADJUST)
    assert same.select_one("button[value=confirm]") is None

    confirm(editor, preview(editor, csv("member,points", f"{sita.member_id},10"), **ADJUST, batch="poush"))

    assert available() == {str(sita.member_id): 1020}


def test_every_error_is_named_with_its_row_and_nothing_is_changed(editor: MemberDesk, sita: Account) -> None:
    """U59"""
    lines = ("member,points,expires", "nobody@example.com,5,", f"{sita.member_id},-2000,", "sita@example.com,1.5,soon")

    text = page_text(preview(editor, csv(*lines), **ADJUST))

    for said in (
        "2 there is no member nobody@example.com",
        "4 sita@example.com is in line 3 already",
        "4 '1.5' is not a whole number of points, such as 50 or -50",
        "4 'soon' is not a day like 2027-03-31",
    ):
        assert said in text
    short = page_text(preview(editor, csv(*lines[:1], lines[2]), **ADJUST))
    assert "2 Only 1,000 points are available to deduct." in short
    assert available() == {str(sita.member_id): 1000}


@pytest.mark.parametrize("lines", [("name,points", "x,1"), ("member,points",), ("",)])
def test_a_file_without_the_columns_or_rows_is_refused(editor: MemberDesk, lines: tuple[str, ...]) -> None:
    page = preview(editor, csv(*lines))

    assert page.select_one("input[name=upload]") is None
    assert page.select_one("input[type=file]") is not None


def test_members_who_were_merged_or_have_left_are_named(editor: MemberDesk, sita: Account) -> None:
    ram = member(customer("Ram"), 50)
    ledger.merge(site_key="default", member_id=str(ram.member_id), into=str(sita.member_id), actor="1")

    text = page_text(preview(editor, csv("member,points", "ram@example.com,5")))

    assert "2 This member was merged into another member." in text


def test_limits_and_permissions_are_those_of_a_single_adjustment(
    editor: MemberDesk, admin: MemberDesk, sita: Account
) -> None:
    """U59"""
    ram = member(customer("Ram"), 50)
    limit(adjust_limit_per_action=100, adjust_limit=150, adjust_limit_per_actor=180)
    one = csv("member,points", f"{sita.member_id},101", f"{ram.member_id},50")

    assert "2 You may adjust up to 100 points at once." in page_text(preview(editor, one, **ADJUST))
    both = ("member,points", f"{sita.member_id},100", f"{ram.member_id},90")
    assert "all members together" in page_text(preview(editor, csv(*both), status=403, **ADJUST))
    confirm(editor, preview(editor, csv("member,points", f"{sita.member_id},100"), **ADJUST))
    day = page_text(preview(editor, csv("member,points", f"{sita.member_id},51"), **ADJUST))
    assert "2 You may adjust up to 150 points of one member per day. Left now: 50." in day
    confirm(admin, preview(admin, csv(*both), **ADJUST, batch="more"))
    assert available() == {str(sita.member_id): 1200, str(ram.member_id): 140}


def test_a_limit_that_was_set_after_the_preview_stops_the_confirmation(editor: MemberDesk, sita: Account) -> None:
    page = preview(editor, csv("member,points", f"{sita.member_id},100"), **ADJUST)
    limit(adjust_limit_per_action=10)

    assert "Nothing was changed." in confirm(editor, page)
    assert available() == {str(sita.member_id): 1000}


def test_nobody_uploads_points_for_themselves(editor: MemberDesk, sita: Account) -> None:
    """U59"""
    text = page_text(preview(editor, csv("member,points", f"{editor.user.pk},10", f"{sita.member_id},10")))

    assert "2 This is for your own account or order." in text
    rows = [ImportRow(number=2, member_id=str(editor.user.pk), points=Points(10))]
    with pytest.raises(SelfDealing):
        flow.upload_points(rows, site_key="default", batch="b", actor=str(editor.user.pk), may_exceed_limit=True)


def test_a_colleague_s_preview_and_a_changed_one_count_for_nothing(
    editor: MemberDesk, admin: MemberDesk, sita: Account
) -> None:
    page = preview(editor, csv("member,points", f"{sita.member_id},10"))
    token = page.select_one("input[name=upload]")["value"]

    for desk, sent in ((admin, token), (editor, token[:-3] + "abc")):
        assert "This form has expired." in page_text(desk.post(PAGE, upload=sent, step="confirm"))
    assert available() == {str(sita.member_id): 1000}


def test_a_preview_takes_the_same_statements_for_any_number_of_rows(sita: Account) -> None:
    limit(adjust_limit_per_action=100, adjust_limit=150, adjust_limit_per_actor=18_000)
    rows = [ImportRow(number=n, member_id=str(customer(f"member{n}").pk), points=Points(10)) for n in range(30)]
    for row in rows:
        ledger.open_account("default", row.member_id)

    def statements(number: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            flow.preview_points(rows[:number], site_key="default", batch="b", actor="1")
        return len(queries)

    assert statements(3) == statements(30)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="one writer at a time on SQLite")
def test_two_confirmations_at_once_give_the_points_once(sita: Account) -> None:
    """U59"""
    rows = [ImportRow(number=2, member_id=str(sita.member_id), points=Points(10), reason="goodwill")]

    done = at_once(4, lambda _number: len(flow.upload_points(rows, site_key="default", batch="b", actor="1").new))

    assert sorted(done) == [0, 0, 0, 1]
    assert available() == {str(sita.member_id): 1010}
