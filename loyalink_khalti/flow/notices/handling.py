"""After commit: what a customer is notified of. Called by the outbox, perhaps twice.

One event can have several signals and more than one mail: the mail of a paid order also says which points it has used
and earned. A mail about earned points of its own is sent only where the mail about the order is switched off.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.dispatch import Signal

from loyalink_khalti import signals
from loyalink_khalti.flow.invoices.issue import request_documents
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.mail_rows import Result
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.received import due
from loyalink_khalti.payments.states import UNSETTLED
from loyalink_khalti.ports import PaymentMethod

from .again import send_again
from .kinds import MailKind
from .telling import Notice, tell

Signals = list[tuple[Signal, Mapping[str, Any]]]


def handle(*, event: str, message_id: int, **figures: Any) -> None:
    """Tell the customer of an event; nothing where its row was deleted since. Raises what the mail server raises."""
    _HANDLERS[event](message_id=message_id, **figures)


def _placed(*, purchase: int, earned: int, **_rest: Any) -> None:
    found = _purchase(purchase)
    if found is None:
        return
    request_documents(found)
    sent: Signals = [(signals.order_placed, {"purchase": found})]
    if found.method == PaymentMethod.KHALTI:
        sent.append(_received(found, found.amount_due))
    if found.points_redeemed and found.member_id:
        redeemed = {"points": Points(found.points_redeemed), "points_value": Paisa(found.points_value)}
        sent.append((signals.points_redeemed, {"member_id": found.member_id, "purchase": found, **redeemed}))
    _tell_of_order(MailKind.ORDER_PLACED, f"{found.pk}", found, sent, earned=earned)


def _money(*, purchase: int, cause: str, amount: int, earned: int, **_rest: Any) -> None:
    found = _purchase(purchase)
    if found is not None:
        request_documents(found)
        sent: Signals = [_received(found, amount)] if amount else []
        data = {"amount": amount}
        _tell_of_order(MailKind.MONEY_RECEIVED, cause, found, sent, earned=earned, data=data)


def _received(purchase: Purchase, amount: int) -> tuple[Signal, Mapping[str, Any]]:
    left = due(purchase) if purchase.method != PaymentMethod.KHALTI else Paisa(0)
    figures = {"amount": Paisa(amount), "left_to_pay": left, "method": PaymentMethod(purchase.method)}
    return signals.money_received, {"purchase": purchase, **figures}


def _tell_of_order(
    kind: MailKind,
    cause: str,
    purchase: Purchase,
    sent: Signals,
    *,
    earned: int = 0,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Tell of an order and of the points that it has earned at the same moment."""
    earner = purchase.earner
    if earned and earner is not None:
        sent.append(_earned(earner, earned, "order", purchase))
    result = tell(_order_notice(kind, cause, purchase, sent, data))
    if earned and earner is not None and result in {Result.OFF, Result.NO_ADDRESS}:
        tell(_earned_notice(f"order:{cause}", purchase.site_key, earner, earned, "order", purchase, ()))


def _order_notice(
    kind: MailKind, cause: str, purchase: Purchase, sent: Signals, data: Mapping[str, Any] | None = None, **more: Any
) -> Notice:
    return Notice(
        kind=kind, cause=cause, site_key=purchase.site_key, purchase=purchase, member_id=purchase.member_id,
        signals=sent, data=data or {}, **more,
    )  # fmt: skip


def _earned(
    member_id: str, points: int, source: str, purchase: Purchase | None
) -> tuple[Signal, Mapping[str, Any]]:  # fmt: skip
    return signals.points_earned, {
        "member_id": member_id, "points": Points(points), "source": source, "purchase": purchase
    }  # fmt: skip


def _earned_notice(
    cause: str,
    site_key: str,
    member_id: str,
    points: int,
    source: str,
    purchase: Purchase | None,
    sent: Any,
) -> Notice:
    return Notice(
        kind=MailKind.POINTS_EARNED, cause=cause, site_key=site_key, purchase=purchase, member_id=member_id,
        signals=sent, data={"points": points, "source": source},
    )  # fmt: skip


def _review(*, payment: int, **_rest: Any) -> None:
    found = Payment.objects.select_related("purchase").filter(pk=payment).first()
    if found is None or not found.purchase.shop:  # unmatched money, of which no customer is known
        return
    amount = Paisa(found.captured or found.amount)
    sent: Signals = [(signals.payment_under_review, {"purchase": found.purchase, "payment": found, "amount": amount})]
    data = {"amount": amount, "token": found.token}
    overtaken = found.state not in UNSETTLED
    tell(
        _order_notice(MailKind.PAYMENT_REVIEW, f"{found.pk}", found.purchase, sent, data, is_overtaken=overtaken)
    )  # fmt: skip


def _cancelled(*, refund: int, **_rest: Any) -> None:
    found = _refund(refund)
    if found is not None:
        request_documents(found.purchase, follows=True)
        sent: Signals = [(signals.order_cancelled, {"purchase": found.purchase}), *_points_moved(found)]
        data = {"refund": found.pk, "restored": found.points_restored}
        tell(_order_notice(MailKind.ORDER_CANCELLED, f"{found.pk}", found.purchase, sent, data))


