"""Release a payment that is not paid in the end, and what its purchase holds: basket, stock and points."""

from collections.abc import Collection, Mapping
from typing import Any

from loyalink_khalti import conf
from loyalink_khalti.clock import time_of
from loyalink_khalti.flow.transactions import in_one_block, in_savepoint
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.flags import raise_flag, raise_site_flag, resolve_flags
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import ENDED_UNPAID, LIVE, ONE_PER_SITE, FlagReason, PaymentState, PurchaseState
from loyalink_khalti.ports import Outcome, ReleaseReason
from loyalink_khalti.returning import save_fields


def release_payment(
    payment: Payment,
    reason: ReleaseReason,
    *,
    customer_present: bool,
    states: Collection[PaymentState] = LIVE,
    by_customer: bool = False,
    flag: tuple[FlagReason, Mapping[str, Any]] | None = None,
) -> Outcome:
    """Release an attempt that cannot have been paid, and its purchase, if it is still in one of ``states``.

    Releases the purchase, too, if the shop could not release it the last time. ``by_customer``: the customer has
    cancelled it here, and not staff. ``flag`` is raised with it.
    """

    def work() -> Outcome:
        purchase, payments, locked = transitions.lock(payment)
        if locked.state in states:
            transitions.mark_released(locked, reason, by_customer=by_customer)
            if flag is not None:
                (raise_site_flag if flag[0] in ONE_PER_SITE else raise_flag)(locked, *flag)
        if locked.state in ENDED_UNPAID:
            release_purchase(purchase, payments, locked, reason, customer_present=customer_present)
        return locked.outcome

    return in_one_block(work)


def release_purchase(
    purchase: Purchase, payments: list[Payment], payment: Payment, reason: ReleaseReason, *, customer_present: bool
) -> None:
    """Release basket, stock and points of a locked purchase, once none of its payments can bring money any more."""
    if purchase.state != PurchaseState.OPEN or transitions.is_holding(payments):
        return

    def work() -> None:
        shop = conf.shop(purchase.shop)
        shop.release(purchase.ref, release_reason=reason, customer_present=customer_present)
        ledger.release(purchase=purchase.key)
        purchase.state = PurchaseState.RELEASED
        purchase.released_at = time_of(payment)
        save_fields(purchase, "state", "released_at")
        if payment.is_flagged:
            resolve_flags(payment, {FlagReason.HOST_FAILED}, PaymentState.RELEASED.value)

    in_savepoint(work, purchase, payment)
