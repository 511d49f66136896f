"""Orders that are deleted: refused while the flow has money, points or stock on them, and released if it happens.

Nothing in Wagtail deletes an order; Django's admin and code of the site's own may. Raw SQL sends no signal.
"""

from typing import Any

from django.db.models.signals import pre_delete

from loyalink_khalti.hosts.common.deletion import refuse_deletion

from . import stock
from .models import Order, OrderLine, OrderRefund
from .site_settings import SHOP

PROTECTED: dict[type, str] = {Order: "number", OrderLine: "order__number", OrderRefund: "order__number"}
"""Models of which no row of an order may be deleted, and where each has the order's number."""


def protect() -> None:
    """Refuse the deletion of orders that are held or placed, and of their lines and refunds, wherever it begins."""
    for model in PROTECTED:
        pre_delete.connect(refuse, sender=model, dispatch_uid=f"loyalink_khalti.page.protect.{model.__name__}")


def refuse(sender: Any, instance: Any, **_signal: Any) -> None:
    """Raise ``DeletionRefused``, with a sentence for staff, unless the flow has nothing on this order. A receiver."""
    path = PROTECTED[sender]
    number = sender._base_manager.filter(pk=instance.pk).values_list(path, flat=True).first()
    refuse_deletion(SHOP, number, instance)


def release(ref: str) -> None:
    """Release the stock of an order that was deleted while it was held; once. Its basket went with it."""
    stock.release(ref)
