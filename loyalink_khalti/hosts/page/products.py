"""Which pages can be bought now: published, on this site, and open to this customer.

All that is read is read for all pages at once, however many a basket has.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import prefetch_related_objects
from django.http import HttpRequest
from wagtail.models import PageViewRestriction, Site

from .models import PAGE_MODEL
from .product import KhaltiProductMixin


def find_products(request: HttpRequest, pks: Iterable[int]) -> dict[int, Any]:
    """Return those of the pages that this request may buy, by pk: instances of the site's own page models.

    A page that is a draft, is of another site, or that the customer may not open, cannot be bought.
    """
    pages = published(pks)
    roots = _root_paths(request)
    if roots is not None:
        pages = [page for page in pages if page.url_path.startswith(roots)]
    return {page.pk: page for page in _open_to(request, pages)}


def published(pks: Iterable[int]) -> list[Any]:
    """Return those of the pages that are published products. A query for each page model, and one."""
    wanted = set(pks)
    if not wanted:
        return []
    pages = apps.get_model(PAGE_MODEL).objects.filter(pk__in=wanted, live=True).specific()
    products: list[Any] = [page for page in pages if isinstance(page, KhaltiProductMixin)]
    if aliases := [page for page in products if page.alias_of_id]:
        prefetch_related_objects(aliases, "alias_of")
    return products


def other_titles(pages: Iterable[Any]) -> dict[int, dict[str, str]]:
    """Return the titles of the published translations of pages, by the page's pk and the language; in one query.

    In no query where the site has one language.
    """
    by_key = {page.translation_key: page for page in pages}
    if not getattr(settings, "WAGTAIL_I18N_ENABLED", False):
        return {}
    found = apps.get_model(PAGE_MODEL).objects.filter(translation_key__in=by_key, live=True)
    titles: dict[int, dict[str, str]] = defaultdict(dict)
    for key, code, title in found.values_list("translation_key", "locale__language_code", "title"):
        if title != by_key[key].title:
            titles[by_key[key].pk][code] = title
    return titles


def _root_paths(request: HttpRequest) -> tuple[str, ...] | None:
    """Return the paths below which the site's pages are, those of its other languages too; None without a site."""
    site = Site.find_for_request(request)
    if site is None:
        return None
    return tuple(root.root_path for root in Site.get_site_root_paths() if root.site_id == site.pk)


def _open_to(request: HttpRequest, pages: Collection[Any]) -> list[Any]:
    """Leave out private pages that this customer may not open, as Wagtail's ``serve`` would."""
    if not pages:
        return []
    steplen = apps.get_model(PAGE_MODEL).steplen
    paths = {page.path[:end] for page in pages for end in range(steplen, len(page.path) + 1, steplen)}
    restrictions = PageViewRestriction.objects.filter(page__path__in=paths).select_related("page")
    closed = [each.page.path for each in restrictions if not _accepts(each, request)]
    return [page for page in pages if not page.path.startswith(tuple(closed))]


def _accepts(restriction: Any, request: HttpRequest) -> bool:
    if restriction.restriction_type == PageViewRestriction.PASSWORD and not hasattr(request, "session"):
        return False
    return bool(restriction.accept_request(request))


def category_pks(pages: Iterable[Any]) -> dict[int, list[int]]:
    """Return the pks of each page's categories, by the page's pk. A query for each page model."""
    by_model: dict[type, list[int]] = defaultdict(list)
    for page in pages:
        by_model[type(page)].append(page.pk)
    found: dict[int, list[int]] = {}
    for model, pks in by_model.items():
        field: Any = model._meta.get_field("product_categories")  # type: ignore[attr-defined]  # a model
        rows = field.remote_field.through._base_manager.filter(**{f"{field.m2m_field_name()}__in": pks})
        page, category = f"{field.m2m_field_name()}_id", f"{field.m2m_reverse_field_name()}_id"
        for pk, tag in rows.order_by(category).values_list(page, category):
            found.setdefault(pk, []).append(tag)
    return found
