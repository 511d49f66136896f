"""Render a mail from its templates and send it: by the host's ways where it has any, else by Django's mail."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, cast
from urllib.parse import urlsplit

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string, select_template
from django.utils import translation

from loyalink_khalti import conf
from loyalink_khalti.mail_ports import Mail, MailsOrders
from loyalink_khalti.mail_rows import SentMail
from loyalink_khalti.payments.models import Purchase

from . import contents
from .kinds import LOYALTY, MailKind
from .recipients import Recipient
from .unsubscribing import unsubscribe_url

_FOLDER = "loyalink_khalti/mail"
_RUPEES = re.compile(r"(Rs|रु) (?=[0-9०-९])")


def send(row: SentMail, purchase: Purchase | None, recipient: Recipient) -> bool:
    """Send the mail of a row; return False where the shop sends its own, or the order does not exist any more."""
    kind, shop = MailKind(row.kind), _shop(purchase)
    host = cast(MailsOrders, shop) if hasattr(shop, "order_for_mail") else None
    if host.mails_itself(kind) if host is not None else _mails_by_itself(shop, kind):
        return False
    with translation.override(recipient.language):
        context = contents.of(row, purchase, recipient, host)
        if context is None:
            return False
        mail = render(kind, context, shop=purchase.shop if purchase is not None else "")
        if host is None or purchase is None or not host.send_mail(purchase.ref, mail, to=recipient.address):
            _send(mail, row, to=recipient.address)
    return True


def _shop(purchase: Purchase | None) -> Any:
    return conf.shops().get(purchase.shop) if purchase is not None else None


def _mails_by_itself(shop: Any, kind: MailKind) -> bool:
    """Return whether a shop that knows nothing of these mails says that it mails placed orders itself."""
    return kind is MailKind.ORDER_PLACED and bool(getattr(shop, "mails_orders", False))


def render(kind: MailKind, context: Mapping[str, Any], *, shop: str = "") -> Mail:
    """Return a mail in the active language. A template in a folder named after the host comes first."""
    values = dict(context)

    def text_of(ending: str) -> str:
        names = [f"loyalink_khalti/{shop}/mail/{kind}{ending}", f"{_FOLDER}/{kind}{ending}"]
        return cast(str, select_template(names).render(values))

    subject = " ".join(text_of("_subject.txt").split())
    values["subject"] = subject
    return Mail(
        kind=kind, subject=subject, text=_tidy(text_of(".txt")), html=_unbroken(text_of(".html")), context=values
    )


def _unbroken(html: str) -> str:
    """Return HTML in which no line ends between "Rs" and its number."""
    return _RUPEES.sub("\\1\u00a0", html)


def _tidy(text: str) -> str:
    """Return the text without the empty lines that template tags leave: never two of them in a row."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines) + "\n"


def _send(mail: Mail, row: SentMail, *, to: str) -> None:
    details = conf.shop_details(row.site_key)
    headers = {"Message-ID": _message_id(row)}
    if mail.kind in LOYALTY and row.member_id:
        # https://www.rfc-editor.org/rfc/rfc8058: one click in the mail program, without opening a page
        headers["List-Unsubscribe"] = f"<{unsubscribe_url(row.site_key, row.member_id)}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message = EmailMultiAlternatives(
        mail.subject, mail.text, to=[to], headers=headers, reply_to=[details.email] if details.email else None
    )
    message.attach_alternative(mail.html, "text/html")
    message.send()


def _message_id(row: SentMail) -> str:
    """Return the same id for each delivery of one mail, and another for each time that staff send it again."""
    host = urlsplit(conf.site_url(row.site_key)).hostname or "localhost"
    return f"<{sha256(f'{row.key}:{row.times}'.encode()).hexdigest()[:32]}@{host}>"


def send_apart(template: str, context: Mapping[str, Any], *, site_key: str, to: str) -> None:
    """Send a mail that is of no kind, in the active language: its reader has asked for it a moment ago."""
    values = {**contents.common_context(site_key), **context}
    subject = " ".join(render_to_string(f"{template}_subject.txt", values).split())
    values["subject"] = subject
    message = EmailMultiAlternatives(subject, _tidy(render_to_string(f"{template}.txt", values)), to=[to])
    message.attach_alternative(render_to_string(f"{template}.html", values), "text/html")
    message.send()


def send_sample_mail(mail: Mail, *, to: str) -> None:
    """Send an example of a mail to a member of staff."""
    message = EmailMultiAlternatives(mail.subject, mail.text, to=[to])
    message.attach_alternative(mail.html, "text/html")
    message.send()
