"""What an editor does first, where nobody has points yet."""

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
from loyalink_khalti.staff import may


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do; ``url`` is "" where there is no page for it, or not for this person."""

    title: str
    text: str
    url: str = ""


def first_steps(request: HttpRequest) -> list[Step]:
    """Set the rate, switch Khalti on, pay once."""
    return [
        Step(
            title=_("Set the rate"),
            text=_("How many points a customer earns, and what they are worth."),
            url=_setting(request, "LoyaltySettings", may.LOYALTY_SETTINGS),
        ),
        Step(
            title=_("Switch Khalti on"),
            text=_("Paste the shop's secret key and test it."),
            url=_setting(request, "KhaltiSettings", may.KHALTI_SETTINGS),
        ),
        Step(
            title=_("Make a test payment"),
            text=_("Buy something as a customer would: whoever has bought appears here, with the first points."),
            url=_shop(request),
        ),
    ]


def _setting(request: HttpRequest, name: str, permission: str) -> str:
    model: Any = apps.get_model("loyalink_khalti", name)
    site = Site.find_for_request(request)
    if model not in registry or site is None or not may.may(request.user, permission):
        return ""
    try:
        return reverse("wagtailsettings:edit", args=(model._meta.app_label, model._meta.model_name, site.pk))
    except NoReverseMatch:
        return ""


def _shop(request: HttpRequest) -> str:
    try:
        return f"{conf.site_url(conf.site_key(request))}/"
    except ImproperlyConfigured:
        return ""
