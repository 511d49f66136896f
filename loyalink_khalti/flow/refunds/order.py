"""Refund a placed order, in full or in part: money by Khalti or by hand, points by the ledger, stock by the shop.

A Refund row is committed first, then Khalti is called once; a refund is never sent again automatically. The result is
written in one transaction with the shop's order and the points. A refund without Khalti is one transaction as a whole.
"""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import IntegrityError
from django.utils.translation import gettext as _

from loyalink_khalti import telemetry
from loyalink_khalti.errors import CannotRefund, ShopCannot
from loyalink_khalti.flow.notices import posting
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.loyalty.ledger import preview_refund, refund_rounding
from loyalink_khalti.money import Paisa, Points, Rounding, cumulative
from loyalink_khalti.payments import refunds, transitions
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.payments.states import RefundState
from loyalink_khalti.ports import PaymentMethod, PrivateText

from .checks import RefundLines, check_no_other, check_shop, lines_to_keep, money_to_refund, payment_to_refund
from .execution import apply_or_flag, close_abandoned_refunds
from .grants import Grant
from .limits import Lines, check_mobile, check_refundable, enforce_approval, enforce_refund_limit
from .sending import send_refund


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundQuote:
    """What a refund does: money in paisa, points that are returned, and earned points that are reversed."""

    shipping: Paisa
    """The price before points of the delivery that is refunded."""
    product_amount: Paisa
    shipping_amount: Paisa
    via_khalti: bool
    """Whether Khalti refunds the money; otherwise staff do it by hand."""
    points_restored: Points
    points_clawed_back: Points

    @property
    def amount(self) -> Paisa:
        return Paisa(self.product_amount + self.shipping_amount)


def quote_refund(purchase: Purchase, *, subtotal: Paisa, shipping: Paisa, lines: Lines = ()) -> RefundQuote:
    """Return what refunding products for ``subtotal`` paisa and delivery for ``shipping`` paisa does.

    Both are prices before points. Of each part, money and points are shares of what was paid for that part, counted
    with all earlier refunds, so that any number of refunds sums to what was paid. An order that is not paid yet is
    cancelled as a whole, with its delivery. Raises ``CannotRefund`` where less is left.
    """
    check_refundable(purchase, subtotal=subtotal, shipping=shipping, lines=lines)
    if refunds.is_awaiting_money(purchase):
        shipping = refunds.refundable(purchase).shipping
    cart, done = purchase.frozen_cart, refunds.totals(purchase)
    refunded_so_far, shipping_so_far = Paisa(done.subtotal + subtotal), Paisa(done.shipping + shipping)
    rounding = refund_rounding(purchase.rules_version)
    for_products = _share(refunds.paid_for_products(purchase), refunded_so_far, cart.subtotal, rounding)
    for_shipping = _share(refunds.paid_for_shipping(purchase), shipping_so_far, cart.shipping, rounding)
    points = preview_refund(
        purchase=purchase.key,
        refunded_so_far=refunded_so_far,
        subtotal=cart.subtotal,
        shipping_so_far=shipping_so_far,
        shipping=cart.shipping,
    )
    product_amount = Paisa(max(for_products - done.product_amount, 0))
    shipping_amount = Paisa(max(for_shipping - done.shipping_amount, 0))
    return RefundQuote(
        shipping=shipping,
        product_amount=product_amount,
        shipping_amount=shipping_amount,
        via_khalti=purchase.method == PaymentMethod.KHALTI and product_amount + shipping_amount > 0,
        points_restored=points.points_restored,
        points_clawed_back=points.points_clawed_back,
    )


def _share(paid: Paisa, refunded: Paisa, price: Paisa, rounding: Rounding) -> int:
    """How much of what was paid for one part belongs to what is refunded of it; a part without a price has nothing."""
    return cumulative(paid, refunded, price, rounding) if price else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundParts:
    """What money stands for: products and delivery in paisa before points, and the money for delivery."""

    subtotal: Paisa
    shipping: Paisa
    shipping_amount: Paisa


