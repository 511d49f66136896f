"""Tell staff of new Flags by e-mail: each once, all of an hour in one mail."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone, translation

from loyalink_khalti import conf
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.payments import services
from loyalink_khalti.payments.models import Flag
from loyalink_khalti.payments.states import Reason
from loyalink_khalti.payments.words import REASONS

MOST = 50
"""Flags told one by one; of more there is only the number."""

_TEMPLATE = "loyalink_khalti/mail/flags"


def remind() -> None:
    """See that a mail is under way where Flags are that nobody was told of, whoever died before telling."""
    if _untold().exists():
        services.tell_staff()


def digest(message_id: int) -> None:
    """Mail what is new to ``ALERTS_TO``; called by the outbox, at least once."""
    flags = list(_untold().select_related("payment__purchase").order_by("pk"))
    to = conf.alerts_to()
    if flags and to:
        _mail(flags, to, message_id).send()
    Flag.objects.filter(pk__in=[flag.pk for flag in flags]).update(mailed_at=timezone.now())


def _untold() -> QuerySet[Flag]:
    return Flag.objects.filter(mailed_at=None, resolved_at=None)


def _mail(flags: list[Flag], to: list[str], message_id: int) -> EmailMessage:
    """No name and no address of a shopper's: what is needed to find the payment, and what to do."""
    told = [
        {
            "reason": REASONS[Reason(flag.reason)],
            "payment": flag.payment.purchase_order_id,
            "amount": npr(Paisa(flag.payment.amount)),
            "at": flag.raised_at,
            "pk": flag.pk,
        }
        for flag in flags[:MOST]
    ]
    site = _address(flags[0].payment.purchase.site_key)
    words = {
        "flags": told, "number": len(flags), "more": len(flags) - len(told), "site_url": site,
        "attention": _attention(site),
    }  # fmt: skip
    with translation.override(settings.LANGUAGE_CODE):
        subject = " ".join(render_to_string(f"{_TEMPLATE}_subject.txt", words).split())
        body = render_to_string(f"{_TEMPLATE}.txt", words)
    # Named after the message of the outbox and its first Flag: should it leave twice, a mail program shows it once.
    named = f"{message_id}.{flags[0].raised_at:%Y%m%d%H%M%S}"
    headers = {"Message-ID": f"<loyalink-khalti.{named}@{urlsplit(site).hostname}>"}
    return EmailMessage(subject, body, to=to, headers=headers)


def _address(site_key: str) -> str:
    """The address of a site or, where it is no longer there, of the default one."""
    try:
        return conf.site_url(site_key)
    except ImproperlyConfigured:
        return conf.site_url(conf.DEFAULT_SITE)


def _attention(site: str) -> str:
    """Where staff see all that waits, or "" in a shop without Wagtail's admin."""
    try:
        return site + reverse("loyalink_khalti_report_attention")
    except NoReverseMatch:
        return ""
