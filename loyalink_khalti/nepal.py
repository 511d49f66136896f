"""Nepal's clock, days and months, and how Nepal groups digits. Pure functions, without Django.

Days and months are those of Kathmandu (UTC+05:45). Moments are aware datetimes.
"""

import calendar
import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

KATHMANDU = ZoneInfo("Asia/Kathmandu")
# As phonenumbers 9.0 has them: with the country code or the trunk prefix, or without.
_MOBILE = re.compile(r"(?:(?:\+|00)?977|0)?(9(?:6[0-3]|7[0-24-6]|8[0-24-68])[0-9]{7})")
_ASCII_DIGITS = str.maketrans("०१२३४५६७८९", "0123456789")


def day_of(moment: datetime) -> date:
    """Return the date in Kathmandu at ``moment``."""
    return moment.astimezone(KATHMANDU).date()


def midnight(day: date) -> datetime:
    """Return the moment at which ``day`` begins in Kathmandu, in UTC."""
    return datetime.combine(day, time(), tzinfo=KATHMANDU).astimezone(UTC)


def midnight_after(day: date) -> datetime:
    """Return the moment at which ``day`` ends in Kathmandu, in UTC."""
    return midnight(day + timedelta(days=1))


def first_of_month(day: date) -> date:
    """Return the first day of the month of ``day``."""
    return day.replace(day=1)


def last_of_month(day: date) -> date:
    """Return the last day of the month of ``day``."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def add_months(day: date, months: int) -> date:
    """Return the same day ``months`` later, or the last day of that month if it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(year, month + 1, 1)
    return first.replace(day=min(day.day, last_of_month(first).day))


def group_digits(number: int) -> str:
    """Return a whole number with Nepal's digit groups, three digits and then pairs: ``1,23,456``, ``−1,23,456``."""
    digits = str(abs(number))
    head, tail = digits[:-3], digits[-3:]
    pairs = [head[max(end - 2, 0) : end] for end in range(len(head), 0, -2)][::-1]
    return ("−" if number < 0 else "") + ",".join([*pairs, tail])


def ascii_digits(text: str) -> str:
    """Return ``text`` with its Devanagari digits as 0 to 9."""
    return text.translate(_ASCII_DIGITS)


def nepali_mobile(typed: str) -> str:
    """Return the ten digits of a Nepali mobile number, however it was typed; "" for any other text.

    Without its country code, area code or extension another number could be a stranger's mobile.
    """
    found = _MOBILE.fullmatch(re.sub(r"[\s().-]", "", ascii_digits(typed)))
    return found[1] if found else ""
