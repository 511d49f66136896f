"""Exports as XLSX: what a spreadsheet computes with is a number or a day, never a text."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from openpyxl import load_workbook

from loyalink_khalti.staff.workbook import MEASURED_ROWS, WIDEST, write_workbook


def sheet_of(headings: list[str], rows: Any) -> Any:
    output = BytesIO()
    write_workbook(headings, rows, output)
    output.seek(0)
    return load_workbook(output).active


@pytest.mark.parametrize(
    ("value", "number_format"),
    [
        (Decimal("1234567.05"), "#,##0.00"),
        (Decimal("-20.00"), "#,##0.00"),
        (Decimal("12.5"), "#,##0.0"),
        (1234567, "#,##0"),
        (date(2026, 3, 1), "yyyy-mm-dd"),
        (datetime(2026, 3, 1, 23, 59), "yyyy-mm-dd hh:mm"),  # noqa: DTZ001  # a cell has no time zone
    ],
)
def test_numbers_and_days_are_cells_with_a_format(value: Any, number_format: str) -> None:
    """U29: an amount, points or a day can be summed or sorted, and is shown with the decimals that it has."""
    cell = sheet_of(["Value"], [[value]])["A2"]

    assert cell.data_type == ("d" if isinstance(value, date) else "n")
    assert cell.number_format == number_format
    found = cell.value
    assert (found.date() if type(value) is date else found) == (float(value) if type(value) is Decimal else value)


@pytest.mark.parametrize("text", ["=1+1", "#N/A", "007", "2026-03-01", ""])
def test_a_text_stays_a_text(text: str) -> None:
    """U29: no text becomes a formula, an error, a number or a day."""
    cell = sheet_of(["Text"], [[text]])["A2"]

    assert (cell.value or "", cell.data_type if text else "s") == (text, "s")


def test_headings_stay_in_sight_and_columns_are_as_wide_as_their_contents() -> None:
    """U29: nothing is shown as ####, and a long note does not push the others away."""
    sheet = sheet_of(["Rs", "Note", "A heading"], [[Decimal("123456789012.00"), "x" * 500, 1]])

    assert sheet.freeze_panes == "A2"
    assert all(cell.font.bold for cell in sheet[1])
    widths = [sheet.column_dimensions[letter].width for letter in "ABC"]
    assert widths[0] >= len("123,456,789,012.00")
    assert widths[1:] == [WIDEST, len("A heading") + 2]


def test_rows_are_written_as_they_are_read() -> None:
    """U29: an export of any length holds only the rows whose widths are measured."""
    alive, most = 0, 0

    class Row(list):  # type: ignore[type-arg]
        def __init__(self, number: int) -> None:
            nonlocal alive, most
            super().__init__([number])
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def rows() -> Iterator[Row]:
        yield from (Row(number) for number in range(MEASURED_ROWS * 20))

    sheet = sheet_of(["Number"], rows())

    assert sheet.max_row == MEASURED_ROWS * 20 + 1
    assert most <= MEASURED_ROWS + 3
