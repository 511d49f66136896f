"""What Oscar gives to every template, kept away from the pages that would take it for their own."""

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from oscar.apps.search.context_processors import search_form as oscar_search_form


def search_form(request: HttpRequest) -> dict[str, Any]:
    """Return Oscar's search form, except in Wagtail's admin: its headers would show it (Wagtail 8.0)."""
    return {} if _is_in_admin(request) else oscar_search_form(request)


def _is_in_admin(request: HttpRequest) -> bool:
    try:
        return request.path.startswith(reverse("wagtailadmin_home"))
    except NoReverseMatch:  # Wagtail's admin is not in the URLs
        return False
