"""Deletion of a host's orders: refused while the flow has money, points or stock on them."""

from django.db.models import Model
from django.utils.translation import gettext as _

from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.staff.deletion import DeletionRefused


def refuse_deletion(shop: str, ref: str | None, row: Model) -> None:
    """Raise ``DeletionRefused``, with a sentence for staff, unless the flow has nothing on the order of a row.

    For a host's ``pre_delete`` receivers. The lock on the purchase lets a payment that arrives now be first.
    """
    purchase = Purchase.objects.select_for_update(of=("self",)).filter(shop=shop, ref=ref).first()
    if purchase is not None and purchase.state != PurchaseState.RELEASED:
        raise DeletionRefused(_refusal(purchase), {row})


def _refusal(purchase: Purchase) -> str:
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
    return text % {"number": purchase.ref}
