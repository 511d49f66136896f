"""Numbered system checks, each with a hint that mends it. ``docs/configuration.md`` lists them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, router, transaction
from django.db.models import Q
from django.urls import NoReverseMatch, Resolver404, URLResolver, get_resolver, resolve, reverse
from django.urls.resolvers import LocalePrefixPattern
from django.utils.module_loading import import_string
from django.utils.translation import override

from loyalink_khalti import conf
from loyalink_khalti.khalti import addresses
from loyalink_khalti.payments.models import Credentials

MAKE_FERNET_KEY = 'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
WAITING_PAYMENT = "loyalink_khalti.storefront.middleware.WaitingPaymentMiddleware"
STATUSES = {
    "HELD": "Awaiting payment",
    "PAID": "Paid",
    "PENDING": "Pending",
    "CANCELLED": "Cancelled",
    "REFUNDED": "Refunded",
}
"""The Oscar adapter's order statuses, by their names in ``LOYALINK_KHALTI["OSCAR"]``."""

Messages = Iterator[checks.CheckMessage]


def _error(number: int, text: str, hint: str) -> checks.CheckMessage:
    return checks.Error(text, hint=hint, id=f"loyalink_khalti.E{number:03}")


def _warning(number: int, text: str, hint: str) -> checks.CheckMessage:
    return checks.Warning(text, hint=hint, id=f"loyalink_khalti.W{number:03}")


def _check(*tags: str) -> Callable[[Callable[[], Messages]], Callable[[], Messages]]:
    def listed(found: Callable[[], Messages]) -> Callable[[], Messages]:
        def run(**_given: Any) -> list[checks.CheckMessage]:
            return list(found())

        checks.register(run, *tags)
        return found

    return listed


def _database_check(found: Callable[[str], Messages]) -> Callable[[str], Messages]:
    """Run only where databases are to be checked; tables that are not there yet are no news."""

    def run(*, databases: Sequence[str] | None = None, **_given: Any) -> list[checks.CheckMessage]:
        alias = router.db_for_read(Credentials)
        if alias not in (databases or ()):
            return []
        try:
            with transaction.atomic(using=alias):
                return list(found(alias))
        except DatabaseError:
            return []

    checks.register(run, checks.Tags.database)
    return found


# Khalti


@_check()
def server() -> Messages:
    try:
        addresses.base(conf.base_url(conf.TEST))
    except ValueError as exc:
        yield _error(
            1,
            f"Khalti cannot be called at {conf.base_url(conf.TEST)}: {exc}.",
            "KHALTI_BASE_URL is the address of Khalti's API, https://khalti.com/api/v2/ say. Leave it out, and the"
            " editors' choice of environment decides.",
        )
        return
    if conf.is_simulated() and not settings.DEBUG:
        yield _error(
            2,
            f"Payments go to {conf.base_url(conf.TEST)}, which is not Khalti's, with DEBUG off: no money comes in.",
            "Remove KHALTI_BASE_URL. A demo that means it adds loyalink_khalti.E002 to SILENCED_SYSTEM_CHECKS.",
        )


@_check(checks.Tags.security)
def secrets() -> Messages:
    try:
        conf.deployments_key()
    except ImproperlyConfigured as exc:
        yield _error(
            5, str(exc), "Copy the “live secret key” from admin.khalti.com, or for tests test-admin.khalti.com."
        )
    try:
        conf.fernet()
    except ImproperlyConfigured as exc:
        hint = f"Set the environment variable LOYALINK_FERNET_KEYS (newest first, commas between). {MAKE_FERNET_KEY}"
        if conf.get("FERNET_KEYS"):
            yield _error(6, str(exc), hint)
        elif not conf.get("KHALTI_SECRET_KEY"):
            yield _warning(7, str(exc), hint)


@_database_check
def keys(alias: str) -> Messages:
    stored = Credentials.objects.using(alias).exclude(ciphertext=b"")
    for row in stored.filter(Q(retired_at=None) | Q(payments__isnull=False)).distinct():
        try:
            conf.secret_of(row)
        except ImproperlyConfigured as exc:
            yield _error(
                4,
                f"The Khalti key {row.fingerprint} of site {row.site_key!r} cannot be read: {exc}.",
                "Put the Fernet key with which it was kept back into LOYALINK_FERNET_KEYS (at the end of the list), or"
                " enter Khalti's key again in the site's settings.",
            )
    if not conf.get("KHALTI_SECRET_KEY") and not stored.filter(retired_at=None).exists():
        yield _warning(
            3,
            "There is no Khalti key, so Khalti is not offered.",
            "Enter one in Wagtail under Settings, Khalti, or set the environment variable KHALTI_SECRET_KEY.",
        )


