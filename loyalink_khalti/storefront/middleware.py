"""The bar of a pending payment on every page of the shop, and the protection around our own token pages."""

import logging
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from django.core.handlers.asgi import ASGIRequest
from django.core.signals import got_request_exception
from django.db import DatabaseError, InterfaceError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, Resolver404, resolve, reverse

from loyalink_khalti import conf, flow, tasks
from loyalink_khalti.after_response import after_response, answering, body_follows, run_when_closed
from loyalink_khalti.payments import job_runs
from loyalink_khalti.session_payments import keep_browser_session_id, remembered_tokens
from loyalink_khalti.staff.deletion import DeletionRefused, refused
from loyalink_khalti.token_pages import DATABASE_UNAVAILABLE, TokenView, plain_pages

log = logging.getLogger(__name__)

BODY = re.compile(rb"""<body\b[^>]*>(?:\s*<a\b[^>]*\bhref=["']\#[^"']*["'][^>]*>[^<]*</a>)*""", re.IGNORECASE)
"""The beginning of a page, with its links past the navigation: those stay the first that a keyboard reaches."""
ROBOTS = re.compile(r"bot|crawl|spider|slurp|preview|monitor|probe|check|curl|wget|python|java|go-http", re.IGNORECASE)
"""Words in the User-Agent of programs that open pages without a person."""


PIDX = re.compile(r"[0-9A-Za-z_-]{16,64}")
"""Every pidx seen so far has 22 letters and digits: https://docs.khalti.com/khalti-epayment/#success-response."""
ORDER_ID = re.compile(r"[^\W_][\w .:#/-]{0,63}")
"""An order id with anything else, or a longer one, is not kept at all."""
LONGEST_QUERY = 4096
"""Characters; what Khalti appends has about 400."""
MOST_FIELDS = 40
_ATTRIBUTE = "_loyalink_returned"
TRAFFIC_INTERVAL = timedelta(minutes=1)
"""The least time between two runs of the reconciler that traffic triggers, over all processes."""
TRAFFIC = "traffic"
"""The name of those runs in ``LastRun``."""


class TrafficReconciler:
    """Runs the reconciler at most once a minute while the site has visitors, for shops that schedule nothing."""

    def __init__(self) -> None:
        self._not_before = 0.0

    def is_due(self) -> bool:
        """Return whether this process has not run for a minute; no query."""
        return time.monotonic() >= self._not_before

    def __call__(self) -> None:
        """Enqueue the task or, where there is no worker, look up one due payment here. Call it after a response."""
        if not self.is_due():
            return
        self._not_before = time.monotonic() + TRAFFIC_INTERVAL.total_seconds()
        if not job_runs.claim_run(TRAFFIC, every=TRAFFIC_INTERVAL):
            return
        if tasks.has_worker():
            tasks.reconcile.enqueue()
        else:
            flow.reconcile_one()
        flow.remind_staff()  # here too: the worker may have stopped


traffic_reconciler = TrafficReconciler()


class PendingPaymentMiddleware:
    """Put "Payment of Rs … pending: Continue | Start again" at the top of HTML pages, after their skip links.

    Also that a payment has arrived which the shop is reviewing, so that no one pays for the same products twice.

    List it last in MIDDLEWARE, after sessions, authentication and CSRF. A page that renders
    ``{% loyalink_pending_payment %}`` itself keeps its own place for the bar. A browser without a session costs no
    query.

    It also lets a browser that has placed an order keep its identifier, for the limits on unpaid orders.

    After the response, and at most once a minute, ordinary traffic triggers a lookup of a payment whose customer has
    not returned. A shop without a scheduler recovers too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if isinstance(request, ASGIRequest):
            return run_when_closed(lambda: self._answer(request))
        response = self._answer(request)
        if response.streaming:
            body_follows()
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        with answering(request):
            response = self.get_response(request)
        if traffic_reconciler.is_due() and _is_person(request):
            after_response(traffic_reconciler)
        if isinstance(response, HttpResponse) and _takes_bar(request, response):
            bar = pending_payment_bar(request)
            if bar:
                _insert(response, bar.encode(response.charset or "utf-8"))
        if isinstance(response, HttpResponse):
            keep_browser_session_id(request, response)
        if conf.test_payments_allowed() and isinstance(response, HttpResponse):
            _insert_test_banner(request, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Say why a row of the shop was not deleted, on whatever page staff asked for it."""
        return refused(request, exception) if isinstance(exception, DeletionRefused) else None


