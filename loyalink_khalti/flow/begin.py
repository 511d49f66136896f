"""From a basket to Khalti's page: everything is committed before Khalti hears of it."""

import logging
from collections.abc import Callable

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.conf import Lane
from loyalink_khalti.errors import (
    CannotPay,
    Frozen,
    Insufficient,
    KhaltiError,
    KhaltiKeyRejected,
    KhaltiRejected,
    KhaltiUnreadable,
)
from loyalink_khalti.khalti.wire import Initiate
from loyalink_khalti.loyalty import ledger, programmes, redeeming
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, npr
from loyalink_khalti.payments import services
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import LIVE, Reason
from loyalink_khalti.ports import Cart, Method, Why

from .offering import khalti_off
from .settle import release_payment
from .transactions import forbid_transaction, in_one_block, in_one_block_or_busy, one_at_a_time

log = logging.getLogger(__name__)


class PaymentWaiting(CannotPay):
    """This member or browser has a live payment already: ``payment``, to be continued or given up."""

    def __init__(self, payment: Payment) -> None:
        super().__init__(
            _("A payment of %(amount)s is still waiting. Continue it, or start again.")
            % {"amount": npr(Paisa(payment.amount))}
        )
        self.payment = payment


def begin(freeze: Callable[[], Cart], *, visitor: str = "") -> Payment:
    """Hold what the shopper buys and open its payment page at Khalti; ``payment_url`` is where to send them.

    ``freeze`` runs in the same transaction as the rows it leads to; whatever it raises rolls all of it back.
    ``visitor`` names the browser, for the cap on live payments. Raises ``CannotPay`` with words for the shopper; then
    nothing is held any more.
    """
    forbid_transaction("begin")
    payment = in_one_block_or_busy(lambda: _open(freeze(), visitor=visitor))
    cart = payment.purchase.frozen_cart
    try:
        answer = conf.khalti(payment.credentials, Lane.BEGIN)[0].initiate(_request(payment, cart))
        if not in_one_block(lambda: services.initiated(payment, answer)):
            raise CannotPay(_("Khalti answered too late. Nothing was paid; please try again."))
    except ImproperlyConfigured as exc:
        log.error("initiate of payment %s: %s", payment.pk, exc)
        evidence = {"settings": str(exc)[:500]}
        release_payment(payment, Why.REFUSED, present=True, flag=(Reason.INITIATE_REFUSED, evidence))
        raise CannotPay(_("Khalti is not set up in this shop just now. Please choose another way to pay.")) from exc
    except KhaltiError as exc:
        log.warning("initiate of payment %s: %s", payment.pk, exc)
        release_payment(payment, Why.REFUSED, present=True, flag=_flag(exc))
        raise CannotPay(_words(exc)) from exc
    except IntegrityError as exc:  # Khalti gave out a pidx twice
        log.error("initiate of payment %s: %s", payment.pk, exc)
        release_payment(payment, Why.REFUSED, present=True, flag=(Reason.PIDX_MISMATCH, {"pidx": answer.pidx}))
        raise CannotPay(_words(KhaltiUnreadable())) from exc
    except Exception:  # whatever it was, nobody was given a payment_url
        release_payment(payment, Why.REFUSED, present=True)
        raise
    payment.refresh_from_db()
    return payment


def _open(cart: Cart, *, visitor: str) -> Payment:
    version = programmes.current(cart.site_key)
    check(cart, version.rules)
    worth = redeeming.worth(version.rules, cart.spends)
    if cart.total - worth < KHALTI_MINIMUM:
        raise CannotPay(_("Khalti takes no less than %(least)s.") % {"least": npr(KHALTI_MINIMUM)})
    payable = Paisa(cart.total - worth)
    if off := khalti_off(site_key=cart.site_key, member_id=cart.member_id, total=cart.total, payable=payable):
        raise CannotPay(off)
    _cap(cart, visitor)
    credentials = conf.credentials(cart.site_key)
    purchase = services.open_purchase(
        cart, method=Method.KHALTI, worth=worth, rules_version=version.pk, visitor=visitor
    )
    payment = services.open_payment(purchase, credentials=credentials)
    hold_points(purchase)
    return payment


