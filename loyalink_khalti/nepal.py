"""Nepal's clock, days and months, its digit groups, and where its script may be cut. Pure functions, without Django.

Days and months are those of Kathmandu (UTC+05:45). Moments are aware datetimes.
"""

import calendar
import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

KATHMANDU = ZoneInfo("Asia/Kathmandu")
# As phonenumbers 9.0 has them: with the country code or the trunk prefix, or without.
_MOBILE = re.compile(r"(?:(?:\+|00)?977|0)?(9(?:6[0-3]|7[0-24-6]|8[0-24-68])[0-9]{7})")
_ASCII_DIGITS = str.maketrans("०१२३४५६७८९", "0123456789")
_DEVANAGARI_DIGITS = str.maketrans("0123456789", "०१२३४५६७८९")
_RUPEES = re.compile(r"^(?:Rs|NPR|रु|रू)\.?\s*", re.IGNORECASE)
_GROUPED = re.compile(r"[-−]?\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d*)?")
_JOINER, _NON_JOINER = "\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}"
_VIRAMA = 9  # Unicode's combining class of the signs that join a consonant to the next one
_SKIN_TONES = range(0x1F3FB, 0x1F400)


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


def devanagari_digits(text: str) -> str:
    """Return ``text`` with its digits 0 to 9 in Devanagari."""
    return text.translate(_DEVANAGARI_DIGITS)


def plain_number(typed: str) -> str:
    """Return a number as people in Nepal type it in the form that ``int`` and ``Decimal`` read: "१,२००/-" is "1200".

    Digits of both kinds, grouped as in Nepal or in thousands or not, with "Rs", "रु" or "NPR" and "/-". Raises
    ``ValueError`` for a comma that groups nothing ("1,50"). Any other text is returned as it is, to be refused.
    """
    text = _RUPEES.sub("", ascii_digits(typed).replace("\N{NO-BREAK SPACE}", " ").strip()).removesuffix("/-").rstrip()
    if "," in text and not _GROUPED.fullmatch(text):
        raise ValueError(f"the commas of {typed!r} group nothing")
    return text.replace(",", "")


def nepali_mobile(typed: str) -> str:
    """Return the ten digits of a Nepali mobile number, however it was typed; "" for any other text.

    Without its country code, area code or extension another number could be a stranger's mobile.
    """
    found = _MOBILE.fullmatch(re.sub(r"[\s().-]", "", ascii_digits(typed)))
    return found[1] if found else ""


def pan(typed: str) -> str:
    """Return the nine digits of a permanent account number, however it was typed; "" for any other text."""
    found = re.sub(r"[\s-]", "", ascii_digits(typed))
    return found if re.fullmatch(r"[0-9]{9}", found) and int(found) else ""


def shorten(text: str, most: int) -> str:
    """Return at most ``most`` characters of ``text``, with "…" where some are left out.

    What people read as one character stays whole: in Devanagari a consonant with its vowel signs, and a conjunct
    (क्ष); elsewhere a letter with its accents. (Unicode Standard Annex 29, extended grapheme clusters.)
    """
    if len(text) <= most:
        return text
    end = max(most - 1, 0)
    while end and _continues(text, end):
        end -= 1
    return f"{text[:end].rstrip(' ,;:-–—')}…"[:most]


def _continues(text: str, index: int) -> bool:
    """Return whether the character at ``index`` belongs to the one before it."""
    before, after = text[index - 1], text[index]
    if unicodedata.category(after).startswith("M") or after in {_JOINER, _NON_JOINER} or ord(after) in _SKIN_TONES:
        return True
    return before == _JOINER or (unicodedata.combining(before) == _VIRAMA and after.isalpha())
