"""Unsubscribe a member from the mails about points, by the link in each of them, and subscribe them again."""

from dataclasses import dataclass

from django.core import signing
from django.urls import NoReverseMatch, reverse

from loyalink_khalti import conf
from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.mail_rows import MailPreference

_SALT = "loyalink_khalti.unsubscribe"


class InvalidMailLink(LoyalinkError):
    """The link is not signed by this shop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSubscription:
    """Whether one member of one site gets the mails about points."""

    site_key: str
    member_id: str
    is_on: bool


def subscription_path(site_key: str, member_id: str) -> str:
    """Return the path of the page on which a member turns the mails about points off and on; "" if it is not served.

    The link is enough, without a log-in.
    """
    try:
        return reverse("loyalink_khalti:mails", args=[signing.dumps([site_key, member_id], salt=_SALT, compress=True)])
    except NoReverseMatch:
        return ""


def unsubscribe_url(site_key: str, member_id: str) -> str:
    """Return the address of that page, for a mail."""
    path = subscription_path(site_key, member_id)
    return conf.absolute_url(site_key, path) if path else conf.site_url(site_key)


def mail_subscription(token: str) -> MailSubscription:
    """Return what a link is about. Raises ``InvalidMailLink``."""
    try:
        site_key, member_id = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError) as exc:
        raise InvalidMailLink("the link is not signed by this shop") from exc
    rows = MailPreference.objects.filter(site_key=site_key, member_id=member_id, unsubscribed_at__isnull=False)
    return MailSubscription(site_key=site_key, member_id=member_id, is_on=not rows.exists())


def subscribe_to_mails(token: str, *, on: bool) -> MailSubscription:
    """Turn the mails about points on or off for the member of a link. Raises ``InvalidMailLink``."""
    known = mail_subscription(token)
    if known.is_on != on:
        MailPreference.objects.update_or_create(
            site_key=known.site_key,
            member_id=known.member_id,
            defaults={"unsubscribed_at": None if on else DatabaseTime()},
        )
    return MailSubscription(site_key=known.site_key, member_id=known.member_id, is_on=on)
