"""Whether a cart can be paid at all, and whether Khalti can take the payment; reasons are written for the customer."""

import logging

from django.conf import settings
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.flow.members.directory import is_staff
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, npr
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Cart

log = logging.getLogger(__name__)

MERCHANT_LIMIT_FOR = 15 * 60
"""seconds for which an amount above the merchant's limit is not sent to Khalti again"""


def khalti_unavailable_reason(*, site_key: str, member_id: str | None, total: Paisa, amount_due: Paisa) -> str:
    """Return why Khalti cannot be chosen for an order, or "" where it can.

    ``total`` and ``amount_due`` are paisa, before and after points. Khalti accepts no payment below Rs 10:
    https://docs.khalti.com/khalti-epayment/#initiating-a-payment-request
    """
    options = conf.khalti_options(site_key)
    if options.unavailable_reason:
        return _(options.unavailable_reason)
    if options.audience == conf.MEMBERS and member_id is None:
        return _("Log in to pay with Khalti.")
    if options.audience == conf.STAFF and not is_staff(member_id):
        return _("This shop is testing Khalti. It is not available to customers yet.")
    if 0 < amount_due < KHALTI_MINIMUM:
        amounts = {"minimum": npr(KHALTI_MINIMUM), "amount_due": npr(amount_due)}
        return _("Khalti accepts payments of %(minimum)s or more, but only %(amount_due)s is due.") % amounts
    if total < options.minimum_order:
        return _("This shop accepts Khalti for orders of %(minimum)s or more.") % {
            "minimum": npr(options.minimum_order)
        }
    if options.maximum_order is not None and total > options.maximum_order:
        return _("This shop accepts Khalti for orders up to %(maximum)s.") % {"maximum": npr(options.maximum_order)}
    if amount_due and conf.is_remembered(_limit(site_key, options.environment, amount_due)):
        return _("Khalti cannot accept this amount. Please choose another payment method.")
    return ""


def remember_merchant_limit(payment: Payment) -> None:
    """Remember that Khalti does not let this merchant take the amount of a payment: it is not asked again for a while.

    A merchant's limits change seldom, and by Khalti's staff.
    """
    conf.remember(_limit(payment.purchase.site_key, payment.environment, payment.amount), seconds=MERCHANT_LIMIT_FOR)


def _limit(site_key: str, environment: str, amount: int) -> str:
    return f"merchant limit {site_key} {environment} {amount}"


def check_cart(cart: Cart, rules: Rules) -> None:
    """Refuse a Cart that does not add up, is not in rupees, or redeems a number of points that the rules forbid.

    Refuse all where the database keeps times without their zone (check E054). Raises ``CannotPay``. Whether the
    member has the points is checked by the ledger when it holds them.
    """
    if not settings.USE_TZ:
        log.error("USE_TZ is off, so no order is accepted: set USE_TZ = True")
        raise CannotPay(_("The shop cannot accept this order at the moment."))
    if cart.currency != "NPR":
        raise CannotPay(
            _("This shop sells in %(currency)s, but payments must be in Nepalese rupees.")
            % {"currency": cart.currency}
        )
    if not cart.lines or cart.total < 0 or not 0 <= cart.shipping <= cart.total:
        raise CannotPay(_("There is nothing to pay."))
    points = cart.points_redeemed
    if points and not cart.member_id:
        raise CannotPay(_("Log in to use your points."))
    if not ledger.points_fit(rules, points, total=cart.total, balance=points, minimum_due=Paisa(0)):
        raise CannotPay(_("You cannot use that number of points for this purchase."))
