"""Checks of the shops, of our pages and of what stands before them."""

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, Resolver404, URLResolver, get_resolver, resolve, reverse
from django.urls.resolvers import LocalePrefixPattern
from django.utils.module_loading import import_string
from django.utils.translation import override

from loyalink_khalti import conf

from .registering import Messages, check, error, warning

WAITING_PAYMENT = "loyalink_khalti.storefront.middleware.WaitingPaymentMiddleware"
DOOR = "loyalink_khalti.storefront.middleware.DoorMiddleware"


@check()
def shops() -> Messages:
    if not conf.get("SHOPS"):
        yield warning(
            17,
            'LOYALINK_KHALTI["SHOPS"] names no shop, so nothing can be paid.',
            'With Oscar: "SHOPS": {"oscar": "loyalink_khalti.hosts.oscar.shop.OscarShop"}',
        )
    for name in conf.get("SHOPS"):
        try:
            conf.shop(name)
        except (ImportError, AttributeError, TypeError, ImproperlyConfigured) as exc:
            yield error(
                18, f"The shop {name!r} cannot be used: {exc}", "Its value is the dotted path of a Shop class."
            )


@check()
def wagtails_settings() -> Messages:
    if apps.is_installed("wagtail.admin") and not apps.is_installed("wagtail.contrib.settings"):
        yield error(
            31,
            "wagtail.contrib.settings is not installed, so there is no Settings → Khalti.",
            'Add "wagtail.contrib.settings" to INSTALLED_APPS.',
        )


@check()
def middleware() -> Messages:
    if not _is_there(WAITING_PAYMENT):
        yield warning(
            19,
            "Shoppers with a payment under way do not see the bar with which they continue it or start again.",
            f"Put {WAITING_PAYMENT!r} at the end of MIDDLEWARE.",
        )
    if not _is_there(DOOR):
        yield warning(
            35,
            "What Khalti glues on to a return address, the payer's mobile too, is seen by other middleware, and payers"
            " who come back while the database is down see an error page.",
            f"Put {DOOR!r} at the beginning of MIDDLEWARE.",
        )


def _is_there(path: str) -> bool:
    if path in settings.MIDDLEWARE:
        return True
    wanted = import_string(path)
    named = [import_string(each) for each in settings.MIDDLEWARE]
    return any(isinstance(each, type) and issubclass(each, wanted) for each in named)


@check(checks.Tags.urls)
def urls() -> Messages:
    if not getattr(settings, "ROOT_URLCONF", None):
        return
    add = 'path("khalti/", include("loyalink_khalti.storefront.urls")), before Wagtail\'s own catch-all.'
    try:
        page = reverse("loyalink_khalti:return", args=["A" * 22])
    except NoReverseMatch:
        yield error(20, "There is no page for payers who come back from Khalti.", f"Add to the URLs: {add}")
        return
    if any(isinstance(each.pattern, LocalePrefixPattern) and _holds_ours(each) for each in _included()):
        yield error(
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
        yield error(22, f"{page} is taken by another page.", f"Move ours up: {add}")


def _included() -> list[URLResolver]:
    return [each for each in get_resolver().url_patterns if isinstance(each, URLResolver)]


def _holds_ours(included: URLResolver) -> bool:
    with override(settings.LANGUAGE_CODE):
        return "loyalink_khalti" in included.namespace_dict
