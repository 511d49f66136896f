"""What customers have begun and not paid: find it, and bound what one browser session or network reserves with it.

A purchase is unpaid while it waits for Khalti, and while its order (cash on delivery, bank transfer) is neither paid
nor shipped. The limits are checked under the locks that the host's freeze has taken on the stock, so that of two
purchases at once the second counts the first.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from limits import RateLimitItemPerHour

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.flow.members.directory import is_staff
from loyalink_khalti.flow.transactions import advisory_lock
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import LIVE, UNSETTLED, PurchaseState
from loyalink_khalti.ports import PAID_LATER, Cart, Line


class ReservedTooMuch(CannotPay):
    """This browser session or network may not reserve that much before it pays; the basket can be changed."""


class TooManyAttempts(CannotPay):
    """This browser session or network has placed too many orders; ``wait`` is in seconds."""

    def __init__(self, message: str, *, wait: int) -> None:
        super().__init__(message)
        self.wait = wait


def pending_payment(*, tokens: Sequence[str] = (), member_id: str | None = None) -> Payment | None:
    """Return the newest live payment of a browser session (by its payment tokens) or of a member; one query."""
    mine = Q()
    if tokens:
        mine |= Q(token__in=list(tokens))
    if member_id:
        mine |= Q(purchase__member_id=member_id, purchase__state=PurchaseState.OPEN)
    if not mine:
        return None
    live = Payment.objects.filter(mine, state__in=LIVE).select_related("purchase")
    return live.order_by("-pk").first()


def live_payment_of(shop: str, origin: str) -> Payment | None:
    """Return the live payment of a basket (``origin``), None where there is none; one query.

    For the second of two clicks on "Place order", which did not get the basket. The payment has no ``payment_url`` as
    long as Khalti has not answered the first one.
    """
    live = Payment.objects.filter(purchase__shop=shop, purchase__origin=origin, state__in=LIVE)
    return live.select_related("purchase").order_by("-pk").first()


def count_attempt(*, browser_session: str, network: str) -> None:
    """Count one attempt to place an order. Raises ``TooManyAttempts`` above a limit."""
    for setting, who in (
        ("ATTEMPTS_PER_HOUR_AND_BROWSER", browser_session),
        ("ATTEMPTS_PER_HOUR_AND_NETWORK", network),
    ):
        limit = RateLimitItemPerHour(conf.get(setting))
        wait = conf.seconds_to_wait(limit, setting, who) if who else 0
        if wait:
            minutes = -(-wait // 60)
            message = ngettext(
                "There were too many orders at once. Nothing was paid; please try again in %(minutes)s minute.",
                "There were too many orders at once. Nothing was paid; please try again in %(minutes)s minutes.",
                minutes,
            )
            raise TooManyAttempts(message % {"minutes": minutes}, wait=wait)


def check_reservation(cart: Cart, *, amount_due: Paisa, browser_session: str, network: str) -> None:
    """Refuse a Cart with which a browser session or network would reserve too much without paying.

    ``amount_due`` is paisa. Raises ``ReservedTooMuch``. Staff, who place orders for customers, are not limited.
    """
    if not amount_due or not (browser_session or network):
        return
    if network:
        advisory_lock([f"network:{network}"])
    theirs = unpaid_purchases(browser_session=browser_session, network=network)
    reserved = _quantities(line for purchase in theirs for line in purchase.frozen_cart.lines)
    excess = _too_many(cart, reserved)
    if network and not excess:
        excess = _too_much(amount_due, sum(each.amount_due for each in theirs if each.network == network))
    if excess and not is_staff(cart.member_id):
        raise ReservedTooMuch(excess)


def unpaid_purchases(*, browser_session: str = "", network: str = "", ref: str = "") -> list[Purchase]:
    """Return the unpaid purchases whose products are reserved, oldest first.

    Those of a browser session or network, or with this reference of the host's, or all.
    """
    whose = Q(browser_session=browser_session) if browser_session else Q()
    whose &= Q(ref=ref) if ref else Q()
    if network:
        whose |= Q(network=network)
    found = list(_unpaid().filter(whose).order_by("pk"))
    placed = [each for each in found if each.state == PurchaseState.PLACED]
    reserved = {shop: _still_reserved(shop, placed) for shop in {each.shop for each in placed}}
    return [each for each in found if each.state == PurchaseState.OPEN or each.ref in reserved[each.shop]]


def _unpaid() -> QuerySet[Purchase]:
    with_money = Payment.objects.filter(purchase=OuterRef("pk"), state__in=UNSETTLED)
    refunds = Refund.objects.filter(purchase=OuterRef("pk"))
    return Purchase.objects.filter(
        Q(~Exists(with_money), state=PurchaseState.OPEN)
        | Q(~Exists(refunds), state=PurchaseState.PLACED, method__in=PAID_LATER, received_at=None, received_part=0)
    )


def _still_reserved(shop: str, placed: Iterable[Purchase]) -> frozenset[str]:
    return frozenset(conf.shop(shop).still_reserved([each.ref for each in placed if each.shop == shop]))


def _too_many(cart: Cart, reserved: "Counter[str]") -> str:
    """Return why the products cannot be reserved beside those that are ``reserved``, by sku; "" where they can."""
    wanted, share = _quantities(cart.lines), int(conf.get("UNPAID_SHARE_OF_STOCK"))
    for line in cart.lines:
        if line.stock is None:
            continue
        left = max(1, (line.stock + reserved[line.sku]) * share // 100) - reserved[line.sku]
        if wanted[line.sku] > left:
            return _reduce(line, left)
    return ""


def _reduce(line: Line, left: int) -> str:
    if left <= 0:
        return _(
            "“%(title)s” is reserved for an order from your browser or your network that is not paid yet. Pay or"
            " cancel that order, or try again in an hour."
        ) % {"title": line.title}
    return ngettext(
        "You can order %(left)s of “%(title)s” before you pay. Please reduce the quantity; after you have paid you"
        " can order more.",
        "You can order up to %(left)s of “%(title)s” before you pay. Please reduce the quantity; after you have paid"
        " you can order more.",
        left,
    ) % {"left": left, "title": line.title}


def _too_much(amount_due: Paisa, of_network: int) -> str:
    """Return why the value cannot be reserved beside that of the network's other orders; "" where it can."""
    most = Paisa(100 * int(conf.get("UNPAID_RUPEES_PER_NETWORK")))
    if not of_network or of_network + amount_due <= most:
        return ""
    return _(
        "Orders from your network that are not paid yet exceed %(amount)s. Pay or cancel yours, try again in an hour,"
        " or contact the shop."
    ) % {"amount": npr(most)}


def _quantities(lines: Iterable[Line]) -> "Counter[str]":
    quantities: Counter[str] = Counter()
    for line in lines:
        quantities[line.sku] += line.quantity
    return quantities
