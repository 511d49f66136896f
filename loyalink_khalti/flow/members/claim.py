"""A guest's order earns no points until its buyer claims them with an account: once, within 30 days.

The account must have the address of the order, and that address must be verified: by the shop (``EMAIL_IS_VERIFIED``),
or by a second mail to it, whose link names the account. The link of the order mail alone proves nothing: the mail can
be forwarded, and anyone can type another's address into their account.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from loyalink_khalti import conf, outbox
from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import CannotClaim
from loyalink_khalti.flow.counter.claims import claim_after_verification
from loyalink_khalti.flow.notices import posting
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.flow.verification.apply import award_points, order_snapshot
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Points
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.ports import PaymentMethod

from . import order_links
from .order_links import CLAIM_PERIOD, InvalidClaimLink, OrderLink

MAIL_INTERVAL = timedelta(minutes=10)
"""The least time between two mails to the buyer of one order."""
_HERE = "loyalink_khalti.flow.members.claim"
_TEMPLATE = "loyalink_khalti/mail/claim_points"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimQuote:
    """What claiming an order does; ``is_verified``: whether the address of the account is known to be its own."""

    purchase: Purchase
    points: Points
    is_verified: bool


def claim_path(purchase: Purchase) -> str:
    """Return the path at which a guest claims the points of an order; "" where there are none to claim."""
    if conf.get("GUEST_CLAIMS") is not True or purchase.claimed_by or _has_no_buyer(purchase) or _obstacle(purchase):
        return ""
    return _path(order_links.sign(purchase.pk, salt=_HERE))


def quote_claim(token: str, *, member_id: str, email: str, is_verified: bool = False) -> ClaimQuote:
    """Return the order of a link, and the points that claiming it adds; writes nothing.

    ``is_verified`` means that the shop has verified ``email``, the account's address. Raises ``CannotClaim`` with a
    message for the customer, and ``InvalidClaimLink``.
    """
    link = _read(token)
    purchase = Purchase.objects.get(pk=link.purchase_id)
    _check(purchase, email=email)
    if purchase.claimed_by:
        raise CannotClaim(_("The points of this order have already been claimed."))
    is_verified = link.is_for(email, member_id) or is_verified
    return ClaimQuote(purchase=purchase, points=claimable_points(purchase), is_verified=is_verified)


def request_claim_mail(token: str, *, member_id: str, email: str) -> None:
    """Mail the buyer a link with which this account can claim the points; at most one mail in ``MAIL_INTERVAL``.

    Raises ``CannotClaim`` with a message for the customer, and ``InvalidClaimLink``.
    """
    purchase = quote_claim(token, member_id=member_id, email=email).purchase
    key = f"{_HERE}.mail:{purchase.pk}"

    def mailed_for(shared: Any) -> str | None:
        return None if shared.add(key, member_id, MAIL_INTERVAL.total_seconds()) else shared.get(key)

    earlier = conf.ask_cache(mailed_for)
    if earlier == member_id:  # a second click
        return
    if earlier is not None:
        raise CannotClaim(_("An e-mail about this order was sent a moment ago. Please try again in ten minutes."))
    outbox.post(f"{_HERE}.send_claim_mail", purchase_id=purchase.pk, member_id=member_id)


def send_claim_mail(*, purchase_id: int, member_id: str) -> None:
    """Send the mail, in the language of the purchase; not where the points were claimed or the buyer erased since."""
    from loyalink_khalti.flow.notices import mailing  # whose mails have a link to claim points

    purchase = Purchase.objects.get(pk=purchase_id)
    if purchase.claimed_by or _has_no_buyer(purchase):
        return
    address = purchase.frozen_cart.customer.email
    token = order_links.sign_for_mail(purchase.pk, member_id, email=address, salt=_HERE)
    with translation.override(conf.language(purchase.language)):
        context = {
            "order_number": purchase.number,
            "points": claimable_points(purchase),
            "button_url": conf.absolute_url(purchase.site_key, _path(token)),
            "button": _("Yes, this was me: add the points"),
        }
        mailing.send_apart(_TEMPLATE, context, site_key=purchase.site_key, to=address)


def claim_points(token: str, *, member_id: str, email: str, is_verified: bool = False) -> Points:
    """Assign a guest's order to a member, once, and return the points that this adds.

    ``is_verified`` means that the shop has verified ``email``, the account's address; otherwise the link must be that
    of ``request_claim_mail`` for this account. 0 where cash or a bank transfer is still to come; ``mark_received``
    awards the points then. The address is verified by now, so that sales at the counter to it are claimed, too. Raises
    ``CannotClaim`` with a message for the customer, ``InvalidClaimLink`` and
    ``InsideTransaction``.
    """
    forbid_transaction("claim_points")
    link = _read(token)
    if not (is_verified or link.is_for(email, member_id)):
        raise CannotClaim(_("Please open the link in the e-mail that we sent to the address of this order."))
    points = in_one_block(lambda: _claim(link.purchase_id, member_id=member_id, email=email))
    site_key = Purchase.objects.values_list("site_key", flat=True).get(pk=link.purchase_id)
    claim_after_verification(site_key=site_key, member_id=member_id, email=email)
    return points


def claimable_points(purchase: Purchase) -> Points:
    """Return what a new member gets for the order, less what was refunded, by the rules of the day of purchase."""
    return _earned_and_left(purchase)[1]


def _earned_and_left(purchase: Purchase) -> tuple[Points, Points]:
    return ledger.preview_award(
        site_key=purchase.site_key,
        purchase=purchase.key,
        order=order_snapshot(purchase),
        version_id=purchase.rules_version,
    )


def _claim(purchase_id: int, *, member_id: str, email: str) -> Points:
    purchase, _payments = transitions.lock_purchase(purchase_id)
    _check(purchase, email=email)
    if purchase.claimed_by == member_id:  # a second click
        return Points(purchase.earned)
    if purchase.claimed_by:
        raise CannotClaim(_("The points of this order have already been claimed."))
    account = ledger.own_account(purchase.site_key, member_id)
    if account is not None and account.has_ended:
        raise CannotClaim(_("Your points were moved to another account. Log in with that one to claim these."))
    if account is not None and account.left_at is not None:
        raise CannotClaim(_("You have left the loyalty programme. Join it again on your points card to earn points."))
    if account is not None and account.blocked:
        raise CannotClaim(_("Your points are blocked. Please contact the shop."))
    if account is not None and not account.earns_for_order(purchase.created_at):  # from before they joined again
        raise CannotClaim(_("This order has no points to claim."))
    assign(purchase, member_id=member_id)
    return Points(purchase.earned)


def assign(purchase: Purchase, *, member_id: str) -> None:
    """Give a guest's order, which is locked and not claimed, and the points that it has earned to a member.

    The shop shows it among the member's orders, where it has ``assign_order``.
    """
    purchase.claimed_by, purchase.claimed_at = member_id, database_now()
    purchase.save(update_fields=["claimed_by", "claimed_at"])
    assign_order = getattr(conf.shop(purchase.shop), "assign_order", None)
    if assign_order is not None:
        assign_order(purchase.ref, member_id=member_id)
    is_paid = purchase.method in {PaymentMethod.KHALTI, PaymentMethod.POINTS} or purchase.received_at is not None
    if is_paid and claimable_points(purchase):
        award_points(purchase)
        posting.points_claimed(purchase)


def _check(purchase: Purchase, *, email: str) -> None:
    if conf.get("GUEST_CLAIMS") is not True:
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
    earned, left = _earned_and_left(purchase)
    if purchase.member_id or not placed or not earned:
        return _("This order has no points to claim.")
    if (purchase.placed_at or purchase.created_at) + CLAIM_PERIOD <= database_now():
        return _("Points can be claimed within 30 days of the order. That time is over.")
    if not left:
        return _("This order was refunded, so it earns no points.")
    return ""


def _read(token: str) -> OrderLink:
    link = order_links.read(token, salt=_HERE)
    if not Purchase.objects.filter(pk=link.purchase_id).exists():  # signed before the database was made anew
        raise InvalidClaimLink
    return link


def _path(token: str) -> str:
    return reverse("loyalink_khalti:claim", args=[token])
