"""The invoices of an order for a page of staff, whatever the back office: links to the desk's pages."""

from dataclasses import dataclass
from typing import Any

from loyalink_khalti import conf, flow
from loyalink_khalti.payments.invoices import Invoice, of_purchase
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState

from . import permissions
from .links import page_url


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLinks:
    """What a page shows of the documents of an order; "" for a page that is not there, or not for this user."""

    rows: tuple[tuple[Invoice, str], ...]
    issue_url: str
    slip_url: str
    obstacle: str
    """Why no invoice can be issued now, where there is none."""


def invoice_links(purchase: Purchase | None, user: Any) -> InvoiceLinks | None:
    """Return the links for a user; None where there is nothing to show. One statement for the documents."""
    if purchase is None or purchase.state != PurchaseState.PLACED:
        return None
    slip_url = ""
    if permissions.has_permission(user, permissions.VIEW_PAYMENTS):
        slip_url = page_url("loyalink_khalti_packing_slip", purchase.pk)
    if not permissions.has_permission(user, permissions.VIEW_INVOICES):
        return InvoiceLinks(rows=(), issue_url="", slip_url=slip_url, obstacle="") if slip_url else None
    rows = of_purchase(purchase)
    is_on, issue_url, obstacle = conf.invoice_settings(purchase.site_key).is_on, "", ""
    if is_on and not rows:
        obstacle = flow.invoice_obstacle(purchase)
        if not obstacle and permissions.has_permission(user, permissions.ISSUE_INVOICES):
            issue_url = page_url("loyalink_khalti_order_invoice", purchase.pk)
    linked = tuple((row, page_url("loyalink_khalti_invoice", row.pk)) for row in rows)
    return InvoiceLinks(rows=linked, issue_url=issue_url, slip_url=slip_url, obstacle=obstacle)
