"""Sites as the rest of the package names them: by a key that is a text."""

from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from .settings import get

DEFAULT_SITE = "default"


def site_key(request: HttpRequest | None = None) -> str:
    """The name under which a site's payments and points are kept: its host name, or ``default``."""
    sites: Any = apps.get_model("wagtailcore", "Site")
    return key_of_site(sites.find_for_request(request) if request is not None else None)


def key_of_site(site: Any) -> str:
    """The ``site_key`` of one of Wagtail's sites."""
    return DEFAULT_SITE if site is None or site.is_default_site else str(site.hostname)


def site_url(key: str) -> str:
    """The address of a site as the world sees it, without a trailing slash; never taken from a request."""
    if get("SITE_URL"):
        return str(get("SITE_URL")).rstrip("/")
    site = _site(key)
    if site is None:
        raise ImproperlyConfigured('set LOYALINK_KHALTI["SITE_URL"], or make a default Site in Wagtail')
    return str(site.root_url)


def _site(key: str) -> Any:
    sites = apps.get_model("wagtailcore", "Site").objects
    return sites.filter(**({"is_default_site": True} if key == DEFAULT_SITE else {"hostname": key})).first()
