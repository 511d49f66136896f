"""A statement is matched by ids; what differs is listed; each row counts once; nothing of ours changes."""

import time
import tracemalloc
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotMatch
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.statement_values import Mapping
from loyalink_khalti.payments.statements import Statement, StatementDifference, StatementRow
from loyalink_khalti.payments.states import PaymentState
from loyalink_khalti.staff.uploaded_table import TableRow
from tests.flow.statements.conftest import DAY, MAPPING, MAYA, differences, match, only_difference, paid, row
from tests.payments.test_reports import refund

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.mark.on_both
def test_a_row_is_matched_by_any_id_of_its_payment() -> None:
    """U33"""
    payments = [paid(number) for number in "123456"]
    ids = [("T1", ""), ("", "2"), ("", "ref-3"), ("", "ref-4-1"), ("", "pidx-5"), ("pidx-6", "6")]

    match(*(row(*each) for each in ids))

    assert differences() == []
    assert [each.payment for each in StatementRow.objects.order_by("number")] == payments


@pytest.mark.on_both
def test_each_kind_of_difference_is_listed() -> None:
    """U34"""
    for number in ("1", "2", "3", "4"):
        paid(number)
    paid("5", state=PaymentState.INITIATED, captured=None, fee=None, at=None)  # type: ignore[arg-type]  # never paid
    paid("6")

    match(
        row("T1"), row("T1", day="2026-11-11"), row("T2", rupees="900"), row("T3", fee="31"), row("T5"),
        row("T9"), row("T4", "1"), row("T4", rupees="-100"), row("T6", fee=""),
    )  # fmt: skip

    assert differences() == [
        "amount", "double", "fee", "missing_here", "missing_there", "not_paid_here", "refund_here", "unclear",
    ]  # fmt: skip
    missing = StatementDifference.objects.get(kind="missing_there")
    assert missing.payment == Payment.objects.get(transaction_id="T4")


def test_an_upload_changes_no_payment() -> None:
    """U34"""
    payment = paid("1")
    before = Payment.objects.values().get()

    match(row("T1", rupees="900", fee="99"))

    assert Payment.objects.values().get(pk=payment.pk) == before


def test_amount_and_day_alone_match_nothing_and_are_only_proposed() -> None:
    """U33"""
    payment = paid("1")

    match(row("bank-17"))

    assert differences() == ["missing_here", "missing_there"]
    found = StatementRow.objects.get()
    assert (found.payment, flow.possible_payments(found)) == (None, [payment])


def test_an_order_with_another_transaction_id_may_be_a_second_payment_so_a_person_decides() -> None:
    """U33"""
    paid("1")

    match(row("other-transaction", "1"))

    assert differences() == ["missing_there", "unclear"]


def test_another_sites_payment_is_not_matched() -> None:
    """U33"""
    paid("1", site="other")

    match(row("T1"))

    assert differences() == ["missing_here"]


@pytest.mark.on_both
def test_refunds_are_matched_once_each_and_those_missing_there_are_listed() -> None:
    """U34"""
    payment = paid("1")
    refund(payment, 10_000, f"{DAY}T07:00:00")
    refund(payment, 20_000, f"{DAY}T08:00:00")

    match(row("T1"), row("T1", rupees="(100)"), row("T1", rupees="(100.00)", day="2026-11-11"))

    assert differences() == ["refund_here", "refund_there"]
    assert StatementRow.objects.filter(refund__amount=10_000).count() == 1


@pytest.mark.on_both
def test_overlapping_files_count_each_row_once() -> None:
    """U35"""
    paid("1")
    paid("2")
    first = match(row("T1"), row("T2"))

    second = match(row("T2"), row("T1"), row("T9"))

    assert (first.known_rows, second.known_rows, StatementRow.objects.count()) == (0, 2, 3)
    assert differences() == ["missing_here"]


def test_two_rows_that_say_the_same_are_double_and_stay_two_in_the_next_file() -> None:
    """U35"""
    paid("1")
    match(row("T1"), row("T1"))
    assert differences() == ["double"]

    again = match(row("T1"), row("T1"))

    assert (again.known_rows, StatementRow.objects.count(), differences()) == (2, 2, ["double"])


def test_the_same_contents_are_kept_once() -> None:
    """U35"""
    first, is_new = flow.keep_statement(b"x", site_key="default", name="a.csv", digest="d", actor=MAYA)
    second, again = flow.keep_statement(b"x", site_key="default", name="b.csv", digest="d", actor=MAYA)

    assert (first, is_new, again) == (second, True, False)


def test_an_upload_that_broke_off_is_matched_again_and_counts_once() -> None:
    """U35"""
    paid("1")
    kept, _new = flow.keep_statement(b"x", site_key="default", name="a.csv", digest="d", actor=MAYA)
    rows = [TableRow(number, tuple(row(f"T{number}"))) for number in range(2, 1004)]
    reads = 0

    def breaks_off() -> Any:
        nonlocal reads
        reads += 1
        yield from rows[:700] if reads == 2 else rows
        if reads == 2:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        flow.match_statement(kept, MAPPING, format_name="", headings="", actor=MAYA, rows=breaks_off)
    assert Statement.objects.get().matched_at is None
    done = flow.match_statement(kept, MAPPING, format_name="", headings="", actor=MAYA, rows=lambda: iter(rows))

    assert (done.rows, done.known_rows, StatementRow.objects.count()) == (1002, 0, 1002)


