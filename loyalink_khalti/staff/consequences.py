"""What each answer to a Flag does, in sentences that staff read before they confirm it."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.flow import Resolution
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import PaymentState, PurchaseState, RefundKind, RefundState
from loyalink_khalti.payments.unmatched import UnmatchedPayment


def consequences(
    resolution: Resolution, flag: Flag, *, amount: Paisa = Paisa(0), shipping: Paisa = Paisa(0)
) -> list[str]:
    """Return what resolving a flag like this does; ``amount`` and ``shipping``, in paisa, are of ``RECORD_REFUND``.

    Raises ``CannotRefund`` where it is refused.
    """
    payment = flag.payment
    match resolution:
        case Resolution.PLACE_ORDER:
            return [_place(payment), *_points_used(payment)]
        case Resolution.ACCEPT:
            return [_accept(payment), *_points_used(payment)]
        case Resolution.REFUND:
            return list(_refund(payment))
        case Resolution.CONFIRM_REFUND | Resolution.REJECT_REFUND:
            return list(_answer(resolution, flow.refund_in_question(flag)))
        case Resolution.RECORD_REFUND:
            return recorded_refund(payment, amount=amount, shipping=shipping)
        case Resolution.RELEASE | Resolution.RECORD_UNPAID:
            return [_asked_first() if resolution is Resolution.RELEASE else _staffs_word(), *_released()]
        case Resolution.RECORD_PAID:
            return list(_recorded_paid(payment, amount=amount))
        case Resolution.CLOSE:
            return list(_close(payment))
        case Resolution.REOPEN:
            return [_("The flag is open again, and the earlier answer stays in the history. No money moves.")]


def _staffs_word() -> str:
    return _("This is your word, not Khalti's: the payment is marked so until a lookup confirms it.")


def _asked_first() -> str:
    return _("Khalti is asked first. Nothing is released unless it says that nothing was paid.")


def _released() -> list[str]:
    return [
        _("Stock and points that are reserved for this payment are released, and it counts as not paid."),
        _("If Khalti reports money for it later, it is flagged again."),
    ]


def _recorded_paid(payment: Payment, *, amount: Paisa) -> Iterator[str]:
    yield _("%(amount)s counts as captured by Khalti. No money moves.") % {"amount": npr(amount)}
    yield _staffs_word()
    if amount != payment.amount:
        due = {"due": npr(Paisa(payment.amount))}
        yield _("%(due)s were due, so no order is placed: decide about the difference next.") % due
    elif payment.state == PaymentState.RELEASED:
        yield _("The payment was released before, so no order is placed yet: place it or refund it next.")
    else:
        yield _place(payment)
        yield from _points_used(payment)


def recorded_refund(payment: Payment, *, amount: Paisa, shipping: Paisa) -> list[str]:
    """Return what recording a refund of a payment does. Raises ``CannotRefund`` where it is refused."""
    quote = flow.quote_recorded_refund(payment, amount=amount, shipping=shipping)
    counted = {"amount": npr(amount), "refunded": npr(Paisa(payment.refunded + amount))}
    sentences = [
        _("%(amount)s counts as refunded, %(refunded)s in all. No money moves: it is refunded already.") % counted
    ]
    if quote is None:
        return [*sentences, _("The payment placed no order, so no points and no stock move.")]
    points = {
        "returned": formats.number(quote.points_restored), "reversed": formats.number(quote.points_clawed_back)
    }  # fmt: skip
    return [*sentences, _("Points returned: %(returned)s. Points reversed: %(reversed)s.") % points]


def reversed_refund(refund: Refund) -> list[str]:
    """Return what taking a refund back does; reads ``purchase``."""
    sentences = [
        _("The refund of %(amount)s counts as not made, and the amount can be refunded again. No money moves.")
        % {"amount": npr(Paisa(refund.amount))},
    ]
    moved = flow.quote_reversal(refund)
    if moved is None:
        return sentences
    points = {"used": formats.number(moved.points_restored), "earned": formats.number(moved.points_clawed_back)}
    return [
        *sentences,
        _("Points used again: %(used)s. Points earned again: %(earned)s.") % points,
        _("The stock stays as it is: correct it in the shop if items were restocked and did not come back."),
    ]


def unmatched_consequences(action: str, row: UnmatchedPayment, purchase: Purchase | None = None) -> list[str]:
    """Return what staff's action (``attach``, ``refund``, ``not_ours``, ``reopen``) with an unmatched payment does."""
    amount = {"amount": npr(Paisa(row.amount or 0))}
    if action == "attach" and purchase is not None:
        order = {
            "order": purchase.number or purchase.ref,
            "customer": purchase.frozen_cart.customer.name or _("guest"),
        }
        return [
            _("%(amount)s at Khalti become a payment of order %(order)s (%(customer)s).") % {**amount, **order},
            _("Khalti is asked again first. The order is placed if the shop can; otherwise the payment is flagged."),
            _("This cannot be undone: after it, the money can only be refunded."),
        ]
    if action == "refund":
        return [_("Khalti refunds %(amount)s to the customer. That cannot be undone.") % amount]
    if action == "reopen":
        return [_("The payment is to be reviewed again. No money moves.")]
    return [_("The payment is no longer listed here. No money moves: the other shop has to deal with it.")]