class TokenPageMiddleware:
    """Remove the query of a return address before any code reads it, and answer token pages without a database.

    List it first in MIDDLEWARE. The query that Khalti appends contains the customer's mobile number, and an error
    report of any middleware would contain it too. Other middleware queries the database before our page does (Oscar's
    loads the basket): while the database is down, a customer who returns just then would see an error page.

    A database without the migrations of this version is answered with a page that says so, on every address.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        _drop_query(request)
        try:
            response = self.get_response(request)
        except DATABASE_UNAVAILABLE as exc:  # the host's own error page needs the database too
            if (page := _unavailable_page(request, exc)) is None:
                raise
            return page
        error = getattr(request, "_loyalink_database_error", None)
        if error is None or response.status_code != 500:
            return response
        is_updated = _is_being_updated()
        if is_updated or isinstance(error, DATABASE_UNAVAILABLE):
            page = _unavailable_page(request, error)
            return page or (plain_pages.being_updated(request) if is_updated else response)
        return response


@receiver(got_request_exception)
def _record_database_error(request: Any = None, **_signal: Any) -> None:
    """Keep the database's error on the request: middleware further out sees the error page alone."""
    exc = sys.exc_info()[1]
    if request is not None and isinstance(exc, DatabaseError | InterfaceError):
        request._loyalink_database_error = exc


def _is_being_updated() -> bool:
    """Return whether the database lacks migrations of this version. Asked after a database error only."""
    try:
        missing = flow.missing_migrations()
    except (DatabaseError, InterfaceError):  # it is down
        return False
    if missing:
        log.error("the database lacks migrations of this version, so run migrate first: %s", ", ".join(missing))
    return bool(missing)


def _drop_query(request: HttpRequest) -> None:
    """Remove the query of a return address wherever the server keeps it, and mark the request."""
    if not request.META.get("QUERY_STRING"):
        return
    view, _kwargs = _token_view(request)
    if view is not None and view.drops_query:
        remember_claim(request, request.META["QUERY_STRING"])
        request.META["QUERY_STRING"] = ""
        for name in ("RAW_URI", "REQUEST_URI"):  # gunicorn's; uWSGI's and Apache's
            if name in request.META:
                request.META[name] = request.META[name].partition("?")[0]
        request._loyalink_query_dropped = True  # type: ignore[attr-defined]  # ReturnView redirects to the bare path


def _unavailable_page(request: HttpRequest, exc: BaseException) -> HttpResponseBase | None:
    """Return what our view would have answered itself; None for a page that is not ours."""
    view, kwargs = _token_view(request)
    return view.protect(view.unavailable(request, exc, **kwargs)) if view is not None else None


def _token_view(request: HttpRequest) -> tuple[TokenView | None, dict[str, Any]]:
    """Return our view of this address, None for any other, and the arguments in the address."""
    try:
        match = resolve(request.path_info)
    except Resolver404:
        return None, {}
    view = getattr(match.func, "view_class", None)
    return (view() if isinstance(view, type) and issubclass(view, TokenView) else None), match.kwargs


def pending_payment_bar(request: HttpRequest) -> str:
    """Return the bar as HTML, "" if no payment is pending or under review, or the page has the bar already."""
    if getattr(request, "_loyalink_bar", False) or request.session.session_key is None:
        return ""
    member_id = str(request.user.pk) if request.user.is_authenticated else None
    found = flow.unfinished_payments(tokens=remembered_tokens(request), member_id=member_id)
    if not found:
        return ""
    live = next((payment for payment in found if payment.is_live), None)
    context = {
        "payment": live,
        "may_be_paid": live is not None and live.may_be_paid and live.last_lookup_at is not None,
        "arrived": next((payment for payment in found if not payment.is_live), None),
    }
    request._loyalink_bar = True  # type: ignore[attr-defined]  # one bar a page
    return render_to_string("loyalink_khalti/pending_payment.html", context, request=request)


