"""What staff do with an unmatched payment: attach it to an order, refund it, or say that it is another shop's.

Nothing of this is automatic. Each verb looks the payment up at Khalti first, with no transaction open, and then writes
under lock: Purchase, Payment, and last the unmatched payment. Of two people at the same time the second is refused.
"""

from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.db.models import Max, Q
from django.utils.translation import gettext as _

from loyalink_khalti.clock import database_now
from loyalink_khalti.conf import Caller
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import CannotResolve, KhaltiError, KhaltiNotFound, SelfDealing
from loyalink_khalti.flow.refunds.limits import enforce_refund_limit
from loyalink_khalti.flow.refunds.payment import refund_payment
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing, self_dealing_obstacle
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block, in_savepoint
from loyalink_khalti.flow.verification.apply import fulfil
from loyalink_khalti.flow.verification.unmatched import ask, is_test_money
from loyalink_khalti.khalti.wire import Lookup, Status
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments import captures, transitions, unmatched
from loyalink_khalti.payments.credentials import Credentials
from loyalink_khalti.payments.flags import lookup_evidence, raise_flag
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import FlagReason, PaymentState, PurchaseState
from loyalink_khalti.payments.unmatched import UnmatchedPayment, UnmatchedState
from loyalink_khalti.ports import Cart, Customer, PaymentMethod, PrivateText, ReleaseReason

T = TypeVar("T")


def attach_unmatched(row: UnmatchedPayment, purchase: Purchase, *, actor: str, reason: str) -> Payment:
    """Make an unmatched payment a payment of a purchase, for ``actor`` (a user's pk) with their reason; return it.

    It needs lookup's word that exactly the paisa due were paid, and a pidx and a transaction id that no payment has.
    Then it goes on as any payment does: the order is placed if the shop can, else a Flag says why not. Raises
    ``CannotResolve`` with a sentence for staff (``SelfDealing`` for the actor's own order); then nothing is changed.
    Raises ``InsideTransaction`` inside a transaction.
    """
    forbid_transaction("attach_unmatched")
    note = _note(reason)
    answer, credentials = _look_up(row)

    def work() -> Payment:
        locked_purchase, payments = transitions.lock_purchase(purchase.pk)
        locked = _lock(row)
        forbid_self_dealing(actor, StaffAction.RESOLVE, purchase=locked_purchase)
        if obstacle := attach_obstacle(locked_purchase, payments, answer):
            raise CannotResolve(obstacle)
        payment = _become(locked, locked_purchase, payments, answer, credentials)
        unmatched.resolve(locked, UnmatchedState.ATTACHED, actor=actor, note=note, payment=payment)
        was_released = locked_purchase.state == PurchaseState.RELEASED
        if locked_purchase.state == PurchaseState.PLACED or transitions.has_rival(
            locked_purchase, was_released=was_released
        ):
            raise_flag(payment, FlagReason.SECOND_PAYMENT, lookup_evidence(answer))
        else:
            in_savepoint(lambda: fulfil(locked_purchase, payment), locked_purchase, payment)
        return payment

    return _in_one_block(work)


def attach_obstacle(purchase: Purchase, payments: list[Payment], answer: Lookup | UnmatchedPayment) -> str:
    """Return why money at Khalti cannot be attached to a purchase, as a sentence for staff; "" if it can.

    ``answer`` is lookup's, or for a page that offers it the row that has recorded one.
    """
    amount = answer.total_amount if isinstance(answer, Lookup) else answer.amount
    if not purchase.shop or purchase.method != PaymentMethod.KHALTI:
        return _("This order is not to be paid at Khalti.")
    if amount != purchase.amount_due:
        values = {"due": npr(Paisa(purchase.amount_due)), "paid": npr(Paisa(amount or 0))}
        return _("The amounts differ: %(due)s is due for this order, and %(paid)s was paid.") % values
    if any(payment.state == PaymentState.CREATED for payment in payments):
        return _("A payment of this order is just being created. Try again in two minutes.")
    return ""


