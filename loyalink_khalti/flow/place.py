"""Purchases that need no Khalti: points cover all, cash on delivery, a bank transfer."""

from collections.abc import Callable

from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti.errors import CannotPay, ShopCannot
from loyalink_khalti.loyalty import programmes, redeeming
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments import services
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Cart, Method, Paid

from .begin import check, hold_points
from .settle import WRITTEN, award, confirm
from .transactions import forbid_transaction, in_one_block_or_busy


def place(freeze: Callable[[], Cart], *, method: Method) -> Purchase:
    """Place an order whose money comes later, or that points cover; one block, committed when this returns.

    Its points are spent at once. What it earns is awarded by ``received``, or now where nothing is left to pay.
    Raises ``CannotPay`` with words for the shopper; then nothing is held.
    """
    forbid_transaction("place")
    return in_one_block_or_busy(lambda: _place(freeze(), method=method))


def _place(cart: Cart, *, method: Method) -> Purchase:
    version = programmes.current(cart.site_key)
    check(cart, version.rules)
    worth = redeeming.worth(version.rules, cart.spends)
    left = Paisa(cart.total - worth)
    if method is Method.KHALTI or (method is Method.POINTS and left):
        raise CannotPay(_("This purchase is not covered by points; choose how to pay the rest."))
    method = method if left else Method.POINTS
    purchase = services.open_purchase(cart, method=method, worth=worth, rules_version=version.pk)
    hold_points(purchase)
    paid = Paid(
        method=Method(purchase.method),
        amount=Paisa(0),
        at=timezone.now(),
        points=Points(purchase.spends),
        worth=worth,
    )
    try:
        confirm(purchase, paid)
    except ShopCannot as exc:
        raise CannotPay(exc.detail or _("The shop cannot take this order just now.")) from exc
    if left:
        purchase.save(update_fields=WRITTEN)
    else:
        award(purchase)
    return purchase
