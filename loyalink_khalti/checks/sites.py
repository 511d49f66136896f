"""Checks of the sites: a public address over https, and a host name of its own for each."""

from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings

from loyalink_khalti import conf

from .registration import Messages, check, database_check, error, warning

RENAME_HINT = (
    "Give one of them another host name in Wagtail, under Settings, Sites. Existing payments and points stay with the"
    " old name."
)


@check()
def site_address() -> Messages:
    url = str(conf.get("SITE_URL"))
    if not url:
        yield warning(
            12,
            "SITE_URL is not set, so customers return to the address that Wagtail has for the site.",
            'LOYALINK_KHALTI["SITE_URL"] = "https://shop.example". With several sites, set the host name and port of'
            ' each in Wagtail, and SILENCED_SYSTEM_CHECKS = ["loyalink_khalti.W012"].',
        )
    elif urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        yield error(
            11, f"SITE_URL is not an address: {url!r}.", 'LOYALINK_KHALTI["SITE_URL"] = "https://shop.example"'
        )
    else:
        yield from _plain_http(url)


@database_check
def wagtail_sites(alias: str) -> Messages:
    if conf.get("SITE_URL"):
        return
    sites = list(apps.get_model("wagtailcore", "Site").objects.using(alias))
    if not any(site.is_default_site for site in sites):
        yield error(
            13,
            "Wagtail has no default site, and SITE_URL is not set.",
            'LOYALINK_KHALTI["SITE_URL"] = "https://shop.example", or create a default site in Wagtail.',
        )
    for site in sites:
        yield from _plain_http(site.root_url)


def _plain_http(url: str) -> Messages:
    if urlsplit(url).scheme == "http" and not settings.DEBUG and not _is_local(urlsplit(url).hostname or ""):
        yield error(
            10,
            f"{url} is plain http, so others could read payment details when customers return from Khalti.",
            f'Serve the shop over https: LOYALINK_KHALTI["SITE_URL"] = "https{url.removeprefix("http")}"',
        )


def _is_local(host: str) -> bool:
    return host in {"localhost", "::1"} or host.endswith(".localhost") or host.startswith("127.")


@database_check
def shared_keys(alias: str) -> Messages:
    sites: dict[str, list[Any]] = defaultdict(list)
    for site in apps.get_model("wagtailcore", "Site").objects.using(alias).order_by("pk"):
        sites[conf.site_key_of(site)].append(site)
    for key, sharing in sites.items():
        if key == conf.DEFAULT_SITE:
            yield from _named_default(sharing)
        elif len(sharing) > 1:
            yield warning(
                36,
                f"{_addresses(sharing)} have the same host name, so they share payments, points, secret keys and"
                " loyalty rules. Editors of one of them change all.",
                RENAME_HINT,
            )


def _named_default(sites: list[Any]) -> Messages:
    if named := [site for site in sites if not site.is_default_site]:
        yield warning(
            36,
            f"{_addresses(named)} is named {conf.DEFAULT_SITE!r}, so it shares payments, points, secret keys and"
            " loyalty rules with Wagtail's default site.",
            RENAME_HINT,
        )


def _addresses(sites: list[Any]) -> str:
    return ", ".join(f"{site.hostname}:{site.port}" for site in sites)
