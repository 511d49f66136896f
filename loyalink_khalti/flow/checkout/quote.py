"""What a purchase earns, how many points it can redeem, what is left to pay, and whether it can be paid so.

Nothing here writes to the database. Reasons are written for the customer.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.after_response import once_per_request
from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.flow.members.directory import is_staff
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import OrderSnapshot, PointsSteps
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Cart, Line, PaymentMethod

log = logging.getLogger(__name__)

MERCHANT_LIMIT_FOR = 15 * 60
"""seconds for which an amount above the merchant's limit is not sent to Khalti again"""


class PointsDoNotFit(CannotPay):
    """The purchase cannot redeem this number of points; ``nearest`` are the closest numbers that it can."""

    def __init__(self, message: str, *, nearest: tuple[Points, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What the checkout shows before anything is held; money in paisa."""

    points_earned: Points
    """Points that this purchase earns; for a guest, those that a new member would earn."""
    points_balance: Points
    """Points that the member can use."""
    points_blocked: bool = False
    """Whether the account is blocked, so that ``points_balance`` is 0."""
    account_merged: bool = False
    """Whether the account was merged into another: it has no points, and this purchase earns none."""
    has_left: bool = False
    """Whether the member has left the programme: they have no points, and this purchase earns none."""
    redeemable: Points
    """The most points that this purchase can redeem, 0 where none fit."""
    redeemable_value: Paisa
    """Their value."""
    minimum: Points
    """The fewest points that a purchase can redeem."""
    increment: Points
    """The number of redeemed points is a multiple of this."""
    steps: PointsSteps
    """Every number of points that this purchase can redeem with this method."""
    points: Points
    points_value: Paisa
    amount_due: Paisa
    khalti_unavailable_reason: str
    """Why Khalti cannot take the payment, written for the customer; "" where it can."""


def quote(
    *,
    site_key: str,
    member_id: str | None,
    subtotal: Paisa,
    shipping: Paisa,
    lines: Sequence[Line],
    discount: Paisa = Paisa(0),
    points: Points = Points(0),
    method: PaymentMethod | None = None,
) -> Quote:
    """Return what a purchase earns, can redeem and leaves to pay, if ``points`` are redeemed.

    ``subtotal``, in paisa, is the value of ``lines`` after offers and coupons. With a ``method`` other than Khalti the
    amount due may be below Khalti's minimum. Raises ``PointsDoNotFit`` where the purchase cannot redeem ``points``.
    """
    total = Paisa(subtotal + shipping)
    rules, account, balance = once_per_request(
        ("quote", site_key, member_id), lambda: _rules_and_balance(site_key, member_id)
    )
    merged = account is not None and account.successor_id is not None
    has_left = account is not None and account.left_at is not None and not merged
    minimum_due = KHALTI_MINIMUM if method in (None, PaymentMethod.KHALTI, PaymentMethod.POINTS) else Paisa(0)
    if points:
        _check_points(rules, points, total=total, balance=balance, minimum_due=minimum_due, member_id=member_id)
    points_value = ledger.points_value(rules, points)
    amount_due = Paisa(total - points_value)
    redeemable = ledger.max_redeemable(rules, total=total, balance=balance, minimum_due=minimum_due)
    order = OrderSnapshot(
        lines=lines, shipping=shipping, discount=discount, points_value=points_value, at=timezone.now()
    )
    return Quote(
        points_earned=Points(0) if merged or has_left else _earned(order, rules, account),
        points_balance=balance,
        points_blocked=account is not None and account.blocked and not merged and not has_left,
        account_merged=merged,
        has_left=has_left,
        redeemable=redeemable,
        redeemable_value=ledger.points_value(rules, redeemable),
        minimum=rules.minimum_points,
        increment=rules.increment,
        steps=ledger.redeemable_steps(rules, total=total, balance=balance, minimum_due=minimum_due),
        points=points,
        points_value=points_value,
        amount_due=amount_due,
        khalti_unavailable_reason=khalti_unavailable_reason(
            site_key=site_key, member_id=member_id, total=total, amount_due=amount_due
        ),
    )


def _earned(order: OrderSnapshot, rules: Rules, account: Account | None) -> Points:
    history = ledger.order_history(account, rules)
    return order.earned(rules, tier=account.tier if account else "", history=history).points


def _rules_and_balance(site_key: str, member_id: str | None) -> tuple[Rules, Account | None, Points]:
    rules = ledger.current_version(site_key).rules
    account = ledger.own_account(site_key, member_id) if member_id else None
    if account is None or account.blocked:
        return rules, account, Points(0)
    return rules, account, Points(account.available - ledger.overdue_points(account))


def _check_points(
    rules: Rules, points: Points, *, total: Paisa, balance: Points, minimum_due: Paisa, member_id: str | None
) -> None:
    if member_id is None:
        raise PointsDoNotFit(_("Log in to use your points."))
    if points < 0:
        raise PointsDoNotFit(_("The number of points cannot be negative."))
    if ledger.points_fit(rules, points, total=total, balance=balance, minimum_due=minimum_due):
        return
    nearest = ledger.nearest_redeemable(rules, points, total=total, balance=balance, minimum_due=minimum_due)
    obstacle = _obstacle(rules, points, total, balance, minimum_due)
    raise PointsDoNotFit(f"{obstacle} {_alternatives(nearest)}", nearest=nearest)


def _obstacle(rules: Rules, points: Points, total: Paisa, balance: Points, minimum_due: Paisa) -> str:
    if points > balance:
        return _("You have %(balance)s points.") % {"balance": formats.number(balance)}
    if points < rules.minimum_points or points % rules.increment:
        return _("You can use points in increments of %(increment)s, starting at %(minimum)s.") % {
            "increment": formats.number(rules.increment),
            "minimum": formats.number(rules.minimum_points),
        }
    left = total - ledger.points_value(rules, points)
    if left < 0:
        return _("That is more than the amount due.")
    if left == 0 or left >= minimum_due:
        return _("That is more than points can pay for this purchase.")
    return _("That would leave %(left)s to pay, but Khalti accepts payments of %(minimum)s or more.") % {
        "left": npr(Paisa(left)),
        "minimum": npr(minimum_due),
    }


def _alternatives(nearest: tuple[Points, ...]) -> str:
    if not nearest:
        return _("You cannot use points for this purchase.")
    numbers = _(" or ").join(formats.number(number) for number in nearest)
    return _("You can use %(numbers)s points for this purchase.") % {"numbers": numbers}


def khalti_unavailable_reason(
    *,
    site_key: str,
    member_id: str | None,
    total: Paisa,
    amount_due: Paisa,
    gateway: conf.GatewayRows | None = None,
) -> str:
    """Return why Khalti cannot be chosen for an order, or "" where it can.

    ``total`` and ``amount_due`` are paisa before and after points; ``gateway`` is what the caller has just read.
    Khalti accepts no payment below Rs 10: https://docs.khalti.com/khalti-epayment/#initiating-a-payment-request
    """
    options = conf.khalti_options(site_key, gateway)
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
