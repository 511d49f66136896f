"""XLSX files of lists and reports: numbers and days that a spreadsheet computes with, in columns wide enough."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from openpyxl import Workbook  # type: ignore[attr-defined]  # untyped
from openpyxl.cell import WriteOnlyCell  # type: ignore[attr-defined]  # untyped
from openpyxl.styles import Alignment, Font  # type: ignore[attr-defined]  # untyped
from openpyxl.utils import get_column_letter  # type: ignore[attr-defined]  # untyped

MEASURED_ROWS = 100
"""Rows whose texts decide how wide a column is; the others are written as they are read, and none is kept."""
NARROWEST, WIDEST = 10, 60
"""Widths of columns, in characters."""
DAY_FORMAT, MOMENT_FORMAT = "yyyy-mm-dd", "yyyy-mm-dd hh:mm"
MOST_DECIMALS = 6


def write_workbook(headings: Sequence[str], rows: Iterable[Sequence[Any]], output: Any) -> None:
    """Write rows of texts, numbers, days and moments (without a time zone) as they come; ``output`` is a file."""
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet(title="Sheet1")
    sheet.freeze_panes = "A2"
    source = iter(rows)
    first = list(islice(source, MEASURED_ROWS))
    for column, heading in enumerate(headings):
        width = _width([heading, *(row[column] for row in first)])
        sheet.column_dimensions[get_column_letter(column + 1)].width = width
    sheet.append(_headings(sheet, headings))
    for row in chain(first, source):
        sheet.append(_cells(sheet, row))
    workbook.save(output)


def number_format(value: Any) -> str:
    """Return how a spreadsheet shows a value: rupees with two decimals, points with none, days as ISO dates."""
    if isinstance(value, datetime):
        return MOMENT_FORMAT
    if isinstance(value, date):
        return DAY_FORMAT
    if isinstance(value, Decimal):
        decimals = min(max(-int(value.as_tuple().exponent), 0), MOST_DECIMALS)
        return f"#,##0.{'0' * decimals}" if decimals else "#,##0"
    return "#,##0" if isinstance(value, int) else "General"


def _headings(sheet: Any, headings: Sequence[str]) -> Iterator[Any]:
    for heading in headings:
        cell = WriteOnlyCell(sheet, heading)
        cell.data_type = "s"
        cell.font = Font(bold=True)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        yield cell


def _cells(sheet: Any, row: Sequence[Any]) -> Iterator[Any]:
    for value in row:
        cell = WriteOnlyCell(sheet, value)
        if isinstance(value, str):
            cell.data_type = "s"  # never a formula, nor an error like #N/A
        else:
            cell.number_format = number_format(value)
        yield cell


def _width(values: Iterable[Any]) -> int:
    """Return a width for the longest line of the values."""
    longest = max(len(line) for value in values for line in (_shown(value).splitlines() or [""]))
    return min(max(longest + 2, NARROWEST), WIDEST)


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return MOMENT_FORMAT
    if isinstance(value, date):
        return DAY_FORMAT
    return f"{value:,}" if isinstance(value, int | Decimal) else str(value or "")
