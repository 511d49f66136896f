"""Orders that a shop has cancelled by itself, past the flow: by a status, a line's status, or a recorded refund.

An order without any money yet is cancelled here too, once: its stock and its points follow. Of any other, no money and
no points move by themselves: staff read of it, refund it as usual (``refund_order``) or close the matter.

A host calls ``follow_cancellation`` after its own commit; a job finds what no signal has said. A shop may therefore
have a method besides those of the port::

    def cancellations(self, refs: Collection[str]) -> Iterable[tuple[str, flow.Cancellation]]: ...

for those of its orders ``refs`` that it has cancelled or recorded as refunded, in full or in part.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from loyalink_khalti import conf, outbox
from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import CannotRefund, CannotResolve, ShopCannot
from loyalink_khalti.flow.members.directory import CHUNK, chunked
from loyalink_khalti.flow.refunds.order import cancel_order
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.flow.verification.verify import cancel_payment
from loyalink_khalti.payments import cancelled_orders, job_runs, refunds, transitions
from loyalink_khalti.payments.cancelled_orders import Cancellation, CancelledOrder
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import LIVE, PurchaseState
from loyalink_khalti.ports import PrivateText

from .alerts import mail_alert

log = logging.getLogger(__name__)

NOTICED_FOR = timedelta(days=90)
"""How long after it was placed a job looks whether an order was cancelled; the audit looks at all of them."""
NOTICE, NOTICE_INTERVAL = "cancelled_orders", timedelta(hours=1)
"""The name in ``LastRun``, and how often a job looks."""
_MAIL = f"{__name__}.mail_cancelled_orders"


def follow_cancellation(shop: str, ref: str) -> None:
    """Follow what a shop has set an order to; what it is set to by now counts, so any number of calls do.

    A placed order without any money is cancelled, with its points; of one with money staff are notified. A payment
    at Khalti of a held order is cancelled, after a lookup. Raises ``InsideTransaction``.
    """
    forbid_transaction("follow_cancellation")
    purchase = Purchase.objects.filter(shop=shop, ref=ref).first()
    if purchase is None or purchase.state == PurchaseState.RELEASED:
        return
    if purchase.state == PurchaseState.OPEN:
        if any(cancellation.is_whole() for cancellation in _found(purchase)):
            for payment in purchase.payments.filter(state__in=sorted(LIVE)).order_by("pk"):
                cancel_payment(payment, customer_present=False)
        return
    _follow(purchase)


def notice_cancelled_orders() -> int:
    """Follow the recently placed orders that were cancelled past the flow, and return how many there are.

    Once an hour; ``khalti_reconcile`` calls it after each pass.
    """
    if not job_runs.claim_run(NOTICE, every=NOTICE_INTERVAL):
        return 0
    found = {purchase.pk: purchase for purchase, _why in outstanding(placed_at__gt=database_now() - NOTICED_FOR)}
    found |= {row.purchase_id: row.purchase for row in CancelledOrder.objects.filter(closed_at=None)}
    for purchase in found.values():
        _follow(purchase)
    return len(found)


def outstanding(**filters: Any) -> Iterator[tuple[Purchase, Cancellation]]:
    """Yield the placed purchases whose shop has cancelled the order, with money or points left to refund of it."""
    for name, shop in conf.shops().items():
        if not hasattr(shop, "cancellations"):
            continue
        placed = Purchase.objects.filter(shop=name, state=PurchaseState.PLACED, **filters).order_by("pk")
        for chunk in chunked(placed.iterator(chunk_size=CHUNK)):
            purchases = {purchase.ref: purchase for purchase in chunk}
            for ref, cancellation in shop.cancellations(list(purchases)):
                if ref in purchases and cancelled_orders.is_outstanding(purchases[ref], cancellation):
                    yield purchases.pop(ref), cancellation


def mail_cancelled_orders(refs: list[str], message_id: int) -> None:
    """E-mail ``ALERTS_TO`` about orders that a shop has cancelled; the outbox calls this at least once."""
    mail_alert("orders_cancelled", {"refs": refs, "number": len(refs)}, message_id)


def close_cancelled_order(purchase: Purchase, *, actor: str, reason: str) -> CancelledOrder:
    """Close the matter of an order that its shop has cancelled, for ``actor`` (a user's pk) with their reason.

    What is not refunded then stays with the shop. Raises ``CannotResolve`` with a sentence for staff (``SelfDealing``
    for the actor's own order) where there is none, or a refund is not finished; and ``InsideTransaction``.
    """
    forbid_transaction("close_cancelled_order")
    text = PrivateText(reason.strip())
    if not text:
        raise CannotResolve(_("Enter a reason: colleagues will need it later."))

    def work() -> CancelledOrder:
        locked, _payments = transitions.lock_purchase(purchase.pk)
        forbid_self_dealing(actor, StaffAction.RESOLVE, purchase=locked)
        row = CancelledOrder.objects.filter(purchase=locked).first()
        if row is None:
            raise CannotResolve(_("The shop has not cancelled this order."))
        if refunds.pending(locked):
            raise CannotResolve(_("Money of this order is still to be returned, or a refund is not finished."))
        if row.closed_at is None:
            row.closed_at, row.actor, row.note = database_now(), actor, text
            row.save(update_fields=["closed_at", "actor", "note"])
        return row

    return in_one_block(work)


def _found(purchase: Purchase) -> list[Cancellation]:
    try:
        shop: Any = conf.shop(purchase.shop)
    except ImproperlyConfigured:
        return []
    cancellations = getattr(shop, "cancellations", None)
    return [each for ref, each in cancellations([purchase.ref]) if ref == purchase.ref] if cancellations else []


def _follow(purchase: Purchase) -> None:
    whole = next((each for each in _found(purchase) if each.is_whole()), None)
    if whole is not None and cancelled_orders.is_outstanding(purchase, whole) and not refunds.has_money(purchase):
        try:
            cancel_order(purchase)
        except (CannotRefund, ShopCannot) as exc:  # money has come meanwhile, or the shop fails: staff decide
            log.warning("order %s was cancelled in the shop: %s", purchase.ref, exc)
    is_new = in_one_block(lambda: _note(purchase.pk))
    if is_new:
        log.warning("order %s was cancelled in the shop, and is not refunded", purchase.ref)


def _note(pk: int) -> bool:
    """Note what is left of a cancelled order, or end the matter; return whether it is new to staff."""
    purchase, _payments = transitions.lock_purchase(pk)
    left = [each for each in _found(purchase) if cancelled_orders.is_outstanding(purchase, each)]
    if not left:
        cancelled_orders.end(purchase)
        return False
    is_new = cancelled_orders.note(purchase, left[0])
    if is_new:
        outbox.post(_MAIL, refs=[purchase.ref])
    return is_new
