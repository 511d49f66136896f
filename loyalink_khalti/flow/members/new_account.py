"""A guest makes an account from an order: a password, and a click in a mail to the order's address.

Nothing is created before that click, so no one can take an address that is not theirs; whether it has an account
already is said in that mail alone. A password typed before the click counts only in the browser in which it was typed.
The account gets the order, and the points that it earned. The link of the order mail proves nothing, as in ``claim``.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import translation
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from limits import RateLimitItemPerDay

from loyalink_khalti import conf, outbox
from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import CannotClaim
from loyalink_khalti.flow.counter.claims import claim_after_verification
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.money import Points
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState

from . import claim, order_links
from .signup_bonus import award_signup_bonus

MAIL_INTERVAL = timedelta(minutes=10)
"""The least time between two of these mails to one address."""
MAILS_PER_DAY = 5
"""How many of them one address gets in a day, for whichever order."""
_HERE = "loyalink_khalti.flow.members.new_account"
_TEMPLATE = "loyalink_khalti/mail/new_account"


class AccountExists(CannotClaim):
    """The address has an account: its owner logs in and claims the points. Only said to who has read its mail."""

    def __init__(self) -> None:
        super().__init__(_("There is an account with this e-mail address already. Please log in."))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOffer:
    """What a guest can make of a placed order; ``is_verified``: by a link that was mailed to the order's address."""

    purchase: Purchase
    email: str
    path: str
    """The page that makes the account."""
    points: Points
    """What a new member gets for the order."""
    claim_path: str
    """Where somebody who has an account claims them; "" where there are none."""
    is_verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """The user that a guest has become; ``points`` are added already, 0 where the money has yet to arrive."""

    user: Any
    points: Points


def offer_account(purchase: Purchase) -> AccountOffer | None:
    """Return what the guest of a placed order is offered, None for a member's order and where guests get nothing."""
    if _obstacle(purchase):
        return None
    return _offer(purchase, token=order_links.sign(purchase.pk, salt=_HERE))


def offer_account_for(*, shop: str, ref: str) -> AccountOffer | None:
    """Return `offer_account` for the thank-you page of an order; one query, none where it is switched off."""
    if conf.get("GUEST_CLAIMS") is not True:
        return None
    purchase = Purchase.objects.filter(shop=shop, ref=ref).first()
    return None if purchase is None else offer_account(purchase)


def read_offer(token: str) -> AccountOffer:
    """Return the offer of a link, with its own token. Raises ``CannotClaim`` and ``InvalidClaimLink``."""
    link = order_links.read(token, salt=_HERE)
    purchase = Purchase.objects.filter(pk=link.purchase_id).first()
    if purchase is None or (link.is_mailed and not link.is_for(purchase.frozen_cart.customer.email)):
        raise order_links.InvalidClaimLink
    if obstacle := _obstacle(purchase):
        raise CannotClaim(obstacle)
    return _offer(purchase, token=token, is_verified=link.is_mailed)


def request_account_mail(token: str) -> None:
    """Mail the order's address a link that makes the account, or that there is one; not too often.

    It does the same, in the same time, whether there is one or not. Raises ``CannotClaim`` and ``InvalidClaimLink``.
    """
    offer = read_offer(token)
    digest = salted_hmac(_HERE, offer.email.casefold(), algorithm="sha256").hexdigest()[:32]
    is_early = conf.ask_cache(
        lambda shared: not shared.add(f"{_HERE}.mail:{digest}", 1, MAIL_INTERVAL.total_seconds())
    )
    if is_early or conf.seconds_to_wait(RateLimitItemPerDay(MAILS_PER_DAY), "new account mail", digest):
        return
    outbox.post(f"{_HERE}.send_account_mail", purchase_id=offer.purchase.pk)


def send_account_mail(*, purchase_id: int) -> None:
    """Send the mail, in the language of the purchase; not where the order was claimed or its buyer erased since."""
    from loyalink_khalti.flow.notices import mailing  # whose order mail has this offer

    purchase = Purchase.objects.get(pk=purchase_id)
    offer = offer_account(purchase)
    if offer is None:
        return
    has_account = find_user(offer.email) is not None
    token = order_links.sign_for_mail(purchase.pk, email=offer.email, salt=_HERE)
    path = offer.claim_path if has_account else _path(token)
    with translation.override(conf.language(purchase.language)):
        context = {
            "order_number": purchase.number,
            "points": offer.points,
            "has_account": has_account,
            "button_url": conf.absolute_url(purchase.site_key, path) if path else conf.site_url(purchase.site_key),
            "button": _("Log in") if has_account else _("Create my account"),
        }
        mailing.send_apart(_TEMPLATE, context, site_key=purchase.site_key, to=offer.email)


