"""What follows a committed change of an order: Oscar's signals and the order mail. Called by the outbox."""

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from oscar.apps.order.signals import order_placed as order_placed_signal
from oscar.apps.order.signals import order_status_changed
from oscar.core.loading import get_class, get_model

from loyalink_khalti import conf, flow
from loyalink_khalti.hosts.common.receipt import receipt_of
from loyalink_khalti.money import npr, paisa
from loyalink_khalti.payments.models import Purchase

from . import placement
from .settings import SHOP

_MAIL = "loyalink_khalti/oscar/mail/order_placed"
log = logging.getLogger(__name__)
_dispatcher_log = logging.getLogger(f"{__name__}.dispatcher")
_dispatcher_log.addFilter(lambda record: "@" not in record.getMessage())  # Oscar's dispatcher logs the addressee


def order_placed(number: str) -> None:
    """Send Oscar's signal, as ``OrderCreator`` would, and update the member's address book."""
    order = _order(number)
    view = placement.details_view()()
    for address in (order.shipping_address, order.billing_address):
        if order.user and address:
            view.update_address_book(order.user, address)
    creator = get_class("order.utils", "OrderCreator")()
    _send(order_placed_signal, creator, order=order, user=order.user or AnonymousUser())


def status_changed(number: str, before: str, after: str) -> None:
    """Send Oscar's signal, as ``set_status`` would."""
    order = _order(number)
    _send(order_status_changed, order, order=order, old_status=before, new_status=after)


def stock_changed(pks: list[int]) -> None:
    """Let Oscar react to changed stock rows: low-stock alerts for staff, "back in stock" mails for customers."""
    for row in get_model("partner", "StockRecord").objects.filter(pk__in=pks).order_by("pk"):
        row.post_save_signal()


def send_order_mail(number: str) -> None:
    """Send the order mail in the language of the order. Oscar keeps a copy in the member's e-mail history.

    A shop's own ``send_order_placed_email_for_user`` sends it in our place, with our context.
    """
    order = _order(number)
    if not order.email or placement.sends_own_mail(placement.details_view()):
        return  # the member has been deleted since, or the shop's view sends a mail of its own
    purchase = Purchase.objects.get(shop=SHOP, ref=number)
    with translation.override(purchase.language):
        context = _mail_context(order, purchase)
        dispatcher = get_class("order.utils", "OrderDispatcher")(logger=_dispatcher_log)
        if placement.overriding(type(dispatcher), "send_order_placed_email_for_user"):
            dispatcher.send_order_placed_email_for_user(order, context)
            return
        messages = {
            "subject": " ".join(render_to_string(f"{_MAIL}_subject.txt", context).split()),
            "body": render_to_string(f"{_MAIL}_body.txt", context),
            "html": render_to_string(f"{_MAIL}_body.html", context),
            "sms": "",
        }
        dispatcher.dispatch_order_messages(order, messages, "ORDER_PLACED")


def _mail_context(order: Any, purchase: Purchase) -> dict[str, Any]:
    site_url = conf.site_url(purchase.site_key)
    claim_path = "" if purchase.member_id else flow.claim_path(purchase)
    return {
        "order": order,
        "lines": [
            {"title": line.title, "quantity": line.quantity, "price": npr(paisa(line.line_price_incl_tax))}
            for line in order.lines.all()
        ],
        "receipt": receipt_of(purchase),
        "address": order.shipping_address.active_address_fields() if order.shipping_address else [],
        "shop_name": settings.OSCAR_SHOP_NAME,
        "shop_url": site_url,
        "order_url": site_url + _order_page(order),
        "claim_url": site_url + claim_path if claim_path else "",
        "claim_points": flow.claimable_points(purchase) if claim_path else 0,
    }


def _order_page(order: Any) -> str:
    if order.user_id:
        return reverse("customer:order", kwargs={"order_number": order.number})
    return reverse("customer:anon-order", kwargs={"order_number": order.number, "hash": order.verification_hash()})


def _order(number: str) -> Any:
    return get_model("order", "Order").objects.select_related("user", "shipping_address").get(number=number)


def _send(signal: Any, sender: Any, **payload: Any) -> None:
    """Call every receiver once: the failure of one must not make the outbox call the others again."""
    for receiver, result in signal.send_robust(sender=sender, **payload):
        if isinstance(result, Exception):
            log.error("%r failed on order %s", receiver, payload["order"].number, exc_info=result)