def check(cart: Cart, rules: Rules) -> None:
    """Refuse a Cart that does not add up or is not in rupees."""
    if cart.currency != "NPR":
        raise CannotPay(
            _("This shop sells in %(currency)s; only Nepali rupees can be paid.") % {"currency": cart.currency}
        )
    if not cart.lines or cart.total < 0 or not 0 <= cart.shipping <= cart.total:
        raise CannotPay(_("There is nothing to pay."))
    if cart.spends and not cart.member_id:
        raise CannotPay(_("Log in to spend points."))
    # Whether so many are there is the ledger's to say; what must be left for Khalti, begin's.
    if not redeeming.fits(rules, cart.spends, total=cart.total, balance=cart.spends, least_left=Paisa(0)):
        raise CannotPay(_("That number of points cannot be spent on this purchase."))


def hold_points(purchase: Purchase) -> None:
    """Set the purchase's points aside, or say to the shopper why not."""
    if not purchase.spends or not purchase.member_id:
        return
    cart = purchase.frozen_cart
    try:
        ledger.hold(
            site_key=purchase.site_key,
            member_id=purchase.member_id,
            purchase=purchase.key,
            points=cart.spends,
            version_id=purchase.rules_version,
        )
    except Insufficient as exc:
        raise CannotPay(_("You no longer have that many points. Choose again how many to spend.")) from exc
    except Frozen as exc:
        raise CannotPay(_("Your points cannot be spent just now. Please ask the shop.")) from exc


def _cap(cart: Cart, visitor: str) -> None:
    """Let nobody hold the goods of any number of baskets: a member, a browser, a guest's address."""
    live = Payment.objects.filter(state__in=LIVE).select_related("purchase").order_by("-pk")
    email = "" if cart.member_id else cart.customer.email
    mine = {
        "LIVE_PAYMENTS_PER_MEMBER": (cart.member_id, Q(purchase__member_id=cart.member_id)),
        "LIVE_PAYMENTS_PER_VISITOR": (visitor, Q(purchase__visitor=visitor)),
        "LIVE_PAYMENTS_PER_ADDRESS": (email, Q(purchase__cart__customer__email__iexact=email)),
    }
    one_at_a_time(f"{cap}:{who.casefold()}" for cap, (who, _live) in mine.items() if who)
    for cap, (who, theirs) in mine.items():
        if not who or not conf.get(cap):
            continue
        waiting = list(live.filter(theirs)[: conf.get(cap)])
        if len(waiting) < conf.get(cap):
            continue
        if who is email:  # whoever typed it: nothing is told of payments that may be somebody else's
            raise CannotPay(_("Other payments with this e-mail address are still waiting. Please try again later."))
        raise PaymentWaiting(waiting[0])


def _request(payment: Payment, cart: Cart) -> Initiate:
    site = conf.site_url(cart.site_key)
    return Initiate(
        return_url=site + reverse("loyalink_khalti:return", args=[payment.token]),
        website_url=site + "/",
        amount=Paisa(payment.amount),
        purchase_order_id=payment.purchase_order_id,
        purchase_order_name=cart.name,
        name=cart.customer.name,
        email=cart.customer.email,
        phone=cart.customer.phone,
    )


def _is_limit(exc: KhaltiRejected) -> bool:
    """Whether the merchant's account, not this request, is what Khalti objects to."""
    words = exc.words.lower()
    return "must be less than" in words or "fee not found" in words


def _flag(exc: KhaltiError) -> tuple[Reason, dict[str, object]] | None:
    if not isinstance(exc, KhaltiRejected):
        return None
    evidence: dict[str, object] = {"status_code": exc.status_code, "khalti": exc.words[:500]}
    if isinstance(exc, KhaltiKeyRejected):
        return Reason.KEY_REFUSED, evidence
    return (Reason.MERCHANT_LIMIT if _is_limit(exc) else Reason.INITIATE_REFUSED), evidence


def _words(exc: KhaltiError) -> str:
    if isinstance(exc, KhaltiKeyRejected):
        return _("Khalti cannot be used in this shop just now. Nothing was paid; please choose another way to pay.")
    if isinstance(exc, KhaltiRejected):
        return _("Khalti cannot take this amount just now. Nothing was paid; please choose another way to pay.")
    return _("Khalti does not answer just now. Nothing was paid; please try again in a moment, or pay another way.")
