"""What becomes of a Refund row: sent once, its answer written down, and what follows from it carried on.

Nothing is sent again by itself. After silence nobody knows, and lookup, or a person, says later what came of it.
"""

import logging
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.conf import Lane
from loyalink_khalti.errors import (
    KhaltiError,
    KhaltiKeyRejected,
    KhaltiNotAsked,
    KhaltiRejected,
    LedgerError,
    ShopCannot,
    traced,
)
from loyalink_khalti.khalti import Khalti
from loyalink_khalti.khalti.wire import is_id
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import refunds, services
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.states import ANSWERS, Reason, RefundState, State
from loyalink_khalti.ports import Why

from .settle import release_purchase
from .transactions import in_one_block, is_the_databases_own

log = logging.getLogger(__name__)

LEFT_BEHIND = timedelta(seconds=60)
"""How long after the deadline of a call whoever made it is taken to be gone."""

_UNFINISHED = [RefundState.REQUESTED, RefundState.SENT]


def send(refund: Refund, *, mobile: str) -> Refund:
    """Ask Khalti for a refund that is committed, unless somebody has; no transaction is open."""
    if not in_one_block(lambda: refunds.send(refund)):
        return Refund.objects.get(pk=refund.pk)
    return _ask_khalti(refund, mobile=mobile)


def end_what_was_left_behind(purchase_id: int) -> None:
    """What a crash has left: a refund that was not sent is refused, one that was is unknown."""
    before = timezone.now() - LEFT_BEHIND - timedelta(seconds=conf.deadline() + conf.patience(Lane.STAFF))
    left = Refund.objects.filter(purchase=purchase_id, state__in=_UNFINISHED, requested_at__lt=before)

    def work() -> None:
        purchase, _payments = services.lock(purchase_id)
        refunds.give_up(purchase, before=before)

    if left.exists():
        in_one_block(work)


def _ask_khalti(refund: Refund, *, mobile: str) -> Refund:
    payment = Payment.objects.select_related("credentials").get(refunds=refund)
    all_of_it = not payment.refunded and refund.cash == payment.captured
    transaction_id = payment.transaction_id or ""
    try:
        client, _same_key = conf.khalti(payment.credentials, Lane.STAFF)
        if not is_id(transaction_id):
            raise ImproperlyConfigured(_("Khalti gave no transaction id: refund it in Khalti's dashboard."))
    except ImproperlyConfigured as exc:  # nothing was sent
        return resolved(refund, RefundState.REFUSED, str(exc))
    amount = None if all_of_it else Paisa(refund.cash)
    try:
        words = _refund(client, payment, transaction_id, amount=amount, mobile=mobile or None)
    except KhaltiNotAsked:
        return resolved(refund, RefundState.REFUSED, _("Khalti does not answer just now, so nothing was sent."))
    except KhaltiRejected as exc:
        return resolved(refund, RefundState.REFUSED, exc.words)
    except KhaltiError as exc:
        log.warning("refund %s: %s", refund.pk, exc)
        return resolved(refund, RefundState.UNKNOWN, str(exc))
    return done(refund, words)


def _refund(client: Khalti, payment: Payment, transaction_id: str, *, amount: Paisa | None, mobile: str | None) -> str:
    """Ask with the key that opened the payment; where Khalti no longer takes it, with the one in its place."""
    try:
        return client.refund(transaction_id, amount=amount, mobile=mobile)
    except KhaltiKeyRejected:  # a "no": nothing was given back
        other = conf.successor(payment.credentials, Lane.STAFF)
        if other is None:
            raise
        return other.refund(transaction_id, amount=amount, mobile=mobile)


def resolved(refund: Refund, state: RefundState, words: str) -> Refund:
    """Write down that a refund was not made, or that nobody knows."""

    def work() -> Refund:
        services.lock(refund.purchase_id)
        row = Refund.objects.select_related("payment").get(pk=refund.pk)
        if row.state not in {RefundState.SENT, RefundState.UNKNOWN} or row.state == state:
            return row
        if state is RefundState.UNKNOWN:
            refunds.mark_unknown(row, words)
        else:
            refunds.resolve(row, state, words)
            refunds.resolve_flag(row, Reason.REFUND_UNKNOWN, "not made")
        return row

    return in_one_block(work)


def done(refund: Refund, words: str) -> Refund:
    """The money is back: count it, and let follow what follows."""

    def work() -> Refund:
        purchase, payments = services.lock(refund.purchase_id)
        row = Refund.objects.select_related("payment").get(pk=refund.pk)
        if row.state != RefundState.DONE:
            write_done(purchase, payments, row, words)
        return row

    return in_one_block(work)


def write_done(purchase: Purchase, payments: list[Payment], refund: Refund, words: str) -> None:
    """Count a refund of a locked purchase as made; the shop and the points follow in a savepoint."""
    refunds.resolve(refund, RefundState.DONE, words)
    refunds.resolve_flag(refund, Reason.REFUND_UNKNOWN)
    payment = next(one for one in payments if one.pk == refund.payment_id)
    if payment.refunded + refund.cash == payment.captured:
        told = frozenset() if payment.fulfilled_at else frozenset({Reason.REFUNDED_AT_KHALTI})  # of the rest
        services.resolve_flags(payment, ANSWERS[State.REFUNDED] | told, State.REFUNDED.value, by=refund.actor)
    refunds.give_back(payment, refund.cash)
    if refund.kind == Refund.Kind.ORDER:
        carry(purchase, refund)
        return
    # It bought nothing, so no goods and no points move; but it may have been the last that could have paid for them.
    refund.carried_at = timezone.now()
    refund.save(update_fields=["carried_at"])
    if payment.state == State.REFUNDED:
        release_purchase(purchase, payments, payment, Why.REFUNDED, present=False)


def carry(purchase: Purchase, refund: Refund) -> None:
    """Carry a refund into the shop's books and the points; where the shop fails, the money's side stays written."""
    try:
        with transaction.atomic():
            _follow(purchase, refund)
    except Exception as exc:
        if is_the_databases_own(exc) or refund.payment is None:
            raise  # without Khalti no money has moved yet: all of it is undone
        log.warning("refund %s could not be carried on: %s", refund.pk, traced(exc))
        refund.refresh_from_db()
        why = str(exc) if isinstance(exc, ShopCannot | LedgerError) else type(exc).__name__
        services.raise_flag(refund.payment, Reason.HOST_FAILED, {"refund": refund.key, "shop": why})
        services.look_soon(refund.payment)


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
