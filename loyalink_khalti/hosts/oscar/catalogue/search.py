"""Catalogue, categories and search by database queries, so that there is no index to build and keep current.

Oscar's own views (4.2) read Haystack's index: with its ``simple`` backend they find nothing, and Whoosh's is a folder
that several processes write. URLs, forms and templates stay Oscar's; its templates get products instead of search
results.
"""

from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.db.models import Case, F, Min, Q, QuerySet, When
from django.db.models.functions import Coalesce, Lower
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext_lazy as _
from django.views.generic import ListView
from oscar.apps.search.forms import SearchForm
from oscar.apps.search.signals import user_search
from oscar.core.loading import get_model

from .products import MOST_TERMS, prefetch_children

_LONGEST_QUERY = 200

_ORDER: dict[str, tuple[Any, ...]] = {
    SearchForm.TOP_RATED: (F("rating").desc(nulls_last=True), "title"),
    SearchForm.NEWEST: ("-date_created", "-pk"),
    SearchForm.PRICE_HIGH_TO_LOW: (F("lowest_price").desc(nulls_last=True), "title"),
    SearchForm.PRICE_LOW_TO_HIGH: (F("lowest_price").asc(nulls_last=True), "title"),
    SearchForm.TITLE_A_TO_Z: (Lower("title"), "pk"),
    SearchForm.TITLE_Z_TO_A: (Lower("title").desc(), "-pk"),
}


class ProductListView(ListView):  # type: ignore[type-arg]  # Oscar's product may be a fork
    """A page of public products, in the order that the customer chose."""

    context_object_name = "products"
    paginate_by = settings.OSCAR_PRODUCTS_PER_PAGE
    request: HttpRequest

    def get_queryset(self) -> "QuerySet[Any]":
        products = get_model("catalogue", "Product").objects.browsable().base_queryset()
        for term in self.query.split()[:MOST_TERMS]:
            products = products.filter(_matches(term))
        products = products.annotate(
            own_price=Min("stockrecords__price"), childrens_price=Min("children__stockrecords__price")
        )
        products = products.annotate(lowest_price=Coalesce(F("own_price"), F("childrens_price")))
        return cast("QuerySet[Any]", products.order_by(*self._order()))

    @property
    def query(self) -> str:
        return self.request.GET.get("q", "").replace("\x00", "").strip()[:_LONGEST_QUERY]

    def _order(self) -> tuple[Any, ...]:
        return _ORDER.get(self.request.GET.get("sort_by", ""), ("-date_created", "-pk"))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        products = list(context["page_obj"].object_list)
        prefetch_children(products)
        for product in products:
            product.object = product  # Oscar's templates expect search results
        context["page_obj"].object_list = products
        form = SearchForm(self.request.GET)
        return context | {
            "products": products,
            "page": context["page_obj"],
            "form": form,
            "query": self.query,
            "selected_facets": [],
            "facet_data": {},
            "has_facets": False,
        }


class CatalogueView(ProductListView):
    """All products."""

    template_name = "oscar/catalogue/browse.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().get(request, *args, **kwargs)
        except Http404:
            messages.error(request, _("The given page number was invalid."))
            return redirect("catalogue:index")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"summary": _("All products")}


class ProductCategoryView(ProductListView):
    """The products of a category and of its subcategories."""

    template_name = "oscar/catalogue/category.html"
    enforce_paths = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.category = get_object_or_404(get_model("catalogue", "Category"), pk=self.kwargs["pk"])
        if not (self.category.is_public or request.user.is_staff):
            raise Http404
        category_url = self.category.get_absolute_url()
        if self.enforce_paths and request.path != category_url:
            return HttpResponsePermanentRedirect(category_url)
        try:
            return super().get(request, *args, **kwargs)
        except Http404:
            messages.error(request, _("The given page number was invalid."))
            return redirect(category_url)

    def get_queryset(self) -> "QuerySet[Any]":
        through = get_model("catalogue", "ProductCategory").objects
        assigned = through.filter(category__in=self.category.get_descendants_and_self().values("pk"))
        return super().get_queryset().filter(pk__in=assigned.values("product"))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"category": self.category, "summary": self.category.name}


class SearchView(ProductListView):
    """Products that contain all the words of a search, in titles, descriptions, UPCs and SKUs."""

    template_name = "oscar/search/results.html"
    context_object_name = "results"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user_search.send(sender=self, session=request.session, user=request.user, query=self.query)
        try:
            return super().get(request, *args, **kwargs)
        except Http404:
            messages.error(request, _("The given page number was invalid."))
            return redirect("search:search")

    def get_queryset(self) -> "QuerySet[Any]":
        found = super().get_queryset()
        return found if self.query else found.none()

    def _order(self) -> tuple[Any, ...]:
        chosen = _ORDER.get(self.request.GET.get("sort_by", ""))
        # Best matches first: titles that contain the query as typed, then the rest by title.
        best_first = Case(When(title__icontains=self.query, then=0), default=1)
        return chosen or (best_first, Lower("title"), "pk")


def _matches(term: str) -> Q:
    stock = get_model("partner", "StockRecord").objects.filter(partner_sku__icontains=term)
    return (
        Q(title__icontains=term)
        | Q(description__icontains=term)
        | Q(upc__iexact=term)
        | Q(pk__in=stock.values("product"))
        | Q(pk__in=stock.exclude(product__parent=None).values("product__parent"))
    )