def _place(payment: Payment) -> str:
    amount = {"amount": npr(Paisa(payment.amount))}
    return (
        _("The order is placed for %(amount)s. Its stock is taken, and the customer gets the confirmation.") % amount
    )


def _accept(payment: Payment) -> str:
    captured = npr(Paisa(payment.captured)) if payment.captured is not None else _("an unknown amount")
    amounts = {"captured": captured, "amount": npr(Paisa(payment.amount))}
    return _("Khalti captured %(captured)s. It is accepted for the %(amount)s due, and the order is placed.") % amounts


def _points_used(payment: Payment) -> Iterator[str]:
    points = payment.purchase.points_redeemed
    if points:
        yield _("Points used: %(points)s; the member owes what they no longer have.") % {
            "points": formats.number(points)
        }


def _refund(payment: Payment) -> Iterator[str]:
    left = Paisa((payment.captured or 0) - payment.refunded)
    yield _("Khalti refunds %(amount)s to the customer. That cannot be undone.") % {"amount": npr(left)}
    if payment.purchase.state == PurchaseState.OPEN:
        yield _("Stock and points that are reserved for the order are released.")


def _answer(resolution: Resolution, refund: Refund | None) -> Iterator[str]:
    if refund is None:
        return
    amount = {"amount": npr(Paisa(refund.amount))}
    if resolution is Resolution.REJECT_REFUND and refund.state == RefundState.DONE:
        yield from reversed_refund(refund)
    elif resolution is Resolution.REJECT_REFUND:
        yield _("The refund of %(amount)s counts as not made, and the amount can be refunded again.") % amount
    elif refund.kind == RefundKind.ORDER:
        yield _("The refund of %(amount)s counts as made. The order, its stock and the points follow.") % amount
    else:
        yield _("The refund of %(amount)s counts as made.") % amount
    if resolution is Resolution.CONFIRM_REFUND:
        yield _("If the dashboard shows other refunds that are not listed here, record each of them.")
    yield _("If the answer turns out to be wrong, answer this flag again.")


def _close(payment: Payment) -> Iterator[str]:
    left = Paisa((payment.captured or 0) - payment.refunded)
    if payment.fulfilled_at is not None or not left:
        yield _("Nothing changes but this flag.")
        return
    yield _("The shop keeps %(amount)s, and the customer gets no order for it.") % {"amount": npr(left)}
    yield _(
        "The payment stays in “Payments to review”: there it can still be refunded, become an order, or be reopened."
    )
