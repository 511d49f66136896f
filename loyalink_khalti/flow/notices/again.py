"""The mails of an order as staff see them, and sending one of them again. A mail says what the order is by then."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalink_khalti import outbox
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.mail_rows import Result, SentMail
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState

from . import mailing
from .kinds import LABELS, LOYALTY, MailKind
from .posting import HANDLE
from .telling import recipient_of


class CannotMail(LoyalinkError):
    """A mail cannot be sent again; nothing is posted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMail:
    """One mail about an order. ``sent_at`` is the last time; None where it was not sent, and ``result`` says why."""

    pk: int | None
    """None for the order confirmation of an order from before mails were recorded."""
    kind: MailKind
    label: str
    result: Result | None
    sent_at: datetime | None = None
    sent_to: str = ""
    times: int = 0

    @property
    def can_send(self) -> bool:
        return self.result is not Result.BY_SHOP and self.result is not Result.OVERTAKEN


def mails_of(purchase: Purchase) -> list[OrderMail]:
    """Return the mails about a placed order and its payments, oldest first; one query."""
    rows = list(SentMail.objects.filter(purchase=purchase.key).exclude(purchase="").order_by("pk"))
    mails = [_as_shown(row) for row in rows if row.kind in set(MailKind)]
    if purchase.state == PurchaseState.PLACED and not any(each.kind is MailKind.ORDER_PLACED for each in mails):
        kind = MailKind.ORDER_PLACED
        mails.insert(0, OrderMail(pk=None, kind=kind, label=str(LABELS[kind]), result=None))
    return mails


def _as_shown(row: SentMail) -> OrderMail:
    kind = MailKind(row.kind)
    return OrderMail(
        pk=row.pk,
        kind=kind,
        label=str(LABELS[kind]),
        result=Result(row.result) if row.result else None,
        sent_at=row.sent_at,
        sent_to=row.sent_to,
        times=row.times,
    )


def send_mail_again(purchase: Purchase, pk: int | None) -> OrderMail:
    """Post a mail of an order again, for None its confirmation, and return it; in the caller's transaction, too.

    Raises ``CannotMail`` where this order has no such mail, or the shop sends it itself.
    """
    mail = next((each for each in mails_of(purchase) if each.pk == pk and each.can_send), None)
    if mail is None:
        raise CannotMail("the order has no such mail")
    with transaction.atomic():
        row = _row(purchase, mail)
        outbox.post(HANDLE, event="again", row=row.pk, times=row.times)
    return mail


def _row(purchase: Purchase, mail: OrderMail) -> SentMail:
    if mail.pk is not None:
        return SentMail.objects.get(pk=mail.pk)
    values = {"kind": mail.kind, "site_key": purchase.site_key, "purchase": purchase.key, "result": Result.SENT}
    row, _is_new = SentMail.objects.get_or_create(
        key=f"{mail.kind}:{purchase.pk}", defaults={**values, "member_id": purchase.member_id}
    )
    return row


def send_again(*, row: int, times: int, **_rest: Any) -> None:
    """Send a mail again, once: not where it was sent since staff clicked. Called by the outbox."""
    found = SentMail.objects.filter(pk=row, times=times).first()
    if found is None:
        return
    shop, _colon, ref = found.purchase.partition(":")
    purchase = Purchase.objects.filter(shop=shop, ref=ref).first()
    kind = MailKind(found.kind)
    recipient = recipient_of(kind, site_key=found.site_key, purchase=purchase, member_id=found.member_id)
    wanted = not (recipient.is_unsubscribed and kind in LOYALTY)
    if wanted and recipient.address and mailing.send(found, purchase, recipient):
        found.sent(recipient.address)
