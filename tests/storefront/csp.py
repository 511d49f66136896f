"""A host's own Content-Security-Policy, as its middleware sends it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class HostsPolicy:
    """Like Django's middleware and django-csp: leave a page alone that has a policy of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", "default-src 'self'")
        return response