def parts_for(purchase: Purchase, amount: Paisa, *, shipping_amount: Paisa = Paisa(0)) -> RefundParts:
    """Return what of an order has to be refunded so that ``amount`` paisa of money go back; all, for all the money.

    ``shipping_amount`` of the money is for delivery. The rest is for products and, beyond what was paid for them, for
    delivery too. What is more than was paid for the order stands for nothing.
    """
    cart, done = purchase.frozen_cart, refunds.totals(purchase)
    for_products, for_shipping = refunds.paid_for_products(purchase), refunds.paid_for_shipping(purchase)
    products_left = max(for_products - done.product_amount, 0)
    shipping_left = max(for_shipping - done.shipping_amount, 0)
    shipping_amount = Paisa(min(max(shipping_amount, amount - products_left), shipping_left))
    rounding = refund_rounding(purchase.rules_version)
    products_due = done.product_amount + amount - shipping_amount
    return RefundParts(
        subtotal=_price_for(for_products, products_due, done.subtotal, cart.subtotal, rounding),
        shipping=_price_for(
            for_shipping, done.shipping_amount + shipping_amount, done.shipping, cart.shipping, rounding
        ),
        shipping_amount=shipping_amount,
    )


def _price_for(paid: Paisa, due: int, refunded: Paisa, price: Paisa, rounding: Rounding) -> Paisa:
    """How much more of a part has to be refunded, in paisa before points, until ``due`` of its money is refunded."""
    if due >= paid:
        return Paisa(price - refunded if paid else 0)
    if not due * price % paid:
        return Paisa(max(due * price // paid - refunded, 0))
    low, high = int(refunded), int(price)
    while low < high:  # the money grows with the price, so a binary search finds it
        middle = (low + high) // 2
        if _share(paid, Paisa(middle), price, rounding) < due:
            low = middle + 1
        else:
            high = middle
    return Paisa(low - refunded)


def points_value_restored(purchase: Purchase) -> Paisa:
    """Return the value, in paisa, of the points that the refunds of an order have returned so far."""
    cart, done, paid = purchase.frozen_cart, refunds.totals(purchase), refunds.paid_by_points(purchase)
    of_products = _share(paid.products_value, done.subtotal, cart.subtotal, Rounding.FLOOR)
    return Paisa(of_products + _share(paid.shipping_value, done.shipping, cart.shipping, Rounding.FLOOR))


def refund_order(
    purchase: Purchase,
    *,
    subtotal: Paisa,
    shipping: Paisa,
    key: str,
    actor: str,
    lines: Lines = (),
    restock: bool | Collection[str] = True,
    reason: str = "",
    note: str = "",
    mobile: str = "",
    seen_refund: int | None = None,
    enforce_limit: bool = False,
    cancels: bool = False,
    grant: Grant | None = None,
) -> Refund:
    """Refund products for ``subtotal`` and delivery for ``shipping``, in paisa before points; once per ``key``.

    ``lines`` (``Line.key``, quantity) are returned, and restocked if ``restock``, which may also be the keys of those
    that are. ``reason`` is a code of ``payments.refund_reasons`` or a text of the shop. ``mobile`` is the customer's
    Khalti number, which Khalti needs where a bank account paid; it is refused before Khalti has asked for one
    (``payments.refund_mobile``). ``actor`` is the user's pk. ``seen_refund`` is the newest refund that they saw
    (``payments.refunds.newest_pk``), ``enforce_limit`` applies the site's limit, and ``cancels`` refuses an order that
    is paid by now; all are checked under the lock. ``grant`` is a colleague's approval (``approvals.py``).

    Returns the Refund, whose state is ``done``, ``refused`` (Khalti's message says why) or ``unknown``; it
    ``is_repeated`` where the key was used before. Raises ``CannotRefund``, ``RefundLimitExceeded`` (``ApprovalNeeded``
    where a colleague must approve it) or ``SelfDealing`` with a message for staff (nothing was sent then), and
    ``InsideTransaction``.
    https://docs.khalti.com/khalti-epayment/#refund
    """
    forbid_transaction("refund_order")
    mobile = PrivateText(mobile)
    kept_lines = lines_to_keep(lines, restock)
    close_abandoned_refunds(purchase.pk)

    def work() -> Refund:
        return _request(
            purchase.pk, subtotal=subtotal, shipping=shipping, key=key, actor=actor, lines=kept_lines,
            reason=reason, note=PrivateText(note.strip()), mobile=mobile, seen_refund=seen_refund,
            enforce_limit=enforce_limit, cancels=cancels, grant=grant,
        )  # fmt: skip

    with telemetry.Span("refund_order") as span:
        span.about(purchase=purchase.key, site_key=purchase.site_key)
        try:
            refund = in_one_block(work)
        except IntegrityError as exc:  # another process was first, and its row was not visible here
            raise CannotRefund(_("Another refund of this order is not finished yet.")) from exc
        except ShopCannot as exc:
            why = {"reason": exc.detail or exc.reason}
            raise CannotRefund(_("The shop cannot record this refund: %(reason)s") % why) from exc
        if refund.state == RefundState.REQUESTED:  # not a second click, and there is money for Khalti to refund
            is_repeated = refund.is_repeated
            refund = send_refund(refund, mobile=mobile)
            refund.is_repeated = is_repeated
        span.outcome = str(refund.state)
        return refund


def cancel_order(purchase: Purchase) -> Refund:
    """Cancel a placed order without any money that its shop has cancelled; its points and reserved stock follow, once.

    Nothing is restocked besides: what was sent is not known to be back. Raises ``CannotRefund`` where money has
    arrived or the order is cancelled already, ``ShopCannot`` where the shop fails, and ``InsideTransaction``.
    """
    forbid_transaction("cancel_order")

    def work() -> Refund:
        locked, _payments = transitions.lock_purchase(purchase.pk)
        if refunds.has_money(locked):
            raise CannotRefund(_("This order is paid. Refund it instead."))
        left, earlier = refunds.refundable(locked), Refund.objects.filter(purchase=locked).count()
        return _request(
            locked.pk, subtotal=left.subtotal, shipping=left.shipping, key=f"{locked.ref}:shop:{earlier}", actor=None,
            lines=[], mobile="", seen_refund=None, enforce_limit=False, cancels=True,
        )  # fmt: skip

    return in_one_block(work)


def apply_refund(refund: Refund) -> Refund:
    """Apply a refund that Khalti has made to the shop's order and the points, where that failed before; once.

    Raises ``InsideTransaction``. Where it fails again, the Refund that is returned has no ``applied_at``.
    """
    forbid_transaction("apply_refund")

    def work() -> Refund:
        purchase, _payments = transitions.lock_purchase(refund.purchase_id)
        row = Refund.objects.select_related("payment").get(pk=refund.pk)
        if row.state == RefundState.DONE and row.applied_at is None:
            apply_or_flag(purchase, row)
        return row

    return in_one_block(work)


def _request(
    purchase_id: int,
    *,
    subtotal: Paisa,
    shipping: Paisa,
    key: str,
    actor: str | None,
    lines: RefundLines,
    mobile: str,
    seen_refund: int | None,
    enforce_limit: bool,
    cancels: bool,
    reason: str = "",
    note: str = "",
    grant: Grant | None = None,
) -> Refund:
    purchase, payments = transitions.lock_purchase(purchase_id)
    earlier = Refund.objects.filter(key=key).first()
    if earlier is not None:
        if (earlier.purchase_id, earlier.subtotal, earlier.lines) != (purchase_id, subtotal, lines) or (
            earlier.shipping_price != shipping and not refunds.is_awaiting_money(purchase)
        ):
            raise CannotRefund(_("This form was sent before with other amounts. Please open the page again."))
        earlier.is_repeated = True
        return earlier
    forbid_self_dealing(actor, StaffAction.REFUND, purchase=purchase)
    if cancels and not refunds.is_awaiting_money(purchase):
        raise CannotRefund(_("This order is paid. Refund it instead."))
    check_no_other(purchase, seen_refund)
    check_shop(purchase)
    chosen = [(str(line), int(quantity)) for line, quantity, _restock in lines]
    quoted = quote_refund(purchase, subtotal=subtotal, shipping=shipping, lines=chosen)
    if enforce_limit:
        enforce_refund_limit(purchase, quoted.amount, actor=str(actor))
    is_awaited = refunds.is_awaiting_money(purchase)
    payment = payment_to_refund(payments, quoted.amount) if quoted.via_khalti else None
    check_mobile(payment, mobile)
    amount = money_to_refund(payment, quoted.amount)
    if grant is not None:
        grant.check(purchase, amount, restored=quoted.points_restored, clawed_back=quoted.points_clawed_back)
    elif actor is not None:
        enforce_approval(purchase, amount)
    refund = refunds.create(
        purchase=purchase,
        payment=payment,
        key=key,
        subtotal=subtotal,
        shipping=min(quoted.shipping_amount, amount),
        shipping_before_points=quoted.shipping,
        amount=amount,
        lines=lines,
        actor=actor,
        reason=reason,
        note=note,
        mobile=mobile,
    )
    if grant is not None:
        grant.use(refund)
    if payment is None:
        refunds.set_state(refund, RefundState.DONE)
        apply_or_flag(purchase, refund)
        (posting.order_cancelled if is_awaited else posting.order_refunded)(refund)
    return refund