def _insert_test_banner(request: HttpRequest, response: HttpResponse) -> None:
    """Say on every page for customers that no money moves, where this is a staging server in test mode."""
    is_page = response.get("Content-Type", "").startswith("text/html") and not response.has_header("Content-Encoding")
    if not is_page or response.status_code >= 500 or _is_for_staff(request):
        return
    environment = conf.environment_of(conf.khalti_settings(conf.site_key(request)))
    if conf.is_test_mode(environment):
        banner = render_to_string("loyalink_khalti/test_mode.html", request=request)
        _insert(response, banner.encode(response.charset or "utf-8"))


def _is_person(request: HttpRequest) -> bool:
    """Return whether a person is browsing. A program seldom has a cookie of the shop, and most name themselves."""
    user_agent = request.headers.get("User-Agent", "")
    return bool(request.COOKIES and user_agent) and not ROBOTS.search(user_agent)


def _takes_bar(request: HttpRequest, response: HttpResponse) -> bool:
    """Return whether this response is a page of the shop that customers see."""
    if request.method != "GET" or response.status_code not in {200, 404} or not hasattr(request, "session"):
        return False
    if not response.get("Content-Type", "").startswith("text/html") or response.has_header("Content-Encoding"):
        return False
    match = request.resolver_match
    return match is not None and "loyalink_khalti" not in match.app_names and not _is_for_staff(request)


def _is_for_staff(request: HttpRequest) -> bool:
    """Return whether this is a page of Django's or Wagtail's admin, or of a shop's own back office."""
    match = request.resolver_match
    if match is not None and "admin" in match.app_names:
        return True
    return request.path.startswith((*_wagtail_admin(), *_staff_url_prefixes()))


def _wagtail_admin() -> tuple[str, ...]:
    try:
        return (reverse("wagtailadmin_home"),)
    except NoReverseMatch:
        return ()


def _staff_url_prefixes() -> tuple[str, ...]:
    """Return the paths of the shops' own back offices; none if a shop fails, so that no page fails with it."""
    try:
        return tuple(prefix for shop in conf.shops().values() for prefix in shop.staff_url_prefixes())
    except Exception as exc:
        log.error("the back offices of the shops are not excluded from the pending payment bar: %s", exc, exc_info=exc)
        return ()


def _insert(response: HttpResponse, bar: bytes) -> None:
    body = BODY.search(response.content)
    if body is None:
        return
    response.content = response.content[: body.end()] + bar + response.content[body.end() :]
    if response.has_header("Content-Length"):
        response["Content-Length"] = str(len(response.content))


# What a return from Khalti's page claims: its pidx, and the order id; nothing else of the query is kept or shown. The
# pidx is what Khalti's own ids look like, or the claim does not count. It is asked about by the reconciler alone.


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The claim of a return; both are the browser's words."""

    pidx: str
    order_id: str


def remember_claim(request: HttpRequest, query: str) -> None:
    """Keep the claim of a query that is about to be dropped."""
    setattr(request, _ATTRIBUTE, read_claim(query))


def claim_of(request: HttpRequest) -> Returned | None:
    """Return the claim of a request, whether its query was dropped before or not; None without a well-formed one."""
    remembered: Returned | None = getattr(request, _ATTRIBUTE, None)
    return remembered or read_claim(request.META.get("QUERY_STRING", ""))


def read_claim(query: str) -> Returned | None:
    """Return the claim of a query string; None where it has no well-formed pidx, or two."""
    if not query or len(query) > LONGEST_QUERY:
        return None
    try:
        fields = parse_qsl(query, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:  # too many fields, or bytes that are no text
        return None
    found = [value for name, value in fields if name == "pidx"]
    if len(set(found)) != 1 or not PIDX.fullmatch(found[0]):
        return None
    orders = [value for name, value in fields if name == "purchase_order_id" and ORDER_ID.fullmatch(value)]
    return Returned(pidx=found[0], order_id=orders[0] if len(orders) == 1 else "")
