"""Give a placed purchase back, wholly or in parts: cash by Khalti, points by the ledger, goods by the shop.

A Refund row is committed first, then Khalti is asked once; it is never sent again by itself. What comes of it is
written in one block with the shop's books and the points.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotRefund, KhaltiError, KhaltiRejected, ShopCannot
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.arithmetic import cumulative
from loyalink_khalti.loyalty.programmes import rounding_of
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.payments import refunds, services
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import PENDING_REFUND, Reason, RefundState
from loyalink_khalti.ports import Method

from .transactions import forbid_transaction, in_one_block, is_the_databases_own

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """What a refund would give: ``goods`` and ``shipping`` in cash, paisa; and what could still be given after it."""

    cash_for_goods: Paisa
    shipping: Paisa
    goods_left: Paisa
    shipping_left: Paisa

    @property
    def cash(self) -> Paisa:
        return Paisa(self.cash_for_goods + self.shipping)


def undo_quote(purchase: Purchase, *, goods: Paisa, shipping: Paisa) -> Back:
    """What refunding so much goods (at their price before points) and shipping would give back in cash.

    Raises ``CannotRefund`` where there is less left. Cash and points each come back in proportion, counted from the
    beginning, so that any number of parts sums to what was paid.
    """
    cart, done, came = purchase.frozen_cart, refunds.so_far(purchase), refunds.came_in(purchase)
    cash_of_goods = Paisa(min(max(cart.goods - purchase.worth, 0), came))
    shipping_paid = Paisa(came - cash_of_goods)
    goods_left, shipping_left = Paisa(cart.goods - done.goods), Paisa(shipping_paid - done.shipping)
    if purchase.state != Purchase.State.PLACED:
        raise CannotRefund(_("This order has not been placed."))
    if goods < 0 or shipping < 0 or not goods + shipping:
        raise CannotRefund(_("Say how much is to be given back."))
    if goods > goods_left:
        raise CannotRefund(_("Only goods for %(left)s are left to refund.") % {"left": npr(goods_left)})
    if shipping > shipping_left:
        raise CannotRefund(_("Only %(left)s of the delivery are left to refund.") % {"left": npr(shipping_left)})
    mode = rounding_of(purchase.rules_version)
    due = cumulative(cash_of_goods, done.goods + goods, cart.goods, mode) if cart.goods else 0
    return Back(
        cash_for_goods=Paisa(due - (done.cash - done.shipping)),
        shipping=shipping,
        goods_left=Paisa(goods_left - goods),
        shipping_left=Paisa(shipping_left - shipping),
    )


def undo(
    purchase: Purchase,
    *,
    goods: Paisa,
    shipping: Paisa,
    key: str,
    by: str,
    lines: Sequence[tuple[str, int]] = (),
    mobile: str = "",
) -> Refund:
    """Refund ``goods`` (at their price before points) and ``shipping``, in paisa; once per ``key``.

    ``lines`` (sku, quantity) go back on the shelf; ``mobile`` is the Khalti account for what was paid by bank; ``by``
    is the user's pk. Look at the Refund's state: ``done``, ``refused`` in Khalti's words, or ``unknown``. Raises
    ``CannotRefund`` with words for staff; then nothing was sent.
    """
    forbid_transaction("undo")
    refund = in_one_block(
        lambda: _request(purchase.pk, goods=goods, shipping=shipping, key=key, by=by, lines=list(lines))
    )
    if refund.state != RefundState.REQUESTED:  # a second click
        return refund
    if refund.payment_id is None or not refund.cash:
        return _done(refund, "")
    if not in_one_block(lambda: refunds.send(refund)):
        return Refund.objects.get(pk=refund.pk)
    return _ask_khalti(refund, mobile=mobile)


def _request(
    purchase_id: int, *, goods: Paisa, shipping: Paisa, key: str, by: str, lines: list[tuple[str, int]]
) -> Refund:
    purchase, payments = services.lock(purchase_id)
    earlier = Refund.objects.filter(key=key).first()
    if earlier is not None:
        if (earlier.purchase_id, earlier.goods, earlier.shipping) != (purchase_id, goods, shipping):
            raise CannotRefund(_("This form was sent before with other amounts. Please open the page again."))
        return earlier
    if purchase.refunds.filter(state__in=sorted(PENDING_REFUND)).exists():
        raise CannotRefund(_("Another refund of this order is not finished yet."))
    back = undo_quote(purchase, goods=goods, shipping=shipping)
    payment = refunds.paid_by(payments) if purchase.method == Method.KHALTI else None
    if payment is not None and payment.refunded + back.cash > (payment.captured or 0):
        raise CannotRefund(
            _("Khalti has given back %(refunded)s already.") % {"refunded": npr(Paisa(payment.refunded))}
        )
    return Refund.objects.create(
        purchase=purchase,
        payment=payment,
        key=key,
        goods=goods,
        shipping=shipping,
        cash=back.cash,
        lines=lines,
        actor=by,
    )


def _ask_khalti(refund: Refund, *, mobile: str) -> Refund:
    payment = Payment.objects.select_related("credentials").get(refunds=refund)
    all_of_it = not payment.refunded and refund.cash == payment.captured
    try:
        client, _same_key = conf.khalti(payment.credentials)
        words = client.refund(
            payment.transaction_id or "", amount=None if all_of_it else Paisa(refund.cash), mobile=mobile or None
        )
    except KhaltiRejected as exc:
        return _resolved(refund, RefundState.REFUSED, exc.words)
    except (KhaltiError, ImproperlyConfigured) as exc:
        log.warning("refund %s: %s", refund.pk, exc)
        state = RefundState.UNKNOWN if isinstance(exc, KhaltiError) else RefundState.REFUSED
        return _resolved(refund, state, str(exc))
    return _done(refund, words)


def _resolved(refund: Refund, state: RefundState, words: str) -> Refund:
    def work() -> Refund:
        services.lock(refund.purchase_id)
        row = Refund.objects.select_related("payment").get(pk=refund.pk)
        refunds.resolve(row, state, words)
        if state is RefundState.UNKNOWN and row.payment is not None:
            services.raise_flag(row.payment, Reason.REFUND_UNKNOWN, {"refund": row.key, "cash": row.cash})
        return row

    return in_one_block(work)


def _done(refund: Refund, words: str) -> Refund:
    """The money is back: count it, and let shop and points follow in a savepoint."""

    def work() -> Refund:
        purchase, payments = services.lock(refund.purchase_id)
        row = Refund.objects.get(pk=refund.pk)
        if row.state == RefundState.DONE:
            return row
        before = refunds.so_far(purchase)
        refunds.resolve(row, RefundState.DONE, words)
        payment = next((one for one in payments if one.pk == row.payment_id), None)
        if payment is not None and row.cash:
            refunds.give_back(payment, row.cash)
        _carry(purchase, row, so_far=Paisa(before.goods + row.goods), payment=payment)
        return row

    return in_one_block(work)


def _carry(purchase: Purchase, refund: Refund, *, so_far: Paisa, payment: Payment | None) -> None:
    """Carry a refund into the shop's books and the points; where the shop fails, the money's side stays written."""
    try:
        with transaction.atomic():
            conf.shop(purchase.shop).reverse(
                purchase.ref,
                goods=Paisa(refund.cash - refund.shipping),
                shipping=Paisa(refund.shipping),
                lines=tuple((sku, quantity) for sku, quantity in refund.lines),
                key=refund.key,
            )
            moved = ledger.refund(
                purchase=purchase.key,
                refund_ref=refund.key,
                so_far=so_far,
                goods_total=purchase.frozen_cart.goods,
            )
            refund.restored, refund.clawed, refund.carried_at = moved.restored, moved.clawed, timezone.now()
            refund.save(update_fields=["restored", "clawed", "carried_at"])
    except Exception as exc:
        if is_the_databases_own(exc) or payment is None:
            raise  # without Khalti no money has moved yet: all of it is undone
        log.warning(
            "refund %s could not be carried into the shop", refund.pk, exc_info=not isinstance(exc, ShopCannot)
        )
        refund.refresh_from_db()
        services.raise_flag(payment, Reason.HOST_FAILED, {"refund": refund.key, "shop": type(exc).__name__})
