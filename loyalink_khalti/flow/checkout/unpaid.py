"""What customers have begun and not paid: find it, and bound what one browser session or network reserves with it.

A purchase is unpaid while it waits for Khalti, and while its order (cash on delivery, bank transfer) is neither paid
nor shipped. The limits are checked under the locks that the host's freeze has taken on the stock, so that of two
purchases at once the second counts the first.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache, reduce
from operator import or_
from typing import Any

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Left, Length, Right, Upper
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from limits import RateLimitItemPerHour

from loyalink_khalti import conf
from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.flow.members.directory import is_staff
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import LIVE, UNSETTLED, PurchaseState
from loyalink_khalti.ports import PAID_LATER, Cart, Line
from loyalink_khalti.returning import Given, Select

REVIEWED_FOR = timedelta(days=14)
"""How long after it has arrived a payment under review is shown to its customer on every page."""
MOST_UNFINISHED = 5
PER_MEMBER, PER_BROWSER, PER_EMAIL = (
    "LIVE_PAYMENTS_PER_MEMBER", "LIVE_PAYMENTS_PER_BROWSER", "LIVE_PAYMENTS_PER_EMAIL"
)  # fmt: skip


class PaymentPending(CannotPay):
    """This member or browser session has a live payment already: ``payment``, to be continued or cancelled."""

    def __init__(self, payment: Payment) -> None:
        super().__init__(
            _("A payment of %(amount)s is still pending. Continue it, or cancel it and start again.")
            % {"amount": npr(Paisa(payment.amount))}
        )
        self.payment = payment


class ReservedTooMuch(CannotPay):
    """This browser session or network may not reserve that much before it pays; the basket can be changed."""


class TooManyAttempts(CannotPay):
    """This browser session or network has placed too many orders; ``wait`` is in seconds."""

    def __init__(self, message: str, *, wait: int) -> None:
        super().__init__(message)
        self.wait = wait


def unfinished_payments(*, tokens: Sequence[str] = (), member_id: str | None = None) -> list[Payment]:
    """Return the live payments of a browser session or a member, and those under review; newest first, one query.

    Under review: money has arrived within `REVIEWED_FOR`, no order is placed for it, and no refund is under way.
    """
    mine = Q()
    if tokens:
        mine |= Q(token__in=list(tokens))
    if member_id:
        mine |= Q(purchase__member_id=member_id)
    if not mine:
        return []
    since = DatabaseTime(-REVIEWED_FOR)
    under_review = Q(~Exists(Refund.objects.filter(payment=OuterRef("pk"))), state__in=UNSETTLED, paid_at__gt=since)
    rows = Payment.objects.filter(mine, Q(state__in=LIVE) | under_review).select_related("purchase")
    return list(rows.order_by("-pk")[:MOST_UNFINISHED])


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


def reservation_locks(network: str) -> list[str]:
    """Return the names for ``advisory_lock`` under which ``check_reservation`` is called."""
    return [f"network:{network}"] if network else []


def check_reservation(cart: Cart, *, amount_due: Paisa, browser_session: str, network: str) -> None:
    """Refuse a Cart with which a browser session or network would reserve too much without paying; one query, or none.

    ``amount_due`` is paisa. Raises ``ReservedTooMuch``. Staff, who place orders for customers, are not limited.
    """
    is_bounded = network or (browser_session and any(line.stock is not None for line in cart.lines))
    if not amount_due or not is_bounded:
        return
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
    given = {"browser_session": browser_session, "ref": ref, "network": network}
    found = _unpaid_of(*map(bool, given.values())).all(**given)
    placed = [each for each in found if each.state == PurchaseState.PLACED]
    reserved = {shop: _still_reserved(shop, placed) for shop in {each.shop for each in placed}}
    return [each for each in found if each.state == PurchaseState.OPEN or each.ref in reserved[each.shop]]


@cache
def _unpaid_of(of_browser: bool, of_ref: bool, of_network: bool) -> Select[Purchase]:
    whose = Q(browser_session=Given("browser_session")) if of_browser else Q()
    whose &= Q(ref=Given("ref")) if of_ref else Q()
    if of_network:
        whose |= Q(network=Given("network"))
    return Select(Purchase, lambda: _unpaid().filter(whose).order_by("pk"))


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


# How many payments a member, a browser session or a guest's e-mail address may have live at once


def limited_owners(cart: Cart, browser_session: str) -> dict[str, str]:
    """Return whose payments are limited, by the setting that limits them: those of a Cart that have a limit."""
    email = "" if cart.member_id else _without_tag(cart.customer.email)
    owners = {PER_MEMBER: cart.member_id or "", PER_BROWSER: browser_session, PER_EMAIL: email}
    return {setting: owner for setting, owner in owners.items() if owner and conf.get(setting)}


def owner_locks(owners: Mapping[str, str]) -> Iterator[str]:
    """Yield the names for ``advisory_lock`` under which ``check_live_payments`` is called."""
    return (f"{setting}:{owner.casefold()}" for setting, owner in owners.items())


def check_live_payments(owners: Mapping[str, str]) -> None:
    """Refuse one more payment where one of the ``limited_owners`` has as many as allowed; one query for all of them.

    Raises ``PaymentPending``, or ``CannotPay`` where others with this e-mail address have them.
    """
    if not owners:
        return
    limits = {setting: int(conf.get(setting)) for setting in owners}
    live = _live_of(tuple(owners), sum(limits.values())).all(**_given(owners))
    for setting, limit in limits.items():
        theirs = [each for each in live if getattr(each, setting)]
        if len(theirs) < limit:
            continue
        if setting == PER_EMAIL:  # anybody can type an address, so the message reveals nothing about these payments
            raise CannotPay(_("Other payments with this e-mail address are still pending. Please try again later."))
        raise PaymentPending(Payment.objects.select_related("purchase").get(pk=theirs[0].pk))


@cache
def _live_of(settings: tuple[str, ...], most: int) -> Select[Payment]:
    """Return the query of the newest live payments of these owners, each with whose it is.

    It reads as many as all limits together allow: if there are more, at least one of the limits is reached.
    """
    conditions = {
        PER_MEMBER: Q(purchase__member_id=Given("member")),
        PER_BROWSER: Q(purchase__browser_session=Given("browser")),
        PER_EMAIL: _with_email(),
    }
    whose = {setting: conditions[setting] for setting in settings}
    flags = {setting: ExpressionWrapper(each, output_field=BooleanField()) for setting, each in whose.items()}
    rows = Payment.objects.filter(reduce(or_, whose.values()), state__in=sorted(LIVE)).annotate(**flags)
    return Select(Payment, lambda: rows.only("pk").order_by("-pk")[:most])


def _with_email() -> Q:
    """Match payments of a mailbox, with any tag in the address and in upper or lower case."""
    address = Upper(KeyTextTransform("email", KeyTransform("customer", "purchase__cart")))
    before, after = Upper(Given("before_tag")), Upper(Given("after_tag"))
    is_tagged = Q(Exact(Left(address, Length(before)), before)) & Q(Exact(Right(address, Length(after)), after))
    return Q(Exact(address, Upper(Given("email")))) | is_tagged


def _given(owners: Mapping[str, str]) -> dict[str, Any]:
    email = owners.get(PER_EMAIL, "")
    local, _at, domain = email.rpartition("@")
    return {
        "member": owners.get(PER_MEMBER),
        "browser": owners.get(PER_BROWSER),
        "email": email,
        "before_tag": f"{local}+",
        "after_tag": f"@{domain}",
    }


def _without_tag(email: str) -> str:
    """Return the address whose mailbox gets the mail: ``maya@example.com`` for ``maya+1@example.com``."""
    local, _at, domain = email.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}" if domain else email