# The deployment


@_check(checks.Tags.database)
def sqlite() -> Messages:
    for alias, database in settings.DATABASES.items():
        if not database.get("ENGINE", "").endswith("sqlite3") or alias != router.db_for_write(Credentials):
            continue
        if str(database.get("OPTIONS", {}).get("transaction_mode", "")).upper() not in {"IMMEDIATE", "EXCLUSIVE"}:
            yield _warning(
                8,
                f"The SQLite database {alias!r} takes its write lock too late: payments that come in at once fail.",
                f'DATABASES[{alias!r}]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE", "timeout": 20}}',
            )


@_check()
def site_address() -> Messages:
    url = str(conf.get("SITE_URL"))
    if not url:
        yield _warning(
            12,
            "SITE_URL is not set, so payers come back to the address that Wagtail has of the site.",
            'LOYALINK_KHALTI["SITE_URL"] = "https://shop.example". With several sites give each its host name and port'
            " in Wagtail, and add loyalink_khalti.W012 to SILENCED_SYSTEM_CHECKS.",
        )
    elif urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        yield _error(11, f"SITE_URL is not an address: {url!r}.", 'One like "https://shop.example", without a path.')
    else:
        yield from _plain_http(url)


@_database_check
def wagtails_sites(alias: str) -> Messages:
    if conf.get("SITE_URL"):
        return
    sites = list(apps.get_model("wagtailcore", "Site").objects.using(alias))
    if not any(site.is_default_site for site in sites):
        yield _error(13, "Wagtail has no default site, and SITE_URL is not set.", "Set SITE_URL, or make a site.")
    for site in sites:
        yield from _plain_http(site.root_url)


def _plain_http(url: str) -> Messages:
    if urlsplit(url).scheme == "http" and not settings.DEBUG and not _is_here(urlsplit(url).hostname or ""):
        yield _error(
            10,
            f"{url} is plain http: payers and their payments could be watched on the way back from Khalti.",
            "Serve the shop over https, and say so in SITE_URL.",
        )


def _is_here(host: str) -> bool:
    return host in {"localhost", "::1"} or host.endswith(".localhost") or host.startswith("127.")


@_check(checks.Tags.security)
def session_cookie() -> Messages:
    if str(settings.SESSION_COOKIE_SAMESITE).lower() == "strict":
        yield _warning(
            14,
            'SESSION_COOKIE_SAMESITE is "Strict": shoppers who come back from Khalti seem to be logged out.',
            'SESSION_COOKIE_SAMESITE = "Lax", which is Django\'s default.',
        )


@_check()
def numbers() -> Messages:
    for name in ("DEADLINE", "LIVE_PAYMENTS_PER_VISITOR", "LIVE_PAYMENTS_PER_MEMBER", "UNKNOWN_TOKENS_PER_MINUTE"):
        value = conf.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            yield _error(
                15, f'LOYALINK_KHALTI["{name}"] is not a number above 0: {value!r}.', "Leave it out, or mend it."
            )
    for name in sorted(set(getattr(settings, "LOYALINK_KHALTI", {})) - set(conf.DEFAULTS)):
        yield _warning(
            16, f"LOYALINK_KHALTI has no setting {name!r}.", f"It knows {', '.join(sorted(conf.DEFAULTS))}."
        )


# The shop


@_check()
def shops() -> Messages:
    if not conf.get("SHOPS"):
        yield _warning(
            17,
            'LOYALINK_KHALTI["SHOPS"] names no shop, so nothing can be paid.',
            'With Oscar: "SHOPS": {"oscar": "loyalink_khalti.hosts.oscar.shop.OscarShop"}',
        )
    for name in conf.get("SHOPS"):
        try:
            conf.shop(name)
        except (ImportError, AttributeError, TypeError, ImproperlyConfigured) as exc:
            yield _error(
                18, f"The shop {name!r} cannot be used: {exc}", "Its value is the dotted path of a Shop class."
            )


