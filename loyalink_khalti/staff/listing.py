"""Lists of large tables in Wagtail's admin: filtered by index, counted to a limit, exported as CSV or XLSX."""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import date, datetime
from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from wagtail.admin.paginator import WagtailPaginator
from wagtail.admin.views.generic import BaseListingView
from wagtail.admin.views.mixins import SpreadsheetExportMixin
from wagtail.log_actions import log

from loyalink_khalti.nepal import KATHMANDU, midnight, midnight_after

from .access import PermissionRequired, export_refused, forbidden
from .data_export import streamed
from .replica import ReadsReplica
from .sites import has_several_sites, site_names
from .spreadsheet import safe_cell
from .workbook import write_workbook

COUNT_LIMIT = 10_000
"""Rows that a list counts and pages through. To reach more rows, filter or export."""
EXPORT_CHUNK = 2_000
EXPORTED = "loyalink_khalti.export"
EARLIEST_DAY, LATEST_DAY = date(2000, 1, 1), date(2199, 12, 31)


def clamp_day(day: date) -> date:
    """Return ``day`` within 2000 to 2199: a mistyped year asks for no more months, and no date overflows."""
    return min(max(day, EARLIEST_DAY), LATEST_DAY)


class DaysAndSite:
    """For a filter set with ``since``, ``until`` (days in Nepal, by ``created_at``) and ``site``, of several sites."""

    filters: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_several_sites():
            del self.filters["site"]

    def filter_since(self, rows: "QuerySet[Any]", _name: str, day: date) -> "QuerySet[Any]":
        return rows.filter(created_at__gte=midnight(clamp_day(day)))

    def filter_until(self, rows: "QuerySet[Any]", _name: str, day: date) -> "QuerySet[Any]":
        return rows.filter(created_at__lt=midnight_after(clamp_day(day)))


class BoundedPaginator(WagtailPaginator):
    """Count up to ``COUNT_LIMIT`` rows, along the list's own index, and say so."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.values("pk")[:COUNT_LIMIT].count()) if hasattr(rows, "query") else len(rows)

    @property
    def items_count_label(self) -> str:
        label = str(super().items_count_label)
        return _("the first %(items)s") % {"items": label} if self.count == COUNT_LIMIT else label


class SpreadsheetExport(SpreadsheetExportMixin):
    """A list that is exported as CSV or XLSX, streamed; no cell is taken for a formula."""

    export_permission: str
    request: HttpRequest
    is_export: bool

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        view: Any = self  # Wagtail's view, which is mixed in
        if self.is_export and not view.has_permission(self.export_permission):
            return forbidden(request)
        if self.is_export and view.has_permission(view.permission) and self.filter_errors:
            return export_refused(request, self.filter_errors, list_url=view.index_url)
        response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # of a view
        if self.is_export and response.status_code == HTTPStatus.OK:
            self._log_export(request)
        return response

    def _log_export(self, request: HttpRequest) -> None:
        """Record who exported what. Texts that were searched for may be names, so only the fact is kept."""
        filters = {name: "…" if name == "q" else ",".join(request.GET.getlist(name)) for name in request.GET if name}
        format_ = filters.pop("export")
        title = str(self.page_title)  # type: ignore[attr-defined]  # of the view
        log(instance=request.user, action=EXPORTED, title=title, data={"format": format_, "filters": filters})

    @cached_property
    def filter_errors(self) -> str:
        """The errors of the filters and the search; a list ignores invalid ones, an export must not."""
        forms = [self.search_form, self.filters.form if self.filters else None]  # type: ignore[attr-defined]
        return " ".join(_errors(form) for form in forms if form is not None and not form.is_valid())

    @cached_property
    def site_names(self) -> dict[str, str]:
        return site_names()

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> Any:
        if self.is_export:
            return self.as_spreadsheet(context["object_list"], self.request.GET["export"])
        return super().render_to_response(context, **kwargs)  # type: ignore[misc]  # of a view

    @cached_property
    def show_export_buttons(self) -> bool:
        return bool(self.list_export) and self.has_permission(self.export_permission)  # type: ignore[attr-defined]

    def preprocess_field_value(self, field: str, value: Any, export_format: str) -> Any:
        """Return times in Nepal's, numbers as numbers, and texts that no spreadsheet runs."""
        if isinstance(value, datetime):
            local = timezone.localtime(value, KATHMANDU)
            return local.replace(tzinfo=None) if export_format == self.FORMAT_XLSX else f"{local:%Y-%m-%d %H:%M}"
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        value = super().preprocess_field_value(field, value, export_format)
        return safe_cell(value) if isinstance(value, str) else value

    def stream_csv(self, queryset: Any) -> Iterator[bytes]:
        yield b"\xef\xbb\xbf"  # Excel reads UTF-8 only with it
        yield from super().stream_csv(_streamed(queryset))

    def write_xlsx(self, queryset: Any, output: Any) -> None:
        """Write a workbook; its moments are Nepal's, its amounts and days are no texts."""
        rows = _streamed(queryset)
        headings = [self.get_heading(queryset, field) for field in self.list_export]
        write_workbook(headings, (self._xlsx_row(item) for item in rows), output)

    def _xlsx_row(self, item: Any) -> list[Any]:
        row = self.to_row_dict(item)
        return [self.preprocess_field_value(field, value, self.FORMAT_XLSX) for field, value in row.items()]

    def to_row_dict(self, item: Any) -> "OrderedDict[str, Any]":
        row: OrderedDict[str, Any] = super().to_row_dict(item)
        return row


def _errors(form: Any) -> str:
    """Return the errors of a form, each with the label of its field."""
    labelled = [(form[name].label if name in form.fields else "", errors) for name, errors in form.errors.items()]
    return " ".join(f"{label}: {' '.join(errors)}" if label else " ".join(errors) for label, errors in labelled)


def _streamed(rows: Any) -> Any:
    """Return rows that are read in chunks; they keep ``model``, which the headings need."""
    return StreamedRows(rows) if hasattr(rows, "iterator") else rows


class StreamedRows:
    """A queryset that is iterated once and not cached."""

    def __init__(self, rows: Any) -> None:
        self.model, self._rows = rows.model, rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows.iterator(chunk_size=EXPORT_CHUNK))


class Listing(ReadsReplica, SpreadsheetExport, PermissionRequired, BaseListingView):  # type: ignore[override]  # as Wagtail mixes them
    """A list view of Wagtail's with permissions, a limited count and exports; with ``reads_replica``, of old rows."""

    # Wagtail is untyped: what it sets to None is a text, a tuple or a class in a list that has it.
    page_title: Any
    index_url_name: Any
    index_results_url_name: Any
    verbose_name: Any
    verbose_name_plural: Any
    default_ordering: Any
    is_searchable: Any
    filterset_class: Any
    columns: Any
    template_name = "wagtailadmin/generic/listing.html"
    paginate_by = 20
    paginator_class = BoundedPaginator

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().dispatch(request, *args, **kwargs)
        streamed(request, response)
        return response

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # A list without a search must not show the search form that a shop's context processor may add by this name.
        return {"search_form": None, **super().get_context_data(*args, **kwargs)}