def purchases_named(name: str) -> list[Purchase]:
    """Return the purchases with this order number, reference, or order id at Khalti, the newest first; 10 at most."""
    name = name.strip()
    ref, _dash, attempt = name.rpartition("-")
    named = Q(number=name) | Q(ref=name)
    if ref and attempt.isascii() and attempt.isdigit():
        named |= Q(ref=ref, payments__attempt=int(attempt[:6]))
    found = Purchase.objects.filter(named).exclude(number="", ref="").exclude(shop="").distinct()
    return list(found.order_by("-pk")[:10])


def refund_unmatched(
    row: UnmatchedPayment, *, actor: str, reason: str, mobile: str = "", enforce_limit: bool = False
) -> Refund:
    """Refund an unmatched payment in full at Khalti, and return its Refund.

    It is recorded first, as the payment that its return address names, else as one that bought nothing; then it is
    refunded like any other, once. Where Khalti refuses or does not answer, or a colleague must approve it
    (``ApprovalNeeded``), that payment has an open Flag. The arguments are those of ``refund_payment``. Raises
    ``CannotResolve`` and ``CannotRefund``; then no money has moved.
    """
    forbid_transaction("refund_unmatched")
    note = _note(reason)
    answer, credentials = _look_up(row)

    def work() -> Payment:
        purchase, payments = _purchase_to_refund(row, answer)
        locked = _lock(row)
        of_return_address = row.returned_to.purchase if row.returned_to is not None else purchase
        for each in (purchase, of_return_address):  # ``refund_payment`` asks about the first again, and logs it
            if own := self_dealing_obstacle(actor, purchase=each):
                raise SelfDealing(own)
        if enforce_limit:
            enforce_refund_limit(purchase, Paisa(answer.total_amount or 0), actor=actor)
        payment = _become(locked, purchase, payments, answer, credentials)
        unmatched.resolve(locked, UnmatchedState.REFUND, actor=actor, note=note, payment=payment)
        raise_flag(payment, FlagReason.MONEY_WITHOUT_ORDER, lookup_evidence(answer))
        Flag.objects.filter(payment=payment, resolved_at=None).update(note=note)
        return payment

    return refund_payment(_in_one_block(work), actor=actor, mobile=mobile, enforce_limit=enforce_limit)


def dismiss_unmatched(row: UnmatchedPayment, *, actor: str, reason: str) -> UnmatchedPayment:
    """Record that an unmatched payment belongs to another shop with this key. Raises as ``attach_unmatched``."""
    note = _note(reason)

    def work() -> UnmatchedPayment:
        locked = _lock(row)
        unmatched.resolve(locked, UnmatchedState.NOT_OURS, actor=actor, note=note)
        return locked

    return _in_one_block(work)


def reopen_unmatched(row: UnmatchedPayment, *, actor: str, reason: str) -> UnmatchedPayment:
    """Review again what was called another shop's. Raises as ``attach_unmatched``."""
    note = _note(reason)

    def work() -> UnmatchedPayment:
        locked = unmatched.lock(row.pk)
        if locked.state != UnmatchedState.NOT_OURS:
            raise CannotResolve(_already())
        unmatched.reopen(locked, actor=actor, note="\n".join(filter(None, (locked.note, note))))
        return locked

    return _in_one_block(work)


def _already() -> str:
    return _("A colleague has dealt with this payment meanwhile. Please open the page again.")


def _note(reason: str) -> str:
    note = PrivateText(reason).strip()
    if not note:
        raise CannotResolve(_("Enter a reason: colleagues will need it later."))
    return note