def test_the_contents_and_the_other_columns_are_not_kept() -> None:
    """U36"""
    paid("1")

    done = match([*row("T1"), "Sita Maharjan", "9841234567"])

    stored = str(list(StatementRow.objects.values())) + str(Statement.objects.values().get())
    assert done.content is None
    assert "Sita" not in stored
    assert "9841234567" not in stored


def test_every_wrong_row_is_named_and_then_nothing_is_stored() -> None:
    """U31"""
    lines = [
        TableRow(2, tuple(row("T1"))),
        TableRow(3, tuple(row("T2", rupees="x"))),
        TableRow(4, tuple(row(day="?"))),
    ]
    checked = flow.check_statement(MAPPING, lines)
    assert [(error.number, error.asks) for error in checked.errors] == [(3, "amount"), (4, "day")]

    with pytest.raises(CannotMatch):
        match(row("T1"), row("T2", rupees="x"))
    assert not StatementRow.objects.exists()


def test_a_later_lookup_or_file_solves_a_difference() -> None:
    """U34"""
    payment = paid("1", state=PaymentState.INITIATED, captured=None, at=None)  # type: ignore[arg-type]  # never paid
    statement = match(row("T1"), row("T2"))
    assert differences() == ["missing_here", "not_paid_here"]

    Payment.objects.filter(pk=payment.pk).update(state=PaymentState.FULFILLED, captured=100_000)
    paid("2")
    assert flow.check_again("default", statement=statement.pk) == 2
    assert differences() == []


def test_what_an_earlier_statement_lacks_is_solved_by_the_next_one() -> None:
    """U34"""
    paid("1")
    paid("2")
    match(row("T1"))
    assert differences() == ["missing_there"]

    match(row("T2", day="2026-11-11"))
    flow.check_again("default")

    assert differences() == []


def test_a_statement_is_taken_back_unless_it_was_decided() -> None:
    """U35"""
    paid("1")
    statement = match(row("T9"))
    flow.take_back_statement(statement.pk)
    assert not any(each.objects.exists() for each in (StatementRow, StatementDifference, Statement))

    statement = match(row("T1"), row("T9"))
    flow.explain_difference(only_difference().pk, reason="Another shop's.", key="k", actor=MAYA)
    with pytest.raises(CannotMatch, match="decided"):
        flow.take_back_statement(statement.pk)


def _file(number: int) -> list[TableRow]:
    return [TableRow(each + 2, tuple(row(f"T{each}"))) for each in range(number)]


def test_the_statements_of_a_match_depend_on_chunks_and_not_on_rows() -> None:
    """U37"""
    for number in range(60):
        paid(str(number))

    def queries(number: int) -> int:
        kept, _new = flow.keep_statement(b"x", site_key="default", name="a", digest=str(number), actor=MAYA)
        with CaptureQueriesContext(connection) as captured:
            lines = _file(number)
            flow.match_statement(
                kept,
                Mapping(transaction_id=0, amount=2, day=4),
                format_name="",
                headings="",
                actor=MAYA,
                rows=lambda: iter(lines),
            )
        return len(captured)

    assert queries(3) == queries(50)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ten_thousand_rows_are_matched_in_twenty_seconds_and_bounded_memory() -> None:
    """U37"""
    template = paid("0")
    purchases = [
        Purchase(**{**_copied(template.purchase), "ref": f"r{number}", "number": f"n{number}"})
        for number in range(1, 10_000)
    ]
    Purchase.objects.bulk_create(purchases, batch_size=500)
    payments = []
    for number, purchase in enumerate(purchases, 1):
        own = {"purchase_id": purchase.pk, "transaction_id": f"T{number}", "pidx": f"p{number}", "token": f"t{number}"}
        payments.append(Payment(**{**_copied(template), **own}))
    Payment.objects.bulk_create(payments, batch_size=500)
    lines = _file(10_000)
    kept, _new = flow.keep_statement(b"x", site_key="default", name="a", digest="d", actor=MAYA)

    started = time.monotonic()
    done = flow.match_statement(kept, MAPPING, format_name="", headings="", actor=MAYA, rows=lambda: iter(lines))
    seconds = time.monotonic() - started

    assert (done.rows, differences()) == (10_000, [])
    assert seconds < 20, seconds
    other = [TableRow(each.number, (f"X{each.number}", *each.cells[1:])) for each in lines]
    kept, _new = flow.keep_statement(b"y", site_key="default", name="b", digest="e", actor=MAYA)
    tracemalloc.start()
    flow.match_statement(kept, MAPPING, format_name="", headings="", actor=MAYA, rows=lambda: iter(other))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000, (seconds, peak)


def _copied(instance: Any) -> dict[str, Any]:
    fields = [field for field in instance._meta.concrete_fields if not field.primary_key]
    return {field.attname: getattr(instance, field.attname) for field in fields}
