"""Whether a customer who has cancelled a purchase, and paid it all the same, may not want it any more."""

import logging

from django.db import transaction

from loyalink_khalti import conf
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.flow.transactions import is_database_failure
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import FlagReason

log = logging.getLogger(__name__)


def wants_something_else(purchase: Purchase, payment: Payment) -> bool:
    """Return whether the customer may want something else by now.

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
