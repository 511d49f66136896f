"""The view that all reports share: permissions, filters, key figures, chart, table and spreadsheet."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Any

from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.nepal import day_of
from loyalink_khalti.staff.listing import EARLIEST_DAY, Listing, clamp_day

from .columns import ReportColumn, ReportTable, TotalRow, format_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A key figure above the table."""

    label: Any
    value: str
    note: Any = ""


class Report(Listing):
    """A table with a chart, over rows that the database has summed or that are read page by page."""

    template_name = "wagtailadmin/reports/base_report.html"
    results_template_name = "loyalink_khalti/backoffice/reports/results.html"
    table_class = ReportTable
    paginate_by: Any = 50
    page_title: Any
    index_url_name: Any
    index_results_url_name: Any
    filterset_class: Any
    rows: Any
    """All rows in order: a list, or a queryset where there may be very many."""
    columns: Any
    """``ReportColumn`` each: on the page and in the spreadsheet."""
    export_only: Sequence[ReportColumn] = ()
    """Columns that would make the table too wide."""
    description: Any = ""
    empty_message: Any = _("There is nothing yet.")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.is_export:
            rows = chain(self.export_rows(), self.total_row(self.rows))
            sheet: HttpResponse = self.as_spreadsheet(rows, request.GET["export"])
            return sheet
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    def get_queryset(self) -> Any:
        return self.rows

    def prepare(self, rows: Iterable[Any]) -> Sequence[Any]:
        """Return some of the rows as the columns read them."""
        return list(rows)

    def export_rows(self) -> Iterable[Any]:
        return self.prepare(self.rows)

    @property
    def totals(self) -> Any:
        """The sums of all rows, as a row; None if sums mean nothing here."""
        return None

    @property
    def figures(self) -> list[Figure]:
        return []

    @property
    def chart(self) -> SafeString:
        return SafeString("")

    @property
    def chart_table(self) -> Any:
        """The figures of the chart as a table, if the rows do not have them."""
        return None

    @property
    def warning(self) -> str:
        """A warning about the figures, as HTML if it is marked safe."""
        return ""

    def get_table(self, object_list: Any) -> Any:
        return super().get_table([*self.prepare(object_list), *self.total_row(object_list)])

    def total_row(self, rows: Any) -> Iterator[TotalRow]:
        """Yield the last row of the page and of the spreadsheet, if there are rows and totals."""
        if self.totals is not None and rows:
            yield TotalRow(label=_("Total"), totals=self.totals)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["media"] += Media(css={"all": ["loyalink_khalti/reports.css"]})
        return context

    # Filters

    @cached_property
    def filter_values(self) -> dict[str, Any]:
        """The values of the filters; empty if one of them is invalid."""
        return self.filters.form.cleaned_data if self.filters and self.filters.is_valid() else {}

    @property
    def site_key(self) -> str | None:
        return self.filter_values.get("site") or None

    @cached_property
    def today(self) -> date:
        return day_of(timezone.now())

    @cached_property
    def days(self) -> tuple[date, date]:
        """The first and the last day of the report."""
        days = self.filter_values.get("days")
        since = days.start.date() if days and days.start else self.default_since()
        until = days.stop.date() if days and days.stop else self.today
        return clamp_day(since), min(clamp_day(until), self.today)

    def default_since(self) -> date:
        """Return the first day if none is chosen."""
        return EARLIEST_DAY

    @property
    def period(self) -> str:
        """The days of the report in words; "" for a report about the present."""
        since, until = self.days
        if since == EARLIEST_DAY:
            return _("Until %(until)s") % {"until": format_day(until)}
        return _("From %(since)s to %(until)s") % {"since": format_day(since), "until": format_day(until)}

    # Spreadsheet

    @cached_property
    def export_columns(self) -> "OrderedDict[str, ReportColumn]":
        return OrderedDict((column.name, column) for column in (*self.columns, *self.export_only))

    @cached_property
    def list_export(self) -> list[str]:  # type: ignore[override]  # computed from the columns
        return list(self.export_columns)

    @cached_property
    def export_headings(self) -> dict[str, Any]:  # type: ignore[override]  # the same
        return {name: column.heading for name, column in self.export_columns.items()}

    def to_row_dict(self, item: Any) -> "OrderedDict[str, Any]":
        return OrderedDict((name, column.get_export_value(item)) for name, column in self.export_columns.items())
