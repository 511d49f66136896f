"""Orders that need no Khalti: points cover everything, cash on delivery, bank transfer."""

from collections.abc import Callable

from django.utils.translation import gettext as _

from loyalink_khalti import outbox, telemetry
from loyalink_khalti.errors import CannotPay, ShopCannot
from loyalink_khalti.flow.notices import posting
from loyalink_khalti.flow.transactions import advisory_lock, forbid_transaction, in_one_block_or_cannot_pay
from loyalink_khalti.flow.verification.apply import PLACED_FIELDS, award_points, confirm_order
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Cart, Paid, PaymentMethod
from loyalink_khalti.returning import save_fields

from .begin_payment import hold_points
from .quote import check_cart
from .unpaid import check_reservation, count_attempt, reservation_locks


@telemetry.verb
def place_order(
    freeze: Callable[[], Cart], *, method: PaymentMethod, browser_session: str = "", network: str = ""
) -> Purchase:
    """Place an order that is paid later or with points alone, and return its purchase; all in one transaction.

    ``freeze`` returns the Cart; whatever it raises rolls everything back. The points are redeemed at once. The order
    earns its points now where nothing is left to pay, otherwise with ``mark_received``. ``browser_session`` and
    ``network`` are those of ``begin_payment``. Raises ``CannotPay`` with a message for the customer (nothing is held
    then), its subclasses ``ReservedTooMuch`` and ``TooManyAttempts``, and ``InsideTransaction``.
    """
    forbid_transaction("place_order")
    count_attempt(browser_session=browser_session, network=network)
    return in_one_block_or_cannot_pay(
        lambda: _place_order(freeze(), method=method, browser_session=browser_session, network=network)
    )


def _place_order(cart: Cart, *, method: PaymentMethod, browser_session: str, network: str) -> Purchase:
    version = ledger.current_version(cart.site_key)
    check_cart(cart, version.rules)
    points_value = ledger.points_value(version.rules, cart.points_redeemed)
    amount_due = Paisa(cart.total - points_value)
    if method is PaymentMethod.KHALTI or (method is PaymentMethod.POINTS and amount_due):
        raise CannotPay(_("Points do not cover this purchase. Choose how to pay the rest."))
    method = method if amount_due else PaymentMethod.POINTS
    if amount_due:
        advisory_lock(reservation_locks(network))
    check_reservation(cart, amount_due=amount_due, browser_session=browser_session, network=network)
    purchase = transitions.create_purchase(
        cart,
        method=method,
        points_value=points_value,
        rules_version=version.pk,
        browser_session=browser_session,
        network=network,
    )
    telemetry.about(purchase=purchase.key, site_key=purchase.site_key)
    hold_points(purchase)
    paid = Paid(
        method=method,
        amount=Paisa(0),
        at=purchase.created_at,
        points=Points(purchase.points_redeemed),
        points_value=points_value,
    )
    with outbox.gathered():
        try:
            confirm_order(purchase, paid)
        except ShopCannot as exc:
            raise CannotPay(exc.detail or _("The shop cannot accept this order at the moment.")) from exc
        if amount_due:
            save_fields(purchase, *PLACED_FIELDS)
        else:
            award_points(purchase)
        posting.order_placed(purchase)
    return purchase
