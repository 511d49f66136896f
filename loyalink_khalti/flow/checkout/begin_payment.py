"""From the basket to Khalti's payment page: everything is committed before the first call to Khalti.

Besides the statements of the shop's own ``freeze`` it takes one transaction and one statement more. What each buys:

- the rules, the editors' settings and the site's key, as they are now: a change of editors counts at once
- on PostgreSQL the lock of customer and network: two tabs at once do not get past a limit (SQLite has one writer)
- the live payments of member, browser and mailbox, and what browser and network reserve, if any of these is known
- the purchase and the payment, inserted and read in one each, and the points if some are used
- COMMIT before the call: whatever happens then, the reconciler knows of the payment
- after the call one UPDATE, a transaction of its own: Khalti's answer, unless the payment was released meanwhile
"""

import logging
from collections.abc import Callable
from typing import NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.urls import reverse
from django.utils.translation import gettext as _

from loyalink_khalti import conf, telemetry
from loyalink_khalti.conf import Caller
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import (
    AccountBlocked,
    AccountMerged,
    CannotPay,
    InsufficientPoints,
    KhaltiError,
    KhaltiKeyRejected,
    KhaltiRejected,
    KhaltiUnreadable,
)
from loyalink_khalti.flow.transactions import (
    advisory_lock,
    forbid_transaction,
    in_one_block_or_cannot_pay,
    in_one_statement,
)
from loyalink_khalti.flow.verification.release import release_payment
from loyalink_khalti.khalti.wire import Initiate
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import KHALTI_MINIMUM, Paisa, Points
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import FlagReason, PaymentState
from loyalink_khalti.ports import Cart, PaymentMethod, PrivateText, ReleaseReason

from .quote import check_cart, khalti_unavailable_reason, remember_merchant_limit
from .unpaid import (
    check_live_payments,
    check_reservation,
    count_attempt,
    limited_owners,
    owner_locks,
    reservation_locks,
)

log = logging.getLogger(__name__)

Evidence = dict[str, object]


@telemetry.verb
def begin_payment(
    freeze: Callable[[], Cart], *, browser_session: str = "", network: str = "", return_to: str = ""
) -> Payment:
    """Hold what the customer buys, open a payment at Khalti and return it; redirect to its ``payment_url``.

    ``freeze`` returns the Cart and runs in the same transaction as the rows that it leads to; whatever it raises
    rolls everything back. ``browser_session`` and ``network`` identify the customer for the limits on what unpaid
    customers reserve; without them there is no such limit. Our return page leads to ``return_to``, the address of an
    app, of which Khalti learns nothing. Raises ``CannotPay`` with a message for the customer (everything that was held
    is released then), its subclasses ``PaymentPending``, ``ReservedTooMuch`` and ``TooManyAttempts``, and
    ``InsideTransaction``.
    https://docs.khalti.com/khalti-epayment/#initiating-a-payment-request
    """
    forbid_transaction("begin_payment")
    count_attempt(browser_session=browser_session, network=network)
    payment = in_one_block_or_cannot_pay(
        lambda: _hold(freeze(), browser_session=browser_session, network=network, return_to=return_to)
    )
    telemetry.about(
        payment_id=payment.pk,
        purchase=payment.purchase.key,
        site_key=payment.purchase.site_key,
        attempt=payment.attempt,
    )
    try:
        request = _initiate_request(payment)
        answer = conf.client_for(payment.credentials, Caller.CHECKOUT)[0].initiate(request)
        if not in_one_statement(lambda: transitions.mark_initiated(payment, answer)):
            raise CannotPay(_("Khalti answered too late. Nothing was paid; please try again."))
        telemetry.count_payment(PaymentState.INITIATED.value)
    except ImproperlyConfigured as exc:
        message = _("Khalti is not set up in this shop at the moment. Please choose another payment method.")
        _refuse(payment, message, exc, FlagReason.INITIATE_REFUSED, {"settings": str(exc)[:500]})
    except KhaltiError as exc:
        _refuse(payment, _customer_message(exc), exc, *_flag_of(exc))
    except IntegrityError as exc:  # Khalti has sent the same pidx twice
        message = _customer_message(KhaltiUnreadable())
        _refuse(payment, message, exc, FlagReason.PIDX_MISMATCH, {"pidx": answer.pidx})
    except Exception:  # no payment_url has left the shop, so no money can come
        release_payment(payment, ReleaseReason.REFUSED, customer_present=True)
        raise
    return payment


