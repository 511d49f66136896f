"""Read a CSV or XLSX file that staff upload, row by row, within limits; each error names the row.

Every cell is a text, trimmed: a date of XLSX is ``2026-11-30``, a number ``1250.5``. Nothing else is interpreted.
A CSV file is in UTF-8 (with or without a byte order mark), UTF-16 or Windows-1252, separated by ``, ; | `` or tabs.
"""

import codecs
import csv
import io
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import IO, Any
from xml.etree.ElementTree import ParseError

from django.utils.translation import gettext as _
from openpyxl.reader.excel import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from loyalink_khalti.conf import formats
from loyalink_khalti.errors import LoyalinkError

DELIMITERS = (",", ";", "\t", "|")
CSV, XLSX = "csv", "xlsx"
_PIECE = 64 * 1024
_SAMPLE_LINES = 30
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_OLD_EXCEL, _ZIP, _PDF = b"\xd0\xcf\x11\xe0", b"PK", b"%PDF"
_HELD_OF_WORKBOOK = 16 * 1024 * 1024
"""Bytes of the parts of a workbook that are held as a whole: its texts, styles and relations. Sheets are streamed."""


class UnreadableTable(LoyalinkError):
    """The file cannot be read; ``str()`` is a sentence for staff, with the row where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLimits:
    """How large an upload may be; ``unpacked`` is in bytes, too: what a XLSX file holds inside."""

    bytes: int = 5 * 1024 * 1024
    unpacked: int = 100 * 1024 * 1024
    rows: int = 20_000
    columns: int = 60
    cell: int = 500


LIMITS = TableLimits()


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row that is not empty."""

    number: int
    """As a spreadsheet counts: the first row is 1, and empty rows count."""
    cells: tuple[str, ...]
    """Without the empty cells at the end."""

    def __getitem__(self, index: int) -> str:
        """Return a cell, "" beyond the last one."""
        return self.cells[index] if index < len(self.cells) else ""


