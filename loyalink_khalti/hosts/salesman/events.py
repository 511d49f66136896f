"""What follows after the commit: Salesman's signal, by which shops send mails and start deliveries."""

from salesman.core.utils import get_salesman_model
from salesman.orders.signals import status_changed as status_changed_signal

from . import orders


def status_changed(ref: str, before: str, after: str) -> None:
    """Send Salesman's ``status_changed`` for an order, as its ``save`` would. Called by the outbox."""
    order = orders.rows().filter(ref=ref).first()
    if order is not None:  # it may be deleted since
        status_changed_signal.send(get_salesman_model("Order"), order=order, new_status=after, old_status=before)
