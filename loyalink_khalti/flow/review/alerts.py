"""E-mail staff: new Flags, each once and one e-mail an hour at most, and other alerts at once."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import translation

from loyalink_khalti import conf, outbox
from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.labels import REASONS
from loyalink_khalti.payments.models import Flag
from loyalink_khalti.payments.states import WITHOUT_MONEY, FlagReason
from loyalink_khalti.payments.unmatched import UnmatchedPayment

ALERT_INTERVAL = timedelta(hours=1)
"""The least time between two e-mails."""
MOST = 50
"""Flags that one e-mail lists; of more it has only the number."""

_DIGEST = f"{__name__}.send_digest"
_TEMPLATES = "loyalink_khalti/mail"


def schedule_digest(**_signal: Any) -> None:
    """Let the outbox send an e-mail about new Flags, unless one is waiting already. Receives ``flag_raised``."""
    outbox.post_once(_DIGEST, key=_DIGEST, apart=ALERT_INTERVAL)


def send_digest(message_id: int) -> None:
    """E-mail the new Flags to ``ALERTS_TO``; the outbox calls this at least once."""
    flags = list(Flag.objects.unmailed().select_related("payment__purchase").order_by("pk"))
    to = conf.alerts_to()
    if flags and to:
        _digest(flags, to, message_id).send()
    Flag.objects.filter(pk__in=[flag.pk for flag in flags]).update(mailed_at=DatabaseTime())


def _digest(flags: list[Flag], to: list[str], message_id: int) -> EmailMessage:
    """Write the e-mail, without name or address of a customer: how to find each payment, and what to do.

    What is about money comes first.
    """
    flags = sorted(flags, key=lambda flag: (flag.reason in WITHOUT_MONEY, flag.pk))
    listed = [
        {
            "reason": REASONS[FlagReason(flag.reason)],
            "payment": flag.payment.purchase_order_id,
            "amount": npr(Paisa(flag.payment.amount)),
            "at": flag.raised_at,
            "pk": flag.pk,
            "count": flag.count,
        }
        for flag in flags[:MOST]
    ]
    site_key = _site_with_address(flags[0].payment.purchase.site_key)
    site = conf.site_url(site_key)
    context = {
        "flags": listed, "number": len(flags), "more": len(flags) - len(listed), "site_url": site,
        "review_url": _review_url(site_key),
    }  # fmt: skip
    # Named after the outbox's message and its first Flag: if it is sent twice, a mail program shows it once.
    return _mail("flags", context, to, name=f"{message_id}.{flags[0].raised_at:%Y%m%d%H%M%S}", site=site)


def mail_alert(template: str, context: dict[str, Any], message_id: int, *, site_key: str = conf.DEFAULT_SITE) -> None:
    """E-mail an alert to ``ALERTS_TO``, if there is an address. ``message_id`` is that of the outbox's message.

    ``template`` names ``mail/<template>.txt`` and ``mail/<template>_subject.txt``, which also get ``site_url``.
    """
    to, site = conf.alerts_to(), conf.site_url(_site_with_address(site_key))
    if to:
        _mail(template, context | {"site_url": site}, to, name=f"{template}.{message_id}", site=site).send()


def mail_unmatched(message_id: int) -> None:
    """E-mail ``ALERTS_TO`` about money at Khalti that no payment here is; the outbox calls this at least once."""
    rows = list(UnmatchedPayment.objects.to_review().filter(mailed_at=None).order_by("pk"))
    if rows:
        listed = [
            {"pk": row.pk, "pidx": row.pidx, "amount": npr(Paisa(row.amount or 0)), "at": row.seen_at}
            for row in rows[:MOST]
        ]
        context = {"rows": listed, "number": len(rows), "more": len(rows) - len(listed)}
        mail_alert("unmatched", context, message_id, site_key=rows[0].site_key)
    UnmatchedPayment.objects.filter(pk__in=[row.pk for row in rows]).update(mailed_at=DatabaseTime())


def _mail(template: str, context: dict[str, Any], to: list[str], *, name: str, site: str) -> EmailMessage:
    with translation.override(settings.LANGUAGE_CODE):
        subject = " ".join(render_to_string(f"{_TEMPLATES}/{template}_subject.txt", context).split())
        body = render_to_string(f"{_TEMPLATES}/{template}.txt", context)
    headers = {"Message-ID": f"<loyalink-khalti.{name}@{urlsplit(site).hostname}>"}
    return EmailMessage(subject, body, to=to, headers=headers)


def _site_with_address(site_key: str) -> str:
    """Return the key of a site that has an address: its own or, where the site no longer exists, the default one."""
    try:
        conf.site_url(site_key)
    except ImproperlyConfigured:
        return conf.DEFAULT_SITE
    return site_key


def _review_url(site_key: str) -> str:
    """Return where staff see all open Flags; "" in a shop without Wagtail's admin."""
    try:
        return conf.absolute_url(site_key, reverse("loyalink_khalti_report_review"))
    except NoReverseMatch:
        return ""
