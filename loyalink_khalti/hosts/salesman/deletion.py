"""Orders that are deleted: refused while the flow has money, points or stock on them.

Raw SQL, and a process that never loads this host, sends no signal to us: such an order is noticed as missing.
"""

from typing import Any

from django.db.models.signals import pre_delete
from django.utils.translation import gettext as _
from salesman.core.utils import get_salesman_model

from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.staff.deletion import DeletionRefused

from .settings import SHOP

PROTECTED = {"Order": "ref", "OrderItem": "order__ref", "OrderPayment": "order__ref"}
"""Models of which no row of an order may be deleted, and where each has the order's reference."""


def protect() -> None:
    """Refuse the deletion of orders that are held or placed, and of their items and payments, wherever it begins."""
    for name in PROTECTED:
        pre_delete.connect(
            refuse, sender=get_salesman_model(name), dispatch_uid=f"loyalink_khalti.salesman.protect.{name}"
        )


def refuse(sender: Any, instance: Any, **_signal: Any) -> None:
    """Raise ``DeletionRefused``, with a sentence for staff, unless the flow has nothing on this order. A receiver.

    The lock on the purchase lets a payment that arrives at this moment be first.
    """
    path = next(path for name, path in PROTECTED.items() if sender is get_salesman_model(name))
    ref = sender._base_manager.filter(pk=instance.pk).values_list(path, flat=True).first()
    purchase = Purchase.objects.select_for_update(of=("self",)).filter(shop=SHOP, ref=ref).first()
    if purchase is None or purchase.state == PurchaseState.RELEASED:
        return
    if purchase.state == PurchaseState.OPEN:
        text = _(
            "Order %(number)s cannot be deleted: a payment for it is pending, and it reserves stock. Cancel that"
            " payment, or wait until it has expired."
        )
    else:
        text = _(
            "Order %(number)s cannot be deleted: its payment, its points and its stock are on record here. Refund or"
            " cancel it instead."
        )
    raise DeletionRefused(text % {"number": ref}, {instance})
