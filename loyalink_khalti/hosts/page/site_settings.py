"""What a site sets for the pages that it sells, and its ways of delivery."""

import re
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from wagtail.models import Site

from loyalink_khalti.conf.sites import find_site
from loyalink_khalti.hosts.common.payment_methods import BUILT_IN, HostSettings, MethodSettings
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import PaymentMethod

from .fields import whole_paisa
from .models import PageShopSettings

SHOP = "page"
"""The host's name in ``LOYALINK_KHALTI["SHOPS"]`` and in every Cart."""
PLAIN_DELIVERY = "delivery"
"""The code of the free delivery that a site offers which has set no option."""
options = HostSettings(SHOP, MethodSettings)
"""Return the settings of the deployment, ``LOYALINK_KHALTI["PAGE"]``: ``METHODS``, ``OWN_METHODS``, ``TEXTS``."""
_CACHED = "_loyalink_page_settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOption:
    """A way of delivery; ``charge`` in paisa."""

    code: str
    title: str
    text: str
    charge: Paisa
    needs_address: bool


def settings_of(site: Any) -> PageShopSettings:
    """Return what a Wagtail Site has set, with defaults where it has set nothing. Nothing is written."""
    found = PageShopSettings.objects.filter(site=site).select_related("site").first() if site is not None else None
    return found or PageShopSettings(site=site)


def settings_for(request: HttpRequest) -> PageShopSettings:
    """Return the settings of a request's site, read once in a request."""
    if not hasattr(request, _CACHED):
        setattr(request, _CACHED, settings_of(Site.find_for_request(request)))
    found: PageShopSettings = getattr(request, _CACHED)
    return found


def settings_of_key(site_key: str) -> PageShopSettings:
    """Return the settings of the site with this key, for an order."""
    return settings_of(find_site(site_key))


def shop_name(settings: PageShopSettings) -> str:
    """Return the name of the shop: as set, or the site's."""
    site = settings.site if settings.site_id else None
    return str(settings.shop_name or getattr(site, "site_name", "") or "")


def number_prefix(settings: PageShopSettings) -> str:
    """Return the prefix of order numbers: plain letters, digits and dashes, whatever an editor has typed."""
    return re.sub(r"[^A-Za-z0-9-]", "", settings.order_prefix)


def delivery_options(settings: PageShopSettings) -> list[DeliveryOption]:
    """Return the ways of delivery, in the editor's order; a free one where none is set."""
    found = []
    for block in settings.delivery_options or ():
        charge = whole_paisa(block.value.get("charge"))
        if charge is not None and block.id:
            found.append(
                DeliveryOption(
                    code=str(block.id),
                    title=str(block.value.get("title") or ""),
                    text=str(block.value.get("text") or ""),
                    charge=charge,
                    needs_address=bool(block.value.get("needs_address")),
                )
            )
    free = DeliveryOption(code=PLAIN_DELIVERY, title=_("Delivery"), text="", charge=Paisa(0), needs_address=True)
    return found or [free]


def payment_methods(settings: PageShopSettings) -> MethodSettings:
    """Return the payment methods that a site offers: those that its editors chose, or the deployment's."""
    deployed = options()
    known = {*BUILT_IN, *deployed.own_methods}
    chosen = settings.methods if isinstance(settings.methods, list) else []
    methods = tuple(code for code in dict.fromkeys(chosen) if code in known) or deployed.methods
    texts = {PaymentMethod.BANK_TRANSFER: settings.bank_transfer_text, PaymentMethod.COD: settings.cod_text}
    return replace(
        deployed,
        methods=methods,
        texts={**deployed.texts, **{str(code): text for code, text in texts.items() if text}},
    )
