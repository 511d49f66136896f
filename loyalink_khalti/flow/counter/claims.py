"""Points of counter sales to customers without an account: claimed by the receipt's code, or by a verified address.

The code is proof enough: it was handed over the counter. A mobile number proves nothing. An e-mail address proves that
the sale is the account's own once it is verified, as in ``flow.members.claim``: by the shop (``EMAIL_IS_VERIFIED``),
or by a mail to it whose link names the account. All within ``CLAIM_PERIOD`` of the sale.
"""

import logging
from typing import Any

from django.core import signing
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import translation
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _
from limits import RateLimitItemPerHour

from loyalink_khalti import conf, outbox
from loyalink_khalti.clock import DatabaseTime, database_now
from loyalink_khalti.errors import CannotClaim, CannotSell, safe_trace
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing, self_dealing_obstacle
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.orders import OrderAward
from loyalink_khalti.money import Points
from loyalink_khalti.payments.counter_sales import CounterSale

from .codes import MAX_TRIES, clear_claim_code, is_secret, set_claim_code, split_code
from .customers import is_same_address
from .sales import award_sale

log = logging.getLogger(__name__)

TRIES_PER_HOUR = RateLimitItemPerHour(20)
"""Codes that one member may type within an hour."""
MAILS_PER_HOUR = RateLimitItemPerHour(3)
_HERE = "loyalink_khalti.flow.counter.claims"
_SALT = f"{_HERE}.verified"
_TEMPLATE = "loyalink_khalti/mail/claim_counter_points"


def claim_counter_sale(code: str, *, site_key: str, member_id: str) -> Points:
    """Give the points of a sale to a member by the code of its receipt, once; return how many are left of them.

    Raises ``CannotClaim`` with a message for the customer, and ``InsideTransaction``. A wrong code counts as a try of
    the sale that it names, and of the member.
    """
    forbid_transaction("claim_counter_sale")
    if conf.seconds_to_wait(TRIES_PER_HOUR, "counter claim", member_id):
        raise CannotClaim(_("That was one code too many. Please try again in an hour, or ask the shop."))
    halves = split_code(code)
    found = in_one_block(lambda: _checked(*halves, site_key=site_key)) if halves else None
    if found is None:
        raise CannotClaim(_("This code is wrong, was used, or its time is over. Please check it, or ask the shop."))
    return in_one_block(lambda: _claim(found, member_id=member_id, code=halves))


def claim_verified_sales(*, site_key: str, member_id: str, email: str) -> Points:
    """Give a member the points of all sales to their address, which the caller knows to be verified.

    Sales that cannot be claimed by them are left as they are. Commits by itself: raises ``InsideTransaction``.
    """
    forbid_transaction("claim_verified_sales")
    claimed = 0
    for pk in list(claimable_sales(site_key=site_key, email=email).values_list("pk", flat=True)):
        try:
            claimed += in_one_block(lambda pk=pk: _claim(pk, member_id=member_id, email=email))  # type: ignore[misc]
        except CannotClaim:
            continue
    return Points(claimed)


def claimable_sales(*, site_key: str, email: str) -> "QuerySet[CounterSale]":
    """Return the sales to an address that wait for somebody with an account."""
    waiting = CounterSale.objects.filter(site_key=site_key, member_id=None, claimed_by=None)
    return waiting.filter(email__iexact=email, claim_until__gt=DatabaseTime()).exclude(email="")


def renew_claim_code(pk: int, *, actor: str) -> str:
    """Give a sale that is not claimed a new code, and return it; the one before is void.

    Raises ``CannotSell`` where its points were claimed or its time is over, and ``SelfDealing``.
    """
    forbid_transaction("renew_claim_code")

    def renew() -> str:
        sale = CounterSale.objects.select_for_update().get(pk=pk)
        if sale.earner or sale.claim_until is None or sale.claim_until <= database_now():
            raise CannotSell(_("The points of this sale have been claimed, or can be claimed no more."))
        forbid_self_dealing(actor, StaffAction.COUNTER, email=sale.email, phone=sale.phone)
        code = set_claim_code(sale)
        sale.code_actor = actor
        sale.save(update_fields=["code_actor", "claim_name", "claim_hash", "claim_tries", "claim_until"])
        return code

    return in_one_block(renew)


def _checked(name: str, secret: str, *, site_key: str) -> int | None:
    """Return the sale of a code; a wrong one counts before it is compared, so that no two tries share one."""
    usable = CounterSale.objects.filter(
        site_key=site_key, claim_name=name, claim_until__gt=DatabaseTime(), claim_tries__lt=MAX_TRIES
    )
    if not usable.update(claim_tries=F("claim_tries") + 1):
        return None
    sale = CounterSale.objects.get(claim_name=name)
    return sale.pk if is_secret(sale, secret) else None


