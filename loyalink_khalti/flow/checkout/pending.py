"""Find the payment that a customer has begun and not yet finished."""

import time
from collections.abc import Sequence

from django.db.models import Q

from loyalink_khalti import conf
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import LIVE, PaymentState, PurchaseState

POLL_INTERVAL = 0.15
"""seconds"""


def pending_payment(*, tokens: Sequence[str] = (), member_id: str | None = None) -> Payment | None:
    """Return the newest live payment of a browser session (by its payment tokens) or of a member; one query."""
    mine = Q()
    if tokens:
        mine |= Q(token__in=list(tokens))
    if member_id:
        mine |= Q(purchase__member_id=member_id, purchase__state=PurchaseState.OPEN)
    if not mine:
        return None
    live = Payment.objects.filter(mine, state__in=LIVE).select_related("purchase")
    return live.order_by("-pk").first()


def wait_for_payment_page(shop: str, origin: str) -> Payment | None:
    """Return the live payment of a basket (``origin``) once Khalti has sent its page; None where there is none.

    For the second of two clicks on "Place order", which did not get the lock on the basket. It waits for at most
    the deadline of a call to Khalti and two seconds.
    """
    give_up_at = time.monotonic() + conf.deadline() + 2
    while True:
        live = Payment.objects.filter(purchase__shop=shop, purchase__origin=origin, state__in=LIVE)
        payment = live.select_related("purchase").order_by("-pk").first()
        if payment is None or payment.state != PaymentState.CREATED or time.monotonic() > give_up_at:
            return payment
        time.sleep(POLL_INTERVAL)
