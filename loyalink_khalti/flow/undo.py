"""Give a placed purchase back, wholly or in parts: cash by Khalti, points by the ledger, goods by the shop.

A Refund row is committed first, then Khalti is asked once; it is never sent again by itself. What comes of it is
written in one block with the shop's books and the points. Where no cash goes back by Khalti, all of it is one block.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotRefund, ShopCannot
from loyalink_khalti.loyalty.arithmetic import Rounding, cumulative
from loyalink_khalti.loyalty.programmes import rounding_of
from loyalink_khalti.loyalty.returning import refund_quote
from loyalink_khalti.money import Paisa, Points, npr
from loyalink_khalti.payments import refunds, services
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import RefundState
from loyalink_khalti.ports import Method, Private

from .limits import insist_on_refund_limit
from .refunding import carry, end_what_was_left_behind, send
from .transactions import forbid_transaction, in_one_block

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


def goods_for(purchase: Purchase, cash: Paisa) -> Paisa:
    """The least goods (at their price before points) of which so much more ``cash`` comes back; all where none do."""
    goods, done = purchase.frozen_cart.goods, refunds.so_far(purchase)
    mode, paid = rounding_of(purchase.rules_version), refunds.cash_of_goods(purchase)
    due = done.cash - done.shipping + cash
    few, many = int(done.goods), int(goods)
    while few < many:  # what comes back grows with the goods, by a paisa at most
        middle = (few + many) // 2
        if cumulative(paid, Paisa(middle), goods, mode) < due:
            few = middle + 1
        else:
            many = middle
    return Paisa(few - done.goods)


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
    seen: int | None = None,
    within_limit: bool = False,
) -> Refund:
    """Refund ``goods`` (at their price before points) and ``shipping``, in paisa; once per ``key``.

    ``lines`` (sku, quantity) come back, and to the shelf if ``shelve``; ``mobile`` is the Khalti account for what was
    paid by bank; ``by`` is the user's pk. ``seen`` is what ``refunds.newest`` said when they looked, and
    ``within_limit`` that they may not pass the site's limit; both are held to under the lock. Look at the Refund's
    state: ``done``, ``refused`` in Khalti's words, or ``unknown``. Raises ``CannotRefund`` with words for staff; then
    nothing was sent.
    """
    forbid_transaction("undo")
    mobile = Private(mobile)
    asked: list[list[str | int]] = [[sku, quantity, shelve] for sku, quantity in lines]
    end_what_was_left_behind(purchase.pk)

    def work() -> Refund:
        return _request(
            purchase.pk, goods=goods, shipping=shipping, key=key, by=by, lines=asked, seen=seen,
            within_limit=within_limit,
        )  # fmt: skip

    try:
        refund = in_one_block(work)
    except IntegrityError as exc:  # somebody else's came first, and this transaction could not see it
        raise CannotRefund(_("Another refund of this order is not finished yet.")) from exc
    except ShopCannot as exc:
        raise CannotRefund(_("The shop cannot take this back: %(why)s") % {"why": exc.detail or exc.reason}) from exc
    if refund.state != RefundState.REQUESTED:  # a second click, or no cash for Khalti to give back
        return refund
    return send(refund, mobile=mobile)


def undo_again(refund: Refund) -> Refund:
    """Let shop and points follow a refund that Khalti has made and that they could not follow at first; once."""
    forbid_transaction("undo_again")

    def work() -> Refund:
        purchase, _payments = services.lock(refund.purchase_id)
        row = Refund.objects.select_related("payment").get(pk=refund.pk)
        if row.state == RefundState.DONE and row.carried_at is None:
            carry(purchase, row)
        return row

    return in_one_block(work)


def meanwhile() -> str:
    """What whoever has looked at an older state reads."""
    return _("Another refund was made meanwhile. Please look at what is left.")


def insist_on_shop(purchase: Purchase) -> None:
    """Refuse to send money back that the shop's books could not follow."""
    try:
        conf.shop(purchase.shop)
    except ImproperlyConfigured as exc:
        raise CannotRefund(
            _("The shop of this order is no longer set up here, so its books could not follow.")
        ) from exc


def _request(
    purchase_id: int,
    *,
    goods: Paisa,
    shipping: Paisa,
    key: str,
    by: str,
    lines: list[list[str | int]],
    seen: int | None,
    within_limit: bool,
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
    if seen is not None and seen != refunds.newest(purchase):
        raise CannotRefund(meanwhile())
    insist_on_shop(purchase)
    back = undo_quote(purchase, goods=goods, shipping=shipping, lines=[(str(sku), int(n)) for sku, n, _ in lines])
    if within_limit:
        insist_on_refund_limit(purchase, back.cash)
    payment = _payer(payments, back) if back.by_khalti else None
    cash = back.cash if payment is None else min(back.cash, (payment.captured or 0) - payment.refunded)
    refund = refunds.write_down(
        purchase=purchase,
        payment=payment,
        key=key,
        goods=goods,
        shipping=shipping,
        cash=cash,
        lines=lines,
        actor=by,
    )
    if payment is None:
        refunds.resolve(refund, RefundState.DONE)
        carry(purchase, refund)
    return refund


def _payer(payments: Sequence[Payment], back: Back) -> Payment:
    """The payment that Khalti gives cash back of, as much as it has left: less came in where staff accepted less."""
    payment = refunds.paid_by(payments)
    if payment is None:
        raise CannotRefund(_("No payment at Khalti has paid for this order."))
    if services.has_unsaid_part(payment):
        raise CannotRefund(_("A part was given back in Khalti's dashboard; say first how much it was."))
    captured = payment.captured or 0
    if payment.refunded >= captured or payment.refunded + back.cash > max(captured, payment.amount):
        raise CannotRefund(
            _("Khalti has given back %(refunded)s already.") % {"refunded": npr(Paisa(payment.refunded))}
        )
    return payment
