"""The shop's name and logo on our own pages: read with each page, and remembered for the pages without a database."""

from contextlib import suppress

from django.db import Error
from django.http import HttpRequest

from loyalink_khalti import conf

MOST_HOSTS = 50
_known: dict[str, conf.ShopDetails] = {}


def shop_of(request: HttpRequest) -> conf.ShopDetails | None:
    """Return the details of the shop at the request's site; what was read last where the database does not answer."""
    host = request.META.get("HTTP_HOST", "")
    with suppress(Error):
        details = conf.shop_details(conf.site_key(request))
        if host in _known or len(_known) < MOST_HOSTS:
            _known[host] = details
        return details
    return _known.get(host)


def known_shop(request: HttpRequest) -> conf.ShopDetails | None:
    """Return what `shop_of` has returned last for this host name, None if it never has; without a query."""
    return _known.get(request.META.get("HTTP_HOST", ""))
