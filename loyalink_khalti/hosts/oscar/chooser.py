"""The shop's goods in Wagtail: a window of them to choose from, for whoever may edit pages."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseForbidden
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oscar.apps.dashboard.nav import default_access_fn as may_open
from wagtail.admin.forms.choosers import BaseFilterForm
from wagtail.admin.ui.tables import Column
from wagtail.admin.views.generic import chooser as views
from wagtail.admin.viewsets.chooser import ChooserViewSet
from wagtail.permissions import page_permission_policy

from . import goods

EDITING = ("add", "change", "publish")
_LONGEST = 200
_IN_ORDER = ("title", "pk")


class SearchForm(BaseFilterForm):
    """One field, for titles, UPCs and SKUs."""

    q = forms.CharField(
        label=gettext_lazy("Search term"),
        required=False,
        max_length=_LONGEST,
        widget=forms.TextInput(attrs={"placeholder": gettext_lazy("Title, UPC or SKU")}),
    )

    def filter(self, objects: "QuerySet[Any]") -> "QuerySet[Any]":
        typed = self.cleaned_data["q"]
        if typed:
            self.is_searching, self.search_query = True, typed
            objects = goods.find(objects, typed)
        return objects


class PictureColumn(Column):
    """Decoration: the title beside it says what it shows."""

    cell_template_name = "loyalink_khalti/oscar/chooser/picture.html"


class ForEditors:
    """Whoever may edit some page may choose; others are refused, not redirected, which a script takes for success."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not page_permission_policy.user_has_any_permission(request.user, EDITING):
            return HttpResponseForbidden(_("You may not edit pages, so there is nothing to choose products for."))
        response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # a view's
        return response


class Shelf(ForEditors):
    """A page of goods, in order of their titles."""

    ordering: Any = _IN_ORDER
    filter_form_class: Any = SearchForm
    title_column: Any

    def get_object_list(self) -> "QuerySet[Any]":
        return goods.public()

    @property
    def columns(self) -> list[Column]:
        return [
            PictureColumn("picture", label="", accessor=goods.picture, width="64px"),
            self.title_column,
            Column("upc", label=gettext_lazy("UPC")),
            Column("price", label=gettext_lazy("Price"), accessor=goods.price),
            Column("stock", label=gettext_lazy("In stock"), accessor=goods.stock),
        ]


class ChooseView(Shelf, views.ChooseView):
    """The window that opens."""


class ChooseResultsView(Shelf, views.ChooseResultsView):
    """What is under its search."""


class ChosenView(ForEditors, views.ChosenView):
    """The one that was clicked."""

    def get_object(self, pk: str) -> Any:
        if not pk.isdecimal():
            raise Http404
        return goods.public().get(pk=pk)


class ChosenMultipleView(ForEditors, views.ChosenMultipleView):
    """Those that were ticked."""

    def get_objects(self, pks: list[str]) -> Any:
        return goods.public().filter(pk__in=[pk for pk in pks if pk.isdecimal()]).order_by(*_IN_ORDER)


class ProductChooser(ChooserViewSet):
    """Wagtail's, for Oscar's products; nothing is made here."""

    model: Any = "catalogue.Product"  # a fork of Oscar's catalogue keeps this name
    icon = "tag"
    choose_one_text: Any = gettext_lazy("Choose a product")
    choose_another_text: Any = gettext_lazy("Choose another product")
    edit_item_text: Any = gettext_lazy("Edit this product")
    per_page = 12
    choose_view_class = ChooseView
    choose_results_view_class = ChooseResultsView
    chosen_view_class = ChosenView
    chosen_multiple_view_class = ChosenMultipleView

    def get_urlpatterns(self) -> list[Any]:
        return [each for each in super().get_urlpatterns() if each.name != "create"]


product_chooser = ProductChooser("loyalink_khalti_products", url_prefix="shop/products")


class ProductURLFinder:
    """Where staff edit a product: in Oscar's dashboard."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, product: Any) -> str | None:
        page = "dashboard:catalogue-product", [product.parent_id or product.pk]
        try:
            return reverse(page[0], args=page[1]) if self.user is None or may_open(self.user, *page) else None
        except (NoReverseMatch, LookupError):  # no dashboard, or one whose permissions are not Oscar's
            return None
