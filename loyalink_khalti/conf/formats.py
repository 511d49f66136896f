"""Money, numbers and dates as the reader of a page or a mail expects them: the settings ``DIGITS`` and ``CALENDAR``.

For all that customers read, and for the pages of staff. Logs, evidence and exports do not depend on settings or on a
language: they have ``money.npr``, plain numbers and ISO dates.
"""

from datetime import date, datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language

from loyalink_khalti import bikram_sambat, money, nepal
from loyalink_khalti.money import Paisa

from .settings import get

LATIN, DEVANAGARI, BY_LANGUAGE = "latin", "devanagari", "by_language"
AD, BS, AD_BS, BS_AD = "ad", "bs", "ad_bs", "bs_ad"
_RUPEES, _RUPEES_DEVANAGARI = "Rs", "रु"


def npr(amount: int) -> str:
    """Return paisa as rupees: ``Rs 1,23,456.50`` or ``रु १,२३,४५६.५०``."""
    text = money.npr(Paisa(amount))
    return digits(text.replace(_RUPEES, _RUPEES_DEVANAGARI, 1)) if _is_devanagari() else text


def rupees(amount: int) -> str:
    """Return paisa as they stand in a sentence: ``Rs 120``, and ``Rs 120.50`` where there is a part of a rupee."""
    text = npr(amount)
    return text.removesuffix(digits(".00"))


def number(whole: int) -> str:
    """Return points, or any other whole number, with Nepal's digit groups: ``1,23,456`` or ``१,२३,४५६``."""
    return digits(nepal.group_digits(whole))


def digits(text: object) -> str:
    """Return a text with its digits as the reader expects them. Not for what is typed or copied: an order number."""
    return nepal.devanagari_digits(str(text)) if _is_devanagari() else str(text)


def day(value: date) -> str:
    """Return a date: ``1 December 2026``, ``15 Mangsir 2083``, or one with the other in brackets.

    Of a datetime it is the day in Nepal. A day whose date in the Bikram Sambat is not known yet has the other alone.
    """
    if isinstance(value, datetime):
        value = nepal.day_of(value)
    gregorian, calendar = date_format(value, "j F Y"), get("CALENDAR")
    if calendar == BY_LANGUAGE:
        calendar = BS if _is_nepali() else AD
    nepali = "" if calendar == AD else _nepali_day(value)
    if not nepali:
        return digits(gregorian)
    texts = {BS: nepali, AD_BS: f"{gregorian} ({nepali})", BS_AD: f"{nepali} ({gregorian})"}
    return digits(texts[calendar])


def moment(value: datetime) -> str:
    """Return a day and the time of day in Nepal: ``1 December 2026, 14:05``."""
    return f"{day(value)}, {time_of_day(value)}"


def time_of_day(value: datetime) -> str:
    """Return the time of day in Nepal: ``14:05``."""
    return digits(date_format(localtime(value, nepal.KATHMANDU), "H:i"))


def _nepali_day(value: date) -> str:
    try:
        found = bikram_sambat.nepali_date(value)
    except (ValueError, ImportError):  # the check E077 names a missing library
        return ""
    months = bikram_sambat.NEPALI_MONTHS if _is_nepali() else bikram_sambat.MONTHS
    return f"{found.day} {months[found.month - 1]} {found.year}"


def _is_devanagari() -> bool:
    chosen = get("DIGITS")
    return chosen == DEVANAGARI or (chosen == BY_LANGUAGE and _is_nepali())


def _is_nepali() -> bool:
    return (get_language() or "").partition("-")[0] == "ne"