@_check()
def wagtails_settings() -> Messages:
    if apps.is_installed("wagtail.admin") and not apps.is_installed("wagtail.contrib.settings"):
        yield _error(
            31,
            "wagtail.contrib.settings is not installed, so there is no Settings → Khalti.",
            'Add "wagtail.contrib.settings" to INSTALLED_APPS.',
        )


@_check()
def middleware() -> Messages:
    if WAITING_PAYMENT in settings.MIDDLEWARE:
        return
    wanted = import_string(WAITING_PAYMENT)
    named = [import_string(path) for path in settings.MIDDLEWARE]
    if not any(isinstance(each, type) and issubclass(each, wanted) for each in named):
        yield _warning(
            19,
            "Shoppers with a payment under way do not see the bar with which they continue it or start again.",
            f"Put {WAITING_PAYMENT!r} at the end of MIDDLEWARE.",
        )


@_check(checks.Tags.urls)
def urls() -> Messages:
    if not getattr(settings, "ROOT_URLCONF", None):
        return
    add = 'path("khalti/", include("loyalink_khalti.storefront.urls")), before Wagtail\'s own catch-all.'
    try:
        page = reverse("loyalink_khalti:return", args=["A" * 22])
    except NoReverseMatch:
        yield _error(20, "There is no page for payers who come back from Khalti.", f"Add to the URLs: {add}")
        return
    if any(isinstance(each.pattern, LocalePrefixPattern) and _holds_ours(each) for each in _included()):
        yield _error(
            21,
            "The pages for payers who come back from Khalti are inside i18n_patterns, so their address can change.",
            f"Move them out of it: {add}",
        )
        return
    try:
        found = resolve(page).namespaces
    except Resolver404:
        found = []
    if "loyalink_khalti" not in found:
        yield _error(22, f"{page} is taken by another page.", f"Move ours up: {add}")


def _included() -> list[URLResolver]:
    return [each for each in get_resolver().url_patterns if isinstance(each, URLResolver)]


def _holds_ours(included: URLResolver) -> bool:
    with override(settings.LANGUAGE_CODE):
        return "loyalink_khalti" in included.namespace_dict


# Oscar


@_check()
def oscar() -> Messages:
    if apps.is_installed("oscar") and settings.OSCAR_DEFAULT_CURRENCY != "NPR":
        yield _error(
            9,
            f"The shop sells in {settings.OSCAR_DEFAULT_CURRENCY}; Khalti takes NPR.",
            'OSCAR_DEFAULT_CURRENCY = "NPR"',
        )
    if "oscar" in conf.get("SHOPS"):
        yield from _pipeline()
        yield from _oscars_own()


def _pipeline() -> Messages:
    pipeline = getattr(settings, "OSCAR_ORDER_STATUS_PIPELINE", {})
    named = {**STATUSES, **{key: value for key, value in conf.oscar_options().items() if key in STATUSES}}
    if missing := [status for status in named.values() if status not in pipeline]:
        yield _error(
            23,
            f"OSCAR_ORDER_STATUS_PIPELINE lacks {', '.join(map(repr, missing))}.",
            f'Add each and what may follow it: {{"{named["HELD"]}": (), "{named["PENDING"]}": (),'
            f' "{named["CANCELLED"]}": (), …}}. Other names go into LOYALINK_KHALTI["OSCAR"].',
        )
    for status in (named["HELD"], named["CANCELLED"]):
        if exits := pipeline.get(status):
            yield _warning(
                24,
                f"OSCAR_ORDER_STATUS_PIPELINE lets staff move {status!r} orders to {', '.join(map(repr, exits))}.",
                f'"{status}": (): only what Khalti says about the payment moves it.',
            )


def _oscars_own() -> Messages:
    ours = "loyalink_khalti.hosts.oscar.apps"
    theirs = {
        "checkout": ("oscar.apps.checkout.apps.CheckoutConfig", "the checkout does not offer Khalti"),
        "customer": ("oscar.apps.customer.apps.CustomerConfig", "members see orders that are not paid yet"),
        "orders_dashboard": (
            "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
            "staff see orders that are not paid yet among the others",
        ),
    }
    for label, (path, harm) in theirs.items():
        config = type(apps.app_configs[label]) if label in apps.app_configs else None
        if config and f"{config.__module__}.{config.__qualname__}" == path:
            message = (_error, 25) if label == "checkout" else (_warning, 26)
            name = path.rpartition(".")[2]
            yield message[0](message[1], f"{path} is still installed: {harm}.", f'In its place: "{ours}.{name}"')
