"""Record a refund that was made outside: in Khalti's dashboard, in cash, or by bank.

Lookup reports no amount of a partial refund, and of a second one nothing at all, so staff record what Khalti's
dashboard shows: https://docs.khalti.com/khalti-epayment/#payment-verification-lookup. The row is like that of a refund
of ours, and the order and the points follow.
"""

from dataclasses import replace
from datetime import date, datetime, time

from django.db import IntegrityError
from django.utils.translation import gettext as _

from loyalink_khalti.clock import database_now
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.khalti.wire import Status
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import KATHMANDU, day_of
from loyalink_khalti.payments import flags, refunds, transitions
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import CAPTURED, FlagReason, RefundKind, RefundState
from loyalink_khalti.ports import PrivateText

from .checks import stale_form_message
from .execution import close_abandoned_refunds, record_done
from .limits import check_refundable, enforce_refund_limit
from .order import RefundParts, RefundQuote, parts_for, quote_refund

RECORDED = "record_refund"
"""The resolution of a Flag that asked for the amount, once it is recorded."""


def record_refund(
    payment: Payment,
    *,
    amount: Paisa,
    shipping: Paisa = Paisa(0),
    made_on: date,
    reason: str,
    actor: str,
    key: str,
    listed_reason: str = "",
    seen_refund: int | None = None,
    enforce_limit: bool = False,
) -> Refund:
    """Record that ``amount`` paisa of a captured payment were refunded outside on a day of Nepal, once per ``key``.

    ``shipping`` of the amount is for delivery, where the payment paid for an order; order and points then follow as
    for any refund. ``reason`` is a sentence for colleagues, ``actor`` is the user's pk;
    ``listed_reason``, ``seen_refund`` and ``enforce_limit`` are those of ``refund_order`` (there ``reason``).

    Returns the Refund, which ``is_repeated`` where the key was used before. Raises ``CannotRefund``
    (``RefundLimitExceeded`` above the limit, ``SelfDealing`` for the actor's own order) with a sentence for staff;
    then nothing is recorded. Raises ``InsideTransaction``.
    """
    forbid_transaction("record_refund")
    note = PrivateText(reason.strip())
    if not note:
        raise CannotRefund(_("Enter a reason: colleagues will need it later."))
    close_abandoned_refunds(payment.purchase_id)

    def work() -> Refund:
        purchase, payments, locked = transitions.lock(payment)
        earlier = Refund.objects.filter(key=key).first()
        if earlier is not None:
            return _same(earlier, locked, amount)
        if seen_refund is not None and seen_refund != refunds.newest_pk(purchase):
            raise CannotRefund(stale_form_message())
        forbid_self_dealing(actor, StaffAction.RECORD_REFUND, purchase=purchase)
        check_refund_day(locked, made_on)
        if enforce_limit:
            enforce_refund_limit(purchase, amount, actor=actor)
        return record_locked(
            purchase,
            payments,
            locked,
            amount=amount,
            shipping=shipping,
            made_on=made_on,
            note=note,
            listed_reason=listed_reason,
            actor=actor,
            key=key,
        )

    try:
        return in_one_block(work)
    except IntegrityError as exc:  # another process was first, and its row was not visible here
        raise CannotRefund(stale_form_message()) from exc


def record_locked(
    purchase: Purchase,
    payments: list[Payment],
    payment: Payment,
    *,
    amount: Paisa,
    shipping: Paisa,
    made_on: date | None = None,
    note: str,
    listed_reason: str = "",
    actor: str,
    key: str,
) -> Refund:
    """Record a refund of a locked payment; the arguments and errors are those of ``record_refund``.

    Resolves the Flag that asked for this amount. What is left of a payment that bought nothing is reviewed after it.
    """
    _check(purchase, payment, amount=amount, shipping=shipping)
    order_left = Paisa(refunds.amount_paid(purchase) - refunds.totals(purchase).amount)
    of_order = Paisa(min(amount, order_left) if payment.fulfilled_at is not None else 0)
    fields = {"purchase": purchase, "payment": payment, "state": RefundState.DONE, "actor": actor, "note": note}
    fields["reason"] = listed_reason
    rows = []
    if amount > of_order:  # it bought nothing, or staff accepted more than was due
        over = f"{key}:over" if of_order else key
        rows.append(
            Refund(key=over, kind=RefundKind.PAYMENT, subtotal=0, shipping=0, amount=amount - of_order, **fields)
        )
    if of_order:
        parts = _parts(purchase, payment, of_order, shipping=shipping)
        prices = {"subtotal": parts.subtotal, "shipping_before_points": parts.shipping}
        rows.append(Refund(key=key, shipping=parts.shipping_amount, amount=of_order, **prices, **fields))
    _resolve_question(payment, note=note, actor=actor)
    for row in rows:
        row.save()
        record_done(purchase, payments, row, _("Recorded by staff."))
        if made_on is not None:
            row.done_at = _moment_on(made_on, payment)
            row.save(update_fields=["done_at"])
    if payment.fulfilled_at is None and payment.refunded < (payment.captured or 0):
        left = (payment.captured or 0) - payment.refunded
        if not payment.flags.filter(resolved_at=None).exists():  # staff decide about the rest, too
            flags.raise_flag(payment, FlagReason.REFUNDED_AT_KHALTI, {"rest": left})
    return rows[-1]


