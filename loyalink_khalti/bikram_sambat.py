"""Dates of the Bikram Sambat, Nepal's official calendar, by the library nepali-datetime (extra ``bikram-sambat``).

The lengths of its months follow no rule: a committee publishes them, one year or two ahead. Libraries guess the years
after that, each differently, so those count as unknown here. (They agree on 1975 to 2083, and nepali-datetime
1.0.8.5 agrees with the calendar that is published for 2084.)
"""

from dataclasses import dataclass
from datetime import date
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
