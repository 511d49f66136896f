"""What all pages of one payment have in common: a token in the address finds it, and no log-in is needed.

Caches, referrers, frames, search engines and guesses learn nothing from them. For the storefront, and for hosts that
continue from it with the same token. A text that is no token matches none of their URLs, so no database ever reads it.
"""

import logging
from typing import Any

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import register_converter
from django.utils import translation
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import View

from loyalink_khalti import conf

from . import plain_pages, throttle

log = logging.getLogger(__name__)

DATABASE_UNAVAILABLE = (OperationalError, InterfaceError, InternalError)
"""Down, full or out of connections. PostgreSQL raises ``InternalError`` for a database that is read-only."""


TOKEN = r"[A-Za-z0-9_-]{1,64}"  # noqa: S105 - a pattern; a link that was cut short gets "Payment not found"


class PaymentTokenConverter:
    """``<payment_token:token>`` in a URL: a Payment's token, or the beginning of one."""

    regex = TOKEN

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class SignedTokenConverter(PaymentTokenConverter):
    """``<signed_token:token>`` in a URL: a value signed by ``django.core.signing``.

    One that is compressed begins with a dot. The longest names a site (255 characters) and a member (64) in letters
    that JSON writes as six characters each.
    """

    regex = r"\.?[A-Za-z0-9_:=-]{1,2800}"


class CounterTokenConverter(PaymentTokenConverter):
    """``<counter_token:token>`` in a URL: a signed value that names a site, which has a longer key."""

    regex = r"[A-Za-z0-9_:=-]{1,400}"


register_converter(CounterTokenConverter, "counter_token")
register_converter(PaymentTokenConverter, "payment_token")
register_converter(SignedTokenConverter, "signed_token")


class UnknownToken(Exception):
    """The token is made up, mistyped, or belongs to another customer on a page for its owner alone."""


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(never_cache, name="dispatch")
class TokenView(View):
    """A page found by a token in its address. List it first among a view's bases, so that it handles their errors."""

    # Browsers send "Origin: null" with a form of a "no-referrer" page, and Django's CSRF check refuses that origin.
    referrer_policy = "same-origin"

    drops_query = False
    """Whether a query that others append to the address is removed before any code reads it."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with translation.override(translation.get_language()):  # a page may activate another one, for itself alone
            try:
                response = super().dispatch(request, *args, **kwargs)
            except UnknownToken:
                response = unknown_token_page(request)
            except DATABASE_UNAVAILABLE as exc:
                response = self.unavailable(request, exc, **kwargs)
            response.headers.setdefault("Content-Language", translation.get_language() or settings.LANGUAGE_CODE)
        return self.protect(response)

    def unavailable(self, request: HttpRequest, exc: BaseException | None, **url_kwargs: Any) -> HttpResponse:
        """Return the page that says that the database does not answer; it reloads itself."""
        # The exception's class alone: drivers name servers and users, and quote the values that they were to write.
        log.error("%s: the database does not answer (%s)", type(self).__name__, type(exc).__name__)
        return plain_pages.unavailable(request, reload_url=self.reload_url(request, **url_kwargs))

    def reload_url(self, request: HttpRequest, **_url_kwargs: Any) -> str:
        """Return the path to reload once the database answers, without a query."""
        return request.path

    def protect(self, response: HttpResponseBase) -> HttpResponseBase:
        """Add the headers that keep the page out of caches, frames, referrers and search engines."""
        response["Referrer-Policy"] = self.referrer_policy
        response["X-Frame-Options"] = "DENY"
        response["X-Robots-Tag"] = "noindex"
        response["X-Content-Type-Options"] = "nosniff"
        # A host's CSP middleware skips a response that already has a policy, so ours would replace the host's own.
        if not any("csp" in path.lower().split(".") for path in settings.MIDDLEWARE):
            response.headers.setdefault("Content-Security-Policy", conf.content_security_policy())
        return response


def unknown_token_page(request: HttpRequest) -> HttpResponse:
    """Return the answer to an unknown token, or to one guess too many. Khalti is not called for either."""
    wait = throttle.seconds_to_wait(request)
    return plain_pages.too_many(request, wait=wait) if wait else plain_pages.not_found(request)