class UploadedTable:
    """A file that is read from its start with each ``rows()``; ``rows`` raises ``UnreadableTable``."""

    def __init__(self, file: IO[bytes], *, delimiter: str = "", limits: TableLimits = LIMITS) -> None:
        """Look at the kind, the size, the encoding and the delimiter. Raises ``UnreadableTable``."""
        self._file, self.limits = file, limits
        self.digest = self._measured()
        """SHA-256 of the contents, in hexadecimal."""
        self.kind = self._kind()
        self.encoding = self._encoding() if self.kind == CSV else ""
        self.delimiter = (delimiter or self._delimiter()) if self.kind == CSV else ""

    @property
    def is_western(self) -> bool:
        """Whether the file was read as Windows-1252 because it is no UTF-8: names may be wrong, figures are not."""
        return self.encoding == "cp1252"

    def rows(self) -> Iterator[TableRow]:
        """Yield the rows that are not empty, one at a time."""
        records = self._csv_records() if self.kind == CSV else self._xlsx_records()
        found = 0
        for number, record in enumerate(records, 1):
            cells = [_text(value) for value in record]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                found += 1
                self._check(number, cells, found)
                yield TableRow(number, tuple(cells))

    def first_rows(self, most: int = 8) -> list[TableRow]:
        """Return the first rows, to be looked at."""
        return [row for row, _number in zip(self.rows(), range(most), strict=False)]

    def _check(self, number: int, cells: list[str], found: int) -> None:
        limits = self.limits
        if found > limits.rows:
            raise UnreadableTable(
                _("The file has more than %(most)s rows. Split it, and upload each part.")
                % {"most": formats.number(limits.rows)}
            )
        if len(cells) > limits.columns:
            text = _("Row %(row)s has more than %(most)s columns. Delete the columns that are not needed.")
            raise UnreadableTable(text % {"row": number, "most": limits.columns})
        if any(len(cell) > limits.cell for cell in cells):
            text = _("Row %(row)s has a cell of more than %(most)s characters. Is a quotation mark missing?")
            raise UnreadableTable(text % {"row": number, "most": limits.cell})

    def _measured(self) -> str:
        digest, size = sha256(), 0
        self._file.seek(0)
        while piece := self._file.read(_PIECE):
            size += len(piece)
            if size > self.limits.bytes:
                most = formats.number(self.limits.bytes // (1024 * 1024))
                raise UnreadableTable(_("The file is larger than %(most)s MB. Split it by days.") % {"most": most})
            digest.update(piece)
        if not size:
            raise UnreadableTable(_("The file is empty."))
        return digest.hexdigest()

    def _kind(self) -> str:
        self._file.seek(0)
        head = self._file.read(512)
        if head.startswith(_ZIP):
            return XLSX
        if head.startswith(_OLD_EXCEL):
            raise UnreadableTable(
                _("This is an old Excel file (.xls), or one with a password. Save it as .xlsx without a password.")
            )
        if head.startswith(_PDF):
            raise UnreadableTable(_("This is a PDF file. Ask for the statement as CSV or XLSX."))
        if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
            raise UnreadableTable(_("This is a web page. Open it in a spreadsheet, and save it as .xlsx or CSV."))
        return CSV

    # CSV

    def _encoding(self) -> str:
        self._file.seek(0)
        head = self._file.read(_PIECE)
        for bom, name in _BOMS:
            if head.startswith(bom):
                self._check_encoding(name)
                return name
        zeros = head.count(0)
        if zeros > len(head) // 4:  # UTF-16 without its mark: every second byte of English is 0
            name = "utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be"
            self._check_encoding(name)
            return name
        if zeros:
            raise UnreadableTable(_("This is no text file. Upload a CSV or XLSX file."))
        try:
            self._check_encoding("utf-8")
        except UnreadableTable:
            self._check_encoding("cp1252")
            return "cp1252"
        return "utf-8"

    def _check_encoding(self, name: str) -> None:
        """Decode all of the file. Raises ``UnreadableTable`` with the row."""
        self._file.seek(0)
        decoder, row = codecs.getincrementaldecoder(name)(), 1
        try:
            while piece := self._file.read(_PIECE):
                row += decoder.decode(piece).count("\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as exc:
            row += exc.object[: exc.start].count(b"\n")
            text = _("Row %(row)s: the letters cannot be read. Save the file as CSV UTF-8 or as .xlsx.")
            raise UnreadableTable(text % {"row": row}) from exc

    def _lines(self) -> Iterator[str]:
        self._file.seek(0)
        raw = io.BufferedReader(_NotClosed(self._file))
        yield from io.TextIOWrapper(raw, encoding=self.encoding, newline="")

    def _delimiter(self) -> str:
        """Return what cuts most of the first lines into the most columns, the same number in each.

        Excel's line ``sep=;`` decides. What is shown to people before anything is kept, so they can choose another.
        """
        sample = [line for line, _number in zip(self._lines(), range(_SAMPLE_LINES), strict=False)]
        if sample and (given := _given(sample[0])):
            return given
        return max(DELIMITERS, key=lambda delimiter: _score(sample, delimiter))

    def _csv_records(self) -> Iterator[list[str]]:
        table = csv.reader(self._lines(), delimiter=self.delimiter, strict=True)
        number = 0
        try:
            for record in table:
                number += 1
                yield [] if number == 1 and _given(self.delimiter.join(record)) else record
        except csv.Error as exc:
            text = _("Row %(row)s cannot be read: is a quotation mark missing or one too many?")
            raise UnreadableTable(text % {"row": number + 1}) from exc

    # XLSX

    def _xlsx_records(self) -> Iterator[Iterable[Any]]:
        self._file.seek(0)
        try:
            self._check_workbook()
            book = load_workbook(self._file, read_only=True, data_only=True, keep_links=False)
        except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, TypeError, OSError, ParseError) as exc:
            raise UnreadableTable(_("This Excel file is damaged. Save it again as .xlsx, or as CSV.")) from exc
        number = 0
        try:
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
            if not sheets:
                raise UnreadableTable(_("The Excel file has no sheet with a table."))
            sheets[0].reset_dimensions()  # what a file says about its own size may be wrong
            for record in sheets[0].iter_rows(values_only=True, max_col=self.limits.columns + 1):
                number += 1
                yield record
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError, IndexError, OSError, ParseError) as exc:
            text = _("Row %(row)s: this Excel file is damaged. Save it again as .xlsx, or as CSV.")
            raise UnreadableTable(text % {"row": number + 1}) from exc
        finally:
            book.close()

    def _check_workbook(self) -> None:
        """Refuse what unpacks to far more than it is: ``zipfile`` reads no more than the size that is declared."""
        with zipfile.ZipFile(self._file) as packed:
            parts = packed.infolist()
            size = sum(part.file_size for part in parts)
            held = sum(part.file_size for part in parts if _is_held(part.filename))
            if size > self.limits.unpacked or held > _HELD_OF_WORKBOOK or len(parts) > 2_000:
                raise UnreadableTable(_("This Excel file is too large inside. Save only the table, as CSV."))
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    with packed.open(part) as opened:
                        if b"<!DOCTYPE" in opened.read(_PIECE):
                            raise UnreadableTable(_("Excel does not write such a file. Save it as CSV."))


def _is_held(name: str) -> bool:
    return name.endswith((".xml", ".rels")) and not name.startswith("xl/worksheets/sheet")


class _NotClosed(io.RawIOBase):
    """A file that stays open when a ``TextIOWrapper`` on it goes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _given(line: str) -> str:
    """Return the delimiter of Excel's line ``sep=;``, "" for any other line."""
    line = line.rstrip("\r\n")
    return line[4] if len(line) == 5 and line.startswith("sep=") and line[4] in DELIMITERS else ""


def _score(lines: list[str], delimiter: str) -> tuple[int, int]:
    try:
        widths = Counter(len(record) for record in csv.reader(lines, delimiter=delimiter) if any(record))
    except csv.Error:
        return 0, 0
    width, times = max(widths.items(), key=lambda item: (item[0] > 1, item[1], item[0]), default=(0, 0))
    return (times if width > 1 else 0), width


def _text(value: Any) -> str:
    """Return a cell as a text; a number as Excel shows it, with at most 15 digits that count."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace("\N{NO-BREAK SPACE}", " ").strip().lstrip("\ufeff")
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.time() == time() else f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date | time | timedelta | int):
        return str(value)
    return str(value).strip()
