"""The store's own error pages with DEBUG, too: customers of a demo see no page of Django's. Errors are in the log."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.views import defaults

DJANGOS_OWN = b"<code>DEBUG = True</code>"
"""What Django's pages of errors say (4.2 to 6.0)."""


class OwnErrorPagesMiddleware:
    """Replace Django's pages about an error by the store's. List it last in MIDDLEWARE."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code < 400 or response.streaming or DJANGOS_OWN not in response.content:
            return response
        if response.status_code == 404:
            return defaults.page_not_found(request, Http404())
        if response.status_code == 400:
            return defaults.bad_request(request, BadRequest())
        return defaults.server_error(request)
