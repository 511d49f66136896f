"""A receipt as JSON data, for headless shops and apps: the same figures and states as on a page."""

from collections.abc import Callable, Iterable
from typing import Any

from loyalink_khalti.money import Paisa

from .facts import Charge
from .receipt import Receipt

ShowMoney = Callable[[Paisa], Any]


def to_json(receipt: Receipt, *, money: ShowMoney = int) -> dict[str, Any]:
    """Return a receipt as JSON data: amounts in paisa, or as ``money`` shows them; dates are those of Nepal.

    Texts are in the active language.
    """
    sums = receipt.figures
    transfer, pickup = receipt.transfer, receipt.pickup
    return {
        "number": receipt.number,
        "state": receipt.state.value,
        "is_placed": receipt.is_placed,
        "placed_at": receipt.placed_at.isoformat() if receipt.placed_at else None,
        "status": receipt.status,
        "method": receipt.method.value,
        "method_title": receipt.method_title,
        "transaction_id": receipt.transaction_id,
        "lines": [
            {
                "title": line.title,
                "options": line.options,
                "quantity": line.quantity,
                "amount": money(line.amount),
                "refunded": line.refunded,
            }
            for line in sums.lines
        ],
        "products": money(sums.products),
        "discounts": _charges(sums.discounts, money),
        "delivery": {"title": receipt.delivery, "amount": money(sums.delivery)},
        "surcharges": _charges(sums.surcharges, money),
        "total": money(sums.total),
        "points_used": sums.points_used,
        "points_value": money(sums.points_value),
        "amount_due": money(sums.due),
        "received": [
            {"day": each.day.isoformat(), "amount": money(each.amount), "method": each.method.value}
            for each in sums.received
        ],
        "refunds": [
            {
                "at": each.at.isoformat(),
                "amount": money(each.amount),
                "is_pending": each.is_pending,
                "points_returned": each.points_restored,
                "points_reversed": each.points_clawed_back,
            }
            for each in sums.refunds
        ],
        "left_to_pay": money(sums.left_to_pay),
        "not_charged": money(sums.not_charged),
        "points_earned": sums.points_earned,
        "points_reversed": sums.points_reversed,
        "points_returned": sums.points_returned,
        "will_earn": receipt.will_earn,
        "timeline": [
            {
                "kind": event.kind.value,
                "day": event.day.isoformat() if event.day else None,
                "amount": None if event.amount is None else money(event.amount),
            }
            for event in receipt.timeline
        ],
        "transfer": None
        if transfer is None
        else {
            "bank_details": transfer.bank_details,
            "reference": transfer.reference,
            "amount": money(transfer.amount),
            "deadline": transfer.deadline.isoformat() if transfer.deadline else None,
        },
        "pickup": None if pickup is None else {"place": pickup.place, "hours": pickup.hours},
    }


def _charges(rows: Iterable[Charge], money: ShowMoney) -> list[dict[str, Any]]:
    return [{"title": each.title, "amount": money(each.amount)} for each in rows]
