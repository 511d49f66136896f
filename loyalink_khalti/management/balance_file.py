"""Points of members as a CSV file: read completely, with every error named by its line."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.loyalty.ledger import ImportRow
from loyalink_khalti.money import Points
from loyalink_khalti.nepal import ascii_digits, day_of, midnight_after

REQUIRED_COLUMNS = ("member", "points")
COLUMNS = (*REQUIRED_COLUMNS, "expires", "note")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _RawRow:
    """A row as it is in the file; ``line`` is the last line of it."""

    line: int
    number: int
    cells: dict[str, str]


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
    rows: list[ImportRow] = []
    errors: list[str] = []
    names: dict[int, str] = {}
    seen: dict[str, int] = {}
    raw_rows = list(_raw_rows(text))
    members = flow.find_members(raw.cells["member"] for raw in raw_rows)
    for raw in raw_rows:
        found = list(_errors(raw, members, seen, most=most))
        errors += [f"line {raw.line}: {error}" for error in found]
        if not found:
            rows.append(_row(raw, members))
            names[raw.number] = f"line {raw.line}: {raw.cells['member']}, {rows[-1].points} points"
    digest = sha256(content).hexdigest()
    return BalanceFile(rows=tuple(rows), errors=tuple(errors), digest=digest, names=names)


def _raw_rows(text: str) -> Iterator[_RawRow]:
    head = (text.splitlines() or [""])[0]
    delimiter = ";" if head.count(";") > head.count(",") else ","
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().casefold() for name in next(table, [])]
        _check_columns(names)
        for number, cells in enumerate(table, 1):
            if any(cell.strip() for cell in cells):
                named = dict(zip(names, map(str.strip, cells), strict=False))
                if len(cells) > len(names):
                    named["too many"] = "cells"
                cells_read = {"member": "", "points": "", **named}
                for name in ("points", "expires"):
                    cells_read[name] = ascii_digits(cells_read.get(name, ""))
                yield _RawRow(line=table.line_num, number=number, cells=cells_read)
    except csv.Error as exc:
        raise UnreadableFile(f"line {table.line_num}: {exc}") from exc


def _check_columns(names: list[str]) -> None:
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    if missing or len(set(names)) < len(names):
        found = ", ".join(names) or "none"
        raise UnreadableFile(f"line 1: expected the columns {', '.join(COLUMNS)}; there are: {found}")
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise UnreadableFile(f"line 1: unknown columns: {', '.join(unknown)}; known are {', '.join(COLUMNS)}")


def _errors(raw: _RawRow, members: dict[str, list[str]], seen: dict[str, int], *, most: int) -> Iterator[str]:
    name, points, expires = raw.cells["member"], raw.cells["points"], raw.cells.get("expires", "")
    if "too many" in raw.cells:
        yield "more cells than columns"
    found = members.get(name, [])
    if not name:
        yield "no member"
    elif not found:
        yield f"there is no member {name}"
    elif len(found) > 1:
        yield f"{len(found)} users have the address {name}; name one by its pk: {', '.join(found)}"
    elif found[0] in seen:
        yield f"{name} is in line {seen[found[0]]} already"
    else:
        seen[found[0]] = raw.line
    if not (points.isascii() and points.isdigit()) or not int(points[:20]):
        yield f"{points!r} is not a whole number of points above 0"
    elif len(points) > 18 or int(points) > most:
        yield f"{points} points are more than {most}; to allow them, use --most"
    if expires and _day(expires) is None:
        yield f"{expires!r} is not a day like 2027-03-31"
    elif expires and (_day(expires) or date.min) < day_of(timezone.now()):
        yield f"{expires} is in the past"


def _row(raw: _RawRow, members: dict[str, list[str]]) -> ImportRow:
    last_day = _day(raw.cells.get("expires", ""))
    return ImportRow(
        number=raw.number,
        member_id=members[raw.cells["member"]][0],
        points=Points(int(raw.cells["points"])),
        expires_at=midnight_after(last_day) if last_day else None,
        note=raw.cells.get("note", ""),
    )


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year < 9999 else None
