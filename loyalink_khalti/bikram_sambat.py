"""Dates of the Bikram Sambat, Nepal's official calendar, by the library nepali-datetime (extra ``bikram-sambat``).

The lengths of its months follow no rule: a committee publishes them, one year or two ahead. Libraries guess the years
after that, each differently, so those count as unknown here. (They agree on 1975 to 2083, and nepali-datetime
1.0.8.5 agrees with the calendar that is published for 2084.)
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.util import find_spec

LAST_PUBLISHED_YEAR = 2084
"""The last year whose months are published, and not guessed."""
MONTHS = (
    "Baisakh", "Jestha", "Asar", "Shrawan", "Bhadra", "Ashoj",
    "Kartik", "Mangsir", "Poush", "Magh", "Falgun", "Chaitra",
)  # fmt: skip
NEPALI_MONTHS = (
    "बैशाख", "जेठ", "असार", "साउन", "भदौ", "असोज", "कात्तिक", "मंसिर", "पुस", "माघ", "फागुन", "चैत"
)  # fmt: skip
SHRAWAN = 4
"""The month in which the fiscal year begins."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class NepaliDate:
    """A day of the Bikram Sambat."""

    year: int
    month: int
    """1 is Baisakh."""
    day: int


def is_installed() -> bool:
    """Return whether the library is there."""
    return find_spec("nepali_datetime") is not None


@cache
def nepali_date(day: date) -> NepaliDate:
    """Return a Gregorian date in the Bikram Sambat.

    Raises ``ValueError`` outside the years 1975 to ``LAST_PUBLISHED_YEAR``, and ``ImportError`` without the library.
    """
    from nepali_datetime import date as library_date

    try:
        found: library_date = library_date.from_datetime_date(day)
    except OverflowError as exc:
        raise ValueError(f"{day} is out of range") from exc
    if found.year > LAST_PUBLISHED_YEAR:
        raise ValueError(f"the months of {found.year} are not published yet")
    return NepaliDate(year=found.year, month=found.month, day=found.day)


def gregorian(day: NepaliDate) -> date:
    """Return a day of the Bikram Sambat as a Gregorian date. Raises as ``nepali_date`` does."""
    from nepali_datetime import date as library_date

    if day.year > LAST_PUBLISHED_YEAR:
        raise ValueError(f"the months of {day.year} are not published yet")
    found: date = library_date(day.year, day.month, day.day).to_datetime_date()
    return found


@dataclass(frozen=True, slots=True, order=True)
class FiscalYear:
    """Nepal's fiscal year: Shrawan 1 to the last day of Asar."""

    year: int
    """The Bikram Sambat year in which it begins: 2083 is 2083/84."""

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """``2083/84``."""
        return f"{self.year}/{(self.year + 1) % 100:02}"

    @property
    def first(self) -> date:
        """Shrawan 1.

        Raises ``ValueError`` where the months are not published, and ``ImportError`` without the library.
        """
        return _gregorian_date(self.year, SHRAWAN)

    @property
    def last(self) -> date:
        """The last day of Asar.

        Raises as ``first`` does: in the last published year a fiscal year begins whose end is not known.
        """
        return _gregorian_date(self.year + 1, SHRAWAN) - timedelta(days=1)


def fiscal_year(day: date) -> FiscalYear:
    """Return the fiscal year of a day. Raises what ``nepali_date`` raises."""
    found = nepali_date(day)
    return FiscalYear(found.year if found.month >= SHRAWAN else found.year - 1)


def fiscal_years(first: date, last: date) -> list[FiscalYear]:
    """Return the fiscal years of the days from ``first`` to ``last``, the newest first. Raises as ``nepali_date``."""
    return [FiscalYear(year) for year in range(fiscal_year(last).year, fiscal_year(first).year - 1, -1)]


def fiscal_year_of_label(label: str) -> FiscalYear:
    """Return the fiscal year that is written ``2083/84``. Raises ``ValueError`` for any other text."""
    found = FiscalYear(int(label[:4])) if label[:4].isdecimal() else None
    if found is None or found.label != label:
        raise ValueError(f"{label!r} is no fiscal year")
    return found


def _gregorian_date(year: int, month: int) -> date:
    """Return the first day of a month of the Bikram Sambat."""
    from nepali_datetime import date as library_date

    if year > LAST_PUBLISHED_YEAR:
        raise ValueError(f"the months of {year} are not published yet")
    found: date = library_date(year, month, 1).to_datetime_date()
    return found
