"""The rows of a file with members and points: every error with its row. For ``loyalty_import`` and for the desk.

How the file is read (CSV on the server, CSV or XLSX on the desk) is the caller's; here begin the cells.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.loyalty.ledger import IMPORT, ImportRow
from loyalink_khalti.money import Points
from loyalink_khalti.nepal import ascii_digits, day_of, midnight_after

REQUIRED_COLUMNS = ("member", "points")
COLUMNS = (*REQUIRED_COLUMNS, "expires", "note")
MOST_POINTS = 1_000_000
"""More points in one row are a typing error."""
MOST_DIGITS = 18
LONGEST_NOTE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRow:
    """A row as it is in the file; ``line`` is where people find it, ``has_more``: cells beyond the columns."""

    line: int
    number: int
    cells: dict[str, str]
    has_more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsTable:
    """The rows of a file, and its errors, each with its line."""

    rows: tuple[ImportRow, ...]
    errors: tuple[tuple[int, str], ...]
    names: dict[int, str]
    """How messages name each row, by its ``number``: its line, its member as typed, and its points."""


def check_rows(
    raw_rows: Iterable[RawRow], *, most: int = MOST_POINTS, is_signed: bool = False, reason: str = IMPORT
) -> PointsTable:
    """Return the rows that can be used and the errors of the others; the members of all are read at once.

    ``is_signed`` allows points below 0, which are deducted.
    """
    raw_rows = list(raw_rows)
    members = flow.find_members(raw.cells["member"] for raw in raw_rows)
    rows: list[ImportRow] = []
    errors: list[tuple[int, str]] = []
    names: dict[int, str] = {}
    seen: dict[str, int] = {}
    for raw in raw_rows:
        found = list(_errors(raw, members, seen, most=most, is_signed=is_signed))
        errors += [(raw.line, error) for error in found]
        if not found:
            rows.append(_row(raw, members, reason))
            names[raw.number] = _("line %(line)s: %(member)s, %(points)s points") % {
                "line": raw.line, "member": raw.cells["member"], "points": rows[-1].points,
            }  # fmt: skip
    return PointsTable(rows=tuple(rows), errors=tuple(errors), names=names)


def missing_columns(names: list[str]) -> str:
    """Return what is wrong with the columns of a file; "" where nothing is."""
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    if missing or len(set(names)) < len(names):
        found = ", ".join(names) or _("none")
        text = _("expected the columns %(columns)s; there are: %(found)s")
        return text % {"columns": ", ".join(COLUMNS), "found": found}
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        text = _("unknown columns: %(unknown)s; known are %(columns)s")
        return text % {"unknown": ", ".join(unknown), "columns": ", ".join(COLUMNS)}
    return ""


def with_digits(cells: dict[str, str]) -> dict[str, str]:
    """Return the cells of a row with all that a check reads, and digits of any script as 0 to 9."""
    known = {"member": "", "points": "", **cells}
    return known | {name: ascii_digits(known.get(name, "")) for name in ("points", "expires")}


def _errors(
    raw: RawRow, members: dict[str, list[str]], seen: dict[str, int], *, most: int, is_signed: bool
) -> Iterator[str]:
    yield from _member_errors(raw, members, seen)
    yield from _points_errors(raw.cells["points"], most=most, is_signed=is_signed)
    expires = raw.cells.get("expires", "")
    last_day = _day(expires)
    if expires and last_day is None:
        yield _("%(text)s is not a day like 2027-03-31") % {"text": repr(expires)}
    elif last_day is not None and last_day < day_of(timezone.now()):
        yield _("%(day)s is in the past") % {"day": expires}
    if len(raw.cells.get("note", "")) > LONGEST_NOTE:
        yield _("the note is longer than %(most)s characters") % {"most": LONGEST_NOTE}


def _member_errors(raw: RawRow, members: dict[str, list[str]], seen: dict[str, int]) -> Iterator[str]:
    name = raw.cells["member"]
    if raw.has_more:
        yield _("more cells than columns")
    found = members.get(name, [])
    if not name:
        yield _("no member")
    elif not found:
        yield _("there is no member %(name)s") % {"name": name}
    elif len(found) > 1:
        text = _("%(number)s users have the address %(name)s; name one by its pk: %(pks)s")
        yield text % {"number": len(found), "name": name, "pks": ", ".join(found)}
    elif found[0] in seen:
        yield _("%(name)s is in line %(line)s already") % {"name": name, "line": seen[found[0]]}
    else:
        seen[found[0]] = raw.line


def _points_errors(points: str, *, most: int, is_signed: bool) -> Iterator[str]:
    digits = points.removeprefix("-").removeprefix("−") if is_signed else points
    if not (digits.isascii() and digits.isdigit()) or not int(digits[:20]):
        if is_signed:
            yield _("%(text)s is not a whole number of points, such as 50 or -50") % {"text": repr(points)}
        else:
            yield _("%(text)s is not a whole number of points above 0") % {"text": repr(points)}
    elif len(digits) > MOST_DIGITS or int(digits) > most:
        yield _("%(points)s points are more than %(most)s") % {"points": digits, "most": most}


def _row(raw: RawRow, members: dict[str, list[str]], reason: str) -> ImportRow:
    last_day = _day(raw.cells.get("expires", ""))
    return ImportRow(
        number=raw.number,
        member_id=members[raw.cells["member"]][0],
        points=Points(int(raw.cells["points"].replace("−", "-"))),
        expires_at=midnight_after(last_day) if last_day else None,
        note=raw.cells.get("note", ""),
        reason=reason,
    )


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year < 9999 else None
