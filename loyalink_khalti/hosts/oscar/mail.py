"""The order mail: HTML and text, what was bought, how it is paid, points spent and earned."""

import logging
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from oscar.core.loading import get_class

from loyalink_khalti import conf, flow
from loyalink_khalti.money import npr, paisa
from loyalink_khalti.payments.models import Purchase

from . import receipt

_TEMPLATES = "loyalink_khalti/oscar/mail/order_placed"
_CODE = "ORDER_PLACED"
_log = logging.getLogger(__name__)
_log.addFilter(lambda record: "@" not in record.getMessage())  # Oscar's dispatcher logs whom it writes to


def send(order: Any, purchase: Purchase) -> None:
    """Send it with Oscar's dispatcher, which keeps a copy in the member's e-mail history."""
    words = _words(order, purchase)
    messages = {
        "subject": " ".join(render_to_string(f"{_TEMPLATES}_subject.txt", words).split()),
        "body": render_to_string(f"{_TEMPLATES}_body.txt", words),
        "html": render_to_string(f"{_TEMPLATES}_body.html", words),
        "sms": "",
    }
    dispatcher = get_class("order.utils", "OrderDispatcher")(logger=_log)
    dispatcher.dispatch_order_messages(order, messages, _CODE)


def _words(order: Any, purchase: Purchase) -> dict[str, Any]:
    lines = [
        {"title": line.title, "quantity": line.quantity, "price": npr(paisa(line.line_price_incl_tax))}
        for line in order.lines.all()
    ]
    return {
        "order": order,
        "lines": lines,
        "receipt": receipt.of(order),
        "address": order.shipping_address.active_address_fields() if order.shipping_address else [],
        "shop_name": settings.OSCAR_SHOP_NAME,
        "shop_url": conf.site_url(purchase.site_key),
        "order_url": conf.site_url(purchase.site_key) + _page(order),
        **_claim(purchase),
    }


def _claim(purchase: Purchase) -> dict[str, Any]:
    """What a guest can claim, and where; nothing where nothing can be claimed."""
    link = flow.claim_link(purchase)
    if not link:
        return {}
    return {"claim_url": conf.site_url(purchase.site_key) + link, "claim_points": flow.claim_worth(purchase)}


def _page(order: Any) -> str:
    if order.user_id:
        return reverse("customer:order", kwargs={"order_number": order.number})
    return reverse("customer:anon-order", kwargs={"order_number": order.number, "hash": order.verification_hash()})
