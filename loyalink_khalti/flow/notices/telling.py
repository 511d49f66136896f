"""Tell a customer of one thing, once: send its signals, then its mail, however often the outbox delivers the message.

A row for each mail keeps that. Signals are sent once, too, where only the mail fails and is tried again; a process
that dies between the two sends them a second time. Of a process that dies while it sends the mail it is not known
whether it has left: it is sent again, with the same Message-ID, by which mail programs know it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.dispatch import Signal

from loyalink_khalti import conf
from loyalink_khalti.clock import DatabaseTime, is_older
from loyalink_khalti.mail_rows import Result, SentMail
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.returning import insert_new

from . import mailing
from .kinds import LOYALTY, MailKind
from .recipients import Recipient, buyer_of, member

SENDING = timedelta(minutes=10)
"""How long one process has to send a mail, before another may."""


class StillSending(Exception):
    """Another process is sending this mail; the outbox tries again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a customer is notified of, in one mail. ``data`` are the figures that the mail needs, as JSON has them."""

    kind: MailKind
    cause: str
    site_key: str
    purchase: Purchase | None = None
    member_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    signals: Sequence[tuple[Signal, Mapping[str, Any]]] = ()
    is_overtaken: bool = False
    """Whether it is not true any more."""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.cause}"


def tell(notice: Notice) -> Result:
    """Send the signals and the mail of a notice, unless that was done before; return what became of the mail.

    Raises ``StillSending``, and what the mail server raises.
    """
    row = SentMail(
        key=notice.key,
        kind=notice.kind,
        site_key=notice.site_key,
        purchase=notice.purchase.key if notice.purchase is not None else "",
        member_id=notice.member_id,
        data=dict(notice.data),
        sending_at=DatabaseTime(),
    )
    if not insert_new(row):
        row = SentMail.objects.get(key=notice.key)
        if row.result:
            return Result(row.result)
        _claim(row)
    if row.signalled_at is None:
        _send_signals(notice)
    try:
        return _mail(notice, row)
    except Exception:
        row.failed()
        raise


def _claim(row: SentMail) -> None:
    free = Q(sending_at=None) | is_older("sending_at", SENDING)
    if not SentMail.objects.filter(free, pk=row.pk, result="").update(sending_at=DatabaseTime()):
        raise StillSending(row.key)


def _send_signals(notice: Notice) -> None:
    for signal, arguments in notice.signals:
        signal.send_robust(sender=None, site_key=notice.site_key, **arguments)


def _mail(notice: Notice, row: SentMail) -> Result:
    if notice.is_overtaken:
        return row.not_sent(Result.OVERTAKEN)
    if notice.kind in conf.shop_details(notice.site_key).mails_off:
        return row.not_sent(Result.OFF)
    recipient = recipient_of(notice.kind, site_key=notice.site_key, purchase=notice.purchase, member_id=row.member_id)
    if recipient.is_unsubscribed and notice.kind in LOYALTY:
        return row.not_sent(Result.UNSUBSCRIBED)
    if not recipient.address:
        return row.not_sent(Result.NO_ADDRESS)
    if not mailing.send(row, notice.purchase, recipient):
        return row.not_sent(Result.BY_SHOP)
    return row.sent(recipient.address)


def recipient_of(kind: MailKind, *, site_key: str, purchase: Purchase | None, member_id: str | None) -> Recipient:
    """Return who is notified: of an order its buyer, of points the member."""
    if kind in LOYALTY and member_id is not None:
        return member(site_key, member_id)
    assert purchase is not None, "a mail about an order has a purchase"
    return buyer_of(purchase)
