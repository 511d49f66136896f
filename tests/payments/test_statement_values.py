"""Amounts, days and ids as files of banks have them: read exactly, and never guessed."""

from datetime import date

import pytest

from loyalink_khalti.payments.statement_values import (
    DateOrder,
    Mapping,
    RowKind,
    UnclearValue,
    Unit,
    read_amount,
    read_day,
    read_id,
    read_line,
)


@pytest.mark.parametrize(
    ("text", "paisa"),
    [
        ("1,250.50", 125_050), ("1,23,456", 12_345_600), ("Rs. 1,250/-", 125_000), ("NPR 10", 1_000),
        ("रु १,२५०.५", 125_050), ("(500.00)", -50_000), ("-500", -50_000), ("−500", -50_000), ("500-", -50_000),
        ("Rs -500", -50_000), ("0", 0), ("12.500", 1_250),
    ],
)  # fmt: skip
def test_amounts_in_rupees_are_read_exactly(text: str, paisa: int) -> None:
    """U31"""
    assert read_amount(text, Unit.RUPEES) == paisa


def test_amounts_in_paisa_are_whole() -> None:
    """U31"""
    assert read_amount("1,25,050", Unit.PAISA) == 125_050
    assert read_amount("100.00", Unit.PAISA) == 100
    with pytest.raises(UnclearValue, match="other unit") as refused:
        read_amount("1250.50", Unit.PAISA)
    assert refused.value.asks == "unit"


@pytest.mark.parametrize("text", ["", "1.250,50", "1,50", "12 34", "1e5", "abc", "10.505", "--5", "10 CR", "9" * 20])
def test_what_is_no_clear_amount_is_refused(text: str) -> None:
    """U31"""
    with pytest.raises(UnclearValue):
        read_amount(text, Unit.RUPEES)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("2026-11-30", DateOrder.CLEAR), ("2026/11/30 14:22:11", DateOrder.CLEAR), ("30 Nov 2026", DateOrder.CLEAR),
        ("Nov 30, 2026 02:15 PM", DateOrder.CLEAR), ("2026-11-29T20:00:00Z", DateOrder.CLEAR),
        ("30/11/2026", DateOrder.DAY), ("11/30/2026", DateOrder.MONTH), ("30.11.26", DateOrder.DAY),
        ("2083-08-14", DateOrder.CLEAR), ("२०८३/०८/१४", DateOrder.CLEAR), ("14/08/2083", DateOrder.DAY),
    ],
)  # fmt: skip
def test_a_day_is_read_in_either_calendar(text: str, order: DateOrder) -> None:
    """U32"""
    assert read_day(text, order) == date(2026, 11, 30)


@pytest.mark.parametrize("text", ["03/04/2026", "30/11/2026", "03-04-26"])
def test_whether_day_or_month_comes_first_is_asked_and_not_guessed(text: str) -> None:
    """U32"""
    with pytest.raises(UnclearValue) as refused:
        read_day(text, DateOrder.CLEAR)
    assert refused.value.asks == "date_order"


@pytest.mark.parametrize("text", ["", "2055-01-01", "1999-01-01", "2026-13-01", "45991", "yesterday", "2083-02-33"])
def test_a_day_of_neither_calendar_is_refused(text: str) -> None:
    """U32"""
    with pytest.raises(UnclearValue):
        read_day(text, DateOrder.CLEAR)


def test_an_id_that_a_spreadsheet_has_rounded_is_refused() -> None:
    """U31"""
    assert read_id("12345678901234567890") == "12345678901234567890"
    with pytest.raises(UnclearValue, match="rounded"):
        read_id("1.23456789012346E+19")


def test_the_kind_of_a_row_is_by_the_words_that_were_given_or_by_its_sign() -> None:
    """U31"""
    by_word = Mapping(
        transaction_id=0, amount=1, day=2, kind=3, payment_words="Payment, Sale", refund_words="reversal",
        other_words="Fee",
    )  # fmt: skip
    by_sign = Mapping(transaction_id=0, amount=1, day=2)

    kinds = [read_line(by_word, 2, ["a", "10", "2026-11-30", word]) for word in ("SALE", "Reversal", "fee")]
    assert [line and line.kind for line in kinds] == [RowKind.PAYMENT, RowKind.REFUND, None]
    with pytest.raises(UnclearValue, match="neither"):
        read_line(by_word, 2, ["a", "10", "2026-11-30", "gift"])
    line = read_line(by_sign, 2, ["a", "(10)", "2026-11-30"])
    assert line is not None
    assert (line.kind, line.amount) == (RowKind.REFUND, 1_000)
