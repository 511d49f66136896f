"""Why an order is not placed automatically although its money has arrived."""

import logging

from django.db import transaction

from loyalink_khalti import conf
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.flow.transactions import is_database_failure
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import UNPAID_AT_KHALTI, FlagReason, PurchaseState
from loyalink_khalti.ports import ReleaseReason

log = logging.getLogger(__name__)


def obstacles_to_placing(purchase: Purchase, payment: Payment, *, was_released: bool) -> list[FlagReason]:
    """Return why the order is not placed automatically although the money has arrived."""
    if purchase.state == PurchaseState.PLACED:
        return [FlagReason.SECOND_PAYMENT]
    if not purchase.shop:  # a record of unmatched money
        return [FlagReason.MONEY_WITHOUT_ORDER]
    found = []
    if was_released and payment.release_reason == ReleaseReason.CANCELLED_IN_SHOP:
        if not payment.cancelled_by_customer or _wants_something_else(purchase, payment):
            found.append(FlagReason.PAID_AFTER_CANCEL)
    elif was_released and payment.release_reason not in UNPAID_AT_KHALTI:
        found.append(FlagReason.LATE)
    if transitions.has_rival(purchase, was_released=was_released):
        found.append(FlagReason.SECOND_PAYMENT)
    return found


def _wants_something_else(purchase: Purchase, payment: Payment) -> bool:
    """Return whether a customer who has cancelled a purchase, and paid it all the same, may not want it any more.

    They have bought something else since, they have changed the basket, as far as the shop knows it, or staff have
    talked to them: they have resolved the Flag already.
    """
    answered = payment.flags.filter(reason=FlagReason.PAID_AFTER_CANCEL, resolved_at__isnull=False)
    return transitions.has_bought_since(purchase) or answered.exists() or _is_basket_changed(purchase)


def _is_basket_changed(purchase: Purchase) -> bool:
    """Ask the shop, in a savepoint. Where it fails, staff decide: its money is recorded all the same."""
    try:
        with transaction.atomic():
            is_changed = getattr(conf.shop(purchase.shop), "is_basket_changed", None)
            return bool(is_changed is not None and is_changed(purchase.ref))
    except Exception as exc:
        if is_database_failure(exc):
            raise
        log.warning("purchase %s: its shop does not know its basket: %s", purchase, safe_trace(exc))
        return True
