"""The store's Content-Security-Policy: only what it serves itself, and no inline script, style or handler."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:"
NOT_OURS = ("admin/", "django-admin/", "shop/dashboard/", "sandbox/mail/")
"""Pages for staff, of Wagtail, Django and Oscar, which have inline scripts, and mails, which have inline styles."""


class ContentSecurityPolicyMiddleware:
    """Send ``POLICY`` with every page for customers, except where a view sends its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.path_info.removeprefix("/").startswith(NOT_OURS):
            response.headers.setdefault("Content-Security-Policy", POLICY)
        return response
