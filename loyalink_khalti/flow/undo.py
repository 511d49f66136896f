"""Give a placed purchase back, wholly or in parts: cash by Khalti, points by the ledger, goods by the shop.

A Refund row is committed first, then Khalti is asked once; it is never sent again by itself. What comes of it is
written in one block with the shop's books and the points. Where no cash goes back by Khalti, all of it is one block.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotRefund, KhaltiError, KhaltiRejected, LedgerError, ShopCannot
from loyalink_khalti.khalti.wire import is_id
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.arithmetic import Rounding, cumulative
from loyalink_khalti.loyalty.programmes import rounding_of
from loyalink_khalti.loyalty.returning import refund_quote
from loyalink_khalti.money import Paisa, Points, npr
from loyalink_khalti.payments import refunds, services
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import Reason, RefundState
from loyalink_khalti.ports import Method

from .transactions import forbid_transaction, in_one_block, is_the_databases_own

log = logging.getLogger(__name__)

LEFT_BEHIND = timedelta(seconds=60)
"""How long after the deadline of a call whoever made it is taken to be gone."""

_UNFINISHED = [RefundState.REQUESTED, RefundState.SENT]
Lines = Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """What a refund would do: cash in paisa, points that come back, and points that are taken back."""

    cash_for_goods: Paisa
    shipping: Paisa
    by_khalti: bool
    """Whether Khalti gives the cash back; otherwise staff do, by hand."""
    restored: Points
    clawed: Points

    @property
    def cash(self) -> Paisa:
        return Paisa(self.cash_for_goods + self.shipping)


def undo_quote(purchase: Purchase, *, goods: Paisa, shipping: Paisa, lines: Lines = ()) -> Back:
    """What refunding so much goods (at their price before points) and shipping would do.

    Raises ``CannotRefund`` where there is less left. Cash and points each come back in proportion, counted from the
    beginning, so that any number of parts sums to what was paid.
    """
    cart, done = purchase.frozen_cart, refunds.so_far(purchase)
    _check(purchase, goods=goods, shipping=shipping, lines=lines)
    goods_so_far = Paisa(done.goods + goods)
    mode = rounding_of(purchase.rules_version)
    due = cumulative(refunds.cash_of_goods(purchase), goods_so_far, cart.goods, mode) if cart.goods else 0
    points = refund_quote(purchase=purchase.key, so_far=goods_so_far, goods_total=cart.goods)
    cash_for_goods = Paisa(due - (done.cash - done.shipping))
    return Back(
        cash_for_goods=cash_for_goods,
        shipping=shipping,
        by_khalti=purchase.method == Method.KHALTI and cash_for_goods + shipping > 0,
        restored=points.restored,
        clawed=points.clawed,
    )


def _check(purchase: Purchase, *, goods: Paisa, shipping: Paisa, lines: Lines) -> None:
    left = refunds.left(purchase)
    if purchase.state != Purchase.State.PLACED:
        raise CannotRefund(_("This order has not been placed."))
    if goods < 0 or shipping < 0 or any(quantity < 1 for _sku, quantity in lines):
        raise CannotRefund(_("Nothing below zero can be given back."))
    if not goods + shipping and (left.goods or left.shipping or refunds.has_any(purchase)):
        raise CannotRefund(_("Say how much is to be given back."))
    if refunds.is_awaited(purchase) and goods != left.goods:
        raise CannotRefund(_("The money of this order has not come yet: it can be cancelled as a whole."))
    if goods > left.goods:
        raise CannotRefund(_("Only goods for %(left)s are left to refund.") % {"left": npr(left.goods)})
    if shipping > left.shipping:
        raise CannotRefund(_("Only %(left)s of the delivery are left to refund.") % {"left": npr(left.shipping)})
    for sku, quantity in refunds.counted(lines).items():
        if quantity > left.lines[sku]:
            words = {"sku": sku, "left": left.lines[sku]}
            raise CannotRefund(_("Only %(left)s of %(sku)s are left to give back.") % words)


def worth_back(purchase: Purchase) -> Paisa:
    """What the points that refunds have given back were worth; all of it only when all goods are refunded."""
    if not refunds.has_any(purchase):
        return Paisa(0)
    done = refunds.so_far(purchase).goods
    return Paisa(cumulative(purchase.worth, done, purchase.frozen_cart.goods, Rounding.FLOOR))


def undo(
    purchase: Purchase,
    *,
    goods: Paisa,
    shipping: Paisa,
    key: str,
    by: str,
    lines: Lines = (),
    shelve: bool = True,
    mobile: str = "",
) -> Refund:
    """Refund ``goods`` (at their price before points) and ``shipping``, in paisa; once per ``key``.

    ``lines`` (sku, quantity) come back, and to the shelf if ``shelve``; ``mobile`` is the Khalti account for what was
    paid by bank; ``by`` is the user's pk. Look at the Refund's state: ``done``, ``refused`` in Khalti's words, or
    ``unknown``. Raises ``CannotRefund`` with words for staff; then nothing was sent.
    """
    forbid_transaction("undo")
    asked: list[list[str | int]] = [[sku, quantity, shelve] for sku, quantity in lines]
    in_one_block(lambda: _end_what_was_left_behind(purchase.pk))
    try:
        refund = in_one_block(
            lambda: _request(purchase.pk, goods=goods, shipping=shipping, key=key, by=by, lines=asked)
        )
    except ShopCannot as exc:
        raise CannotRefund(_("The shop cannot take this back: %(why)s") % {"why": exc.detail or exc.reason}) from exc
    if refund.state != RefundState.REQUESTED:  # a second click, or no cash for Khalti to give back
        return refund
    if not in_one_block(lambda: refunds.send(refund)):
        return Refund.objects.get(pk=refund.pk)
    return _ask_khalti(refund, mobile=mobile)


def undo_again(refund: Refund) -> Refund:
    """Let shop and points follow a refund that Khalti has made and that they could not follow at first; once."""
    forbid_transaction("undo_again")

    def work() -> Refund:
        purchase, _payments = services.lock(refund.purchase_id)
        row = Refund.objects.select_related("payment").get(pk=refund.pk)
        if row.state == RefundState.DONE and row.carried_at is None:
            _carry(purchase, row)
        return row

    return in_one_block(work)


def _end_what_was_left_behind(purchase_id: int) -> None:
    before = timezone.now() - LEFT_BEHIND - timedelta(seconds=conf.deadline())
    if Refund.objects.filter(purchase=purchase_id, state__in=_UNFINISHED, requested_at__lt=before).exists():
        purchase, _payments = services.lock(purchase_id)
        refunds.give_up(purchase, before=before)


def _request(
    purchase_id: int, *, goods: Paisa, shipping: Paisa, key: str, by: str, lines: list[list[str | int]]
) -> Refund:
    purchase, payments = services.lock(purchase_id)
    earlier = Refund.objects.filter(key=key).first()
    if earlier is not None:
        if (earlier.purchase_id, earlier.goods, earlier.shipping, earlier.lines) != (
            purchase_id, goods, shipping, lines,
        ):  # fmt: skip
            raise CannotRefund(_("This form was sent before with other amounts. Please open the page again."))
        return earlier
    if refunds.pending(purchase):
        raise CannotRefund(_("Another refund of this order is not finished yet."))
    if refunds.not_carried(purchase):
        raise CannotRefund(_("An earlier refund of this order is not in the shop's books yet."))
    back = undo_quote(purchase, goods=goods, shipping=shipping, lines=[(str(sku), int(n)) for sku, n, _ in lines])
    payment = _payer(payments, back) if back.by_khalti else None
    refund = Refund.objects.create(
        purchase=purchase,
        payment=payment,
        key=key,
        goods=goods,
        shipping=shipping,
        cash=back.cash,
        lines=lines,
        actor=by,
    )
    if payment is None:
        refunds.resolve(refund, RefundState.DONE)
        _carry(purchase, refund)
    return refund


def _payer(payments: Sequence[Payment], back: Back) -> Payment:
    """The payment that Khalti gives cash back of, if it has so much left."""
    payment = refunds.paid_by(payments)
    if payment is None:
        raise CannotRefund(_("No payment at Khalti has paid for this order."))
    if payment.refunded + back.cash > (payment.captured or 0):
        raise CannotRefund(
            _("Khalti has given back %(refunded)s already.") % {"refunded": npr(Paisa(payment.refunded))}
        )
    return payment


def _ask_khalti(refund: Refund, *, mobile: str) -> Refund:
    payment = Payment.objects.select_related("credentials").get(refunds=refund)
    all_of_it = not payment.refunded and refund.cash == payment.captured
    transaction_id = payment.transaction_id or ""
    try:
        client, _same_key = conf.khalti(payment.credentials)
        if not is_id(transaction_id):
            raise ImproperlyConfigured("Khalti has given no transaction id")
    except ImproperlyConfigured as exc:  # nothing was sent
        return _resolved(refund, RefundState.REFUSED, str(exc))
    try:
        words = client.refund(transaction_id, amount=None if all_of_it else Paisa(refund.cash), mobile=mobile or None)
    except KhaltiRejected as exc:
        return _resolved(refund, RefundState.REFUSED, exc.words)
    except KhaltiError as exc:
        log.warning("refund %s: %s", refund.pk, exc)
        return _resolved(refund, RefundState.UNKNOWN, str(exc))
    return _done(refund, words)


def _resolved(refund: Refund, state: RefundState, words: str) -> Refund:
    def work() -> Refund:
        services.lock(refund.purchase_id)
        row = Refund.objects.select_related("payment").get(pk=refund.pk)
        if row.state != RefundState.SENT:
            return row
        if state is RefundState.UNKNOWN:
            refunds.mark_unknown(row, words)
        else:
            refunds.resolve(row, state, words)
        return row

    return in_one_block(work)


def _done(refund: Refund, words: str) -> Refund:
    """The money is back: count it, and let shop and points follow in a savepoint."""

    def work() -> Refund:
        purchase, payments = services.lock(refund.purchase_id)
        row = Refund.objects.select_related("payment").get(pk=refund.pk)
        if row.state == RefundState.DONE:
            return row
        refunds.resolve(row, RefundState.DONE, words)
        refunds.resolve_flag(row, Reason.REFUND_UNKNOWN)
        refunds.give_back(next(one for one in payments if one.pk == row.payment_id), row.cash)
        _carry(purchase, row)
        return row

    return in_one_block(work)


def _carry(purchase: Purchase, refund: Refund) -> None:
    """Carry a refund into the shop's books and the points; where the shop fails, the money's side stays written."""
    try:
        with transaction.atomic():
            _follow(purchase, refund)
    except Exception as exc:
        if is_the_databases_own(exc) or refund.payment is None:
            raise  # without Khalti no money has moved yet: all of it is undone
        log.warning(
            "refund %s could not be carried on", refund.pk, exc_info=not isinstance(exc, ShopCannot | LedgerError)
        )
        refund.refresh_from_db()
        why = str(exc) if isinstance(exc, ShopCannot | LedgerError) else type(exc).__name__
        services.raise_flag(refund.payment, Reason.HOST_FAILED, {"refund": refund.key, "shop": why})


def _follow(purchase: Purchase, refund: Refund) -> None:
    """The shop's rows first, the account last."""
    conf.shop(purchase.shop).reverse(
        purchase.ref,
        goods=Paisa(refund.cash - refund.shipping),
        shipping=Paisa(refund.shipping),
        lines=tuple((sku, quantity) for sku, quantity, shelve in refund.lines if shelve),
        key=refund.key,
    )
    moved = ledger.refund(
        purchase=purchase.key,
        refund_ref=refund.key,
        so_far=refunds.so_far(purchase).goods,  # this one included: it is done
        goods_total=purchase.frozen_cart.goods,
    )
    refund.restored, refund.clawed, refund.carried_at = moved.restored, moved.clawed, timezone.now()
    refund.save(update_fields=["restored", "clawed", "carried_at"])
    refunds.resolve_flag(refund, Reason.HOST_FAILED)
