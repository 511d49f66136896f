"""To whom a mail goes, in which language, and whether they want it."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils.translation import get_supported_language_variant

from loyalink_khalti import conf
from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.databases import current
from loyalink_khalti.mail_rows import MailPreference
from loyalink_khalti.payments.models import Purchase


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """``address`` is "" where none is known, or the user is not active any more."""

    address: str
    language: str
    name: str = ""
    is_unsubscribed: bool = False


def buyer_of(purchase: Purchase) -> Recipient:
    """Return who has placed an order: the address typed at the checkout, else the member's; in its language."""
    customer = purchase.frozen_cart.customer
    user = _user(purchase.member_id) if purchase.member_id and not customer.email else None
    return Recipient(
        address=customer.email or _address(user),
        language=conf.language(purchase.language),
        name=customer.name,
    )


def member(site_key: str, member_id: str) -> Recipient:
    """Return a member, in the language that they last used here as far as that is known."""
    user = _user(member_id)
    preference = MailPreference.objects.filter(site_key=site_key, member_id=member_id).first()
    return Recipient(
        address=_address(user),
        language=_language_of(site_key, member_id, preference),
        name=str(user.get_short_name() or "") if user is not None and hasattr(user, "get_short_name") else "",
        is_unsubscribed=preference is not None and preference.unsubscribed_at is not None,
    )


def remember_language(*, site_key: str, member_id: str, language: str) -> None:
    """Keep the language in which a member uses the shop, for mails about points; one statement where it is known."""
    if len(settings.LANGUAGES) < 2:
        return
    known = MailPreference.objects.filter(site_key=site_key, member_id=member_id)
    if known.filter(language=language).exists():
        return
    MailPreference.objects.update_or_create(
        site_key=site_key, member_id=member_id, defaults={"language": language, "language_at": DatabaseTime()}
    )


def _language_of(site_key: str, member_id: str, preference: MailPreference | None) -> str:
    """The language of the newest order, or of a log-in after it; else that of the site."""
    orders = Purchase.objects.filter(site_key=site_key, member_id=member_id).order_by("-created_at")
    newest = orders.values_list("language", "created_at").first()
    kept = preference if preference is not None and preference.language else None
    if kept is not None and (newest is None or kept.language_at is None or kept.language_at >= newest[1]):
        return conf.language(kept.language)
    return conf.language(newest[0]) if newest is not None else conf.language(settings.LANGUAGE_CODE)


def is_language(code: str) -> bool:
    """Return whether the shop has a language."""
    try:
        return get_supported_language_variant(code) == code
    except LookupError:
        return False


def _user(member_id: str | None) -> Any:
    return current(get_user_model().objects).filter(pk=member_id, is_active=True).first() if member_id else None


def _address(user: Any) -> str:
    return str(getattr(user, user.get_email_field_name(), "") or "") if user is not None else ""
