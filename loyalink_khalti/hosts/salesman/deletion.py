"""Orders that are deleted: refused while the flow has money, points or stock on them.

Raw SQL, and a process that never loads this host, sends no signal to us: such an order is noticed as missing.
"""

from typing import Any

from django.db.models.signals import pre_delete
from salesman.core.utils import get_salesman_model

from loyalink_khalti.hosts.common.deletion import refuse_deletion

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
    """Raise ``DeletionRefused``, with a sentence for staff, unless the flow has nothing on this order. A receiver."""
    path = next(path for name, path in PROTECTED.items() if sender is get_salesman_model(name))
    ref = sender._base_manager.filter(pk=instance.pk).values_list(path, flat=True).first()
    refuse_deletion(SHOP, ref, instance)
