"""What a cell of a statement means: an amount in paisa, a day in Nepal, an id. Nothing is guessed.

Pure functions. Each raises ``UnclearValue`` with a sentence for staff where a text has two meanings, or none.
"""

import re
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import bikram_sambat
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import KATHMANDU, ascii_digits, plain_number

LARGEST = 1_000_000_000_000
"""Paisa: more is an error of the unit or of the column."""
_AD_YEARS, _BS_YEARS = range(2010, 2046), range(2067, bikram_sambat.LAST_PUBLISHED_YEAR + 1)
"""The years of a payment in both calendars: no year is in both."""
_TIME = re.compile(r"[T,\s]+\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([AaPp]\.?[Mm]\.?)?$")
_ROUNDED = re.compile(r"\d(\.\d+)?[Ee]\+\d+")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CURRENCY = re.compile(r"^(?:Rs|NPR|रु|रू)\.?\s*", re.IGNORECASE)


class UnclearValue(LoyalinkError):
    """A cell has no clear meaning; ``str()`` is a sentence for staff. ``asks`` names the field that decides it."""

    def __init__(self, message: str, *, asks: str = "") -> None:
        super().__init__(message)
        self.asks = asks


class Unit(models.TextChoices):
    """The unit of the amounts of a file."""

    RUPEES = "rupees", gettext_lazy("Rupees (1,250.00)")
    PAISA = "paisa", gettext_lazy("Paisa (125000)")


class DateOrder(models.TextChoices):
    """What comes first in a date such as 03/04/2026."""

    CLEAR = "clear", gettext_lazy("The dates are clear (2026-04-03, 3 April 2026)")
    DAY = "day", gettext_lazy("The day first (03/04/2026 is 3 April)")
    MONTH = "month", gettext_lazy("The month first (03/04/2026 is 4 March)")


