"""The e-mails about an order in any back office: which were sent, to whom, and sending one of them again."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import flow
from loyalink_khalti.mail_rows import Result
from loyalink_khalti.payments.models import Purchase

from . import permissions
from .action_log import log_mail

CONFIRMATION = "confirmation"
"""The value of the button for an order from before mails were recorded."""

_RESULTS: dict[Result | None, str | Promise] = {
    None: gettext_lazy("not sent yet"),
    Result.SENT: "",
    Result.OFF: gettext_lazy("switched off"),
    Result.NO_ADDRESS: gettext_lazy("no address"),
    Result.UNSUBSCRIBED: gettext_lazy("unsubscribed"),
    Result.BY_SHOP: gettext_lazy("sent by the shop itself"),
    Result.OVERTAKEN: gettext_lazy("not sent: it was no longer so"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRow:
    """One mail as a page lists it; ``button`` is what the button of its form sends, "" without one."""

    mail: flow.OrderMail
    result: str
    button: str


def mail_rows(purchase: Purchase | None, user: Any) -> list[MailRow]:
    """Return the mails about an order, oldest first."""
    if purchase is None:
        return []
    may = may_send(user)
    return [
        MailRow(
            mail=mail,
            result="" if mail.pk is None else str(_RESULTS[mail.result]),
            button=str(mail.pk or CONFIRMATION) if may and mail.can_send else "",
        )
        for mail in flow.mails_of(purchase)
    ]


def may_send(user: Any) -> bool:
    """Return whether this user may send a mail again."""
    return permissions.has_permission(user, permissions.RESOLVE_FLAGS)


def send_again(purchase: Purchase, button: str, *, user: Any) -> tuple[str, str]:
    """Send a mail again and log it; return the level and the text of the message for staff."""
    pk = None if button == CONFIRMATION else int(button) if button.isascii() and button.isdigit() else 0
    try:
        with transaction.atomic():
            mail = flow.send_mail_again(purchase, pk)
            log_mail(purchase, mail.kind, user=user)
    except flow.CannotMail:
        return "error", _("This mail cannot be sent for this order now.")
    return "success", _("Sent again: %(mail)s") % {"mail": mail.label}