def record_made(purchase: Purchase, payments: list[Payment], refund: Refund, *, note: str, actor: str) -> Refund:
    """Record that a refund was made after all, as a row of its own: ``refund`` stays refused, or taken back.

    The payments are locked. Raises ``CannotRefund`` where less is left by now.
    """
    payment = next(one for one in payments if one.pk == refund.payment_id)
    _check(purchase, payment, amount=Paisa(refund.amount), shipping=Paisa(0))
    if refund.kind == RefundKind.ORDER:
        lines = [(sku, quantity) for sku, quantity, _restock in refund.lines]
        parts = {"subtotal": Paisa(refund.subtotal), "shipping": refund.shipping_price}
        check_refundable(purchase, lines=lines, **parts)
    first = refund.key.split(":")[1] if refund.key.startswith("made:") else refund.pk
    earlier = payment.refunds.filter(key__startswith=f"made:{first}:").count()
    made = Refund.objects.create(
        purchase=purchase,
        payment=payment,
        kind=refund.kind,
        key=f"made:{first}:{earlier}",
        state=RefundState.DONE,
        subtotal=refund.subtotal,
        shipping=refund.shipping,
        shipping_before_points=refund.shipping_before_points,
        amount=refund.amount,
        lines=refund.lines,
        actor=actor,
        note=note,
    )
    record_done(purchase, payments, made, _("Shown in Khalti's dashboard."))
    return made


def quote_recorded_refund(payment: Payment, *, amount: Paisa, shipping: Paisa) -> RefundQuote | None:
    """Return what recording a refund does to an order and its points; None where the payment bought nothing.

    Raises ``CannotRefund`` as ``record_refund``. Reads ``payment.purchase``.
    """
    purchase = payment.purchase
    _check(purchase, payment, amount=amount, shipping=shipping)
    if payment.fulfilled_at is None:
        return None
    of_order = Paisa(min(amount, refunds.amount_paid(purchase) - refunds.totals(purchase).amount))
    if not of_order:
        return None
    parts = _parts(purchase, payment, of_order, shipping=shipping)
    return quote_refund(purchase, subtotal=parts.subtotal, shipping=parts.shipping)


def _parts(purchase: Purchase, payment: Payment, amount: Paisa, *, shipping: Paisa) -> RefundParts:
    """Return what ``amount`` paisa of the order's money stand for; the whole rest, where Khalti has no more of it.

    Staff may have accepted less than was due: then all that was captured is all that can ever be refunded.
    """
    parts = parts_for(purchase, amount, shipping_amount=Paisa(min(shipping, amount)))
    captured = payment.captured or 0
    if captured >= payment.amount or payment.refunded + amount < captured:
        return parts
    left = refunds.refundable(purchase)
    return replace(parts, subtotal=left.subtotal, shipping=left.shipping)


def check_refund_day(payment: Payment, made_on: date) -> None:
    """Raise ``CannotRefund`` where no refund of a payment can have been made on this day."""
    today, first = day_of(database_now()), day_of(payment.created_at)
    if made_on > today:
        raise CannotRefund(_("This date is in the future. Enter the day on which the refund was made."))
    if made_on < first:
        raise CannotRefund(_("The payment was started on %(day)s: no refund was made before that.") % {"day": first})


def _check(purchase: Purchase, payment: Payment, *, amount: Paisa, shipping: Paisa) -> None:
    if payment.state not in CAPTURED or not payment.captured:
        raise CannotRefund(_("Khalti has captured no money for this payment, so there is nothing to refund."))
    if amount <= 0 or shipping < 0:
        raise CannotRefund(_("Enter an amount of more than 0."))
    left = Paisa(payment.captured - payment.refunded)
    if amount > left:
        values = {
            "left": npr(left),
            "captured": npr(Paisa(payment.captured)),
            "refunded": npr(Paisa(payment.refunded)),
        }
        raise CannotRefund(
            _("Only %(left)s can be refunded: Khalti captured %(captured)s, and %(refunded)s is refunded here.")
            % values
        )
    if shipping > amount:
        raise CannotRefund(_("The part for delivery is more than the whole amount."))
    shipping_left = refunds.paid_for_shipping(purchase) - refunds.totals(purchase).shipping_amount
    if payment.fulfilled_at is not None and shipping > shipping_left:
        raise CannotRefund(_("That is more than is left to refund of the delivery."))
    if refunds.pending(purchase):
        raise CannotRefund(_("Another refund of this order is not finished yet."))


def _same(earlier: Refund, payment: Payment, amount: Paisa) -> Refund:
    """Return the Refund that this form has recorded before. Raises ``CannotRefund`` where it had other figures."""
    recorded = Refund.objects.filter(key__in=[earlier.key, f"{earlier.key}:over"]).values_list("amount", flat=True)
    if earlier.payment_id != payment.pk or sum(recorded) != amount:
        raise CannotRefund(_("This form was sent before with other amounts. Please open the page again."))
    earlier.is_repeated = True
    return earlier


def _resolve_question(payment: Payment, *, note: str, actor: str) -> None:
    """Resolve the Flag that asks for the amount of a partial refund: this is the answer."""
    asked = Flag.objects.filter(payment=payment, reason=FlagReason.REFUNDED_AT_KHALTI, resolved_at=None)
    asked.filter(evidence__status__iexact=Status.PARTIALLY_REFUNDED.value).update(
        resolved_at=database_now(), resolution=RECORDED, note=note, actor=actor
    )


def _moment_on(day: date, payment: Payment) -> datetime:
    """Return a moment of a day of Nepal: now, if that is today, else its noon, but not before the payment."""
    now = database_now()
    paid_at = payment.paid_at or payment.created_at
    noon = datetime.combine(day, time(12), tzinfo=KATHMANDU)
    return now if day == day_of(now) else max(noon, paid_at) if day_of(paid_at) == day else noon
