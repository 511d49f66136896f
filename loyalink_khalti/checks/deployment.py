"""Checks of the database, the shop's address, cookies and numbers."""

from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import router

from loyalink_khalti import conf
from loyalink_khalti.payments.models import Credentials, Payment

from .registering import Messages, check, database_check, error, warning

NUMBERS = {
    "DEADLINE": 0.001,
    "CALLS_AT_ONCE": 0,
    "LIVE_PAYMENTS_PER_VISITOR": 1,
    "LIVE_PAYMENTS_PER_MEMBER": 1,
    "LIVE_PAYMENTS_PER_ADDRESS": 1,
    "UNKNOWN_TOKENS_PER_MINUTE": 1,
}
"""Settings that are numbers, and the least that each may be."""


@check(checks.Tags.database)
def sqlite() -> Messages:
    for alias, database in settings.DATABASES.items():
        if not database.get("ENGINE", "").endswith("sqlite3") or alias != router.db_for_write(Credentials):
            continue
        if str(database.get("OPTIONS", {}).get("transaction_mode", "")).upper() not in {"IMMEDIATE", "EXCLUSIVE"}:
            yield warning(
                8,
                f"The SQLite database {alias!r} takes its write lock too late: payments that come in at once fail.",
                f'DATABASES[{alias!r}]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE", "timeout": 20}}',
            )


@check()
def site_address() -> Messages:
    url = str(conf.get("SITE_URL"))
    if not url:
        yield warning(
            12,
            "SITE_URL is not set, so payers come back to the address that Wagtail has of the site.",
            'LOYALINK_KHALTI["SITE_URL"] = "https://shop.example". With several sites give each its host name and port'
            " in Wagtail, and add loyalink_khalti.W012 to SILENCED_SYSTEM_CHECKS.",
        )
    elif urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        yield error(11, f"SITE_URL is not an address: {url!r}.", 'One like "https://shop.example", without a path.')
    else:
        yield from _plain_http(url)


@database_check
def wagtails_sites(alias: str) -> Messages:
    if conf.get("SITE_URL"):
        return
    sites = list(apps.get_model("wagtailcore", "Site").objects.using(alias))
    if not any(site.is_default_site for site in sites):
        yield error(13, "Wagtail has no default site, and SITE_URL is not set.", "Set SITE_URL, or make a site.")
    for site in sites:
        yield from _plain_http(site.root_url)


def _plain_http(url: str) -> Messages:
    if urlsplit(url).scheme == "http" and not settings.DEBUG and not _is_here(urlsplit(url).hostname or ""):
        yield error(
            10,
            f"{url} is plain http: payers and their payments could be watched on the way back from Khalti.",
            "Serve the shop over https, and say so in SITE_URL.",
        )


def _is_here(host: str) -> bool:
    return host in {"localhost", "::1"} or host.endswith(".localhost") or host.startswith("127.")


@check(checks.Tags.security)
def session_cookie() -> Messages:
    if str(settings.SESSION_COOKIE_SAMESITE).lower() == "strict":
        yield warning(
            14,
            'SESSION_COOKIE_SAMESITE is "Strict": shoppers who come back from Khalti seem to be logged out.',
            'SESSION_COOKIE_SAMESITE = "Lax", which is Django\'s default.',
        )


@check()
def numbers() -> Messages:
    for name, least in NUMBERS.items():
        value = conf.get(name)
        whole = int if name != "DEADLINE" else int | float
        if isinstance(value, bool) or not isinstance(value, whole) or value < least:
            what = "a number above 0" if least else "a whole number, or 0 for half of the server's threads"
            yield error(15, f'LOYALINK_KHALTI["{name}"] is not {what}: {value!r}.', "Leave it out, or mend it.")
    for name in sorted(set(getattr(settings, "LOYALINK_KHALTI", {})) - set(conf.DEFAULTS)):
        yield warning(16, f"LOYALINK_KHALTI has no setting {name!r}.", f"It knows {', '.join(sorted(conf.DEFAULTS))}.")


@check(checks.Tags.database)
def replicas() -> Messages:
    read, write = router.db_for_read(Payment), router.db_for_write(Payment)
    if read != write:
        yield error(
            34,
            f"DATABASE_ROUTERS reads payments from {read!r} and writes them to {write!r}, which is ahead of it.",
            "Let the router answer for the app loyalink_khalti, and for the shop's orders and stock, with the database"
            " that is written: money is read where it is written.",
        )