def _refunded(*, refund: int, **_rest: Any) -> None:
    found = _refund(refund)
    if found is None or not found.purchase.shop:
        return
    request_documents(found.purchase, follows=True)
    figures = {"refund": found, "amount": Paisa(found.amount)}
    sent: Signals = [(signals.order_refunded, {"purchase": found.purchase, **figures}), *_points_moved(found)]
    tell(_order_notice(MailKind.ORDER_REFUNDED, f"{found.pk}", found.purchase, sent, {"refund": found.pk}))


def _points_moved(refund: Refund) -> Signals:
    earner, restored, clawed_back = refund.purchase.earner, refund.points_restored, refund.points_clawed_back
    if earner is None or not (restored or clawed_back):
        return []
    points = {"points_restored": restored, "points_clawed_back": clawed_back}
    return [(signals.points_refunded, {"member_id": earner, "purchase": refund.purchase, **points})]


def _payment_refunded(*, payment: int, amount: int, **_rest: Any) -> None:
    found = Payment.objects.select_related("purchase").filter(pk=payment).first()
    if found is not None and found.purchase.shop:
        figures = {"refund": None, "amount": Paisa(amount)}
        sent: Signals = [(signals.order_refunded, {"purchase": found.purchase, **figures})]
        data = {"amount": amount, "token": found.token}
        cause = f"payment:{found.pk}:{found.refunded}"
        tell(_order_notice(MailKind.ORDER_REFUNDED, cause, found.purchase, sent, data))


def _shipped(*, shop: str, ref: str, message_id: int, **_rest: Any) -> None:
    found = Purchase.objects.filter(shop=shop, ref=ref).first()
    if found is not None:
        sent: Signals = [(signals.order_shipped, {"purchase": found})]
        tell(_order_notice(MailKind.ORDER_SHIPPED, f"{message_id}", found, sent))


def _claimed(*, purchase: int, earned: int, **_rest: Any) -> None:
    found = _purchase(purchase)
    if found is not None and found.claimed_by:
        sent: Signals = [_earned(found.claimed_by, earned, "claim", found)]
        cause = f"claim:{found.pk}"
        tell(_earned_notice(cause, found.site_key, found.claimed_by, earned, "claim", found, sent))


def _earned_otherwise(
    *, site_key: str, member_id: str, points: int, source: str, cause: str, message_id: int, **_rest: Any
) -> None:
    sent: Signals = [_earned(member_id, points, source, None)]
    unique = f"{cause}:{member_id}:{message_id}"
    tell(_earned_notice(unique, site_key, member_id, points, source, None, sent))


def _activated(*, account: int, points: int, **rest: Any) -> None:
    found = _account(account)
    if found is not None and found.member_id:
        _earned_otherwise(
            site_key=found.program.site_key, member_id=found.member_id, points=points, source="activated",
            cause="activated", **rest,
        )  # fmt: skip


def _adjusted(*, site_key: str, member_id: str, points: int, reason: str, cause: str, **_rest: Any) -> None:
    sent: Signals = [(signals.points_adjusted, {"member_id": member_id, "points": points, "reason": reason})]
    data = {"points": points, "reason": reason}
    tell(
        Notice(
            kind=MailKind.POINTS_ADJUSTED, cause=cause, site_key=site_key, member_id=member_id, signals=sent, data=data
        )
    )


def _tier(*, account: int, tier: str, seq: int, **_rest: Any) -> None:
    found = _account(account)
    if found is None or not found.member_id:
        return
    sent: Signals = [(signals.tier_reached, {"member_id": found.member_id, "tier": tier})]
    tell(
        Notice(
            kind=MailKind.TIER_REACHED, cause=f"{found.pk}:{seq}:{tier}", site_key=found.program.site_key,
            member_id=found.member_id, signals=sent, data={"tier": tier}, is_overtaken=found.tier != tier,
        )
    )  # fmt: skip


def _expiring(
    *, site_key: str, member_id: str, points: int, points_value: int, last_day: str, message_id: int, **_rest: Any
) -> None:
    data = {"points": points, "points_value": points_value, "last_day": last_day}
    figures = {"points": points, "points_value": Paisa(points_value), "last_day": date.fromisoformat(last_day)}
    sent: Signals = [(signals.points_expiring, {"member_id": member_id, **figures})]
    tell(
        Notice(
            kind=MailKind.POINTS_EXPIRING, cause=f"{member_id}:{message_id}", site_key=site_key, member_id=member_id,
            signals=sent, data=data,
        )
    )  # fmt: skip


def _purchase(pk: int) -> Purchase | None:
    return Purchase.objects.filter(pk=pk).first()


def _refund(pk: int) -> Refund | None:
    return Refund.objects.select_related("purchase", "payment").filter(pk=pk).first()


def _account(pk: int) -> Account | None:
    return Account.objects.select_related("program").filter(pk=pk).first()


_HANDLERS: dict[str, Callable[..., None]] = {
    "placed": _placed,
    "received": _money,
    "review": _review,
    "cancelled": _cancelled,
    "refunded": _refunded,
    "payment_refunded": _payment_refunded,
    "shipped": _shipped,
    "claimed": _claimed,
    "earned": _earned_otherwise,
    "activated": _activated,
    "adjusted": _adjusted,
    "tier": _tier,
    "again": send_again,
    "expiring": _expiring,
}
