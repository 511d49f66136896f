"""The shop's name and logo on our own pages: read with each page, and remembered for the pages without a database."""

from typing import Any

from django.http import HttpRequest

from loyalink_khalti import conf

MOST_HOSTS = 50
_known: dict[str, Any] = {}


def shop_of(request: HttpRequest) -> Any:
    """Return the details of the shop at the request's site, and remember them in this process."""
    if not hasattr(conf, "shop_details"):
        return None
    details = conf.shop_details(conf.site_key(request))
    host = request.META.get("HTTP_HOST", "")
    if host in _known or len(_known) < MOST_HOSTS:
        _known[host] = details
    return details


def known_shop(request: HttpRequest) -> Any:
    """Return what `shop_of` has returned last for this host name, None if it never has; without a query."""
    return _known.get(request.META.get("HTTP_HOST", ""))
