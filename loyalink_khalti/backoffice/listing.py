"""Lists of what grows for ever: searched and filtered by an index, counted no further than anybody turns pages."""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from wagtail.admin.paginator import WagtailPaginator
from wagtail.admin.views.generic import BaseListingView
from wagtail.admin.views.mixins import SpreadsheetExportMixin

from loyalink_khalti.staff.cells import safe

from .guard import Guarded, not_exported, refused
from .sites import site_names

MOST_COUNTED = 10_000
"""Rows that a list counts and turns pages through; who wants more filters, or exports."""
CHUNK = 2_000


class BoundedPaginator(WagtailPaginator):
    """Counts no further than ``MOST_COUNTED``, along the list's own index, and says so."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.values("pk")[:MOST_COUNTED].count()) if hasattr(rows, "query") else len(rows)

    @property
    def items_count_label(self) -> str:
        label = str(super().items_count_label)
        return _("the first %(items)s") % {"items": label} if self.count == MOST_COUNTED else label


class Exported(SpreadsheetExportMixin):
    """A list that leaves as CSV or XLSX, streamed, for whoever may; nothing in a cell runs."""

    export_permission: str
    request: HttpRequest
    is_export: bool

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.is_export and not self.may(self.export_permission):  # type: ignore[attr-defined]  # Guarded's
            return refused(request)
        if self.is_export and self.may(self.permission) and self.unread:  # type: ignore[attr-defined]  # the same
            return not_exported(request, self.unread, back=self.index_url)  # type: ignore[attr-defined]
        response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # a view's
        return response

    @cached_property
    def unread(self) -> str:
        """What of the filters and the search cannot be read, in words; a list takes it for not being asked at all."""
        forms = [self.search_form, self.filters.form if self.filters else None]  # type: ignore[attr-defined]
        return " ".join(_faults(form) for form in forms if form is not None and not form.is_valid())

    @cached_property
    def site_names(self) -> dict[str, str]:
        return site_names()

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> Any:
        if self.is_export:
            return self.as_spreadsheet(context["object_list"], self.request.GET["export"])
        return super().render_to_response(context, **kwargs)  # type: ignore[misc]  # a view's

    @cached_property
    def show_export_buttons(self) -> bool:
        return bool(self.list_export) and self.may(self.export_permission)  # type: ignore[attr-defined]

    def preprocess_field_value(self, field: str, value: Any, export_format: str) -> Any:
        """Times as they are in the shop, numbers as numbers, and texts that no spreadsheet takes for a formula."""
        if isinstance(value, datetime):
            local = timezone.localtime(value)
            return local.replace(tzinfo=None) if export_format == self.FORMAT_XLSX else f"{local:%Y-%m-%d %H:%M}"
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        value = super().preprocess_field_value(field, value, export_format)
        return safe(value) if isinstance(value, str) else value

    def stream_csv(self, queryset: Any) -> Iterator[bytes]:
        yield b"\xef\xbb\xbf"  # Excel reads UTF-8 only with it
        yield from super().stream_csv(_streamed(queryset))

    def write_xlsx(self, queryset: Any, output: Any) -> None:
        super().write_xlsx(_streamed(queryset), output)

    def to_row_dict(self, item: Any) -> "OrderedDict[str, Any]":
        row: OrderedDict[str, Any] = super().to_row_dict(item)
        return row


def _faults(form: Any) -> str:
    """The errors of a form, each with the field that it is about."""
    told = [(form[name].label if name in form.fields else "", errors) for name, errors in form.errors.items()]
    return " ".join(f"{label}: {' '.join(errors)}" if label else " ".join(errors) for label, errors in told)


def _streamed(rows: Any) -> Any:
    """Rows read a chunk at a time, that still know their model, for the headings."""
    return Streamed(rows) if hasattr(rows, "iterator") else rows


class Streamed:
    """A queryset that is gone through once and never kept."""

    def __init__(self, rows: Any) -> None:
        self.model, self._rows = rows.model, rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows.iterator(chunk_size=CHUNK))


class Listing(Exported, Guarded, BaseListingView):  # type: ignore[override]  # as Wagtail's own mixture
    """A list of Wagtail's, guarded, bounded and exported."""

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

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # Where there is none, a shop's own context processor may offer its search of goods by this name.
        return {"search_form": None, **super().get_context_data(*args, **kwargs)}