def _claim(pk: int, *, member_id: str, code: tuple[str, str] | None = None, email: str = "") -> Points:
    """Give the points of a sale by its code, or by its address; both may have changed until the lock was there."""
    sale = CounterSale.objects.select_for_update().get(pk=pk)
    if sale.earner == member_id:  # a second click
        return _left(sale)
    if sale.earner is not None:
        raise CannotClaim(_("These points have already been claimed."))
    proves = code[0] == sale.claim_name and is_secret(sale, code[1]) if code else is_same_address(email, sale.email)
    if not proves or sale.claim_until is None or sale.claim_until <= database_now():
        raise CannotClaim(_("This code is wrong, was used, or its time is over. Please check it, or ask the shop."))
    if any(self_dealing_obstacle(seller, members=[member_id]) for seller in (sale.actor, sale.code_actor) if seller):
        raise CannotClaim(_("You have recorded this sale yourself, so its points cannot be yours."))
    _check_account(sale, member_id)
    sale.claimed_by, sale.claimed_at = member_id, database_now()
    clear_claim_code(sale)
    sale.save(update_fields=["claimed_by", "claimed_at", "claim_name", "claim_hash"])
    award_sale(sale)
    return _left(sale)


def _left(sale: CounterSale) -> Points:
    """Return what the sale has earned less what refunds have clawed back."""
    award = OrderAward.objects.filter(purchase=sale.purchase).first()
    return Points(award.points - award.points_clawed_back) if award else Points(0)


def _check_account(sale: CounterSale, member_id: str) -> None:
    account = ledger.own_account(sale.site_key, member_id)
    if account is None:
        return
    if account.has_ended:
        raise CannotClaim(_("Your points were moved to another account. Log in with that one to claim these."))
    if account.left_at is not None:
        raise CannotClaim(_("You have left the loyalty programme. Join it again on your points card to earn points."))
    if account.blocked:
        raise CannotClaim(_("Your points are blocked. Please contact the shop."))
    if not account.earns_for_order(sale.sold_at):
        raise CannotClaim(_("This sale was before you joined the programme again, so it has no points to claim."))


# By a verified address


def request_counter_mail(*, site_key: str, member_id: str, email: str) -> None:
    """Mail an account's address a link that claims the sales to it; says nothing of whether there are any.

    Raises ``CannotClaim`` after too many mails.
    """
    if conf.seconds_to_wait(MAILS_PER_HOUR, "counter claim mail", member_id):
        raise CannotClaim(_("An e-mail was sent a moment ago. Please try again later."))
    if email and claimable_sales(site_key=site_key, email=email).exists():
        outbox.post(
            f"{_HERE}.send_counter_mail", site_key=site_key, member_id=member_id, email=email,
            language=translation.get_language() or "",
        )  # fmt: skip


def send_counter_mail(*, site_key: str, member_id: str, email: str, language: str) -> None:
    """Send the mail; the outbox may call this twice."""
    from loyalink_khalti.flow.notices import mailing  # whose mails have links to claim points

    sales = list(claimable_sales(site_key=site_key, email=email))
    if not sales:
        return
    token = signing.dumps([site_key, member_id, _digest(email)], salt=_SALT)
    with translation.override(conf.language(language)):
        context = {
            "points": sum(sale.points_earned for sale in sales),
            "button_url": conf.absolute_url(site_key, reverse("loyalink_khalti:counter_claim_link", args=[token])),
            "button": _("Yes, this was me: add the points"),
        }
        mailing.send_apart(_TEMPLATE, context, site_key=site_key, to=email)


def claim_by_mail(token: str, *, member_id: str, email: str) -> Points:
    """Claim by the link of that mail, for the account and the address that it names; return the points.

    Raises ``CannotClaim`` with a message for the customer.
    """
    try:
        site_key, of_member, digest = signing.loads(token, salt=_SALT, max_age=60 * 60 * 24)
    except (signing.BadSignature, ValueError, TypeError) as exc:
        raise CannotClaim(_("This link is not valid.")) from exc
    if of_member != member_id or not constant_time_compare(digest, _digest(email)):
        raise CannotClaim(_("This link is for another account. Log in with the one that asked for it."))
    return claim_verified_sales(site_key=site_key, member_id=member_id, email=email)


def claim_after_verification(*, site_key: str, member_id: str, email: str) -> None:
    """Claim the sales to an address that is verified, beside something else, which must not fail by it."""
    try:
        claim_verified_sales(site_key=site_key, member_id=member_id, email=email)
    except Exception as exc:  # noqa: BLE001 - the customer can still claim them on the points card
        log.error("counter sales of member %s were not claimed: %s", member_id, safe_trace(exc))


def _digest(email: Any) -> str:
    return salted_hmac(_SALT, str(email).casefold(), algorithm="sha256").hexdigest()[:32]
