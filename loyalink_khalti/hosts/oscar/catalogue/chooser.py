"""The shop's products in Wagtail: a chooser for everyone who may edit pages."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseForbidden
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oscar.apps.dashboard.nav import default_access_fn as can_open
from wagtail.admin.forms.choosers import BaseFilterForm
from wagtail.admin.ui.tables import Column
from wagtail.admin.views.generic import chooser as views
from wagtail.admin.viewsets.chooser import ChooserViewSet
from wagtail.permissions import page_permission_policy

from . import products

EDIT_ACTIONS = ("add", "change", "publish")
_LONGEST_QUERY = 200
_ORDERING = ("title", "pk")


class SearchForm(BaseFilterForm):
    """One field, for titles, UPCs and SKUs."""

    q = forms.CharField(
        label=gettext_lazy("Search term"),
        required=False,
        max_length=_LONGEST_QUERY,
        widget=forms.TextInput(attrs={"placeholder": gettext_lazy("Title, UPC or SKU")}),
    )

    def filter(self, objects: "QuerySet[Any]") -> "QuerySet[Any]":
        typed = self.cleaned_data["q"]
        if typed:
            self.is_searching, self.search_query = True, typed
            objects = products.find(objects, typed)
        return objects


class ImageColumn(Column):
    """A thumbnail. It is decoration: the title beside it says what it shows."""

    cell_template_name = "loyalink_khalti/oscar/chooser/image.html"


class EditorsOnlyMixin:
    """Answer 403 to users who may edit no page. The chooser's script takes Wagtail's redirect for success."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not page_permission_policy.user_has_any_permission(request.user, EDIT_ACTIONS):
            return HttpResponseForbidden(_("Only users who may edit pages can choose products."))
        response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # a view's
        return response


class ProductListMixin(EditorsOnlyMixin):
    """A page of products, in the order of their titles."""

    ordering: Any = _ORDERING
    filter_form_class: Any = SearchForm
    title_column: Any

    def get_object_list(self) -> "QuerySet[Any]":
        return products.public()

    @property
    def columns(self) -> list[Column]:
        return [
            ImageColumn("image", label="", accessor=products.thumbnail_url, width="64px"),
            self.title_column,
            Column("upc", label=gettext_lazy("UPC")),
            Column("price", label=gettext_lazy("Price"), accessor=products.price),
            Column("stock", label=gettext_lazy("In stock"), accessor=products.stock),
        ]


class ChooseView(ProductListMixin, views.ChooseView):
    """The chooser's window."""


class ChooseResultsView(ProductListMixin, views.ChooseResultsView):
    """The results below its search field."""


class ChosenView(EditorsOnlyMixin, views.ChosenView):
    """The product that was clicked."""

    def get_object(self, pk: str) -> Any:
        if not pk.isdecimal():
            raise Http404
        return products.public().get(pk=pk)


class ChosenMultipleView(EditorsOnlyMixin, views.ChosenMultipleView):
    """The products that were ticked."""

    def get_objects(self, pks: list[str]) -> Any:
        return products.public().filter(pk__in=[pk for pk in pks if pk.isdecimal()]).order_by(*_ORDERING)


class ProductChooser(ChooserViewSet):
    """Wagtail's chooser for Oscar's products, without a form to create one."""

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
        return [pattern for pattern in super().get_urlpatterns() if pattern.name != "create"]


product_chooser = ProductChooser("loyalink_khalti_products", url_prefix="shop/products")


class ProductURLFinder:
    """Where staff edit a product: in Oscar's dashboard."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, product: Any) -> str | None:
        name, args = "dashboard:catalogue-product", [product.parent_id or product.pk]
        try:
            return reverse(name, args=args) if self.user is None or can_open(self.user, name, args) else None
        except (NoReverseMatch, LookupError):  # no dashboard, or one whose permissions are not Oscar's
            return None
