"""Checks of the hosts in ``SHOPS``, the API, the middleware and the URLs."""

import json
from contextlib import suppress

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, Resolver404, URLResolver, get_resolver, get_script_prefix, resolve, reverse
from django.urls.resolvers import LocalePrefixPattern
from django.utils.module_loading import import_string
from django.utils.translation import override

from loyalink_khalti import conf
from loyalink_khalti.required_apps import WAGTAIL

from .registration import Messages, check, database_check, error, warning

NOT_MISSED = {"modelcluster"}
"""What Wagtail's docs list, and its admin works without."""
PENDING_PAYMENT = "loyalink_khalti.storefront.middleware.PendingPaymentMiddleware"
TOKEN_PAGE = "loyalink_khalti.storefront.middleware.TokenPageMiddleware"  # noqa: S105 - a path, not a password


@check()
def shops() -> Messages:
    if not conf.get("SHOPS"):
        yield warning(
            17,
            'LOYALINK_KHALTI["SHOPS"] is empty, so nothing can be paid.',
            'LOYALINK_KHALTI["SHOPS"] = {"shop": "path.to.YourShop"}. docs/configuration.md has the paths of the hosts'
            " in this package.",
        )
    for name in conf.get("SHOPS"):
        try:
            shop = conf.shop(name)
        except (ImportError, AttributeError, TypeError, ImproperlyConfigured) as exc:
            yield error(
                18,
                f"The shop {name!r} cannot be used: {exc}.",
                f'LOYALINK_KHALTI["SHOPS"] = {{"{name}": "path.to.YourShop"}}, the path of a class that implements'
                " loyalink_khalti.ports.Shop.",
            )
        else:
            yield from shop.check()


@database_check
def rows_of_shops(_alias: str) -> Messages:
    for name in conf.get("SHOPS"):
        with suppress(ImportError, AttributeError, TypeError, ImproperlyConfigured):  # ``shops`` reports it
            yield from getattr(conf.shop(name), "check_database", tuple)()


_FUNCTIONS = {
    "EMAIL_IS_VERIFIED": "takes a user and returns whether the shop has verified the user's e-mail address."
    " Leave it out if the shop does not.",
    "CREATE_ACCOUNT": "takes the e-mail address, the hashed password and the name of a guest, and returns the new"
    ' user. Leave it out for Django\'s own users; "" offers guests no account.',
}
"""What the functions that a shop may name do."""


@check()
def functions_of_the_shop() -> Messages:
    for name, does in _FUNCTIONS.items():
        path = str(conf.get(name) or "")
        try:
            usable = path in ("", conf.DJANGOS_USER) or callable(import_string(path))
        except ImportError:
            usable = False
        if not usable:
            yield error(
                37,
                f'LOYALINK_KHALTI["{name}"] is {path!r}, which is no function.',
                f'LOYALINK_KHALTI["{name}"] = "path.to.function", which {does}',
            )


@check()
def api_settings() -> Messages:
    for text, hint in conf.api_faults():
        yield error(56, text, hint)


@check()
def wagtail_apps() -> Messages:
    lacks = [each for each in WAGTAIL if each not in NOT_MISSED and not apps.is_installed(each)]
    if not lacks:
        return
    if lacks == ["wagtail.contrib.settings"]:
        text = "wagtail.contrib.settings is not installed, so the admin has no Settings → Khalti."
    else:
        text = f"{', '.join(lacks)} not installed: pages of Wagtail's admin fail without."
    yield error(31, text, f"Add to INSTALLED_APPS: {', '.join(map(json.dumps, lacks))}.")


@check()
def middleware() -> Messages:
    if not _is_installed(PENDING_PAYMENT):
        yield warning(
            19,
            "Customers with a pending payment do not see the bar that lets them continue or cancel it.",
            f'Add "{PENDING_PAYMENT}" at the end of MIDDLEWARE.',
        )
    if not _is_installed(TOKEN_PAGE):
        yield warning(
            35,
            "Other middleware can log the parameters that Khalti appends to the return URL, such as the mobile number,"
            " and customers who return during a database failure see an error page.",
            f'Add "{TOKEN_PAGE}" at the beginning of MIDDLEWARE.',
        )


def _is_installed(path: str) -> bool:
    """Whether ``MIDDLEWARE`` has this class or a subclass of it."""
    if path in settings.MIDDLEWARE:
        return True
    wanted = import_string(path)
    installed = [import_string(each) for each in settings.MIDDLEWARE]
    return any(isinstance(each, type) and issubclass(each, wanted) for each in installed)


@check(checks.Tags.urls)
def urls() -> Messages:
    if not getattr(settings, "ROOT_URLCONF", None):
        return
    include = 'path("khalti/", include("loyalink_khalti.storefront.urls"))'
    try:
        page = reverse("loyalink_khalti:return", args=["A" * 22])
    except NoReverseMatch:
        yield error(
            20,
            "The URLs of the return page, to which Khalti sends customers, are missing.",
            f"Add {include} to the URLs, before Wagtail's catch-all.",
        )
        return
    if any(isinstance(each.pattern, LocalePrefixPattern) and _includes_ours(each) for each in _resolvers()):
        yield error(
            21,
            "The return page is inside i18n_patterns, so its address changes with the language.",
            f"Move {include} out of i18n_patterns.",
        )
        return
    try:
        namespaces = resolve(f"/{page.removeprefix(get_script_prefix())}").namespaces
    except Resolver404:
        namespaces = []
    if "loyalink_khalti" not in namespaces:
        yield error(22, f"Another URL pattern takes {page}.", f"Move {include} above it.")


def _resolvers() -> list[URLResolver]:
    return [each for each in get_resolver().url_patterns if isinstance(each, URLResolver)]


def _includes_ours(resolver: URLResolver) -> bool:
    with override(settings.LANGUAGE_CODE):
        return "loyalink_khalti" in resolver.namespace_dict
