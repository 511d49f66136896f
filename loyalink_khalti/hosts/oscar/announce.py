"""What the shop tells others once it is committed; called by the outbox, at least once."""

import logging
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import translation
from oscar.apps.order.signals import order_placed as order_placed_signal
from oscar.apps.order.signals import order_status_changed
from oscar.core.loading import get_class, get_model

from loyalink_khalti.payments.models import Purchase

from . import mail
from .options import SHOP

log = logging.getLogger(__name__)


def order_placed(number: str) -> None:
    """Send Oscar's signal, as ``OrderCreator`` would have done, and keep the member's address book."""
    order = _order(number)
    _tell(
        order_placed_signal, get_class("order.utils", "OrderCreator"), order=order, user=order.user or AnonymousUser()
    )
    book = get_class("checkout.mixins", "OrderPlacementMixin")()
    for address in (order.shipping_address, order.billing_address):
        if order.user and address:
            book.update_address_book(order.user, address)


def order_mail(number: str) -> None:
    """Send the order mail, in the language in which the order was placed."""
    order = _order(number)
    if not order.email:
        return  # the member has been deleted since
    purchase = Purchase.objects.get(shop=SHOP, ref=number)
    with translation.override(purchase.language):
        mail.send(order, purchase)


def status_changed(number: str, before: str, after: str) -> None:
    """Send Oscar's signal, as ``set_status`` would have done."""
    order = _order(number)
    _tell(order_status_changed, order, order=order, old_status=before, new_status=after)


def stock_changed(pks: list[int]) -> None:
    """Let Oscar look at stock rows that were changed: staff's low-stock alerts, shoppers' "back in stock" mails."""
    for row in get_model("partner", "StockRecord").objects.filter(pk__in=pks).order_by("pk"):
        row.post_save_signal()


def _order(number: str) -> Any:
    return get_model("order", "Order").objects.select_related("user", "shipping_address").get(number=number)


def _tell(signal: Any, sender: Any, **words: Any) -> None:
    """Tell every listener once: one that fails must not make the others hear it again."""
    for receiver, result in signal.send_robust(sender=sender, **words):
        if isinstance(result, Exception):
            log.error("%r failed on order %s", receiver, words["order"].number, exc_info=result)
