"""Which order of Oscar's can be given back, and by whom; the form itself is ``staff.refunding``."""

from typing import Any

from django.http import HttpRequest

from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.staff import may

from .options import SHOP


def purchase_of(order: Any) -> Purchase | None:
    """The placed purchase behind an order; None for one that was made without us."""
    return Purchase.objects.filter(shop=SHOP, ref=order.number, state=Purchase.State.PLACED).first()


def may_refund(request: HttpRequest) -> bool:
    """Staff who may; a partner's staff see the order but give no money back."""
    user: Any = request.user
    return bool(user.is_staff and may.may(user, may.REFUND))
