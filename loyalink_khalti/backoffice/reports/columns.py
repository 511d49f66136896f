"""Columns of the reports: each formats a value for the page and another one for the spreadsheet."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from wagtail.admin.ui.tables import Column, Table

from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa, rupees
from loyalink_khalti.nepal import KATHMANDU
from loyalink_khalti.staff.links import member_url

NUMBER_CLASS = "lk-number"


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalRow:
    """The last row of a table: the sums of all rows, on this page or not."""

    label: Any
    totals: Any


class ReportTable(Table):
    def get_row_classname(self, instance: Any) -> str:
        return "lk-total" if isinstance(instance, TotalRow) else ""


class ReportColumn(Column):
    """A text, the same on the page and in the spreadsheet. ``read`` gets the value from a row."""

    def __init__(
        self, name: str, label: Any, *, read: Callable[[Any], Any] | None = None, heading: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(name, label=label, **kwargs)
        self._read = read or (lambda row: getattr(row, name))
        self.heading = heading or label
        """The heading in the spreadsheet."""

    def get_value(self, instance: Any) -> Any:
        """Return what the page shows."""
        if isinstance(instance, TotalRow):
            return self.total(instance)
        value = self._read(instance)
        return "" if value is None else self.format(value)

    def format(self, value: Any) -> Any:
        return value

    def total(self, row: TotalRow) -> Any:
        return ""

    def get_export_value(self, row: Any) -> Any:
        """Return what the spreadsheet holds."""
        if isinstance(row, TotalRow):
            return self.export_total(row)
        value = self._read(row)
        return "" if value is None else self.export(value)

    def export(self, value: Any) -> Any:
        return value

    def export_total(self, row: TotalRow) -> Any:
        return ""


class LabelColumn(ReportColumn):
    """The first column, which names the row."""

    def total(self, row: TotalRow) -> Any:
        return row.label

    def export_total(self, row: TotalRow) -> Any:
        return str(row.label)


class DayColumn(LabelColumn):
    def format(self, value: date) -> str:
        return format_day(value)


class TimeColumn(ReportColumn):
    def format(self, value: datetime) -> str:
        return formats.digits(date_format(timezone.localtime(value, KATHMANDU), "j M Y, H:i"))


class NumberColumn(ReportColumn):
    def __init__(self, name: str, label: Any, **kwargs: Any) -> None:
        super().__init__(name, label, classname=NUMBER_CLASS, **kwargs)

    def total(self, row: TotalRow) -> Any:
        return self.get_value(row.totals)

    def export_total(self, row: TotalRow) -> Any:
        return self.get_export_value(row.totals)

    def format(self, value: int) -> str:
        return format_number(value)


class MoneyColumn(NumberColumn):
    """Paisa; rupees in the spreadsheet."""

    def format(self, value: int) -> str:
        return format_money(value)

    def export(self, value: int) -> Decimal:
        return rupees(Paisa(value))


class PercentColumn(NumberColumn):
    """Per mille; percent in the spreadsheet."""

    def format(self, value: int) -> str:
        return format_percent(value)

    def export(self, value: int) -> Decimal:
        return Decimal(value).scaleb(-1)


class PageColumn(ReportColumn):
    """A link to the page where staff act; the row has its ``url``, "" where there is none."""

    def get_value(self, instance: Any) -> Any:
        return link(instance.url, self._read(instance))


class MemberColumn(ReportColumn):
    """A link to the member's page; the row has ``entry``."""

    def get_value(self, instance: Any) -> Any:
        if isinstance(instance, TotalRow):
            return ""
        return link(member_url(instance.entry.account_id), self._read(instance))


def link(url: str, text: Any) -> Any:
    """Return a link as HTML; the text alone if there is no page."""
    return format_html('<a href="{}">{}</a>', url, text) if url else text


def format_day(value: date) -> str:
    return formats.day(value)


def format_number(value: int) -> str:
    """Return a number with Nepal's digit groups."""
    return formats.number(value)


def format_money(value: int) -> str:
    """Return paisa as rupees."""
    return npr(Paisa(value))


def format_percent(per_mille: int) -> str:
    """Return per mille as percent with one decimal."""
    whole, tenth = divmod(abs(per_mille), 10)
    return _("%(whole)s.%(tenth)s %%") % {"whole": whole, "tenth": tenth}
