"""What is kept of a purchase, ready for JSON: for the export of a customer's personal data. Amounts are paisa."""

from typing import Any

from loyalink_khalti import conf
from loyalink_khalti.flow.review.notes import note_data
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.payments.refund_approvals import RefundApproval


def purchase_data(purchase: Purchase) -> dict[str, Any]:
    cart = purchase.frozen_cart
    attempts = {payment.pk: payment.attempt for payment in purchase.payments.all()}
    return {
        "shop": purchase.shop,
        "reference": purchase.ref,
        "number": purchase.number,
        "state": purchase.state,
        "method": purchase.method,
        "created_at": purchase.created_at.isoformat(),
        "placed_at": _iso(purchase.placed_at),
        "received_at": _iso(purchase.received_at),
        "name": cart.customer.name,
        "email": cart.customer.email,
        "phone": cart.customer.phone,
        "language": purchase.language,
        "browser_session": purchase.browser_session,
        "network": purchase.network,
        "lines": [{"title": line.name, "quantity": line.quantity, "total": line.total} for line in cart.lines],
        "shipping": cart.shipping,
        "amount_due": purchase.amount_due,
        "points_redeemed": purchase.points_redeemed,
        "points_earned": purchase.earned,
        "claimed_at": _iso(purchase.claimed_at),
        "payments": [_payment_data(payment) for payment in purchase.payments.all()],
        "received_money": [_received_data(row) for row in purchase.received_money.all()],
        "refunds": [_refund_data(refund) for refund in purchase.refunds.all()],
        "requested_refunds": [_request_data(row) for row in purchase.refund_approvals.all()],
        "notes": [note_data(note, attempts) for note in purchase.notes.all()],
        **_order_data(purchase),
    }


def _order_data(purchase: Purchase) -> dict[str, Any]:
    """Return what the shop's own order keeps besides, {} where its orders are not this package's."""
    export = getattr(conf.shops().get(purchase.shop), "personal_data", None)
    return {} if export is None else {"order": export(purchase.ref)}


def _payment_data(payment: Payment) -> dict[str, Any]:
    return {
        "attempt": payment.attempt,
        "pidx": payment.pidx,
        "transaction_id": payment.transaction_id,
        "state": payment.state,
        "release_reason": payment.release_reason,
        "amount": payment.amount,
        "captured": payment.captured,
        "refunded": payment.refunded,
        "created_at": _iso(payment.created_at),
        "paid_at": _iso(payment.paid_at),
        "fulfilled_at": _iso(payment.fulfilled_at),
        "released_at": _iso(payment.released_at),
        "flags": [
            {
                "reason": flag.reason,
                "raised_at": _iso(flag.raised_at),
                "resolution": flag.resolution,
                "resolved_at": _iso(flag.resolved_at),
                "note": flag.note,
                "earlier": [
                    {"at": _iso(entry.at), "resolution": entry.resolution, "note": entry.note}
                    for entry in flag.entries.all()
                ],
            }
            for flag in payment.flags.all()
        ],
    }


def _received_data(row: ReceivedMoney) -> dict[str, Any]:
    return {
        "amount": row.amount,
        "received_on": row.received_on.isoformat(),
        "reference": row.reference,
        "reason": row.reason,
        "recorded_at": _iso(row.recorded_at),
    }


def _request_data(row: RefundApproval) -> dict[str, Any]:
    return {
        "state": row.state,
        "amount": row.amount,
        "reason": row.reason,
        "note": row.note,
        "requested_at": _iso(row.requested_at),
        "decided_at": _iso(row.decided_at),
        "decision_note": row.decision_note,
    }


def _refund_data(refund: Refund) -> dict[str, Any]:
    return {
        "state": refund.state,
        "subtotal": refund.subtotal,
        "shipping": refund.shipping,
        "shipping_before_points": refund.shipping_price,
        "amount": refund.amount,
        "points_restored": refund.points_restored,
        "points_clawed_back": refund.points_clawed_back,
        "khalti_message": refund.khalti_message,
        "khalti_number": refund.mobile_masked,
        "reason": refund.reason,
        "note": refund.note,
        "requested_at": _iso(refund.requested_at),
        "done_at": _iso(refund.done_at),
    }


def _iso(at: Any) -> str | None:
    return at.isoformat() if at else None
