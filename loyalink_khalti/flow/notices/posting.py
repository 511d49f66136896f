"""Post what a customer is notified of, in the transaction of the event: one message, whatever follows from it.

Each function is called by the verb that causes the event, where everything else of it is written. Figures that the
rows will not have any more when the message is handled are in the message.
"""

from typing import Any

from loyalink_khalti import outbox
from loyalink_khalti.loyalty.ledger import ExpiryNotice
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.payments.states import UNSETTLED

HANDLE = "loyalink_khalti.flow.notices.handling.handle"


def order_placed(purchase: Purchase) -> None:
    """The order of a purchase is placed; its points are captured and awarded, where it earns them now."""
    outbox.post(HANDLE, event="placed", purchase=purchase.pk, earned=purchase.earned)


def money_received(purchase: Purchase, *, entry: ReceivedMoney | None, earned: Points, placed_again: str = "") -> None:
    """Money has arrived by a row, which pays for the order with what came before, or completes an earlier surplus.

    ``placed_again`` names the cancellation after which the order is placed once more.
    """
    if entry is not None or earned or placed_again:
        cause = f"row:{entry.pk}" if entry is not None else f"purchase:{purchase.pk}:{placed_again}"
        amount = entry.amount if entry is not None else 0
        outbox.post(HANDLE, event="received", purchase=purchase.pk, cause=cause, amount=amount, earned=earned)


def payment_under_review(payment: Payment, *, before: str) -> None:
    """Khalti has money for which no order is placed; only when that is new, by the state before."""
    if payment.state in UNSETTLED and before not in UNSETTLED:
        outbox.post(HANDLE, event="review", payment=payment.pk)


def order_cancelled(refund: Refund) -> None:
    """A placed order that was not paid is cancelled, by this row."""
    outbox.post(HANDLE, event="cancelled", refund=refund.pk)


def order_refunded(refund: Refund) -> None:
    """A refund was made; or, of a row with negative figures, an earlier one turns out not to have been made."""
    outbox.post(HANDLE, event="refunded", refund=refund.pk)


def payment_refunded(payment: Payment, *, amount: Paisa) -> None:
    """Khalti reports that it has refunded a payment without an order; ``amount`` of it has no row of ours."""
    outbox.post(HANDLE, event="payment_refunded", payment=payment.pk, amount=amount)


def order_shipped(shop: str, ref: str) -> None:
    """Tell the customer that an order is on its way, or ready to be collected; a host calls it when its staff say so.

    In the transaction that changes the order. An order that did not come through the flow has no mail of ours.
    """
    outbox.post(HANDLE, event="shipped", shop=shop, ref=ref)


def points_claimed(purchase: Purchase) -> None:
    """A member has claimed the points of an order that was placed by a guest."""
    if purchase.earned:
        outbox.post(HANDLE, event="claimed", purchase=purchase.pk, earned=purchase.earned)


def signup_bonus_awarded(*, site_key: str, member_id: str, points: Points) -> None:
    """A new member got the bonus for signing up."""
    figures = {"points": points, "source": "sign_up"}
    outbox.post(HANDLE, event="earned", site_key=site_key, member_id=member_id, cause="sign_up", **figures)


def points_adjusted(*, site_key: str, member_id: str, points: int, reason: str, cause: str) -> None:
    """Staff have added points, or deducted them (below 0), once for ``cause``."""
    figures = {"points": points, "reason": reason}
    outbox.post(HANDLE, event="adjusted", site_key=site_key, member_id=member_id, cause=cause, **figures)


def points_expiring(notice: ExpiryNotice) -> None:
    """Points of a member expire soon."""
    outbox.post(
        HANDLE, event="expiring", site_key=notice.site_key, member_id=notice.member_id, points=notice.points,
        points_value=notice.points_value, last_day=notice.last_day.isoformat(),
    )  # fmt: skip


def tier_reached(account: Account, tier: str, **_signal: Any) -> None:
    """A locked account has moved up to a tier. Receives ``tier_raised``."""
    outbox.post(HANDLE, event="tier", account=account.pk, tier=tier, seq=account.seq)


def points_activated(account: Account, points: Points, **_signal: Any) -> None:
    """Pending points of a locked account can be used now. Receives ``points_activated`` of the ledger."""
    outbox.post(HANDLE, event="activated", account=account.pk, points=points)
