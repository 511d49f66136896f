"""Placed orders that were deleted in the shop: notice them, and close the matter by name and with a reason.

A host refuses such a deletion where it can; raw SQL cannot be refused. The money, the points and the frozen Cart are
here, so everything can still be refunded as usual (``refund_order``, ``refund_surplus``).
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from loyalink_khalti import conf, outbox
from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import CannotResolve
from loyalink_khalti.flow.members.directory import CHUNK, chunked
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.payments import job_runs, missing_orders, refunds, transitions
from loyalink_khalti.payments.missing_orders import MissingOrder
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.ports import PrivateText

from .alerts import mail_alert

NOTICED_FOR = timedelta(days=90)
"""How long after it was placed a job looks whether an order still exists; the audit looks at all of them."""
NOTICE, NOTICE_INTERVAL = "missing_orders", timedelta(hours=1)
"""The name in ``LastRun``, and how often a job looks."""
_MAIL = f"{__name__}.mail_missing_orders"


def placed_without_order(**filters: Any) -> Iterator[Purchase]:
    """Yield the placed purchases whose order the shop does not have; ``filters`` bound which are looked at."""
    for name, shop in conf.shops().items():
        placed = Purchase.objects.filter(shop=name, state=PurchaseState.PLACED, **filters).order_by("pk")
        for chunk in chunked(placed.iterator(chunk_size=CHUNK)):
            missing = set(shop.missing_orders([purchase.ref for purchase in chunk]))
            yield from (purchase for purchase in chunk if purchase.ref in missing)


def notice_missing_orders() -> int:
    """Note the recently placed orders that were deleted, mail staff about them, and return how many are new.

    Once an hour; ``khalti_reconcile`` calls it after each pass.
    """
    if not job_runs.claim_run(NOTICE, every=NOTICE_INTERVAL):
        return 0
    found = list(placed_without_order(placed_at__gt=database_now() - NOTICED_FOR, missing_order=None))

    def work() -> list[str]:
        new = [purchase.ref for purchase in found if missing_orders.note(purchase)]
        if new:
            outbox.post(_MAIL, refs=new[:50], number=len(new))
        return new

    return len(in_one_block(work)) if found else 0


def mail_missing_orders(refs: list[str], number: int, message_id: int) -> None:
    """E-mail ``ALERTS_TO`` about orders that were deleted; the outbox calls this at least once."""
    mail_alert("orders_missing", {"refs": refs, "number": number}, message_id)


def is_missing(purchase: Purchase) -> bool:
    """Return whether the order of a placed purchase does not exist in the shop; False where the shop is unknown."""
    shop = conf.shops().get(purchase.shop)
    if shop is None or purchase.state != PurchaseState.PLACED:
        return False
    return bool(list(shop.missing_orders([purchase.ref])))


def close_missing_order(purchase: Purchase, *, actor: str, reason: str) -> MissingOrder:
    """Close the matter of a deleted order for ``actor`` (a user's pk) with their reason: nothing more is to be done.

    What is not refunded then stays with the shop. Raises ``CannotResolve`` with a sentence for staff (``SelfDealing``
    for the actor's own order) where the order exists, or money is still to be returned; and ``InsideTransaction``.
    """
    forbid_transaction("close_missing_order")
    note = PrivateText(reason.strip())
    if not note:
        raise CannotResolve(_("Enter a reason: colleagues will need it later."))
    if not is_missing(purchase):
        raise CannotResolve(_("The shop has this order."))

    def work() -> MissingOrder:
        locked, _payments = transitions.lock_purchase(purchase.pk)
        forbid_self_dealing(actor, StaffAction.RESOLVE, purchase=locked)
        if locked.surplus or refunds.pending(locked):
            raise CannotResolve(_("Money of this order is still to be returned, or a refund is not finished."))
        missing_orders.note(locked)
        row = MissingOrder.objects.get(purchase=locked)
        if row.closed_at is None:
            row.closed_at, row.actor, row.note = database_now(), actor, note
            row.save(update_fields=["closed_at", "actor", "note"])
        return row

    return in_one_block(work)
