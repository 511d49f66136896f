"""Cells that are said on the page and written in a spreadsheet, each as it is of use there."""

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

from loyalink_khalti.backoffice import links
from loyalink_khalti.money import Paisa, grouped, npr, rupees

NUMBER = "lk-number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The last row of a table: the sums of all rows, on this page or not."""

    label: Any
    of: Any


class ReportTable(Table):
    def get_row_classname(self, instance: Any) -> str:
        return "lk-total" if isinstance(instance, Total) else ""


class Cell(Column):
    """A text, the same on the page and in a sheet."""

    def __init__(self, name: str, label: Any, *, read: Callable[[Any], Any] | None = None, heading: Any = None,
                 **more: Any) -> None:  # fmt: skip
        super().__init__(name, label=label, **more)
        self._read = read or (lambda row: getattr(row, name))
        self.heading = heading or label

    def get_value(self, instance: Any) -> Any:
        """What the page says."""
        if isinstance(instance, Total):
            return self.total(instance)
        value = self._read(instance)
        return "" if value is None else self.say(value)

    def say(self, value: Any) -> Any:
        return value

    def total(self, total: Total) -> Any:
        return ""

    def write(self, row: Any) -> Any:
        """What a sheet holds."""
        if isinstance(row, Total):
            return self.write_total(row)
        value = self._read(row)
        return "" if value is None else self.written(value)

    def written(self, value: Any) -> Any:
        return value

    def write_total(self, total: Total) -> Any:
        return ""


class Named(Cell):
    """The first column, which says what a row is about."""

    def total(self, total: Total) -> Any:
        return total.label

    def write_total(self, total: Total) -> Any:
        return str(total.label)


class Day(Named):
    def say(self, value: date) -> str:
        return day(value)


class When(Cell):
    def say(self, value: datetime) -> str:
        return date_format(timezone.localtime(value), "j M Y, H:i")


class Number(Cell):
    """A number as it is."""

    def __init__(self, name: str, label: Any, **more: Any) -> None:
        super().__init__(name, label, classname=NUMBER, **more)

    def total(self, total: Total) -> Any:
        return self.get_value(total.of)

    def write_total(self, total: Total) -> Any:
        return self.write(total.of)

    def say(self, value: int) -> str:
        return signed(value)


class Money(Number):
    """Paisa; in a sheet, rupees."""

    def __init__(self, name: str, label: Any, **more: Any) -> None:
        super().__init__(name, label, **more)

    def say(self, value: int) -> str:
        return money(value)

    def written(self, value: int) -> Decimal:
        return rupees(Paisa(value))


class Percent(Number):
    """Parts of a thousand; in a sheet, per cent."""

    def say(self, value: int) -> str:
        return percent(value)

    def written(self, value: int) -> Decimal:
        return Decimal(value).scaleb(-1)


class Payment(Cell):
    """A payment by its name at Khalti, with its page behind it; the row has ``payment``."""

    def get_value(self, instance: Any) -> Any:
        return linked(links.payment_url(instance.payment.pk), self._read(instance))


class Member(Cell):
    """A member by the name that people know, with their page behind it; the row has ``entry``."""

    def get_value(self, instance: Any) -> Any:
        if isinstance(instance, Total):
            return ""
        return linked(links.member_url(instance.entry.account_id), self._read(instance))


def linked(url: str, words: Any) -> Any:
    return format_html('<a href="{}">{}</a>', url, words) if url else words


def day(value: date) -> str:
    return date_format(value, "j F Y")


def signed(value: int) -> str:
    """A number grouped as in Nepal, with a minus that is one."""
    return ("−" if value < 0 else "") + grouped(abs(value))


def money(value: int) -> str:
    return npr(Paisa(value))


def percent(per_mille: int) -> str:
    whole, tenth = divmod(abs(per_mille), 10)
    return _("%(whole)s.%(tenth)s %%") % {"whole": whole, "tenth": tenth}
