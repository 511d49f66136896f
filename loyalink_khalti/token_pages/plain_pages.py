"""Pages that need no database query and no session, for when there is no payment to show."""

import logging

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.translation import get_language, get_language_bidi
from django.utils.translation import gettext as _

from . import brand

log = logging.getLogger(__name__)

RELOAD_AFTER = 5
"""seconds until the page without a database reloads itself"""
UPDATED_AFTER = 60
"""seconds that an update of the shop may take"""

WITHOUT_TEMPLATE = """<!DOCTYPE html>
<html lang="{language}" dir="{direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
</main>
</body>
</html>
"""


def not_found(request: HttpRequest) -> HttpResponse:
    """Return the one answer to every unknown token, so that no two differ."""
    if brand.known_shop(request) is None:  # the database answers, and knows the shop's name
        brand.shop_of(request)
    text = _("The link may be incomplete. Please open it again.")
    return _page(request, 404, _("Payment not found"), text, link_home=True)


def too_many(request: HttpRequest, *, wait: int) -> HttpResponse:
    """Return the answer to a network that has tried too many unknown tokens; ``wait`` in seconds."""
    text = _("Please wait a minute before you open the link again.")
    response = _page(request, 429, _("Too many attempts"), text, link_home=True)
    response["Retry-After"] = str(wait)
    return response


def unavailable(request: HttpRequest, *, reload_url: str) -> HttpResponse:
    """Return the answer while the database is down. It loads ``reload_url`` after a moment, without JavaScript."""
    text = _("The shop does not respond at the moment. Your payment is safe; this page reloads automatically.")
    response = _page(request, 503, _("One moment, please"), text)
    response["Retry-After"] = str(RELOAD_AFTER)
    response["Refresh"] = f"{RELOAD_AFTER}; url={reload_url}"
    add_never_cache_headers(response)
    return response


def being_updated(request: HttpRequest) -> HttpResponse:
    """Return the answer to a request that meets a database without the migrations of this version."""
    text = _("The shop is being updated. Please try again in a minute; your basket is kept.")
    response = _page(request, 503, _("One moment, please"), text)
    response["Retry-After"] = str(UPDATED_AFTER)
    add_never_cache_headers(response)
    return response


def _page(request: HttpRequest, status: int, title: str, text: str, *, link_home: bool = False) -> HttpResponse:
    """Return ``plain.html``, by itself where a site's own version of it, or its static files, fail."""
    context = {
        "title": title,
        "text": text,
        "link_home": link_home,
        "home": get_script_prefix(),
        "shop": brand.known_shop(request),
    }
    try:
        page = render_to_string("loyalink_khalti/plain.html", context)
    except Exception as exc:
        log.error("loyalink_khalti/plain.html cannot be shown: %s", exc, exc_info=exc)
        page = format_html(
            WITHOUT_TEMPLATE,
            language=get_language() or "en",
            direction="rtl" if get_language_bidi() else "ltr",
            title=title,
            text=text,
        )
    return HttpResponse(page, status=status)