def _look_up(row: UnmatchedPayment) -> tuple[Lookup, Credentials]:
    """Return Khalti's answer now: Completed, with an amount and a transaction id, and nothing refunded of it."""
    if row.state != UnmatchedState.FOUND:
        raise CannotResolve(_already())
    if row.credentials is not None and is_test_money(row.credentials, row.site_key):
        raise CannotResolve(_("Test: no money moves"))
    try:
        answer, credentials = ask(row, caller=Caller.STAFF)
    except KhaltiNotFound as exc:
        raise CannotResolve(_("Khalti does not find this payment any more. Nothing was changed.")) from exc
    except (KhaltiError, ImproperlyConfigured) as exc:
        raise CannotResolve(_("Khalti does not answer at the moment, so nothing was changed. Try again.")) from exc
    if answer.status is not Status.COMPLETED or answer.refunded:
        values = {"status": answer.status_text}
        raise CannotResolve(
            _("Khalti's status of this payment is “%(status)s” now. Deal with it in Khalti's dashboard.") % values
        )
    if not answer.transaction_id or not answer.total_amount:
        raise CannotResolve(_("Khalti sent no transaction ID or amount. Deal with it in Khalti's dashboard."))
    return answer, credentials


def _lock(row: UnmatchedPayment) -> UnmatchedPayment:
    locked = unmatched.lock(row.pk)
    if locked.state != UnmatchedState.FOUND:
        raise CannotResolve(_already())
    return locked


def _become(
    row: UnmatchedPayment, purchase: Purchase, payments: list[Payment], answer: Lookup, credentials: Credentials
) -> Payment:
    """Return the money as a paid payment of a locked purchase: an attempt without a pidx, else one more attempt."""
    payment = _attempt_without_pidx(row, payments, answer)
    if payment is None:
        last = purchase.payments.aggregate(last=Max("attempt"))["last"] or 0
        payment = Payment(purchase=purchase, attempt=last + 1, amount=purchase.amount_due)
        payment.is_flagged = False
    payment.credentials, payment.environment = credentials, credentials.environment
    # Never live, so that it can stand beside a payment that is. What was released is placed now or by staff: no pass
    # does that later, when the basket may be ordered again.
    payment.pidx, payment.state, was_released = (
        row.pidx,
        PaymentState.RELEASED,
        purchase.state == PurchaseState.RELEASED,
    )
    payment.release_reason = (payment.release_reason or ReleaseReason.REFUSED) if was_released else ""
    payment.save()
    transitions.record_lookup(payment, answer)
    if not captures.mark_paid(payment, answer):
        raise CannotResolve(_("Khalti's transaction ID belongs to another payment of this shop."))
    return payment


def _attempt_without_pidx(row: UnmatchedPayment, payments: list[Payment], answer: Lookup) -> Payment | None:
    """Return the attempt that got no answer from Khalti, the one of the return address first; None without one."""
    empty = [
        payment
        for payment in payments
        if payment.pidx is None and payment.state == PaymentState.RELEASED and payment.amount == answer.total_amount
    ]
    return max(empty, key=lambda payment: (payment == row.returned_to, payment.pk), default=None)


def _purchase_to_refund(row: UnmatchedPayment, answer: Lookup) -> tuple[Purchase, list[Payment]]:
    """Return the locked purchase to which money is recorded that is refunded: that of the return address, else none's.

    A purchase without a shop is a record of money alone: it can be refunded, and no order can be placed for it.
    """
    if row.returned_to is not None:
        purchase, payments = transitions.lock_purchase(row.returned_to.purchase_id)
        if not attach_obstacle(purchase, payments, answer):
            return purchase, payments
    amount = Paisa(answer.total_amount or 0)
    cart = Cart(
        shop="", ref=row.pidx, origin=row.pidx, site_key=row.site_key, language=settings.LANGUAGE_CODE, name="",
        lines=(), shipping=Paisa(0), discount=Paisa(0), total=amount, customer=Customer(), member_id=None,
        points_redeemed=Points(0),
    )  # fmt: skip
    purchase = transitions.create_purchase(cart, method=PaymentMethod.KHALTI, points_value=Paisa(0))
    purchase.state, purchase.released_at = PurchaseState.RELEASED, database_now()
    purchase.save(update_fields=["state", "released_at"])
    return purchase, []


def _in_one_block(work: Callable[[], T]) -> T:
    try:
        return in_one_block(work)
    except IntegrityError as exc:  # the pidx was stored elsewhere at this moment
        raise CannotResolve(_("A payment of this shop has this pidx by now. Please open the page again.")) from exc
