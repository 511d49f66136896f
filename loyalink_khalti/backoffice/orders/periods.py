"""Periods of a list by name: today, last month, this fiscal year. Days, months and years are Nepal's."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import bikram_sambat
from loyalink_khalti.conf import formats
from loyalink_khalti.nepal import add_months, first_of_month, last_of_month


class Period(StrEnum):
    """The periods, as a URL names them."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    THIS_MONTH = "this_month"
    LAST_MONTH = "last_month"
    THIS_FISCAL_YEAR = "this_fiscal_year"
    LAST_FISCAL_YEAR = "last_fiscal_year"


LABELS: dict[Period, Promise] = {
    Period.TODAY: gettext_lazy("Today"),
    Period.YESTERDAY: gettext_lazy("Yesterday"),
    Period.THIS_MONTH: gettext_lazy("This month"),
    Period.LAST_MONTH: gettext_lazy("Last month"),
    Period.THIS_FISCAL_YEAR: gettext_lazy("This fiscal year"),
    Period.LAST_FISCAL_YEAR: gettext_lazy("Last fiscal year"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Whole days in Nepal, the last one included."""

    first: date
    last: date


def days_of(period: Period, today: date) -> Days:
    """Return the days of a period.

    Raises ``ValueError`` for a fiscal year whose months are not published, and ``ImportError`` where the library of
    the Bikram Sambat is missing.
    """
    return _DAYS[period](today)


def choices(today: date) -> list[tuple[str, str]]:
    """Return the periods that are known today, each with its days."""
    known = []
    for period, label in LABELS.items():
        try:
            days = days_of(period, today)
        except (ValueError, ImportError):
            continue
        known.append((period.value, f"{label} ({_in_words(period, days)})"))
    return known


def missing_reason(today: date) -> str:
    """Return why there is no fiscal year among the choices, as a sentence; "" where there is one."""
    if not bikram_sambat.is_installed():
        return _("For fiscal years install the extra “bikram-sambat” (pip install loyalink-khalti[bikram-sambat]).")
    try:
        days_of(Period.THIS_FISCAL_YEAR, today)
    except ValueError:
        return _("The months of this fiscal year are not published yet, so it cannot be chosen.")
    return ""


def _in_words(period: Period, days: Days) -> str:
    if days.first == days.last:
        return formats.day(days.first)
    if period in {Period.THIS_FISCAL_YEAR, Period.LAST_FISCAL_YEAR}:
        return formats.digits(bikram_sambat.fiscal_year(days.first).label)
    return _("%(first)s to %(last)s") % {"first": formats.day(days.first), "last": formats.day(days.last)}


def _month(today: date) -> Days:
    return Days(first=first_of_month(today), last=last_of_month(today))


def _fiscal_year(today: date) -> Days:
    year = bikram_sambat.fiscal_year(today)
    return Days(first=year.first, last=year.last)


def _last_fiscal_year(today: date) -> Days:
    return _fiscal_year(bikram_sambat.fiscal_year(today).first - timedelta(days=1))


def _one_day(day: date) -> Days:
    return Days(first=day, last=day)


_DAYS: dict[Period, Callable[[date], Days]] = {
    Period.TODAY: _one_day,
    Period.YESTERDAY: lambda today: _one_day(today - timedelta(days=1)),
    Period.THIS_MONTH: _month,
    Period.LAST_MONTH: lambda today: _month(add_months(first_of_month(today), -1)),
    Period.THIS_FISCAL_YEAR: _fiscal_year,
    Period.LAST_FISCAL_YEAR: _last_fiscal_year,
}
