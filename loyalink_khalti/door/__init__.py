"""What all pages of a payment have in common: anybody may knock; caches, referrers, frames and guesses learn nothing.

For the storefront, and for hosts that lead on from it by the same token.
"""

import logging
from typing import Any

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import View

from . import plain, throttle

log = logging.getLogger(__name__)

DATABASE_GONE = (OperationalError, InterfaceError, InternalError)
"""Down, full, out of connections; ``InternalError`` is PostgreSQL's for a database that may only be read."""

POLICY = "frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'"
"""Nothing in it breaks a host's own layout: its scripts, styles and pictures are its own to allow."""


class UnknownToken(Exception):
    """Nobody's token: made up, mistyped, or another's where only its owner may go."""


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(never_cache, name="dispatch")
class Door(View):
    """A page found by a token in its address. Comes first among a view's bases, so that it answers for them all."""

    # The token stays here; a form of a page with "no-referrer" says "Origin: null", and its CSRF check refuses that.
    referrer_policy = "same-origin"

    drops_query = False
    """Whether what is glued on to its address is to be seen by nobody."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = super().dispatch(request, *args, **kwargs)
        except UnknownToken:
            response = refused(request)
        except DATABASE_GONE as exc:
            response = self.unavailable(request, exc, **kwargs)
        return self.close(response)

    def unavailable(self, request: HttpRequest, exc: BaseException | None, **found: Any) -> HttpResponse:
        """Say that the database does not answer."""
        # Its kind alone: drivers name servers and users, and quote what they were to write.
        log.error("%s: the database does not answer (%s)", type(self).__name__, type(exc).__name__)
        return plain.unavailable(look_at=self.look_at(request, **found))

    def look_at(self, request: HttpRequest, **_found: Any) -> str:
        """Where to look again once the database answers; without what was glued on."""
        return request.path

    def close(self, response: HttpResponseBase) -> HttpResponseBase:
        """Tell caches, frames, referrers and search engines nothing."""
        response["Referrer-Policy"] = self.referrer_policy
        response["X-Frame-Options"] = "DENY"
        response["X-Robots-Tag"] = "noindex"
        response["X-Content-Type-Options"] = "nosniff"
        # Middleware that sends a host's own policy leaves a page alone that has one, so ours would take its place.
        if not any("csp" in path.lower().split(".") for path in settings.MIDDLEWARE):
            response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


def refused(request: HttpRequest) -> HttpResponse:
    """Answer an unknown token, or one too many; Khalti hears of neither."""
    wait = throttle.seconds_to_wait(request)
    return plain.too_many(wait=wait) if wait else plain.not_found()
