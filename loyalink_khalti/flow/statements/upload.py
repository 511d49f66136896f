"""Keep an uploaded statement, read it by its mapping, match its rows once, and take it back.

An upload changes no payment. Rows are stored and matched 500 at a time, each chunk in a transaction of its own: an
upload that was interrupted is matched again, and what is stored already counts once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from typing import Any, Protocol

from django.db import transaction
from django.utils.translation import gettext as _

from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import CannotMatch
from loyalink_khalti.flow.members.directory import chunked
from loyalink_khalti.flow.transactions import advisory_lock, forbid_transaction, in_one_block
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.statement_values import Mapping, RowKind, StatementLine, UnclearValue, read_line
from loyalink_khalti.payments.statements import (
    SettledDay,
    Statement,
    StatementDecision,
    StatementDifference,
    StatementFormat,
    StatementRow,
)

from .compare import list_missing_there, store_matches

MOST_ERRORS = 20
DRAFTS_KEPT = timedelta(days=1)
MOST_DAYS = 400
"""A statement of more days has a wrong date somewhere."""


class TableLine(Protocol):
    """A row of a file: its number, and its cells by index."""

    @property
    def number(self) -> int:
        """As a spreadsheet counts."""

    def __getitem__(self, index: int) -> str:
        """Return a cell, "" beyond the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineError:
    """What is wrong with a row; ``asks`` names the field of the mapping that decides it, "" for none."""

    number: int
    message: str
    asks: str = ""


@dataclass(slots=True, kw_only=True)
class CheckedLines:
    """All rows of a file as a mapping reads them; amounts are paisa."""

    payments: int = 0
    paid: Paisa = Paisa(0)
    refunds: int = 0
    refunded: Paisa = Paisa(0)
    left_out: int = 0
    first_day: date | None = None
    last_day: date | None = None
    errors: list[LineError] = field(default_factory=list)
    """At most ``MOST_ERRORS``."""
    number_of_errors: int = 0
    sample: list[StatementLine] = field(default_factory=list)
    """The first few."""

    def add(self, line: StatementLine) -> None:
        """Count a row."""
        if line.kind == RowKind.PAYMENT:
            self.payments, self.paid = self.payments + 1, Paisa(self.paid + line.amount)
        else:
            self.refunds, self.refunded = self.refunds + 1, Paisa(self.refunded + line.amount)
        self.first_day = min(self.first_day or line.day, line.day)
        self.last_day = max(self.last_day or line.day, line.day)
        if len(self.sample) < 5:
            self.sample.append(line)

    def add_error(self, number: int, message: str, asks: str = "") -> None:
        """Count what is wrong with a row."""
        self.number_of_errors += 1
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(LineError(number=number, message=message, asks=asks))


def keep_statement(content: bytes, *, site_key: str, name: str, digest: str, actor: str) -> tuple[Statement, bool]:
    """Keep a file until its columns are mapped; return it, and whether it is new: the same contents count once."""
    forbid_transaction("keep_statement")

    def keep() -> tuple[Statement, bool]:
        old = Statement.objects.filter(matched_at=None, rows=0, uploaded_at__lt=database_now() - DRAFTS_KEPT)
        old.exclude(lines__isnull=False).delete()
        fields = {"name": name[:100], "content": content, "actor": actor}
        return Statement.objects.get_or_create(site_key=site_key, digest=digest, defaults=fields)

    return in_one_block(keep)


def check_statement(mapping: Mapping, rows: Iterable[TableLine]) -> CheckedLines:
    """Read all rows of a file, store nothing, and return their sums and what is wrong with which row."""
    checked = CheckedLines()
    for row in rows:
        if row.number <= mapping.header:
            continue
        try:
            line = read_line(mapping, row.number, row)
        except UnclearValue as exc:
            checked.add_error(row.number, str(exc), exc.asks)
            continue
        if line is None:
            checked.left_out += 1
        else:
            checked.add(line)
    if checked.first_day and checked.last_day and (checked.last_day - checked.first_day).days > MOST_DAYS:
        checked.add_error(0, _("The rows are of more than 400 days: is a date wrong?"), "day")
    return checked


def match_statement(
    statement: Statement, mapping: Mapping, *, format_name: str, headings: str, actor: str,
    rows: Callable[[], Iterable[TableLine]],
) -> Statement:  # fmt: skip
    """Store the rows of a file, match them, and list what differs; return the statement, freshly read.

    ``rows`` reads the file from its start. Once: a statement that is matched is returned as it is. Raises
    ``CannotMatch`` where a row is wrong, and ``InsideTransaction``.
    """
    forbid_transaction("match_statement")
    if statement.matched_at is not None:
        return statement
    checked = check_statement(mapping, rows())
    if checked.number_of_errors:
        raise CannotMatch(_("Nothing was matched: some rows cannot be read."))
    if not (checked.payments or checked.refunds):
        raise CannotMatch(_("The file has no row of a payment or refund."))
    if format_name:
        remember_format(statement.site_key, format_name, headings, mapping, actor=actor)
    seen: Counter[str] = Counter()
    for chunk in chunked(_lines(mapping, rows())):
        _store(statement, chunk, seen)
    first, last = checked.first_day, checked.last_day
    assert first is not None
    assert last is not None
    has_refunds = bool(checked.refunds) or mapping.kind is not None
    list_missing_there(statement, first, last, with_refunds=has_refunds)

    def finish() -> Statement:
        row = Statement.objects.select_for_update().get(pk=statement.pk)
        if row.matched_at is None:
            number = checked.payments + checked.refunds
            row.rows, row.known_rows = number, number - row.lines.count()
            row.first_day, row.last_day, row.left_out = first, last, checked.left_out
            row.has_refunds, row.mapping, row.format_name = has_refunds, mapping.as_json(), format_name
            row.matched_at, row.content, row.actor = database_now(), None, actor
            row.save()
        return row

    return in_one_block(finish)


