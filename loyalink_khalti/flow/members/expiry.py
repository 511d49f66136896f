"""Notify members that points expire soon: by a signal, and by e-mail to those who have an address."""

from collections.abc import Iterator
from datetime import date

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import translation

from loyalink_khalti import conf, outbox
from loyalink_khalti.databases import current
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import ExpiryNotice
from loyalink_khalti.money import Paisa
from loyalink_khalti.signals import points_expiring

_HERE = "loyalink_khalti.flow.members.expiry"
_TEMPLATE = "loyalink_khalti/mail/points_expiring"


def notify_expiring() -> Iterator[ExpiryNotice]:
    """Notify every member whose points expire soon, once, and yield each notice.

    Each account has a transaction of its own, so that the next run continues where a killed one ended.
    """
    for account_id in ledger.accounts_to_notify():
        with transaction.atomic():
            notice = ledger.create_expiry_notice(account_id)
            if notice is not None:
                payload = {
                    "site_key": notice.site_key,
                    "member_id": notice.member_id,
                    "points": notice.points,
                    "points_value": notice.points_value,
                    "last_day": notice.last_day.isoformat(),
                }
                outbox.post(f"{_HERE}.send_signal", **payload)
                outbox.post(f"{_HERE}.send_mail", **payload)
        if notice is not None:
            yield notice


def send_signal(*, site_key: str, member_id: str, points: int, points_value: int, last_day: str) -> None:
    """Send ``points_expiring``; Django logs a receiver that fails, and the others are called all the same."""
    points_expiring.send_robust(
        sender=None,
        site_key=site_key,
        member_id=member_id,
        points=points,
        points_value=Paisa(points_value),
        last_day=date.fromisoformat(last_day),
    )


def send_mail(*, site_key: str, member_id: str, points: int, points_value: int, last_day: str) -> None:
    """Send the e-mail, in the site's language, to a member who has an address and is active."""
    user = current(get_user_model().objects).filter(pk=member_id, is_active=True).first()
    address = getattr(user, user.get_email_field_name(), "") if user else ""
    if not address:
        return
    context = {
        "user": user,
        "points": points,
        "points_value": Paisa(points_value),
        "last_day": date.fromisoformat(last_day),
        "site_url": conf.site_url(site_key),
    }
    with translation.override(settings.LANGUAGE_CODE):  # the member's own language is not stored
        subject = " ".join(render_to_string(f"{_TEMPLATE}_subject.txt", context).split())
        message = EmailMultiAlternatives(subject, render_to_string(f"{_TEMPLATE}.txt", context), to=[address])
        message.attach_alternative(render_to_string(f"{_TEMPLATE}.html", context), "text/html")
    message.send()
