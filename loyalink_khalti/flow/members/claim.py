"""A guest's order earns no points until its buyer claims them with an account: once, within 30 days.

The link in the order mail proves that its reader owns the mailbox; the account that claims must have the same address.
"""

from datetime import timedelta

from django.core import signing
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotClaim
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.flow.verification.apply import award_points, order_snapshot
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Points
from loyalink_khalti.payments import refunds, transitions
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.ports import PaymentMethod

CLAIM_PERIOD = timedelta(days=30)
"""How long after the order was placed its points can be claimed, however often its mail is sent."""
_SALT = "loyalink_khalti.flow.members.claim"


class InvalidClaimLink(CannotClaim):
    """The link is not signed by this shop, or its order is gone, or its guest was erased."""

    def __init__(self) -> None:
        super().__init__(_("This link is not valid."))


def claim_path(purchase: Purchase) -> str:
    """Return the path at which a guest claims the points of an order; "" where there are none to claim."""
    if not conf.get("GUEST_CLAIMS") or purchase.claimed_by or _has_no_buyer(purchase) or _obstacle(purchase):
        return ""
    return reverse("loyalink_khalti:claim", args=[signing.dumps(purchase.pk, salt=_SALT)])


def quote_claim(token: str, *, email: str) -> tuple[Purchase, Points]:
    """Return the order of a link, and the points that claiming it adds; writes nothing.

    Raises ``CannotClaim`` with a message for the customer, and ``InvalidClaimLink``.
    """
    purchase = Purchase.objects.get(pk=_purchase_id(token))
    _check(purchase, email=email)
    if purchase.claimed_by:
        raise CannotClaim(_("The points of this order have already been claimed."))
    return purchase, claimable_points(purchase)


def claim_points(token: str, *, member_id: str, email: str) -> Points:
    """Assign a guest's order to a member, once, and return the points that this adds.

    0 where cash or a bank transfer is still to come; ``mark_received`` awards the points then. Raises ``CannotClaim``
    with a message for the customer, ``InvalidClaimLink`` and ``InsideTransaction``.
    """
    forbid_transaction("claim_points")
    purchase_id = _purchase_id(token)
    return in_one_block(lambda: _claim(purchase_id, member_id=member_id, email=email))


def claimable_points(purchase: Purchase) -> Points:
    """Return what a new member earns with the order, by the rules of the day of purchase."""
    version = ledger.get_version(purchase.rules_version) if purchase.rules_version else None
    rules: Rules = (version or ledger.current_version(purchase.site_key)).rules
    return order_snapshot(purchase).earned(rules, history=ledger.order_history(None, rules)).points


def _claim(purchase_id: int, *, member_id: str, email: str) -> Points:
    purchase, _payments = transitions.lock_purchase(purchase_id)
    _check(purchase, email=email)
    if purchase.claimed_by == member_id:  # a second click
        return Points(purchase.earned)
    if purchase.claimed_by:
        raise CannotClaim(_("The points of this order have already been claimed."))
    account = ledger.find_account(purchase.site_key, member_id)
    if account is not None and account.blocked:
        raise CannotClaim(_("Your points are blocked. Please contact the shop."))
    purchase.claimed_by, purchase.claimed_at = member_id, timezone.now()
    purchase.save(update_fields=["claimed_by", "claimed_at"])
    if purchase.method in {PaymentMethod.KHALTI, PaymentMethod.POINTS} or purchase.received_at is not None:
        award_points(purchase)
    return Points(purchase.earned)


def _check(purchase: Purchase, *, email: str) -> None:
    if not conf.get("GUEST_CLAIMS"):
        raise CannotClaim(_("This shop does not let guests claim points."))
    if _has_no_buyer(purchase):
        raise InvalidClaimLink
    obstacle = _obstacle(purchase)
    if obstacle:
        raise CannotClaim(obstacle)
    if not email or email.casefold() != purchase.frozen_cart.customer.email.casefold():
        raise CannotClaim(_("This order has another e-mail address. Log in with an account of that address."))


def _has_no_buyer(purchase: Purchase) -> bool:
    """Whether a guest's order has no address left to claim it with, after its guest was erased for example."""
    return not purchase.member_id and not purchase.frozen_cart.customer.email


def _obstacle(purchase: Purchase) -> str:
    """Why the points of an order cannot be claimed by anyone; "" where they can."""
    placed = purchase.state == PurchaseState.PLACED and purchase.placed_at is not None
    if purchase.member_id or not placed or not claimable_points(purchase):
        return _("This order has no points to claim.")
    if (purchase.placed_at or purchase.created_at) + CLAIM_PERIOD <= timezone.now():
        return _("Points can be claimed within 30 days of the order. That time is over.")
    subtotal = purchase.frozen_cart.subtotal
    if subtotal and refunds.totals(purchase).subtotal >= subtotal:
        return _("This order was refunded, so it earns no points.")
    return ""


def _purchase_id(token: str) -> int:
    try:
        purchase_id = int(signing.loads(token, salt=_SALT))
    except (signing.BadSignature, ValueError, TypeError) as exc:
        raise InvalidClaimLink from exc
    if not Purchase.objects.filter(pk=purchase_id).exists():  # signed before the database was restored or made anew
        raise InvalidClaimLink
    return purchase_id