def remember_format(site_key: str, name: str, headings: str, mapping: Mapping, *, actor: str) -> None:
    """Keep a mapping of a site under a name; one of that name is replaced."""
    fields = {"headings": headings, "mapping": mapping.as_json(), "actor": actor, "updated_at": database_now()}
    with transaction.atomic():
        StatementFormat.objects.update_or_create(site_key=site_key, name=name[:60], defaults=fields)


def headings_hash(cells: Iterable[str]) -> str:
    """Return what identifies the headings of a file, whatever their case and spaces."""
    return sha256("\n".join(" ".join(cell.casefold().split()) for cell in cells).encode()).hexdigest()


def discard_statement(pk: int) -> None:
    """Delete a file that was not matched."""
    Statement.objects.filter(pk=pk, matched_at=None, lines=None).delete()


def take_back_statement(pk: int) -> None:
    """Delete a matched statement with its rows and differences, as if it had never been uploaded.

    Raises ``CannotMatch`` once somebody has decided a difference or settled a day of it, where a later statement
    counts on its rows, or where it is not matched; and ``InsideTransaction``.
    """
    forbid_transaction("take_back_statement")

    def take_back() -> None:
        known = Statement.objects.filter(pk=pk, matched_at__isnull=False)
        advisory_lock([f"statements:{site_key}" for site_key in known.values_list("site_key", flat=True)])  # first
        statement = known.select_for_update().first()
        if statement is None:
            raise CannotMatch(_("This statement is not matched, or is taken back already."))
        if StatementDecision.objects.filter(difference__statement=statement).exists():
            raise CannotMatch(_("A difference of this statement was decided, so it cannot be taken back."))
        days = SettledDay.objects.filter(site_key=statement.site_key)
        if days.filter(day__gte=statement.first_day, day__lte=statement.last_day).exists():
            raise CannotMatch(_("A day of this statement was settled, so it cannot be taken back."))
        later = Statement.objects.filter(
            site_key=statement.site_key, pk__gt=statement.pk, known_rows__gt=0,
            first_day__lte=statement.last_day, last_day__gte=statement.first_day,
        )  # fmt: skip
        if later.exists():
            raise CannotMatch(_("A later statement has rows of this one. Take that one back first."))
        rows = StatementRow.objects.filter(statement=statement)
        StatementDifference.objects.filter(row__in=rows).delete()
        StatementDifference.objects.filter(statement=statement).delete()
        rows.delete()
        statement.delete()

    in_one_block(take_back)


def _lines(mapping: Mapping, rows: Iterable[TableLine]) -> Iterator[StatementLine]:
    for row in rows:
        line = read_line(mapping, row.number, row) if row.number > mapping.header else None
        if line is not None:
            yield line


def _store(statement: Statement, lines: list[StatementLine], seen: "Counter[str]") -> None:
    """Store and match the rows that no statement has yet. ``seen`` counts the rows of the file that say the same."""
    rows = []
    for line in lines:
        said = _said(line)
        seen[said] += 1
        rows.append(_row(statement, line, identity=sha256(f"{said}\n{seen[said]}".encode()).hexdigest()))
    repeated = {row.identity for row, line in zip(rows, lines, strict=True) if _is_repeated(row, line)}

    def store() -> None:
        advisory_lock([f"statements:{statement.site_key}"])
        identities = [row.identity for row in rows]
        stored = StatementRow.objects.filter(site_key=statement.site_key, identity__in=identities)
        known = set(stored.values_list("identity", flat=True))
        store_matches([_unsaved(row) for row in rows if row.identity not in known], repeated=repeated)

    in_one_block(store)


def _said(line: StatementLine) -> str:
    """Return what identifies a row in every file: what it says of the payment, without its place and its fee."""
    parts: list[Any] = [line.kind, line.transaction_id, line.order_id, line.amount, line.day.isoformat()]
    return "\n".join(map(str, parts))


def _is_repeated(row: StatementRow, line: StatementLine) -> bool:
    return row.identity != sha256(f"{_said(line)}\n1".encode()).hexdigest()


def _row(statement: Statement, line: StatementLine, *, identity: str) -> StatementRow:
    return StatementRow(
        statement=statement, site_key=statement.site_key, identity=identity, number=line.number, kind=line.kind,
        transaction_id=line.transaction_id, order_id=line.order_id, amount=line.amount, fee=line.fee, net=line.net,
        day=line.day,
    )  # fmt: skip


def _unsaved(row: StatementRow) -> StatementRow:
    """Return a row to store, also where an attempt before was rolled back."""
    row.pk = row.payment = row.refund = None
    return row
