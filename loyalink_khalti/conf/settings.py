"""Settings of a deployment and of a site, read at call time and never cached.

A deployment sets the dict ``LOYALINK_KHALTI`` and environment variables. Editors choose an environment and limits per
site, never an address: the deployment's ``KHALTI_BASE_URL`` can name another server.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.urls import get_script_prefix
from django.utils.module_loading import import_string
from django.utils.translation import get_supported_language_variant

from loyalink_khalti.khalti.credentials import is_khalti_url
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Shop
from loyalink_khalti.returning import Given, Select

from . import sites
from .sites import DEFAULT_SITE

DEFAULTS: dict[str, Any] = {
    "SHOPS": {},
    "API": {},
    "SITE_URL": "",
    "DEADLINE": 10.0,
    "MAX_CONCURRENT_CALLS": 0,
    "MAX_CONCURRENT_CALLS_IN_ALL": 64,
    "LOOKUPS_PER_SECOND": 20,
    "ALERTS_TO": (),
    "LIVE_PAYMENTS_PER_BROWSER": 3,
    "LIVE_PAYMENTS_PER_MEMBER": 1,
    "LIVE_PAYMENTS_PER_EMAIL": 3,
    "UNPAID_SHARE_OF_STOCK": 20,
    "UNPAID_RUPEES_PER_NETWORK": 300_000,
    "ATTEMPTS_PER_HOUR_AND_BROWSER": 60,
    "ATTEMPTS_PER_HOUR_AND_NETWORK": 2000,
    "TRUSTED_PROXIES": None,
    "UNKNOWN_TOKENS_PER_MINUTE": 30,
    "UNMATCHED_PER_HOUR": 200,
    "UNMATCHED_PER_HOUR_AND_NETWORK": 50,
    "KHALTI_SECRET_KEY": "",
    "KHALTI_BASE_URL": "",
    "FERNET_KEYS": (),
    "CACHE": "default",
    "REPORTS_DATABASE": None,
    "DIGITS": "latin",
    "CALENDAR": "ad",
    "COLOUR_SCHEME": "host",
    "CONTENT_SECURITY_POLICY": "",
    "GUEST_CLAIMS": False,
    "CREATE_ACCOUNT": "user",
    "ALLOW_SELF_DEALING": False,
    "ALLOW_TEST_PAYMENTS": False,
    "EMAIL_IS_VERIFIED": "",
    "HEALTH_TOKEN": "",
    "REVIEW_REMINDER_AFTER": 24,
}
"""Every setting and its default, without the settings of hosts (``host_settings``)."""
DEFAULT_THREADS = 4
"""The number of server threads when the command line does not name it."""

_ENVIRONMENT = {
    "KHALTI_SECRET_KEY": "KHALTI_SECRET_KEY",
    "KHALTI_BASE_URL": "KHALTI_BASE_URL",
    "FERNET_KEYS": "LOYALINK_FERNET_KEYS",
    "HEALTH_TOKEN": "LOYALINK_HEALTH_TOKEN",
}


def get(name: str) -> Any:
    """Return one setting from ``LOYALINK_KHALTI``, else from the environment, else its default."""
    configured = _configured()
    value = configured.get(name) or os.environ.get(_ENVIRONMENT.get(name, "")) or configured.get(name)
    if value is None:  # as `os.environ.get("SITE_URL")` has it in a shop's settings
        return DEFAULTS[name]
    if name == "FERNET_KEYS" and isinstance(value, str):
        return [key.strip() for key in value.split(",") if key.strip()]
    return value


def _configured() -> dict[str, Any]:
    return cast(dict[str, Any], getattr(settings, "LOYALINK_KHALTI", {}))


def deadline() -> float:
    """Return the seconds within which a call to Khalti ends."""
    return float(get("DEADLINE"))


def lookups_per_second() -> int:
    """Return how many lookups jobs make in a second at one server, all processes together."""
    return int(get("LOOKUPS_PER_SECOND"))


def language(code: str) -> str:
    """Return the language of a purchase, or ``LANGUAGE_CODE`` where the shop has that language no more."""
    try:
        return get_supported_language_variant(code)
    except LookupError:
        return str(settings.LANGUAGE_CODE)


def max_concurrent_calls() -> int:
    """Return how many calls to Khalti the pages of one process may make at once: half of the server's threads."""
    return int(get("MAX_CONCURRENT_CALLS")) or max(_server_threads() // 2, 1)


@cache
def _server_threads() -> int:
    """Return the number of threads on this process's command line (gunicorn, uWSGI, waitress)."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--threads", type=int, default=DEFAULT_THREADS)
    arguments = [*shlex.split(os.environ.get("GUNICORN_CMD_ARGS", "")), *sys.argv[1:]]
    try:
        return int(parser.parse_known_args(arguments)[0].threads)
    except argparse.ArgumentError:
        return DEFAULT_THREADS


def host_settings(name: str) -> Mapping[str, Any]:
    """Return a host's own settings: the dict under its name in ``SHOPS``, in upper case. The host has the defaults."""
    return cast(Mapping[str, Any], _configured().get(name.upper(), {}))


def shop(name: str) -> Shop:
    """Return the host of this name in ``SHOPS``. Raises ``ImproperlyConfigured`` when there is none."""
    try:
        path = get("SHOPS")[name]
    except KeyError as exc:
        raise ImproperlyConfigured(f'LOYALINK_KHALTI["SHOPS"] has no shop {name!r}') from exc
    return _shop(path)


def shops() -> dict[str, Shop]:
    """Return every host in ``SHOPS`` by its name."""
    return {name: _shop(path) for name, path in get("SHOPS").items()}


@cache
def _shop(path: str) -> Shop:
    host = cast(Shop, import_string(path)())
    if not host.local:
        raise ImproperlyConfigured(f"{path}: a shop outside this database is not supported yet")
    return host


# A site: its address, its server, and what editors have set for it


TEST, LIVE = "test", "live"
"""The environments between which editors choose."""
SERVERS = {TEST: "https://dev.khalti.com/api/v2/", LIVE: "https://khalti.com/api/v2/"}
"""Khalti's servers: https://docs.khalti.com/khalti-epayment/#api-endpoints."""


def site_key(request: HttpRequest | None = None) -> str:
    """Return the key of the site of a request, under which its payments and points are stored.

    Of None it is the key of Wagtail's default site. It is read once for a request.
    """
    if request is None:
        return site_key_of(_wagtail_sites().objects.filter(is_default_site=True).first())
    known: str | None = getattr(request, "_loyalink_site_key", None)
    if known is None:
        known = site_key_of(_wagtail_sites().find_for_request(request))
        request._loyalink_site_key = known  # type: ignore[attr-defined]  # as Wagtail's request._wagtail_site
    return known


def site_key_of(site: Any) -> str:
    """Return the key of a Wagtail Site, a new one for a new site; ``default`` for None."""
    return DEFAULT_SITE if site is None else site_keys([site])[site.pk]


def site_keys(wanted: Iterable[Any]) -> dict[int, str]:
    """Return the keys of Wagtail Sites by their primary keys; one query, and one more for each new site."""
    by_pk = {site.pk: site for site in wanted}
    rows = sites.SiteKey.objects.filter(site_pk__in=by_pk).only("site_pk", "key")
    found = {row.site_pk or 0: row.key for row in rows}
    return found | {pk: sites.add_key(by_pk[pk]) for pk in by_pk.keys() - found.keys()}


def _wagtail_sites() -> Any:
    return apps.get_model("wagtailcore", "Site")


def site_url(site_key: str) -> str:
    """Return the public address of a site, with the path below which it is served, without a trailing slash.

    It never comes from a request, except for that path where only the server names it (WSGI's ``SCRIPT_NAME``).
    A deleted site has the address of Wagtail's default site. Raises ``ImproperlyConfigured`` without ``SITE_URL`` and
    without either site in Wagtail.
    """
    address = str(get("SITE_URL"))
    if not address:
        site = sites.find_site(site_key)
        if site is None:
            raise ImproperlyConfigured('set LOYALINK_KHALTI["SITE_URL"], or create a default Site in Wagtail')
        address = str(site.root_url)
    address = address.rstrip("/")
    return address if urlsplit(address).path else address + _script_name()


def absolute_url(site_key: str, path: str) -> str:
    """Return the public address of a page of a site, by the path that Django's ``reverse`` has returned for it.

    Raises ``ImproperlyConfigured`` as ``site_url`` does.
    """
    return site_url(site_key) + path_below(path)


def path_below(path: str) -> str:
    """Return the part of a path that comes after ``site_url``, by what Django's ``reverse`` has returned."""
    return f"/{path.removeprefix(get_script_prefix()).removeprefix('/')}"


def _script_name() -> str:
    """Return the path below which the shop is served, "" at the root of its host; in jobs ``FORCE_SCRIPT_NAME``."""
    return (get_script_prefix().rstrip("/") or settings.FORCE_SCRIPT_NAME or "").rstrip("/")


def khalti_settings(site_key: str) -> Any:
    """Return the editors' Khalti settings of a site, or None when they have saved none."""
    return settings_of("KhaltiSettings", site_key)


def settings_of(model: str, site_key: str, *, lock: bool = False) -> Any:
    """Return what editors have saved for a site in a model of settings; None where there is nothing."""
    return _settings(model, lock).first(site_key=site_key)


@cache
def _settings(model: str, lock: bool) -> Select[Any]:
    kind = apps.get_model("loyalink_khalti", model)
    living = sites.SiteKey.objects.filter(key=Given("site_key"), site_pk__isnull=False).values("site_pk")
    rows = kind.objects.filter(site_id__in=living).order_by("pk")
    return Select(kind, lambda: (rows.select_for_update(of=("self",)) if lock else rows)[:1])


def environment_of(saved: Any) -> str:
    """Return the environment in the editors' settings; without settings, the one of ``KHALTI_BASE_URL``."""
    if saved is not None:
        return str(saved.environment)
    return LIVE if get("KHALTI_BASE_URL") == SERVERS[LIVE] else TEST


def base_url(environment: str) -> str:
    """Return the server for an environment: ``KHALTI_BASE_URL`` if set, else Khalti's own."""
    url = str(get("KHALTI_BASE_URL") or SERVERS[environment])
    return url if url.endswith("/") else url + "/"


def is_simulated() -> bool:
    """Whether ``KHALTI_BASE_URL`` names a server that is not Khalti's own."""
    return not is_khalti_server(base_url(TEST))


def is_test_mode(environment: str) -> bool:
    """Whether payments in an environment go to another server than Khalti's live one: no money moves."""
    return base_url(environment) != SERVERS[LIVE]


def test_payments_allowed() -> bool:
    """Whether this deployment is a staging server: payments in test mode are intended, and every page says so."""
    return get("ALLOW_TEST_PAYMENTS") is True  # "false" in quotation marks allows nothing


def is_khalti_server(url: str) -> bool:
    """Whether ``url`` is on one of Khalti's own servers."""
    return is_khalti_url(url, base_url=SERVERS[LIVE])


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTexts:
    """The editors' texts about their loyalty programme; "" when they have written none."""

    name: str = ""
    text: str = ""


def program_texts(site_key: str) -> ProgramTexts:
    """Return the name of a site's programme and the text on its points card."""
    saved = settings_of("LoyaltySettings", site_key)
    return ProgramTexts(name=saved.name, text=saved.text) if saved else ProgramTexts()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundLimits:
    """What one member of staff may refund without a further permission, in paisa; None: no limit."""

    per_order: Paisa | None = None
    """Of one order, with what others have refunded of it."""
    per_actor: Paisa | None = None
    """Of all orders of the site together, in a day."""
    approval_above: Paisa | None = None
    """What anybody may refund of one order without a second person, whatever their permissions."""


def refund_limits(site_key: str, *, lock: bool = False) -> RefundLimits:
    """Return the limits that editors have set for refunds. ``lock`` keeps others from counting until the commit.

    The settings of a deleted site are gone: nothing may be refunded without the permission to exceed the limits.
    """
    saved = settings_of("KhaltiSettings", site_key, lock=lock)
    if saved is None:
        return RefundLimits(per_order=Paisa(0)) if sites.is_deleted(site_key) else RefundLimits()
    return RefundLimits(
        per_order=saved.refund_limit, per_actor=saved.refund_limit_per_actor, approval_above=saved.approval_above
    )


def refund_reasons(site_key: str) -> list[str]:
    """Return the reasons for refunds that editors have added, in their order."""
    saved = settings_of("KhaltiSettings", site_key)
    lines = saved.refund_reasons.splitlines() if saved is not None else []
    return list(dict.fromkeys(filter(None, (" ".join(line.split()) for line in lines))))
