"""A guest's order earns nobody anything, until whoever reads the order's mail claims its points: once, in 30 days.

The link in the order mail proves that its reader has the mailbox; the account that claims must have that address.
"""

from datetime import timedelta

from django.core import signing
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotClaim
from loyalink_khalti.loyalty import ledger, programmes
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Points
from loyalink_khalti.payments import refunds, services
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Method

from .settle import award, bought
from .transactions import forbid_transaction, in_one_block

CLAIM_FOR = timedelta(days=30)
"""How long after it was placed the points of an order can be claimed, however often its mail is sent."""
_SALT = "loyalink_khalti.flow.claim"


class LinkNotValid(CannotClaim):
    """The link was never ours, or its order is gone, or is nobody's since its guest was erased."""

    def __init__(self) -> None:
        super().__init__(_("This link is not valid."))


def claim_link(purchase: Purchase) -> str:
    """The path at which a guest claims the points of a placed order; "" where there are none to claim."""
    if not conf.get("GUEST_CLAIMS") or purchase.claimed_by or _is_nobodys(purchase) or _obstacle(purchase):
        return ""
    return reverse("loyalink_khalti:claim", args=[signing.dumps(purchase.pk, salt=_SALT)])


def claim_quote(token: str, *, email: str) -> tuple[Purchase, Points]:
    """The order that a link is for, and the points that claiming it brings; raises ``CannotClaim``. Writes nothing."""
    purchase = Purchase.objects.get(pk=_purchase_id(token))
    _check(purchase, email=email)
    if purchase.claimed_by:
        raise CannotClaim(_("The points of this order have been claimed."))
    return purchase, claim_worth(purchase)


def claim(token: str, *, member_id: str, email: str) -> Points:
    """Give a guest's order to a member, once, and return the points that came: 0 while its money is still to come.

    Raises ``CannotClaim`` with words for the shopper. Where cash or a transfer is awaited, ``received`` awards them.
    """
    forbid_transaction("claim")
    purchase_id = _purchase_id(token)
    return in_one_block(lambda: _claim(purchase_id, member_id=member_id, email=email))


def claim_worth(purchase: Purchase) -> Points:
    """What a new member would earn with the order, by the rules that were shown."""
    version = programmes.version(purchase.rules_version) if purchase.rules_version else None
    rules: Rules = (version or programmes.current(purchase.site_key)).rules
    return bought(purchase).earns(rules, tier="", first=True).points


def _claim(purchase_id: int, *, member_id: str, email: str) -> Points:
    purchase, _payments = services.lock(purchase_id)
    _check(purchase, email=email)
    if purchase.claimed_by == member_id:  # a second click
        return Points(purchase.earned)
    if purchase.claimed_by:
        raise CannotClaim(_("The points of this order have been claimed."))
    account = ledger.find(purchase.site_key, member_id)
    if account is not None and account.frozen:
        raise CannotClaim(_("Your points are frozen. Please ask the shop."))
    purchase.claimed_by, purchase.claimed_at = member_id, timezone.now()
    purchase.save(update_fields=["claimed_by", "claimed_at"])
    if purchase.method in {Method.KHALTI, Method.POINTS} or purchase.received_at is not None:
        award(purchase)
    return Points(purchase.earned)


def _check(purchase: Purchase, *, email: str) -> None:
    if not conf.get("GUEST_CLAIMS"):
        raise CannotClaim(_("Points of guests' orders cannot be claimed in this shop."))
    if _is_nobodys(purchase):
        raise LinkNotValid
    obstacle = _obstacle(purchase)
    if obstacle:
        raise CannotClaim(obstacle)
    if not email or email.casefold() != purchase.frozen_cart.customer.email.casefold():
        raise CannotClaim(_("This order was placed with another e-mail address. Log in with an account of that one."))


def _is_nobodys(purchase: Purchase) -> bool:
    """Whether no address is kept with which a guest's order could be claimed: its guest was erased, say."""
    return not purchase.member_id and not purchase.frozen_cart.customer.email


def _obstacle(purchase: Purchase) -> str:
    """Why nobody can claim the points of an order; "" where somebody may."""
    placed = purchase.state == Purchase.State.PLACED and purchase.placed_at is not None
    if purchase.member_id or not placed or not claim_worth(purchase):
        return _("This order has no points to claim.")
    if (purchase.placed_at or purchase.created_at) + CLAIM_FOR <= timezone.now():
        return _("Points can be claimed for 30 days after the order, and those are over.")
    goods = purchase.frozen_cart.goods
    if goods and refunds.so_far(purchase).goods >= goods:
        return _("This order was given back, and its points with it.")
    return ""


def _purchase_id(token: str) -> int:
    try:
        purchase_id = int(signing.loads(token, salt=_SALT))
    except (signing.BadSignature, ValueError, TypeError) as exc:
        raise LinkNotValid from exc
    if not Purchase.objects.filter(pk=purchase_id).exists():  # signed before the database was restored or made anew
        raise LinkNotValid
    return purchase_id
