"""The mails of an order: placed, money received, sent, cancelled, refunded. Plain text, in the language of the order.

The outbox calls them after the commit, perhaps twice. A site changes a text with a template of the same name:
``loyalink_khalti/page/mail/placed_subject.txt``, ``placed_body.txt``, and so on.
"""

from typing import Any

from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import NoReverseMatch
from django.utils import translation

from loyalink_khalti import conf, flow
from loyalink_khalti.payments.models import Purchase

from .models import Order
from .order_access import order_link
from .order_pages import order_context
from .site_settings import SHOP, settings_of_key, shop_name


def send_placed(number: str) -> None:
    """Send the receipt of a placed order; it says how to pay an order that is not paid yet."""
    _send("placed", number)


def send_paid(number: str) -> None:
    """Say that the money of an order has arrived."""
    _send("paid", number)


def send_sent(number: str) -> None:
    """Say that an order is on its way."""
    _send("sent", number)


def send_cancelled(number: str) -> None:
    """Say that an order was cancelled before it was paid."""
    _send("cancelled", number)


def send_refunded(number: str) -> None:
    """Say how much of an order has been refunded."""
    _send("refunded", number)


def _send(event: str, number: str) -> None:
    order = Order.objects.filter(number=number).prefetch_related("lines").first()
    if order is None or not order.email:
        return  # the order, or the customer's data, was deleted since
    with translation.override(conf.language(order.language)):
        context = _context(order)
        subject, body = (
            render_to_string(f"loyalink_khalti/page/mail/{event}_{part}.txt", context) for part in ("subject", "body")
        )
    EmailMessage(subject=" ".join(subject.split()), body=f"{body.strip()}\n", to=[order.email]).send()


def _context(order: Order) -> dict[str, Any]:
    settings = settings_of_key(order.site_key)
    purchase = Purchase.objects.filter(shop=SHOP, ref=order.number).first()
    claim_path = flow.claim_path(purchase) if purchase is not None and not purchase.member_id else ""
    return order_context(order) | {
        "shop_name": shop_name(settings) or conf.site_url(order.site_key),
        "shop_url": conf.site_url(order.site_key),
        "footer": settings.mail_footer.strip(),
        "order_url": _order_url(order),
        "claim_url": conf.absolute_url(order.site_key, claim_path) if claim_path else "",
        "claim_points": flow.claimable_points(purchase) if purchase is not None and claim_path else 0,
    }


def _order_url(order: Order) -> str:
    try:
        return conf.absolute_url(order.site_key, order_link(order))
    except NoReverseMatch:  # a headless shop: it has no pages of ours
        return ""
