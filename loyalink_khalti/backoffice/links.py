"""Where staff look at a payment or a member, for pages that only name one."""

from django.urls import NoReverseMatch, reverse


def payment_url(pk: int) -> str:
    """The page of a payment, or "" where this shop has none."""
    return _url("loyalink_khalti_payment", pk)


def member_url(pk: int) -> str:
    """The page of a member, by their account, or "" where this shop has none."""
    return _url("loyalink_khalti_member", pk)


def members_url() -> str:
    """The list of members, or "" where this shop has none."""
    return _url("loyalink_khalti_members")


def _url(name: str, *args: int) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
