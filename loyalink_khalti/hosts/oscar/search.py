"""Catalogue, categories and search by database queries, so that there is no index to build, write or forget.

Oscar's own views read Haystack's index: with its ``simple`` backend they find nothing, and Whoosh's is a folder that
several processes write. URLs, forms and templates stay Oscar's; a product stands where a search result stood.
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

_LONGEST_QUERY = 200
_MOST_WORDS = 8

_ORDER: dict[str, tuple[Any, ...]] = {
    SearchForm.TOP_RATED: (F("rating").desc(nulls_last=True), "title"),
    SearchForm.NEWEST: ("-date_created", "-pk"),
    SearchForm.PRICE_HIGH_TO_LOW: (F("lowest_price").desc(nulls_last=True), "title"),
    SearchForm.PRICE_LOW_TO_HIGH: (F("lowest_price").asc(nulls_last=True), "title"),
    SearchForm.TITLE_A_TO_Z: (Lower("title"), "pk"),
    SearchForm.TITLE_Z_TO_A: (Lower("title").desc(), "-pk"),
}


class ProductListView(ListView):  # type: ignore[type-arg]  # Oscar's product may be a fork
    """A page of public products, sorted as the shopper asks."""

    context_object_name = "products"
    paginate_by = settings.OSCAR_PRODUCTS_PER_PAGE
    request: HttpRequest

    def get_queryset(self) -> "QuerySet[Any]":
        products = get_model("catalogue", "Product").objects.browsable().base_queryset()
        words = self.query.split()[:_MOST_WORDS]
        for word in words:
            products = products.filter(_has(word))
        price = Min("stockrecords__price"), Min("children__stockrecords__price")
        products = products.annotate(own_price=price[0], childrens_price=price[1])
        products = products.annotate(lowest_price=_first("own_price", "childrens_price"))
        return cast("QuerySet[Any]", products.order_by(*self._order()))

    @property
    def query(self) -> str:
        return self.request.GET.get("q", "").replace("\x00", "").strip()[:_LONGEST_QUERY]

    def _order(self) -> tuple[Any, ...]:
        return _ORDER.get(self.request.GET.get("sort_by", ""), ("-date_created", "-pk"))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        products = list(context["page_obj"].object_list)
        for product in products:
            product.object = product  # Oscar's templates were written for search results
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
    """Everything there is."""

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
    """What is in a category and in those below it."""

    template_name = "oscar/catalogue/category.html"
    enforce_paths = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.category = get_object_or_404(get_model("catalogue", "Category"), pk=self.kwargs["pk"])
        if not (self.category.is_public or request.user.is_staff):
            raise Http404
        page = self.category.get_absolute_url()
        if self.enforce_paths and request.path != page:
            return HttpResponsePermanentRedirect(page)
        try:
            return super().get(request, *args, **kwargs)
        except Http404:
            messages.error(request, _("The given page number was invalid."))
            return redirect(page)

    def get_queryset(self) -> "QuerySet[Any]":
        through = get_model("catalogue", "ProductCategory").objects
        inside = through.filter(category__in=self.category.get_descendants_and_self().values("pk"))
        return super().get_queryset().filter(pk__in=inside.values("product"))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"category": self.category, "summary": self.category.name}


class SearchView(ProductListView):
    """What matches all the words that were typed: in titles, descriptions, UPCs and SKUs."""

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
        chosen = self.request.GET.get("sort_by", "")
        # Best first: the words as typed in the title, then the rest by name.
        in_title = Q(title__icontains=self.query)
        return _ORDER.get(chosen) or (_when(in_title), Lower("title"), "pk")


def _has(word: str) -> Q:
    stock = get_model("partner", "StockRecord").objects.filter(partner_sku__icontains=word)
    return (
        Q(title__icontains=word)
        | Q(description__icontains=word)
        | Q(upc__iexact=word)
        | Q(pk__in=stock.values("product"))
        | Q(pk__in=stock.exclude(product__parent=None).values("product__parent"))
    )


def _first(*names: str) -> Any:
    return Coalesce(*(F(name) for name in names))


def _when(condition: Q) -> Any:
    return Case(When(condition, then=0), default=1)
