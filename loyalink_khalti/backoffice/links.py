"""URLs of the admin's pages about a payment, a member or an order; "" where there is no such page."""

from typing import Any

from django.urls import NoReverseMatch

from loyalink_khalti import conf, flow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.links import member_url, page_url, payment_url


def unmatched_url(pk: int) -> str:
    """Return the URL of an unmatched payment's page."""
    return page_url("loyalink_khalti_unmatched", pk)


def order_page_url(pk: int) -> str:
    """Return the URL of the desk's own page of an order, by the pk of its purchase."""
    return page_url("loyalink_khalti_order", pk)


def missing_order_url(pk: int) -> str:
    """Return the URL of the page on which staff close that an order was deleted or cancelled in the shop."""
    return page_url("loyalink_khalti_missing_order", pk)


def members_url() -> str:
    """Return the URL of the list of members."""
    return page_url("loyalink_khalti_members")


def order_url(purchase: Purchase) -> str:
    """Return the URL of the order in the shop's own back office; "" where the shop has none, or is not set up."""
    shop = conf.shops().get(purchase.shop)
    if shop is None or purchase.state != PurchaseState.PLACED:
        return ""
    try:
        return shop.staff_page(purchase.ref)
    except NoReverseMatch:
        return ""


def order_or_missing_url(purchase: Purchase) -> str:
    """Return the same, or the URL of our own page of an order that was deleted in the shop. One statement more."""
    return missing_order_url(purchase.pk) if flow.is_missing(purchase) else order_url(purchase)


class PaymentURLFinder:
    """For Wagtail's site history: the page of a payment, if the user may see it."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, payment: Payment) -> str | None:
        """Wagtail's name for it; the page has nothing to edit."""
        allowed = self.user is None or permissions.has_permission(self.user, permissions.VIEW_PAYMENTS)
        return payment_url(payment.pk) if allowed else None


class UnmatchedURLFinder:
    """For Wagtail's site history: the page of an unmatched payment, if the user may see it."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, row: Any) -> str | None:
        """Wagtail's name for it."""
        allowed = self.user is None or permissions.has_permission(self.user, permissions.VIEW_PAYMENTS)
        return unmatched_url(row.pk) if allowed else None


class OrderURLFinder:
    """For Wagtail's site history: the order of received money, a refund or a note, if the user may see payments."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, row: Any) -> str | None:
        """Wagtail's name for it: the order's page on the desk."""
        allowed = self.user is None or permissions.has_permission(self.user, permissions.VIEW_PAYMENTS)
        return order_page_url(row.purchase_id) or None if allowed else None


class InvoiceURLFinder:
    """For Wagtail's site history: the page of an invoice, if the user may see it."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, invoice: Any) -> str | None:
        """Wagtail's name for it; the page has nothing to edit."""
        allowed = self.user is None or permissions.has_permission(self.user, permissions.VIEW_INVOICES)
        return page_url("loyalink_khalti_invoice", invoice.pk) if allowed else None


class MemberURLFinder:
    """For Wagtail's site history: the page of a member, if the user may see it."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, account: Account) -> str | None:
        """Wagtail's name for it; the page has nothing to edit."""
        allowed = self.user is None or permissions.has_permission(self.user, permissions.VIEW_MEMBERS)
        return member_url(account.pk) if allowed else None
