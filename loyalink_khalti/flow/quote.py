"""What a purchase would earn, how many points it can take, and what is left to pay."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti.errors import CannotPay
from loyalink_khalti.loyalty import ledger, programmes, redeeming
from loyalink_khalti.loyalty.ledger import Bought
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, Points, grouped, npr
from loyalink_khalti.ports import Line, Method

from .offering import khalti_off


class PointsDoNotFit(CannotPay):
    """The points asked for cannot be spent on this purchase; ``nearest`` are the numbers that can."""

    def __init__(self, message: str, *, nearest: tuple[Points, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What the checkout shows before anything is held; money in paisa."""

    earns: Points
    """Points that this purchase earns; for a guest, those that a member would earn."""
    balance: Points
    spendable: Points
    """The most points that can be spent on it, 0 where none fit."""
    least: Points
    step: Points
    points: Points
    worth: Paisa
    payable: Paisa
    khalti_off: str
    """Why Khalti cannot take what is left, in words for the shopper; "" where it can."""


def quote(
    *,
    site_key: str,
    member_id: str | None,
    goods: Paisa,
    shipping: Paisa,
    lines: Sequence[Line],
    discount: Paisa = Paisa(0),
    points: Points = Points(0),
    method: Method | None = None,
) -> Quote:
    """Compute a quote for goods after offers and coupons; raises ``PointsDoNotFit`` where ``points`` do not.

    ``lines`` are those goods: what earns is read from them.

    Only Khalti has a least amount: with another ``method`` any rest may be left to pay.
    """
    total = Paisa(goods + shipping)
    rules = programmes.current(site_key).rules
    account = ledger.find(site_key, member_id) if member_id else None
    balance = _balance(account)
    least_left = KHALTI_MINIMUM if method in (None, Method.KHALTI, Method.POINTS) else Paisa(0)
    if points:
        _insist(rules, points, total=total, balance=balance, least_left=least_left, member=member_id is not None)
    worth = redeeming.worth(rules, points)
    bought = Bought(lines=lines, shipping=shipping, discount=discount, worth=worth, at=timezone.now())
    first = account is None or not account.awards.exists() if rules.first_order_bonus else False
    earned = bought.earns(rules, tier=account.tier if account else "", first=first)
    return Quote(
        earns=earned.points,
        balance=balance,
        spendable=redeeming.most(rules, total=total, balance=balance, least_left=least_left),
        least=rules.least_spent,
        step=rules.step,
        points=points,
        worth=worth,
        payable=Paisa(total - worth),
        khalti_off=khalti_off(site_key=site_key, member_id=member_id, total=total, payable=Paisa(total - worth)),
    )


def _balance(account: Account | None) -> Points:
    if account is None or account.frozen:
        return Points(0)
    return Points(account.available - ledger.due_points(account))


def _insist(rules: Rules, points: Points, *, total: Paisa, balance: Points, least_left: Paisa, member: bool) -> None:
    if not member:
        raise PointsDoNotFit(_("Log in to spend points."))
    if points < 0:
        raise PointsDoNotFit(_("The number of points cannot be negative."))
    if redeeming.fits(rules, points, total=total, balance=balance, least_left=least_left):
        return
    nearest = redeeming.nearest(rules, points, total=total, balance=balance, least_left=least_left)
    raise PointsDoNotFit(
        " ".join([_why_not(rules, points, total, balance, least_left), _offer(nearest)]), nearest=nearest
    )


def _why_not(rules: Rules, points: Points, total: Paisa, balance: Points, least_left: Paisa) -> str:
    if points > balance:
        return _("You have %(balance)s points.") % {"balance": grouped(balance)}
    if points < rules.least_spent or points % rules.step:
        return _("Points are spent in steps of %(step)s, from %(least)s.") % {
            "step": rules.step,
            "least": rules.least_spent,
        }
    left = total - redeeming.worth(rules, points)
    if left < 0:
        return _("That is more than there is to pay.")
    if left == 0 or left >= least_left:
        return _("That is more than points may pay of this purchase.")
    return _("That would leave %(left)s to pay, and Khalti takes no less than %(least)s.") % {
        "left": npr(Paisa(left)),
        "least": npr(least_left),
    }


def _offer(nearest: tuple[Points, ...]) -> str:
    if not nearest:
        return _("No points can be spent on this purchase.")
    numbers = _(" or ").join(grouped(number) for number in nearest)
    return _("You can spend %(numbers)s points on this purchase.") % {"numbers": numbers}
