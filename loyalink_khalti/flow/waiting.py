"""Payments that wait for their shopper."""

import time
from collections.abc import Sequence

from django.db.models import Q

from loyalink_khalti import conf
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import LIVE, State

POLL = 0.15
"""seconds"""


def waiting(*, tokens: Sequence[str] = (), member_id: str | None = None) -> Payment | None:
    """The live payment that this browser, or this member anywhere, has begun; one query."""
    mine = Q()
    if tokens:
        mine |= Q(token__in=list(tokens))
    if member_id:
        mine |= Q(purchase__member_id=member_id, purchase__state="open")
    if not mine:
        return None
    live = Payment.objects.filter(mine, state__in=LIVE).select_related("purchase")
    return live.order_by("-pk").first()


def join(shop: str, origin: str) -> Payment | None:
    """The live payment of a basket, waiting until Khalti has answered for it; None where there is none.

    For the second of two clicks: it lost the basket's lock and goes where the first one goes.
    """
    patience = time.monotonic() + conf.deadline() + 2
    while True:
        live = Payment.objects.filter(purchase__shop=shop, purchase__origin=origin, state__in=LIVE)
        payment = live.select_related("purchase").order_by("-pk").first()
        if payment is None or payment.state != State.CREATED or time.monotonic() > patience:
            return payment
        time.sleep(POLL)
