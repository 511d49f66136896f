"""Points of members as a CSV file: read completely, with every error named by its line."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from loyalink_khalti.loyalty.ledger import ImportRow
from loyalink_khalti.staff.points_table import RawRow, check_rows, missing_columns, with_digits


class UnreadableFile(Exception):
    """The file is not a table with these columns; ``str()`` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceFile:
    """The rows of a file, and its errors: one sentence each, which begins with the line."""

    rows: tuple[ImportRow, ...]
    errors: tuple[str, ...]
    digest: str
    names: dict[int, str]
    """How messages name each row, by its ``number``: its line, its member as typed, and its points."""


def read(path: Path, *, most: int) -> BalanceFile:
    """Read ``member``, ``points`` and, if there, ``expires`` (the last valid day) and ``note``.

    More than ``most`` points in one row are an error. Cells are separated by comma or semicolon; UTF-8 with or
    without a byte order mark; digits may be Devanagari. Raises ``UnreadableFile`` and ``OSError``.
    """
    content = path.read_bytes()
    try:
        text = unicodedata.normalize("NFC", content.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        line = content[: exc.start].count(b"\n") + 1
        raise UnreadableFile(f"line {line}: this is not UTF-8; save the file as CSV UTF-8") from exc
    table = check_rows(_raw_rows(text), most=most)
    errors = tuple(f"line {line}: {error}{_hint(error)}" for line, error in table.errors)
    return BalanceFile(rows=table.rows, errors=errors, digest=sha256(content).hexdigest(), names=table.names)


def _hint(error: str) -> str:
    return "; to allow them, use --most" if " points are more than " in error else ""


def _raw_rows(text: str) -> Iterator[RawRow]:
    head = (text.splitlines() or [""])[0]
    delimiter = ";" if head.count(";") > head.count(",") else ","
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().casefold() for name in next(table, [])]
        if obstacle := missing_columns(names):
            raise UnreadableFile(f"line 1: {obstacle}")
        for number, cells in enumerate(table, 1):
            if any(cell.strip() for cell in cells):
                named = with_digits(dict(zip(names, map(str.strip, cells), strict=False)))
                yield RawRow(line=table.line_num, number=number, cells=named, has_more=len(cells) > len(names))
    except csv.Error as exc:
        raise UnreadableFile(f"line {table.line_num}: {exc}") from exc
