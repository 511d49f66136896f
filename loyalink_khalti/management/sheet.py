"""Points of members as a spreadsheet file: read with every fault named by its line, written so that nothing runs."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

from django.utils import timezone

from loyalink_khalti.flow import people
from loyalink_khalti.loyalty.expiry import day_of, midnight_after
from loyalink_khalti.loyalty.importing import Row
from loyalink_khalti.money import Points

NEEDED = ("member", "points")
KNOWN = (*NEEDED, "expires", "note")


class Unreadable(Exception):
    """The file is no such table at all; ``str()`` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a file says, and what is wrong with it: a sentence for each fault, beginning with its line."""

    rows: tuple[Row, ...]
    faults: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """A row as it was typed; ``line`` is where it ends in the file."""

    line: int
    number: int
    cells: dict[str, str]


def read(path: Path, *, most: int) -> Sheet:
    """Read ``member``, ``points`` and, if there, ``expires`` (the last valid day) and ``note``.

    ``most`` points at once are believed. Comma or semicolon between cells, UTF-8 with or without a byte order mark.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content[: exc.start].count(b"\n") + 1
        raise Unreadable(f"line {line}: this is not UTF-8; save the file as CSV UTF-8") from exc
    rows: list[Row] = []
    faults: list[str] = []
    seen: dict[str, int] = {}
    typed = list(_typed(text))
    members = people.members(row.cells["member"] for row in typed)
    for row in typed:
        found = list(_faults(row, members, seen, most=most))
        faults += [f"line {row.line}: {fault}" for fault in found]
        if not found:
            rows.append(_row(row, members))
    return Sheet(rows=tuple(rows), faults=tuple(faults), digest=sha256(content).hexdigest())


def _typed(text: str) -> Iterator[_Typed]:
    head = text.partition("\n")[0]
    delimiter = ";" if head.count(";") > head.count(",") else ","
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().casefold() for name in next(table, [])]
        missing = [name for name in NEEDED if name not in names]
        if missing or len(set(names)) < len(names):
            raise Unreadable(
                f"line 1: expected the columns {', '.join(KNOWN)}; there are: {', '.join(names) or 'none'}"
            )
        unknown = [name for name in names if name not in KNOWN]
        if unknown:
            raise Unreadable(f"line 1: nobody reads the column(s) {', '.join(unknown)}; known are {', '.join(KNOWN)}")
        for number, cells in enumerate(table, 1):
            if any(cell.strip() for cell in cells):
                named = dict(zip(names, map(str.strip, cells), strict=False))
                if len(cells) > len(names):
                    named["too many"] = "cells"
                yield _Typed(line=table.line_num, number=number, cells={"member": "", "points": "", **named})
    except csv.Error as exc:
        raise Unreadable(f"line {table.line_num}: {exc}") from exc


def _faults(row: _Typed, members: dict[str, list[str]], seen: dict[str, int], *, most: int) -> Iterator[str]:
    name, points, expires = row.cells["member"], row.cells["points"], row.cells.get("expires", "")
    if "too many" in row.cells:
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
        seen[found[0]] = row.line
    if not (points.isascii() and points.isdigit()) or not int(points[:20]):
        yield f"{points!r} is not a whole number of points above 0"
    elif len(points) > 18 or int(points) > most:
        yield f"{points} points are more than {most}; if they are meant, say so with --most"
    if expires and _day(expires) is None:
        yield f"{expires!r} is not a day like 2027-03-31"
    elif expires and (_day(expires) or date.min) < day_of(timezone.now()):
        yield f"{expires} is over"


def _row(row: _Typed, members: dict[str, list[str]]) -> Row:
    last_day = _day(row.cells.get("expires", ""))
    return Row(
        number=row.number,
        member_id=members[row.cells["member"]][0],
        points=Points(int(row.cells["points"])),
        expires_at=midnight_after(last_day) if last_day else None,
        note=row.cells.get("note", ""),
    )


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year < 9999 else None
