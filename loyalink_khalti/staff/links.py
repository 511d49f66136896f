"""URLs of the desk's pages about a payment or a member; "" where there is no such page."""

from django.urls import NoReverseMatch, reverse


def payment_url(pk: int) -> str:
    """Return the URL of a payment's page."""
    return page_url("loyalink_khalti_payment", pk)


def member_url(pk: int) -> str:
    """Return the URL of a member's page, by the pk of the account."""
    return page_url("loyalink_khalti_member", pk)


def counter_sale_url(pk: int) -> str:
    """Return the URL of a counter sale's page."""
    return page_url("loyalink_khalti_counter_sale", pk)


def page_url(name: str, *args: int) -> str:
    """Return the URL of a page by its name, "" where the site does not have it."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