class RowKind(models.TextChoices):
    """What a row of a statement is."""

    PAYMENT = "payment", gettext_lazy("Payment")
    REFUND = "refund", gettext_lazy("Refund")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Which column of a file is what (0 is the first, None: none), and how its values are written."""

    header: int = 1
    """The row with the headings, as a spreadsheet counts; 0: none."""
    transaction_id: int | None = None
    order_id: int | None = None
    amount: int | None = None
    fee: int | None = None
    net: int | None = None
    day: int | None = None
    kind: int | None = None
    unit: str = Unit.RUPEES
    date_order: str = DateOrder.CLEAR
    payment_words: str = ""
    refund_words: str = ""
    other_words: str = ""
    """Words of ``kind``, separated by commas: rows that are payments, refunds, or are left out."""
    delimiter: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Mapping":
        """Return a stored mapping; what this version does not know is left out."""
        return replace(cls(), **{name: stored[name] for name in cls.__slots__ if name in stored})


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """A row of a statement as it is understood; amounts are paisa, never negative."""

    number: int
    kind: str
    transaction_id: str
    order_id: str
    amount: Paisa
    fee: Paisa | None
    net: Paisa | None
    day: date


def read_line(mapping: Mapping, number: int, cells: Any) -> StatementLine | None:
    """Return a row as the mapping reads it, None for one that its kind leaves out. Raises ``UnclearValue``.

    ``cells[i]`` is the text of a column, "" beyond the last one.
    """
    kind = _kind(mapping, cells)
    if kind is None:
        return None
    amount = read_amount(_cell(cells, mapping.amount), mapping.unit)
    if mapping.kind is None and amount < 0:
        kind = RowKind.REFUND
    transaction_id, order_id = (read_id(_cell(cells, index)) for index in (mapping.transaction_id, mapping.order_id))
    fee, net = (_optional(_cell(cells, index), mapping.unit) for index in (mapping.fee, mapping.net))
    return StatementLine(
        number=number, kind=kind, transaction_id=transaction_id, order_id=order_id, amount=Paisa(abs(amount)),
        fee=None if fee is None else Paisa(abs(fee)), net=None if net is None else Paisa(net),
        day=read_day(_cell(cells, mapping.day), mapping.date_order),
    )  # fmt: skip


def _cell(cells: Any, index: int | None) -> str:
    return "" if index is None else str(cells[index])


def _optional(text: str, unit: str) -> int | None:
    return None if text in {"", "-", "–"} else read_amount(text, unit)


def _kind(mapping: Mapping, cells: Any) -> str | None:
    if mapping.kind is None:
        return RowKind.PAYMENT
    word = _cell(cells, mapping.kind)
    if word.casefold() in words(mapping.payment_words):
        return RowKind.PAYMENT
    if word.casefold() in words(mapping.refund_words):
        return RowKind.REFUND
    if word.casefold() in words(mapping.other_words):
        return None
    text = _("“%(word)s” is neither a word for payments nor for refunds, nor one of rows that are left out.")
    raise UnclearValue(text % {"word": word[:40]}, asks="payment_words")


def words(text: str) -> set[str]:
    """Return the words of a list separated by commas, in small letters."""
    return {word.strip().casefold() for word in text.split(",") if word.strip()}


def read_amount(text: str, unit: str) -> int:
    """Return an amount in paisa; negative with a minus on either side or in parentheses. Raises ``UnclearValue``.

    Commas as in Nepal or in thousands, "Rs", "NPR", "रु", "/-", digits of both kinds.
    """
    typed = ascii_digits(text).replace("−", "-").replace("–", "-").strip()
    typed = _CURRENCY.sub("", typed).strip()
    is_negative = False
    if typed.startswith("(") and typed.endswith(")"):
        is_negative, typed = True, typed[1:-1].strip()
    elif typed.startswith("-"):
        is_negative, typed = True, typed[1:].strip()
    elif typed.endswith("-") and not typed.endswith("/-"):
        is_negative, typed = True, typed[:-1].strip()
    try:
        plain = plain_number(typed)
        if not re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", plain):
            raise ValueError(plain)
        number = Decimal(plain) * (100 if unit == Unit.RUPEES else 1)
    except (ValueError, InvalidOperation) as exc:
        raise UnclearValue(_("“%(text)s” is no amount.") % {"text": text[:40]}, asks="amount") from exc
    if number != int(number):
        message = _("“%(text)s” has a fraction of a paisa. Are the amounts in the other unit?")
        raise UnclearValue(message % {"text": text[:40]}, asks="unit")
    if number > LARGEST:
        raise UnclearValue(_("“%(text)s” is too large.") % {"text": text[:40]}, asks="amount")
    return -int(number) if is_negative else int(number)


def read_id(text: str) -> str:
    """Return an id as it is. Raises ``UnclearValue`` where a spreadsheet has rounded it."""
    if _ROUNDED.fullmatch(text):
        message = _("“%(text)s” is an id that a spreadsheet has rounded. Export the file again, with ids as text.")
        raise UnclearValue(message % {"text": text})
    if len(text) > 128:
        raise UnclearValue(_("An id has more than 128 characters."))
    return text


def read_day(text: str, order: str) -> date:
    """Return the day in Nepal of a date of either calendar. Raises ``UnclearValue``; never guesses day and month.

    A time without an offset is Nepal's.
    """
    typed = ascii_digits(text).strip()
    if moment := _with_offset(typed):
        return moment
    parts = [part for part in re.split(r"[-/.,\s]+", _TIME.sub("", typed)) if part]
    year, month, day = _parts(text, parts, order)
    if year < 100:
        year += 2000
    try:
        if year in _AD_YEARS:
            return date(year, month, day)
        if year in _BS_YEARS:
            return bikram_sambat.gregorian(bikram_sambat.NepaliDate(year=year, month=month, day=day))
    except ImportError as exc:
        raise UnclearValue(_("Dates of the Bikram Sambat need the package nepali-datetime.")) from exc
    except ValueError:
        pass
    raise UnclearValue(_("“%(text)s” is no date of a payment.") % {"text": text[:40]}, asks="day")


def _with_offset(text: str) -> date | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(KATHMANDU).date() if moment.tzinfo is not None and moment.year in _AD_YEARS else None


def _parts(text: str, parts: list[str], order: str) -> tuple[int, int, int]:
    """Return year, month and day of the three parts of a date."""
    unreadable = UnclearValue(_("“%(text)s” is no date of a payment.") % {"text": text[:40]}, asks="day")
    if len(parts) != 3:
        raise unreadable
    named = [index for index, part in enumerate(parts) if part[:3].lower() in _MONTHS and part.isalpha()]
    if named:
        month = _MONTHS.index(parts[named[0]][:3].lower()) + 1
        rest = [part for index, part in enumerate(parts) if index not in named]
        if len(rest) != 2 or not all(part.isdecimal() for part in rest):
            raise unreadable
        day, year = (rest[1], rest[0]) if len(rest[0]) == 4 else (rest[0], rest[1])
        return int(year), month, int(day)
    if not all(part.isdecimal() for part in parts):
        raise unreadable
    if len(parts[0]) == 4:
        return int(parts[0]), int(parts[1]), int(parts[2])
    if order == DateOrder.CLEAR:
        message = _("“%(text)s” may be two dates: choose whether the day or the month comes first.")
        raise UnclearValue(message % {"text": text[:40]}, asks="date_order")
    day_, month_ = (parts[0], parts[1]) if order == DateOrder.DAY else (parts[1], parts[0])
    return int(parts[2]), int(month_), int(day_)
