"""Refund a placed order, in full or in part: money by Khalti or by hand, points by the ledger, stock by the shop.

A Refund row is committed first, then Khalti is called once; a refund is never sent again automatically. The result is
written in one transaction with the shop's order and the points. A refund without Khalti is one transaction as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotRefund, ShopCannot
from loyalink_khalti.flow.self_dealing import Deed, forbid_self_dealing
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.loyalty.ledger import preview_refund, refund_rounding
from loyalink_khalti.money import Paisa, Points, Rounding, cumulative, npr
from loyalink_khalti.payments import flags, refunds, transitions
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import RefundState
from loyalink_khalti.ports import PaymentMethod, PrivateText

from .execution import apply_or_flag, close_abandoned_refunds, send_refund
from .limits import Lines, check_refundable, enforce_refund_limit

RefundLines = list[list[str | int]]
"""As the row keeps them: sku, quantity, whether to restock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundQuote:
    """What a refund does: money in paisa, points that are returned, and earned points that are reversed."""

    product_amount: Paisa
    shipping: Paisa
    via_khalti: bool
    """Whether Khalti refunds the money; otherwise staff do it by hand."""
    points_restored: Points
    points_clawed_back: Points

    @property
    def amount(self) -> Paisa:
        return Paisa(self.product_amount + self.shipping)


def quote_refund(purchase: Purchase, *, subtotal: Paisa, shipping: Paisa, lines: Lines = ()) -> RefundQuote:
    """Return what refunding products for ``subtotal`` paisa (at the price before points) and ``shipping`` does.

    Money and points are shares of the whole order, counted with all earlier refunds, so that any number of parts sums
    to what was paid. Raises ``CannotRefund`` where less is left.
    """
    check_refundable(purchase, subtotal=subtotal, shipping=shipping, lines=lines)
    cart, done = purchase.frozen_cart, refunds.totals(purchase)
    refunded_so_far = Paisa(done.subtotal + subtotal)
    rounding = refund_rounding(purchase.rules_version)
    paid = refunds.paid_for_products(purchase)
    due = cumulative(paid, refunded_so_far, cart.subtotal, rounding) if cart.subtotal else 0
    points = preview_refund(purchase=purchase.key, refunded_so_far=refunded_so_far, subtotal=cart.subtotal)
    product_amount = Paisa(due - (done.amount - done.shipping))
    return RefundQuote(
        product_amount=product_amount,
        shipping=shipping,
        via_khalti=purchase.method == PaymentMethod.KHALTI and product_amount + shipping > 0,
        points_restored=points.points_restored,
        points_clawed_back=points.points_clawed_back,
    )


def subtotal_for(purchase: Purchase, amount: Paisa) -> Paisa:
    """Return the smallest value of products, in paisa before points, whose refund is ``amount`` paisa of money.

    All products that are left, where even those give less.
    """
    subtotal, done = purchase.frozen_cart.subtotal, refunds.totals(purchase)
    rounding, paid = refund_rounding(purchase.rules_version), refunds.paid_for_products(purchase)
    due = done.amount - done.shipping + amount
    low, high = int(done.subtotal), int(subtotal)
    while low < high:  # the money grows with the products, so a binary search finds it
        middle = (low + high) // 2
        if cumulative(paid, Paisa(middle), subtotal, rounding) < due:
            low = middle + 1
        else:
            high = middle
    return Paisa(low - done.subtotal)


def points_value_restored(purchase: Purchase) -> Paisa:
    """Return the value, in paisa, of the points that the refunds of an order have returned so far."""
    if not refunds.has_any(purchase):
        return Paisa(0)
    done = refunds.totals(purchase).subtotal
    return Paisa(cumulative(purchase.points_value, done, purchase.frozen_cart.subtotal, Rounding.FLOOR))


