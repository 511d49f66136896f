"""Tell members that points expire soon: by a signal, and by e-mail to those who have an address."""

from collections.abc import Iterator
from datetime import date

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import translation

from loyalink_khalti import conf, outbox
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import ExpiringSoon
from loyalink_khalti.money import Paisa
from loyalink_khalti.signals import points_expiring

_HERE = "loyalink_khalti.flow.warn"
_TEMPLATE = "loyalink_khalti/mail/points_expiring"


def warn() -> Iterator[ExpiringSoon]:
    """Tell everybody who is to be told, once; one account a transaction, so that a run that is killed goes on."""
    for account_id in ledger.accounts_to_warn():
        with transaction.atomic():
            soon = ledger.warn(account_id)
            if soon is not None:
                words = {
                    "site_key": soon.site_key,
                    "member_id": soon.member_id,
                    "points": soon.points,
                    "worth": soon.worth,
                    "last_day": soon.last_day.isoformat(),
                }
                outbox.post(f"{_HERE}.tell", **words)
                outbox.post(f"{_HERE}.mail", **words)
        if soon is not None:
            yield soon


def tell(*, site_key: str, member_id: str, points: int, worth: int, last_day: str) -> None:
    """Send the signal; a listener that fails is logged by Django and keeps nobody else from hearing it."""
    points_expiring.send_robust(
        sender=None,
        site_key=site_key,
        member_id=member_id,
        points=points,
        worth=Paisa(worth),
        last_day=date.fromisoformat(last_day),
    )


def mail(*, site_key: str, member_id: str, points: int, worth: int, last_day: str) -> None:
    """Send the e-mail, in the site's language, to a member who has an address and is active."""
    user = get_user_model().objects.filter(pk=member_id, is_active=True).first()
    address = getattr(user, user.get_email_field_name(), "") if user else ""
    if not address:
        return
    words = {
        "user": user,
        "points": points,
        "worth": Paisa(worth),
        "last_day": date.fromisoformat(last_day),
        "site_url": conf.site_url(site_key),
    }
    with translation.override(settings.LANGUAGE_CODE):  # nobody knows which one the member reads
        subject = " ".join(render_to_string(f"{_TEMPLATE}_subject.txt", words).split())
        message = EmailMultiAlternatives(subject, render_to_string(f"{_TEMPLATE}.txt", words), to=[address])
        message.attach_alternative(render_to_string(f"{_TEMPLATE}.html", words), "text/html")
    message.send()
