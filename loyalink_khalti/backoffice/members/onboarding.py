"""The first steps of a new shop, shown while there are no members."""

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from wagtail.contrib.settings.registry import registry
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.staff import permissions


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; ``url`` is "" where it has no page, or the user may not open it."""

    title: str
    text: str
    url: str = ""


def onboarding_steps(request: HttpRequest) -> list[Step]:
    """Return the three steps: set the rate, turn on Khalti, pay once."""
    return [
        Step(
            title=_("Set the rate"),
            text=_("How many points a customer earns, and what they are worth."),
            url=_setting_url(request, "LoyaltySettings", permissions.LOYALTY_SETTINGS),
        ),
        Step(
            title=_("Turn on Khalti"),
            text=_("Paste the shop's secret key and test it."),
            url=_setting_url(request, "KhaltiSettings", permissions.KHALTI_SETTINGS),
        ),
        Step(
            title=_("Make a test payment"),
            text=_("Buy something as a customer. The customer then appears here with the first points."),
            url=_shop_url(request),
        ),
    ]


def _setting_url(request: HttpRequest, name: str, permission: str) -> str:
    model: Any = apps.get_model("loyalink_khalti", name)
    site = Site.find_for_request(request)
    if model not in registry or site is None or not permissions.has_permission(request.user, permission):
        return ""
    try:
        return reverse("wagtailsettings:edit", args=(model._meta.app_label, model._meta.model_name, site.pk))
    except NoReverseMatch:
        return ""


def _shop_url(request: HttpRequest) -> str:
    try:
        return f"{conf.site_url(conf.site_key(request))}/"
    except ImproperlyConfigured:
        return ""
