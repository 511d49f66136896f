"""Checks of the sites: a public address over https, the path below which it is served, and a host name for each."""

from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.urls import NoReverseMatch, get_script_prefix, reverse

from loyalink_khalti import bikram_sambat, conf, nepal
from loyalink_khalti.conf.sites import SiteKey
from loyalink_khalti.paper import can_make_pdf

from .registration import Messages, check, database_check, error, warning


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
    elif not _is_address(url):
        yield error(
            11, f"SITE_URL is not an address: {url!r}.", 'LOYALINK_KHALTI["SITE_URL"] = "https://shop.example"'
        )
    else:
        yield from _plain_http(url)
        yield from _other_path(urlsplit(url).path.rstrip("/"))


def _is_address(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or parts.fragment)


def _other_path(path: str) -> Messages:
    """Report a path in ``SITE_URL`` that is not the one below which the shop is served."""
    script_name = (settings.FORCE_SCRIPT_NAME or "").rstrip("/")
    if path and path != script_name:
        served = (
            f"below {script_name!r}" if script_name else "at the root of its host, as FORCE_SCRIPT_NAME is not set"
        )
        yield error(
            47,
            f"SITE_URL has the path {path!r}, but the shop is served {served}: customers return to a page that does"
            " not exist.",
            f'FORCE_SCRIPT_NAME = "{path}" if the whole site is served below that path, otherwise'
            ' LOYALINK_KHALTI["SITE_URL"] = "https://shop.example" without a path.',
        )


@check()
def script_name() -> Messages:
    name = settings.FORCE_SCRIPT_NAME
    if name and not str(name).startswith("/"):
        yield error(
            48,
            f"FORCE_SCRIPT_NAME is {name!r}, so the addresses of all pages are wrong.",
            f'FORCE_SCRIPT_NAME = "/{str(name).strip("/")}", with a slash at its beginning.',
        )


@check(checks.Tags.security)
def cookie_paths() -> Messages:
    if not getattr(settings, "ROOT_URLCONF", None):
        return
    try:
        page = reverse("loyalink_khalti:return", args=["A" * 22])
    except NoReverseMatch:  # ``urls`` in ``shops`` reports it
        return
    for name in ("SESSION_COOKIE_PATH", "CSRF_COOKIE_PATH"):
        path = str(getattr(settings, name))
        if not f"{page}/".startswith(path.rstrip("/") + "/"):
            yield warning(
                49,
                f"{name} is {path!r}, so browsers do not send that cookie to {page}: customers who return from Khalti"
                " appear logged out, or cannot cancel.",
                f'{name} = "{get_script_prefix()}"',
            )


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
def shared_sites(alias: str) -> Messages:
    """Two sites with one host name, and two that have shared one key since before sites had keys of their own."""
    sites = list(apps.get_model("wagtailcore", "Site").objects.using(alias).order_by("pk"))
    keys = dict(SiteKey.objects.using(alias).filter(site_pk__isnull=False).values_list("site_pk", "key"))
    by_host, by_key = defaultdict(list), defaultdict(list)
    for site in sites:
        by_host[site.hostname].append(site)
        by_key[keys.get(site.pk, site.pk)].append(site)
    for sharing in by_host.values():
        if len(sharing) > 1:
            yield warning(
                36,
                f"{_addresses(sharing)} have the same host name. Behind a proxy that does not pass the port on, a"
                " customer of one of them sees and redeems points at another.",
                "Give each site a host name of its own in Wagtail, under Settings, Sites. Its payments, points and"
                " secret keys stay with it.",
            )
    for sharing in by_key.values():
        if len(sharing) > 1:
            yield warning(
                41,
                f"{_addresses(sharing)} share payments, points, secret keys and loyalty rules, because they had the"
                " same name in an earlier version. Editors of one of them change all.",
                "If they are different shops, delete one in Wagtail, under Settings, Sites, and create it again: it"
                " then has points and payments of its own and no longer those of now.",
            )


def _addresses(sites: list[Any]) -> str:
    return ", ".join(f"{site.hostname}:{site.port}" for site in sites)


@database_check
def invoices(_alias: str) -> Messages:
    """Only where a PAN is entered: without one there are no invoices."""
    settings = apps.get_model("loyalink_khalti", "InvoiceSettings")
    rows = list(settings.objects.exclude(pan="").select_related("site").order_by("pk"))
    for row in rows:
        if nepal.pan(row.pan) != row.pan:
            yield error(
                78,
                f"The PAN of {row.site} is {row.pan!r}: a PAN has nine digits. No invoices are issued.",
                "Correct it in Wagtail's admin: Settings, Invoices.",
            )
    if rows and not bikram_sambat.is_installed():
        yield error(
            79,
            "Invoices are on, and the library for the Bikram Sambat is missing: the fiscal year of an invoice cannot"
            " be known, and none is issued.",
            'pip install "loyalink-khalti[bikram-sambat]"',
        )
    if rows and not can_make_pdf():
        yield warning(
            80,
            "Invoices are on, and the libraries for PDF files are missing: they are printed from the browser alone.",
            'pip install "loyalink-khalti[pdf]"',
        )
