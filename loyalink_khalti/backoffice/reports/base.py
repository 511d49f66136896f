"""What reports have in common: who may read them, what is asked of them, the chart, the table and the spreadsheet."""

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

from loyalink_khalti.backoffice.days import EARLIEST, within_reach
from loyalink_khalti.backoffice.listing import Listing
from loyalink_khalti.loyalty.expiry import day_of

from .columns import Cell, ReportTable, Total, day


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number that is read first, above the table."""

    label: Any
    value: str
    note: Any = ""


class Report(Listing):
    """A table with its chart, over rows that the database has summed or that it hands out page by page."""

    template_name = "wagtailadmin/reports/base_report.html"
    results_template_name = "loyalink_khalti/backoffice/reports/results.html"
    table_class = ReportTable
    paginate_by: Any = 50
    page_title: Any
    index_url_name: Any
    index_results_url_name: Any
    filterset_class: Any
    rows: Any
    """All of them, in their order: a list, or a queryset where there may be very many."""
    columns: Any
    """Cells, each of which is said on the page and written in the spreadsheet."""
    sheet_only: Sequence[Cell] = ()
    """Those that would make the table too wide."""
    about: Any = ""
    """What is in it, in a sentence or two."""
    empty: Any = _("There is nothing yet.")
    """What will be here, where nothing is yet."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.is_export:
            sheet: HttpResponse = self.as_spreadsheet(
                chain(self.exported(), self.summed(self.rows)), request.GET["export"]
            )
            return sheet
        response: HttpResponse = super().get(request, *args, **kwargs)
        return response

    def get_queryset(self) -> Any:
        return self.rows

    def told(self, rows: Iterable[Any]) -> Sequence[Any]:
        """Rows as the columns read them, some at a time."""
        return list(rows)

    def exported(self) -> Iterable[Any]:
        return self.told(self.rows)

    @property
    def totals(self) -> Any:
        """The sums of all rows, as a row; None where they would mean nothing."""
        return None

    @property
    def figures(self) -> list[Figure]:
        return []

    @property
    def chart(self) -> SafeString:
        return SafeString("")

    @property
    def drawn_table(self) -> Any:
        """What the chart draws, as a table, where it is not the rows themselves."""
        return None

    @property
    def warning(self) -> str:
        """What must be known before the figures are believed, as HTML where it is marked as such."""
        return ""

    def get_table(self, object_list: Any) -> Any:
        return super().get_table([*self.told(object_list), *self.summed(object_list)])

    def summed(self, rows: Any) -> Iterator[Total]:
        """The last row, below any others, of the page and of the spreadsheet."""
        if self.totals is not None and rows:
            yield Total(label=_("Total"), of=self.totals)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["media"] += Media(css={"all": ["loyalink_khalti/reports.css"]})
        return context

    # What is asked

    @cached_property
    def chosen(self) -> dict[str, Any]:
        """The filters' answers; none where one of them cannot be read."""
        return self.filters.form.cleaned_data if self.filters and self.filters.is_valid() else {}

    @property
    def site_key(self) -> str | None:
        return self.chosen.get("site") or None

    @cached_property
    def today(self) -> date:
        return day_of(timezone.now())

    @cached_property
    def days(self) -> tuple[date, date]:
        """The first and the last day that are asked for."""
        asked = self.chosen.get("days")
        since = asked.start.date() if asked and asked.start else self.usually_since()
        until = asked.stop.date() if asked and asked.stop else self.today
        return within_reach(since), min(within_reach(until), self.today)

    def usually_since(self) -> date:
        """The first day, where none was chosen."""
        return EARLIEST

    @property
    def period(self) -> str:
        """Which days these are, in words; "" where it is how things stand now."""
        since, until = self.days
        if since == EARLIEST:
            return _("Until %(until)s") % {"until": day(until)}
        return _("From %(since)s to %(until)s") % {"since": day(since), "until": day(until)}

    # What leaves as a spreadsheet

    @cached_property
    def sheet(self) -> "OrderedDict[str, Cell]":
        return OrderedDict((column.name, column) for column in (*self.columns, *self.sheet_only))

    @cached_property
    def list_export(self) -> list[str]:  # type: ignore[override]  # asked for once
        return list(self.sheet)

    @cached_property
    def export_headings(self) -> dict[str, Any]:  # type: ignore[override]  # the same
        return {name: column.heading for name, column in self.sheet.items()}

    def to_row_dict(self, item: Any) -> "OrderedDict[str, Any]":
        return OrderedDict((name, column.write(item)) for name, column in self.sheet.items())
