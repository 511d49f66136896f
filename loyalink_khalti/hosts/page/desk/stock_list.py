"""The list of products with stock: how many of each, and of each choice, can be sold."""

from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Any

import django_filters
from django.apps import apps
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, TitleColumn

from loyalink_khalti.flow import chunked
from loyalink_khalti.hosts.page.models import PAGE_MODEL
from loyalink_khalti.staff.listing import Listing

from . import order_permissions
from .products_in_stock import StockRow, levels_of, product_models, stock_rows

LOW = 5
"""Up to how many left a product is nearly sold out."""


def tracked_pages() -> Any:
    """Return the pages that sell and track stock, published or not: of each product the one that was made first."""
    page_model: Any = apps.get_model(PAGE_MODEL)
    tracked = [Q(pk__in=model._base_manager.filter(track_stock=True).values("pk")) for model in product_models()]
    if not tracked:
        return page_model.objects.none()
    earlier = page_model.objects.filter(translation_key=OuterRef("translation_key"), pk__lt=OuterRef("pk"))
    # An alias sells from the stock of its source.
    return page_model.objects.filter(reduce(or_, tracked), ~Exists(earlier), alias_of=None)


class StockColumn(Column):
    """Each choice of a product, and how many are left."""

    cell_template_name = "loyalink_khalti/page/desk/stock_cell.html"


class StockFilters(WagtailFilterSet):
    """Products of which something is sold out, or nearly."""

    left = django_filters.ChoiceFilter(
        label=_("Left"),
        choices=[("0", _("Something is sold out")), (str(LOW), _("Up to 5 are left of something"))],
        method="filter_left",
    )

    class Meta:
        model = apps.get_model(PAGE_MODEL)
        fields: list[str] = []

    def filter_left(self, pages: Any, _name: str, most: str) -> Any:
        """Read all products: their choices are in a stream, of which the database knows nothing."""
        found = (page.pk for page, rows in with_stock(pages) if any(_is_little(row, int(most)) for row in rows))
        return pages.filter(pk__in=list(found))


def _is_little(row: StockRow, most: int) -> bool:
    return row.quantity <= most and not row.is_removed


def with_stock(pages: Any) -> Iterator[tuple[Any, list[StockRow]]]:
    """Yield each page with its rows; a few queries for some hundred pages."""
    for chunk in chunked(list(pages.values_list("pk", flat=True))):
        found = {page.pk: page for page in pages.model.objects.filter(pk__in=chunk).specific()}
        left = levels_of([page.translation_key for page in found.values()])
        yield from ((found[pk], stock_rows(found[pk], left)) for pk in chunk if pk in found)


class StockRows:
    """One row for each choice of each product, for an export."""

    def __init__(self, pages: Any) -> None:
        self.model, self._pages = pages.model, pages

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for page, rows in with_stock(self._pages):
            for row in rows:
                yield {
                    "title": page.title, "choice": row.title, "sku": row.sku, "quantity": row.quantity,
                    "live": page.live,
                }  # fmt: skip


class StockView(Listing):
    """All products that track stock, by title."""

    model = apps.get_model(PAGE_MODEL)
    permission = order_permissions.VIEW_STOCK
    export_permission = order_permissions.VIEW_STOCK
    page_title = _("Stock")
    header_icon = "clipboard-list"
    index_url_name = "loyalink_khalti_page_stock"
    index_results_url_name = "loyalink_khalti_page_stock_results"
    results_template_name = "loyalink_khalti/page/desk/stock_results.html"
    verbose_name = _("product")
    verbose_name_plural = _("products")
    default_ordering = ("title", "pk")
    is_searchable = True
    filterset_class = StockFilters
    export_filename = "stock"
    export_headings = {
        "title": _("Product"), "choice": _("Choice"), "sku": _("SKU"), "quantity": _("In stock"),
        "live": _("Published"),
    }  # fmt: skip
    list_export = list(export_headings)

    columns = [
        TitleColumn("title", label=_("Product"), get_url=lambda page: stock_url(page.translation_key)),
        StockColumn("stock", label=_("In stock"), accessor="loyalink_stock"),
    ]

    def get_base_queryset(self) -> Any:
        return tracked_pages()

    def search_queryset(self, queryset: Any) -> Any:
        """Search in the titles, of drafts as well."""
        query = self.search_query.strip()
        return queryset.filter(Q(title__icontains=query) | Q(draft_title__icontains=query)) if query else queryset

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        if self.is_export:
            return {**context, "object_list": StockRows(context["object_list"])}
        shown = context["page_obj"]
        rows = dict(_by_pk(self.get_base_queryset().filter(pk__in=[page.pk for page in shown.object_list])))
        for page in shown.object_list:
            page.loyalink_stock = rows.get(page.pk, [])
        return context

    def to_row_dict(self, row: Any) -> Any:
        return row


def _by_pk(pages: Any) -> Iterator[tuple[int, list[StockRow]]]:
    return ((page.pk, rows) for page, rows in with_stock(pages))


def stock_url(product: Any) -> str:
    """Return the URL of the page on which the stock of a product is changed, by its ``translation_key``."""
    return reverse("loyalink_khalti_page_stock_change", args=[product])
