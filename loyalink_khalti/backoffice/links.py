"""Where the desk's pages are, for those that lead to each other; "" where a page is not there."""

from django.urls import NoReverseMatch, reverse

from loyalink_khalti import conf
from loyalink_khalti.payments.models import Purchase


def payment_url(pk: int) -> str:
    """The page of a payment."""
    return _url("loyalink_khalti_payment", pk)


def member_url(pk: int) -> str:
    """The page of a member, by the pk of their account."""
    return _url("loyalink_khalti_member", pk)


def members_url() -> str:
    """The list of members."""
    return _url("loyalink_khalti_members")


def order_url(purchase: Purchase) -> str:
    """The order in its shop's own back office; "" where it has none, or the shop is gone."""
    shop = conf.shops().get(purchase.shop)
    if shop is None or purchase.state != Purchase.State.PLACED:
        return ""
    try:
        return shop.page_for_staff(purchase.ref)
    except NoReverseMatch:
        return ""


def _url(name: str, *args: int) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
