"""What editors have set about the shop itself: its name, logo and colour, where it is, and which e-mails it sends."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.http import HttpRequest
from django.utils.translation import gettext

from . import sites
from .settings import site_key, site_url

TRANSFER_DAYS = 3
KEPT_FOR = 5.0
"""Seconds for which a process keeps what it has read; a change in the same process shows at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopDetails:
    """A shop as its customers see it; "" for what is not set."""

    shop_name: str
    logo_url: str = ""
    """The absolute address of a PNG or JPEG file."""
    logo_width: int = 0
    logo_height: int = 0
    """In pixels, 0 without a logo."""
    colour: str = ""
    """``#rrggbb`` that can be read on white; "" for the package's own."""
    address: str = ""
    phone: str = ""
    email: str = ""
    registration_kind: str = ""
    """"pan", "vat" or ""."""
    registration_number: str = ""
    bank_details: str = ""
    """Lines of text: bank, account name, account number."""
    transfer_days: int = TRANSFER_DAYS
    """Within how many days a bank transfer is to arrive; 0: no deadline is named."""
    pickup_place: str = ""
    pickup_hours: str = ""
    mail_footer: str = ""
    mails_off: frozenset[str] = frozenset()
    """The kinds of e-mail that are not sent: see ``flow/notices/kinds.py``."""

    @property
    def registration_label(self) -> str:
        """Return what the registration number is, "" without one."""
        labels = {"pan": gettext("PAN"), "vat": gettext("VAT No.")}
        return labels.get(self.registration_kind, "") if self.registration_number else ""


def shop_details(site_key: str) -> ShopDetails:
    """Return what is known of the shop of a site, its texts in the language that is active now.

    Editors' texts go through ``gettext``, so that a deployment's own catalogue may translate them. Without a name of
    its own the shop has the name of the site in Wagtail, else Oscar's ``OSCAR_SHOP_NAME``, else its address.
    """
    saved = _saved(site_key)
    return ShopDetails(
        shop_name=_text(saved.get("shop_name") or saved.get("site_name") or _name_of_deployment(site_key)),
        logo_url=_absolute(site_key, saved.get("logo_url", "")),
        logo_width=saved.get("logo_width") or 0,
        logo_height=saved.get("logo_height") or 0,
        colour=saved.get("colour", ""),
        registration_kind=saved.get("registration_kind", ""),
        registration_number=saved.get("registration_number", ""),
        phone=saved.get("phone", ""),
        email=saved.get("email", ""),
        transfer_days=saved.get("transfer_days", TRANSFER_DAYS),
        mails_off=frozenset(saved.get("mails_off") or ()),
        **{name: _text(saved.get(name, "")) for name in _TRANSLATED},
    )


_TRANSLATED = ("address", "bank_details", "pickup_place", "pickup_hours", "mail_footer")
_FIELDS = (
    "shop_name", "colour", "phone", "email", "registration_kind", "registration_number", "transfer_days", "mails_off",
    "logo_width", "logo_height", *_TRANSLATED,
)  # fmt: skip
_cache: dict[str, tuple[float, Mapping[str, Any]]] = {}


def _saved(site_key: str) -> Mapping[str, Any]:
    known = _cache.get(site_key)
    if known is not None and time.monotonic() < known[0] + KEPT_FOR:
        return known[1]
    found = _read(site_key)
    _cache[site_key] = (time.monotonic(), found)
    return found


def _read(site_key: str) -> Mapping[str, Any]:
    """Return what a site has set, and its name in Wagtail; a deleted site has that of Wagtail's default site."""
    site = sites.find_site(site_key)
    if site is None:
        return {}
    row = apps.get_model("loyalink_khalti", "ShopDetails").objects.filter(site_id=site.pk).first()
    values = {name: getattr(row, name) for name in _FIELDS} if row is not None else {}
    logo_url = row.logo.url if row is not None and row.logo else ""
    return {"site_name": str(site.site_name or ""), "logo_url": logo_url, **values}


def shown_site_key(request: HttpRequest) -> str:
    """Return the key of the site of a request, for what is only shown; kept for seconds, so that a page reads nothing.

    What is paid, held or awarded takes ``site_key``.
    """
    known: str | None = getattr(request, "_loyalink_site_key", None)
    if known is not None:
        return known
    host = str(connection.settings_dict["NAME"]), request.get_host()
    until, key = _site_keys.get(host, (0.0, ""))
    if time.monotonic() >= until:
        until, key = time.monotonic() + KEPT_FOR, site_key(request)
        if len(_site_keys) >= MOST_HOSTS:  # names of hosts come from outside
            _site_keys.clear()
        _site_keys[host] = until, key
    return key


MOST_HOSTS = 1000
_site_keys: dict[tuple[str, str], tuple[float, str]] = {}


def forget_shop_details(**_signal: Any) -> None:
    """Read it anew: an editor has saved it."""
    _cache.clear()
    _site_keys.clear()


def _text(text: str) -> str:
    """Return an editor's text in the active language; "" has no translation of its own."""
    return gettext(text) if text.strip() else ""


def _name_of_deployment(site_key: str) -> str:
    if apps.is_installed("oscar") and (name := str(getattr(settings, "OSCAR_SHOP_NAME", ""))):
        return name
    try:
        return urlsplit(site_url(site_key)).hostname or ""
    except ImproperlyConfigured:
        return ""


def _absolute(site_key: str, url: str) -> str:
    try:
        return urljoin(f"{site_url(site_key)}/", url) if url else ""
    except ImproperlyConfigured:
        return ""