def hold_points(purchase: Purchase) -> None:
    """Hold the points that a purchase redeems, in the caller's transaction.

    Raises ``CannotPay`` where the member has fewer points, or their account is blocked or has ended by a merge.
    """
    if not purchase.points_redeemed or not purchase.member_id:
        return
    try:
        ledger.hold(
            site_key=purchase.site_key,
            member_id=purchase.member_id,
            purchase=purchase.key,
            points=Points(purchase.points_redeemed),
            version_id=purchase.rules_version,
        )
    except InsufficientPoints as exc:
        raise CannotPay(_("You no longer have that many points. Please choose again how many to use.")) from exc
    except AccountMerged as exc:
        raise CannotPay(_("Your points were moved to another account. Log in with that one to use them.")) from exc
    except AccountBlocked as exc:
        raise CannotPay(_("Your points are blocked. Please contact the shop.")) from exc


def _hold(cart: Cart, *, browser_session: str, network: str, return_to: str) -> Payment:
    version = ledger.current_version(cart.site_key)
    check_cart(cart, version.rules)
    points_value = ledger.points_value(version.rules, cart.points_redeemed)
    amount_due = Paisa(cart.total - points_value)
    if amount_due < KHALTI_MINIMUM:
        raise CannotPay(_("Khalti accepts payments of %(minimum)s or more.") % {"minimum": npr(KHALTI_MINIMUM)})
    gateway = conf.gateway_rows(cart.site_key)
    if reason := khalti_unavailable_reason(
        site_key=cart.site_key, member_id=cart.member_id, total=cart.total, amount_due=amount_due, gateway=gateway
    ):
        raise CannotPay(reason)
    owners = limited_owners(cart, browser_session)
    advisory_lock([*owner_locks(owners), *reservation_locks(network)])
    check_live_payments(owners)
    check_reservation(cart, amount_due=amount_due, browser_session=browser_session, network=network)
    credentials = conf.credentials(cart.site_key, gateway)
    purchase = transitions.create_purchase(
        cart,
        method=PaymentMethod.KHALTI,
        points_value=points_value,
        rules_version=version.pk,
        browser_session=browser_session,
        network=network,
    )
    payment = transitions.create_payment(purchase, credentials=credentials, return_to=return_to, attempt=1)
    hold_points(purchase)
    return payment


def _initiate_request(payment: Payment) -> Initiate:
    cart = payment.purchase.frozen_cart
    website = conf.site_url(cart.site_key)
    return Initiate(
        return_url=website + conf.path_below(reverse("loyalink_khalti:return", args=[payment.token])),
        website_url=website + "/",
        amount=Paisa(payment.amount),
        purchase_order_id=payment.purchase_order_id,
        purchase_order_name=cart.name,
        name=cart.customer.name,
        email=cart.customer.email,
        phone=cart.customer.phone,
    )


def _refuse(
    payment: Payment, message: str, exc: Exception, reason: FlagReason | None = None, evidence: Evidence | None = None
) -> NoReturn:
    """Release a payment that has no payment page, and raise ``CannotPay`` with a message for the customer."""
    log.log(
        logging.WARNING if isinstance(exc, KhaltiError) else logging.ERROR,
        "initiate of payment %s: %s",
        payment.pk,
        exc,
    )
    flag = (reason, evidence or {}) if reason else None
    if reason is FlagReason.MERCHANT_LIMIT:
        remember_merchant_limit(payment)
    release_payment(payment, ReleaseReason.REFUSED, customer_present=True, flag=flag)
    raise CannotPay(message) from exc


def _flag_of(exc: KhaltiError) -> tuple[FlagReason, Evidence] | tuple[()]:
    """The Flag that staff get for a "no" of Khalti's, or for an answer of another shape, if any."""
    if isinstance(exc, KhaltiUnreadable) and exc.shape:
        return FlagReason.INITIATE_REFUSED, {"khalti": str(exc), "shape": exc.shape}
    if not isinstance(exc, KhaltiRejected):
        return ()
    # Khalti may quote the customer, and an error page would print this dict as a variable of `_refuse`.
    evidence: Evidence = {"status_code": exc.status_code, "khalti": PrivateText(exc.message[:500])}
    if isinstance(exc, KhaltiKeyRejected):
        return FlagReason.KEY_REFUSED, evidence
    return (FlagReason.MERCHANT_LIMIT if _is_merchant_limit(exc) else FlagReason.INITIATE_REFUSED), evidence


def _is_merchant_limit(exc: KhaltiRejected) -> bool:
    """Whether Khalti refuses because of the merchant's account, not because of this request."""
    message = exc.message.lower()
    return "must be less than" in message or "fee not found" in message


def _customer_message(exc: KhaltiError) -> str:
    if isinstance(exc, KhaltiKeyRejected):
        return _(
            "Khalti cannot be used in this shop at the moment. Nothing was paid; please choose another payment method."
        )
    if isinstance(exc, KhaltiRejected):
        return _("Khalti cannot accept this amount. Nothing was paid; please choose another payment method.")
    return _(
        "Khalti is not responding. Nothing was paid; please try again in a moment, or choose another payment method."
    )
