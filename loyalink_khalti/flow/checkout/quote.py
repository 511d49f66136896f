"""What a purchase earns, how many points it can redeem, and what is left to pay. Nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti.after_response import once_per_request
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import OrderSnapshot
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, Points, npr
from loyalink_khalti.nepal import group_digits
from loyalink_khalti.ports import Line, PaymentMethod

from .availability import khalti_unavailable_reason


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
    redeemable: Points
    """The most points that this purchase can redeem, 0 where none fit."""
    minimum: Points
    """The fewest points that a purchase can redeem."""
    increment: Points
    """The number of redeemed points is a multiple of this."""
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
    minimum_due = KHALTI_MINIMUM if method in (None, PaymentMethod.KHALTI, PaymentMethod.POINTS) else Paisa(0)
    if points:
        _check_points(rules, points, total=total, balance=balance, minimum_due=minimum_due, member_id=member_id)
    points_value = ledger.points_value(rules, points)
    amount_due = Paisa(total - points_value)
    order = OrderSnapshot(
        lines=lines, shipping=shipping, discount=discount, points_value=points_value, at=timezone.now()
    )
    return Quote(
        points_earned=Points(0) if merged else _earned(order, rules, account),
        points_balance=balance,
        points_blocked=account is not None and account.blocked and not merged,
        account_merged=merged,
        redeemable=ledger.max_redeemable(rules, total=total, balance=balance, minimum_due=minimum_due),
        minimum=rules.minimum_points,
        increment=rules.increment,
        points=points,
        points_value=points_value,
        amount_due=amount_due,
        khalti_unavailable_reason=khalti_unavailable_reason(
            site_key=site_key, member_id=member_id, total=total, amount_due=amount_due
        ),
    )


def points_for_lines(*, site_key: str, member_id: str | None, lines: Sequence[Line]) -> list[Points]:
    """Return the points that each line earns if it is bought alone, without a first-order bonus; two queries.

    For product pages, where there is no basket yet.
    """
    rules = ledger.current_version(site_key).rules
    account = ledger.own_account(site_key, member_id) if member_id else None
    if account is not None and account.successor_id is not None:
        return [Points(0) for _line in lines]
    tier, at, nothing = account.tier if account else "", timezone.now(), Paisa(0)
    alone = [
        OrderSnapshot(lines=[line], shipping=nothing, discount=nothing, points_value=nothing, at=at) for line in lines
    ]
    return [order.earned(rules, tier=tier).points for order in alone]


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
        return _("You have %(balance)s points.") % {"balance": group_digits(balance)}
    if points < rules.minimum_points or points % rules.increment:
        return _("You can use points in increments of %(increment)s, starting at %(minimum)s.") % {
            "increment": rules.increment,
            "minimum": rules.minimum_points,
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
    numbers = _(" or ").join(group_digits(number) for number in nearest)
    return _("You can use %(numbers)s points for this purchase.") % {"numbers": numbers}