def create_account(token: str, *, password_hash: str) -> NewAccount:
    """Create the user of a mailed link, and give them the order and its points.

    ``password_hash`` is of ``make_password``. Raises ``AccountExists``, ``CannotClaim``, ``InvalidClaimLink`` and
    ``InsideTransaction``.
    """
    forbid_transaction("create_account")
    offer = read_offer(token)
    if not offer.is_verified:
        raise CannotClaim(_("Please open the link in the e-mail that we sent to the address of this order."))
    made = in_one_block(lambda: _create(offer, password_hash))
    member = {"site_key": offer.purchase.site_key, "member_id": str(made.user.pk), "email": offer.email}
    claim_after_verification(**member)  # the link has verified the address
    return made


def find_user(email: str) -> Any:
    """Return a user with this address, however it is written, also one who may not log in; None if there is none."""
    User = get_user_model()
    names = {User.get_email_field_name(), User.USERNAME_FIELD}  # an address can be a name to log in with, too
    is_theirs = Q()
    for name in names.intersection(field.name for field in User._meta.get_fields()):
        is_theirs |= Q(**{f"{name}__iexact": email})
    return User._base_manager.filter(is_theirs).order_by("pk").first()


def new_user(email: str, password_hash: str, name: str) -> Any:
    """Create a user as Django's own models have it: the default of the setting ``CREATE_ACCOUNT``.

    The address is the user's name too where the model has one, so that the database refuses a second account for it.
    """
    User = get_user_model()
    first, _space, last = name.partition(" ")
    wanted = {User.get_email_field_name(): email, "first_name": first, "last_name": last}
    known = {field.name: field for field in User._meta.get_fields() if hasattr(field, "max_length")}
    values = {key: str(value)[: known[key].max_length] for key, value in wanted.items() if key in known}
    values.setdefault(User.USERNAME_FIELD, email[: known[User.USERNAME_FIELD].max_length])
    user = User(**values)
    user.password = password_hash
    user.save()
    return user


def _create(offer: AccountOffer, password_hash: str) -> NewAccount:
    purchase, _payments = transitions.lock_purchase(offer.purchase.pk)
    if obstacle := _obstacle(purchase):
        raise CannotClaim(obstacle)
    if find_user(offer.email) is not None:
        raise AccountExists
    try:
        with transaction.atomic():
            make = conf.account_function() or new_user
            user = make(offer.email, password_hash, purchase.frozen_cart.customer.name)
    except IntegrityError as exc:  # made in this moment, by another order of the same address
        if find_user(offer.email) is None:
            raise
        raise AccountExists from exc
    member_id = str(user.pk)
    claim.assign(purchase, member_id=member_id)
    award_signup_bonus(site_key=purchase.site_key, member_id=member_id)
    return NewAccount(user=user, points=Points(purchase.earned))


def _offer(purchase: Purchase, *, token: str, is_verified: bool = False) -> AccountOffer:
    path = claim.claim_path(purchase)
    return AccountOffer(
        purchase=purchase,
        email=purchase.frozen_cart.customer.email,
        path=_path(token),
        points=claim.claimable_points(purchase) if path else Points(0),
        claim_path=path,
        is_verified=is_verified,
    )


def _obstacle(purchase: Purchase) -> str:
    """Why no account can be made of an order; "" where one can."""
    if conf.get("GUEST_CLAIMS") is not True or not conf.get("CREATE_ACCOUNT"):
        return _("This shop does not let guests claim points.")
    if purchase.claimed_by:
        return _("This order belongs to an account already. Please log in.")
    placed_at = purchase.placed_at
    is_guests = not purchase.member_id and bool(purchase.frozen_cart.customer.email)
    if not is_guests or purchase.state != PurchaseState.PLACED or placed_at is None:
        return _("This link is not valid.")
    if placed_at + order_links.CLAIM_PERIOD <= database_now():
        return _("An account can be made of an order within 30 days. That time is over.")
    return ""


def _path(token: str) -> str:
    return reverse("loyalink_khalti:new_account", args=[token])