def refund_order(
    purchase: Purchase,
    *,
    subtotal: Paisa,
    shipping: Paisa,
    key: str,
    actor: str,
    lines: Lines = (),
    restock: bool = True,
    mobile: str = "",
    seen_refund: int | None = None,
    enforce_limit: bool = False,
) -> Refund:
    """Refund products for ``subtotal`` (at the price before points) and ``shipping``, in paisa; once per ``key``.

    ``lines`` (sku, quantity) are returned, and restocked if ``restock``. ``mobile`` is the customer's Khalti number,
    which Khalti needs where a bank account paid. ``actor`` is the user's pk. ``seen_refund`` is the newest refund
    that they saw (``payments.refunds.newest_pk``), and ``enforce_limit`` applies the site's limit; both are checked
    under the lock.

    Returns the Refund, whose state is ``done``, ``refused`` (Khalti's message says why) or ``unknown``. Raises
    ``CannotRefund``, ``RefundLimitExceeded`` or ``SelfDealing`` with a message for staff (nothing was sent then), and
    ``InsideTransaction``. https://docs.khalti.com/khalti-epayment/#refund
    """
    forbid_transaction("refund_order")
    mobile = PrivateText(mobile)
    kept_lines: RefundLines = [[sku, quantity, restock] for sku, quantity in lines]
    close_abandoned_refunds(purchase.pk)

    def work() -> Refund:
        return _request(
            purchase.pk, subtotal=subtotal, shipping=shipping, key=key, actor=actor, lines=kept_lines,
            seen_refund=seen_refund, enforce_limit=enforce_limit,
        )  # fmt: skip

    try:
        refund = in_one_block(work)
    except IntegrityError as exc:  # another process was first, and its row was not visible here
        raise CannotRefund(_("Another refund of this order is not finished yet.")) from exc
    except ShopCannot as exc:
        reason = {"reason": exc.detail or exc.reason}
        raise CannotRefund(_("The shop cannot record this refund: %(reason)s") % reason) from exc
    if refund.state != RefundState.REQUESTED:  # a second click, or no money for Khalti to refund
        return refund
    return send_refund(refund, mobile=mobile)


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


def stale_form_message() -> str:
    """Return what staff read who decided before they saw the newest refund."""
    return _("Another refund was made in the meantime. Please check what is left to refund.")


def _request(
    purchase_id: int,
    *,
    subtotal: Paisa,
    shipping: Paisa,
    key: str,
    actor: str,
    lines: RefundLines,
    seen_refund: int | None,
    enforce_limit: bool,
) -> Refund:
    purchase, payments = transitions.lock_purchase(purchase_id)
    earlier = Refund.objects.filter(key=key).first()
    if earlier is not None:
        if (earlier.purchase_id, earlier.subtotal, earlier.shipping, earlier.lines) != (
            purchase_id, subtotal, shipping, lines,
        ):  # fmt: skip
            raise CannotRefund(_("This form was sent before with other amounts. Please open the page again."))
        return earlier
    forbid_self_dealing(actor, Deed.REFUND, purchase=purchase)
    _check_no_other(purchase, seen_refund)
    _check_shop(purchase)
    chosen = [(str(sku), int(quantity)) for sku, quantity, _restock in lines]
    quoted = quote_refund(purchase, subtotal=subtotal, shipping=shipping, lines=chosen)
    if enforce_limit:
        enforce_refund_limit(purchase, quoted.amount)
    payment = _payment_to_refund(payments, quoted) if quoted.via_khalti else None
    amount = quoted.amount if payment is None else min(quoted.amount, (payment.captured or 0) - payment.refunded)
    refund = refunds.create(
        purchase=purchase,
        payment=payment,
        key=key,
        subtotal=subtotal,
        shipping=shipping,
        amount=amount,
        lines=lines,
        actor=actor,
    )
    if payment is None:
        refunds.set_state(refund, RefundState.DONE)
        apply_or_flag(purchase, refund)
    return refund


def _check_no_other(purchase: Purchase, seen_refund: int | None) -> None:
    """Refuse while another refund is unfinished, or was made after the member of staff looked."""
    if refunds.pending(purchase):
        raise CannotRefund(_("Another refund of this order is not finished yet."))
    if refunds.unapplied(purchase):
        raise CannotRefund(_("An earlier refund of this order is not recorded in the shop yet."))
    if seen_refund is not None and seen_refund != refunds.newest_pk(purchase):
        raise CannotRefund(stale_form_message())


def _check_shop(purchase: Purchase) -> None:
    """Refuse to send money back that the shop's own order cannot record."""
    try:
        conf.shop(purchase.shop)
    except ImproperlyConfigured as exc:
        raise CannotRefund(
            _("The shop of this order is no longer set up here, so it cannot record the refund.")
        ) from exc


def _payment_to_refund(payments: Sequence[Payment], quoted: RefundQuote) -> Payment:
    """Return the payment that Khalti refunds; it may have less left, where staff accepted less than the amount due."""
    payment = refunds.settling_payment(payments)
    if payment is None:
        raise CannotRefund(_("No Khalti payment has paid for this order."))
    if flags.has_unrecorded_partial_refund(payment):
        raise CannotRefund(_("Part of this payment was refunded in Khalti's dashboard. Record that amount first."))
    captured = payment.captured or 0
    if payment.refunded >= captured or payment.refunded + quoted.amount > max(captured, payment.amount):
        raise CannotRefund(_("Khalti has already refunded %(refunded)s.") % {"refunded": npr(Paisa(payment.refunded))})
    return payment
