"""The mails about Oscar's orders: by Oscar's dispatcher, which keeps a copy in the member's e-mail history.

What a shop has of its own comes first: a view that sends the order mail, ``send_order_placed_email_for_user`` of its
dispatcher, and texts that staff have written in Oscar's dashboard, for an event type with the kind as its code:
``ORDER_PLACED``, ``ORDER_REFUNDED`` and so on (``flow.MailKind``).
"""

import logging
from typing import Any, cast

from django.urls import NoReverseMatch, reverse
from oscar.core.loading import get_class, get_model

from loyalink_khalti import conf
from loyalink_khalti.flow import MailKind
from loyalink_khalti.mail_ports import Mail, OrderForMail

from . import events

_dispatcher_log = logging.getLogger(f"{__name__}.dispatcher")
_dispatcher_log.addFilter(lambda record: "@" not in record.getMessage())  # Oscar's dispatcher logs the addressee


def order_for_mail(number: str) -> OrderForMail | None:
    """Return what a mail says of an order; None where it was deleted, or its member: Oscar has no address then."""
    order = events.order_of(number)
    if order is None or not order.email:
        return None
    address = order.shipping_address
    return OrderForMail(
        row=order,
        path=_order_page(order),
        address=tuple(str(line) for line in address.active_address_fields()) if address is not None else (),
    )


def mails_itself(kind: str) -> bool:
    """Return whether the shop's view overrides how it sends the order mail."""
    return kind == MailKind.ORDER_PLACED and events.sends_own_mail(events.details_view())


def send_mail(mail: Mail) -> bool:
    """Send a mail about an order; True, for it is sent here."""
    order = mail.context["order"].row
    context = {**mail.context, **_as_in_oscar(order, mail)}
    dispatcher = get_class("order.utils", "OrderDispatcher")(logger=_dispatcher_log)
    own = events.overriding(type(dispatcher), "send_order_placed_email_for_user")
    if mail.kind == MailKind.ORDER_PLACED and own is not None:
        dispatcher.send_order_placed_email_for_user(order, context)
        return True
    code = mail.kind.upper()
    messages = _messages_by_staff(dispatcher, code, context) or {
        "subject": mail.subject, "body": mail.text, "html": mail.html, "sms": ""
    }  # fmt: skip
    dispatcher.dispatch_order_messages(order, messages, code)
    return True


def _as_in_oscar(order: Any, mail: Mail) -> dict[str, Any]:
    """Return what Oscar's own templates of the order mail use."""
    url = mail.context["button_url"]
    return {
        "order": order, "user": order.user, "lines": order.lines.all, "status_url": url, "order_url": url,
        "shop_url": mail.context["site_url"], "address": mail.context["order"].address,
    }  # fmt: skip


def _messages_by_staff(dispatcher: Any, code: str, context: dict[str, Any]) -> dict[str, Any]:
    """Return the mail as staff have written it in Oscar's dashboard, {} if they have not."""
    kinds = get_model("communication", "CommunicationEventType").objects.filter(code=code)
    if not any(kind.email_subject_template or kind.email_body_template for kind in kinds):
        return {}
    return cast(dict[str, Any], dispatcher.dispatcher.get_messages(code, context))


def _order_page(order: Any) -> str:
    try:
        if order.user_id:
            return reverse("customer:order", kwargs={"order_number": order.number})
        return reverse("customer:anon-order", kwargs={"order_number": order.number, "hash": order.verification_hash()})
    except NoReverseMatch:
        return conf.path_below("/")
