"""What stands before our pages, and the bar that every page of the shop has while a payment waits."""

import re
import sys
from collections.abc import Callable
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, Resolver404, resolve, reverse

from loyalink_khalti import flow, tasks
from loyalink_khalti.afterwards import afterwards, until_closed
from loyalink_khalti.browser import began_here
from loyalink_khalti.door import DATABASE_GONE, Door

BODY = re.compile(rb"<body\b[^>]*>", re.IGNORECASE)
MACHINES = re.compile(
    r"bot|crawl|spider|slurp|preview|monitor|probe|check|curl|wget|python|java|go-http", re.IGNORECASE
)
"""What programs that open pages by themselves call themselves."""
STAFF_APPS = frozenset({"admin", "dashboard"})
"""Django's admin and Oscar's back office."""


class WaitingPaymentMiddleware:
    """Put "Payment of Rs … is waiting: continue | start again" on top of HTML pages.

    Last in MIDDLEWARE, so that sessions, log-ins and CSRF are there. A page that renders
    ``{% loyalink_waiting_payment %}`` itself keeps its own place for the bar. A browser without a session, which has
    begun nothing, costs no query.

    After the response, and once a minute at most, ordinary traffic makes a payment be looked at that nobody came back
    for, so that a shop that schedules nothing still recovers.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if isinstance(request, ASGIRequest):
            return until_closed(lambda: self._answer(request))
        return self._answer(request)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if tasks.nudge.is_due() and _is_person(request):
            afterwards(tasks.nudge)
        if isinstance(response, HttpResponse) and _is_page(request, response):
            bar = bar_for(request)
            if bar:
                _insert(response, bar.encode(response.charset or "utf-8"))
        return response


class DoorMiddleware:
    """Stand before all other middleware for our pages: drop what is glued on, and answer without a database.

    First in MIDDLEWARE. What Khalti glues on to a return address names the payer's mobile, and an error report of any
    middleware would have it. And Oscar's, for one, asks who the shopper is before any page does: without a database
    the payer who comes back just then would see an error.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        _drop_query(request)
        try:
            response = self.get_response(request)
        except DATABASE_GONE as exc:  # the host's own error page wanted the database too
            if (page := _page_that_waits(request, exc)) is None:
                raise
            return page
        gone = getattr(request, "_loyalink_database_gone", None)
        return response if gone is None or response.status_code != 500 else _page_that_waits(request, gone) or response


@receiver(got_request_exception)
def _note(request: Any = None, **_given: Any) -> None:
    """Keep why a request has failed: middleware before the one that failed sees the error page alone."""
    exc = sys.exc_info()[1]
    if request is not None and isinstance(exc, DATABASE_GONE):
        request._loyalink_database_gone = exc


def _drop_query(request: HttpRequest) -> None:
    """Take the query off a return address, wherever the server keeps it, and say that there was one."""
    if not request.META.get("QUERY_STRING"):
        return
    door, _kwargs = _door(request)
    if door is not None and door.drops_query:
        request.META["QUERY_STRING"] = ""
        for name in ("RAW_URI", "REQUEST_URI"):  # gunicorn's, and uWSGI's and Apache's
            if name in request.META:
                request.META[name] = request.META[name].partition("?")[0]
        request._loyalink_query_dropped = True  # type: ignore[attr-defined]  # for the page, which leads on without it


def _page_that_waits(request: HttpRequest, exc: BaseException) -> HttpResponseBase | None:
    """What our page would have said itself; None for a page that is not ours."""
    door, kwargs = _door(request)
    return door.close(door.unavailable(request, exc, **kwargs)) if door is not None else None


def _door(request: HttpRequest) -> tuple[Door | None, dict[str, Any]]:
    """The page of ours that an address is of, and what is found in it."""
    try:
        match = resolve(request.path_info)
    except Resolver404:
        return None, {}
    view = getattr(match.func, "view_class", None)
    return (view() if isinstance(view, type) and issubclass(view, Door) else None), match.kwargs


def bar_for(request: HttpRequest) -> str:
    """The bar as HTML, "" where nothing waits or the page has it already."""
    if getattr(request, "_loyalink_bar", False) or request.session.session_key is None:
        return ""
    member_id = str(request.user.pk) if request.user.is_authenticated else None
    payment = flow.waiting(tokens=began_here(request), member_id=member_id)
    if payment is None:
        return ""
    request._loyalink_bar = True  # type: ignore[attr-defined]  # one bar a page
    return render_to_string("loyalink_khalti/waiting_payment.html", {"payment": payment}, request=request)


def _is_person(request: HttpRequest) -> bool:
    """Whether somebody browses: a program has seldom a cookie of the shop's, and mostly says that it is one."""
    name = request.headers.get("User-Agent", "")
    return bool(request.COOKIES and name) and not MACHINES.search(name)


def _is_page(request: HttpRequest, response: HttpResponse) -> bool:
    if request.method != "GET" or response.status_code not in {200, 404} or not hasattr(request, "session"):
        return False
    if not response.get("Content-Type", "").startswith("text/html") or response.has_header("Content-Encoding"):
        return False
    match = request.resolver_match
    if match is None:
        return False
    if STAFF_APPS.intersection(match.app_names) or "loyalink_khalti" in match.app_names:
        return False
    return not request.path.startswith(_wagtail_admin())


def _wagtail_admin() -> tuple[str, ...]:
    try:
        return (reverse("wagtailadmin_home"),)
    except NoReverseMatch:
        return ()


def _insert(response: HttpResponse, bar: bytes) -> None:
    body = BODY.search(response.content)
    if body is None:
        return
    response.content = response.content[: body.end()] + bar + response.content[body.end() :]
    if response.has_header("Content-Length"):
        response["Content-Length"] = str(len(response.content))
