"""Whether and how a site issues invoices, as its accountant has set it."""

import time
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from django.apps import apps

from loyalink_khalti import nepal

from . import sites
from .shop_details import KEPT_FOR


class PointsAs(StrEnum):
    """What points that pay for an order are on its invoice."""

    DISCOUNT = "discount"
    """They lower the price, and with it the VAT."""
    TENDER = "tender"
    """They are a way of paying: VAT is on the whole price."""


class IssueWhen(StrEnum):
    """When an invoice is issued."""

    PAID = "paid"
    PLACED = "placed"
    STAFF = "staff"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceSettings:
    """A site's settings of invoices."""

    pan: str = ""
    """Of the seller; "" switches invoices off."""
    is_vat_registered: bool = False
    prefix: str = ""
    first_number: int = 1
    prices_include_vat: bool = True
    points_as: str = PointsAs.DISCOUNT
    issue_when: str = IssueWhen.PAID
    language: str = ""
    """Of the documents, "" for each customer's own."""
    is_approved: bool = False
    """The owner confirms that the tax office has approved this software."""

    @property
    def is_on(self) -> bool:
        return bool(self.pan) and nepal.pan(self.pan) == self.pan

    @property
    def is_tax_invoice(self) -> bool:
        """Whether documents may have the title "Tax invoice"."""
        return self.is_vat_registered and self.is_approved


OFF = InvoiceSettings()
_cache: dict[str, tuple[float, InvoiceSettings]] = {}


def invoice_settings(site_key: str) -> InvoiceSettings:
    """Return the settings of a site, which a process keeps for seconds; `OFF` where nothing is set."""
    known = _cache.get(site_key)
    if known is not None and time.monotonic() < known[0] + KEPT_FOR:
        return known[1]
    found = read_invoice_settings(site_key)
    _cache[site_key] = (time.monotonic(), found)
    return found


def read_invoice_settings(site_key: str) -> InvoiceSettings:
    """Return the settings of a site as they are now. A deleted site has those of Wagtail's default site."""
    site = sites.find_site(site_key)
    if site is None:
        return OFF
    row = apps.get_model("loyalink_khalti", "InvoiceSettings").objects.filter(site_id=site.pk).first()
    if row is None:
        return OFF
    return InvoiceSettings(**{field.name: getattr(row, field.name) for field in fields(InvoiceSettings)})


def forget_invoice_settings(**_signal: Any) -> None:
    """Read them anew: somebody has saved them."""
    _cache.clear()
