"""Cash and bank transfers that arrive: record and correct them, and place a cancelled order again that they pay.

Money that has arrived is recorded whatever became of its order. Parts accumulate: once they are what is due, the order
is paid and its points are awarded, once. What an order does not need is a surplus, which staff refund by hand.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.clock import database_now
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import CannotRecord, CannotRefund, LedgerError, ShopCannot, safe_trace
from loyalink_khalti.flow.notices import posting
from loyalink_khalti.flow.refunds.grants import Grant
from loyalink_khalti.flow.refunds.limits import enforce_approval, enforce_refund_limit
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block, is_database_failure
from loyalink_khalti.flow.verification.apply import award_points
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments import received, refunds, transitions
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.payments.states import PurchaseState, RefundKind, RefundState
from loyalink_khalti.ports import PAID_LATER, Paid, PaymentMethod

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedResult:
    """What recording money has changed; ``purchase`` as it is then."""

    purchase: Purchase
    entry: ReceivedMoney | None = None
    """The row that was written, now or by an earlier click; None where no row was."""
    is_new: bool = True
    """Whether this call has written it."""
    is_placed_again: bool = False
    """Whether the order had been cancelled and is placed again."""
    obstacle: str = ""
    """Why the money is recorded and the order is not updated: a sentence for staff."""


def record_received(
    purchase: Purchase,
    *,
    amount: Paisa,
    received_on: date,
    key: str,
    actor: str,
    reference: str = "",
    seen: int | None = None,
) -> ReceivedResult:
    """Record cash or a bank transfer of ``amount`` paisa for an order, all that is due or a part; once per ``key``.

    ``actor`` is the user's pk. ``seen`` is the newest row that they saw (``payments.received.newest_pk``). An order
    that was cancelled unpaid is placed again once all that is due has arrived, if its stock and its points can be
    taken again in full; otherwise the money stays a surplus, as does what exceeds the amount due.

    Raises ``CannotRecord``, and ``SelfDealing`` for the actor's own order, with a message for staff (nothing is
    recorded then), and ``InsideTransaction``; so do the other functions of this module.
    """
    forbid_transaction("record_received")

    def work() -> ReceivedResult:
        locked = _lock(purchase.pk)
        earlier = received.of_key(key)
        if earlier is not None:
            return _recorded_before(locked, earlier, (amount, received_on, reference, None))
        _check_entry(locked, amount, received_on, seen)
        forbid_self_dealing(actor, StaffAction.RECEIVE, purchase=locked)
        return _record(
            locked, amount=amount, received_on=received_on, reference=reference, key=key, actor=actor
        )  # fmt: skip

    return in_one_block(work)


def mark_received(purchase: Purchase, *, actor: str) -> ReceivedResult:
    """Record that all that is left to pay has arrived today, in cash or by bank transfer; once.

    ``actor`` is the user's pk. Raises ``CannotRecord`` for a purchase that is not paid this way or was cancelled, and
    ``InsideTransaction``.
    """
    forbid_transaction("mark_received")

    def work() -> ReceivedResult:
        locked = _lock(purchase.pk)
        if locked.received_at is not None:
            return ReceivedResult(purchase=locked, is_new=False)
        if refunds.has_any(locked):
            raise CannotRecord(_("This order was cancelled. Record the amount that has arrived."))
        forbid_self_dealing(actor, StaffAction.RECEIVE, purchase=locked)
        key = f"{locked.pk}:rest:{received.newest_pk(locked)}"
        left = received.due(locked)
        if not left:  # a surplus could not pay for the order when it arrived
            return _apply(locked, actor=actor)
        today = day_of(database_now())
        return _record(locked, amount=left, received_on=today, reference="", key=key, actor=actor)

    return in_one_block(work)


def reverse_received(entry: ReceivedMoney, *, reason: str, key: str, actor: str) -> ReceivedResult:
    """Correct a wrong row by a second one, which reverses it, with the reason; once.

    Where less than the amount due is left, the order awaits money again and the points that it earned are reversed.
    Raises ``CannotRecord`` with a message for staff (nothing is changed then) and ``InsideTransaction``.
    """
    forbid_transaction("reverse_received")
    if not reason.strip():
        raise CannotRecord(_("Enter a reason: colleagues will need it later."))

    def work() -> ReceivedResult:
        purchase = _lock(entry.purchase_id)
        row = ReceivedMoney.objects.select_related("reversed_by").get(pk=entry.pk)
        if row.reverses_id is not None:
            raise CannotRecord(_("This entry corrects another one. Record the money again instead."))
        earlier = getattr(row, "reversed_by", None)
        if earlier is not None:
            return ReceivedResult(purchase=purchase, entry=earlier, is_new=False)
        forbid_self_dealing(actor, StaffAction.RECEIVE, purchase=purchase)
        reversing = ReceivedMoney.objects.create(
            purchase=purchase, amount=-row.amount, received_on=day_of(database_now()), reverses=row,
            reason=reason.strip(), key=key, actor=actor,
        )  # fmt: skip
        _lower(purchase, actor=actor)
        return ReceivedResult(purchase=purchase, entry=reversing)

    try:
        return in_one_block(work)
    except ShopCannot as exc:
        raise CannotRecord(_("The shop cannot do this: %(error)s") % {"error": exc.detail or exc.reason}) from exc


def apply_received(purchase: Purchase, *, actor: str) -> ReceivedResult:
    """Let a surplus pay for its order, where that failed before: an item was sold out, for example.

    Raises ``CannotRecord`` where the order is not paid this way, and ``InsideTransaction``.
    """
    forbid_transaction("apply_received")

    def work() -> ReceivedResult:
        locked = _lock(purchase.pk)
        forbid_self_dealing(actor, StaffAction.RECEIVE, purchase=locked)
        return _apply(locked, actor=actor)

    return in_one_block(work)


def refund_surplus(
    purchase: Purchase,
    *,
    amount: Paisa,
    key: str,
    actor: str,
    enforce_limit: bool = False,
    grant: Grant | None = None,
) -> Refund:
    """Record that ``amount`` paisa of a surplus were refunded by hand, once per ``key``; the order does not change.

    Returns the Refund, which ``is_repeated`` where the key was used before. ``enforce_limit`` applies the site's limit
    for refunds. Raises ``CannotRefund`` or ``RefundLimitExceeded`` with a message for staff, ``InsideTransaction``.
    """
    forbid_transaction("refund_surplus")

    def work() -> Refund:
        locked, _payments = transitions.lock_purchase(purchase.pk)
        earlier = Refund.objects.filter(key=key).first()
        if earlier is not None:
            if (earlier.purchase_id, earlier.kind, earlier.amount) != (locked.pk, RefundKind.RECEIVED, amount):
                raise CannotRefund(_("This form was sent before with other amounts. Please open the page again."))
            earlier.is_repeated = True
            return earlier
        if not 0 < amount <= locked.surplus:
            left = {"left": npr(Paisa(locked.surplus))}
            raise CannotRefund(_("Only %(left)s was received beyond what the order needs.") % left)
        forbid_self_dealing(actor, StaffAction.REFUND, purchase=locked)
        if enforce_limit:
            enforce_refund_limit(locked, amount, actor=actor)
        if grant is not None:
            grant.check(locked, amount)
        else:
            enforce_approval(locked, amount)
        now = database_now()
        refund = refunds.create(
            purchase=locked, kind=RefundKind.RECEIVED, key=key, subtotal=0, shipping=0, amount=amount, actor=actor,
            state=RefundState.DONE, done_at=now, applied_at=now, **(grant.words if grant is not None else {}),
        )  # fmt: skip
        if grant is not None:
            grant.use(refund)
        _save_surplus(locked)
        posting.order_refunded(refund)
        return refund

    return in_one_block(work)


def _lock(purchase_id: int) -> Purchase:
    """Lock a purchase that is paid in cash or by bank transfer."""
    purchase, _payments = transitions.lock_purchase(purchase_id)
    if purchase.method not in PAID_LATER or purchase.state != PurchaseState.PLACED:
        raise CannotRecord(_("This order is not awaiting cash or a bank transfer."))
    received.record_earlier(purchase)
    return purchase


def _check_entry(purchase: Purchase, amount: Paisa, received_on: date, seen: int | None) -> None:
    if amount <= 0:
        raise CannotRecord(_("Enter an amount above 0. Correct a wrong entry by reversing it."))
    if received.is_future(received_on):
        raise CannotRecord(_("This day is in the future. Enter the day on which the money arrived."))
    if seen is not None and seen != received.newest_pk(purchase):
        raise CannotRecord(_("Another amount was recorded in the meantime. Please check what is left to receive."))


def _recorded_before(
    purchase: Purchase, earlier: ReceivedMoney, figures: tuple[Paisa, date, str, int | None]
) -> ReceivedResult:
    same = (earlier.amount, earlier.received_on, earlier.reference, earlier.reverses_id) == figures
    if earlier.purchase_id != purchase.pk or not same:
        raise CannotRecord(_("This form was sent before with other figures. Please open the page again."))
    return ReceivedResult(purchase=purchase, entry=earlier, is_new=False)


def _record(
    purchase: Purchase, *, amount: Paisa, received_on: date, reference: str, key: str, actor: str
) -> ReceivedResult:  # fmt: skip
    entry = ReceivedMoney.objects.create(
        purchase=purchase, amount=amount, received_on=received_on, reference=reference, key=key, actor=actor
    )
    return _apply(purchase, actor=actor, entry=entry)


def _apply(purchase: Purchase, *, actor: str, entry: ReceivedMoney | None = None) -> ReceivedResult:
    """Let what has arrived pay for the order of a locked purchase as far as possible; the rest is a surplus."""
    in_all, earned_before = received.in_all(purchase), purchase.earned
    cancellation = refunds.cancellation(purchase)
    is_placed_again, obstacle = False, ""
    if cancellation is not None:
        if in_all - purchase.received >= purchase.amount_due:
            obstacle = _obstacle(purchase, lambda: _place_again(purchase, cancellation, actor=actor))
            is_placed_again = not obstacle
    elif purchase.received < purchase.amount_due:
        now_received = Paisa(min(in_all, purchase.amount_due))
        obstacle = _obstacle(purchase, lambda: _receive(purchase, now_received, actor=actor))
    _save_surplus(purchase)
    posting.money_received(
        purchase,
        entry=entry,
        earned=Points(max(purchase.earned - earned_before, 0)),
        placed_again=str(cancellation.pk) if cancellation is not None and is_placed_again else "",
    )
    return ReceivedResult(purchase=purchase, entry=entry, is_placed_again=is_placed_again, obstacle=obstacle)


def _receive(purchase: Purchase, amount: Paisa, *, actor: str) -> None:
    conf.shop(purchase.shop).record_received(purchase.ref, received=amount)
    received.set_received(purchase, amount, actor=actor)
    if purchase.received_at is not None:
        award_points(purchase, occasion=received.newest_reversal(purchase))


def _place_again(purchase: Purchase, cancellation: Refund, *, actor: str) -> None:
    """Place a cancelled order once more, paid in full: with its stock, and with the points that it used."""
    if transitions.has_rival(purchase, was_released=False):
        raise ShopCannot("host_failed", _("The same basket was ordered again."))
    refunds.undo(cancellation)
    paid = Paid(
        method=PaymentMethod(purchase.method),
        amount=Paisa(purchase.amount_due),
        at=database_now(),
        points=Points(purchase.points_redeemed),
        points_value=Paisa(purchase.points_value),
    )
    conf.shop(purchase.shop).confirm(purchase.ref, paid=paid)
    ledger.set_aside(purchase=purchase.key, mark=str(cancellation.pk))
    if purchase.points_redeemed and purchase.member_id:
        ledger.hold(
            site_key=purchase.site_key,
            member_id=purchase.member_id,
            purchase=purchase.key,
            points=Points(purchase.points_redeemed),
            version_id=purchase.rules_version,
            occasion=str(cancellation.pk),
        )
        ledger.capture(purchase=purchase.key, value=Paisa(purchase.points_value))
    received.set_received(purchase, Paisa(purchase.amount_due), actor=actor)
    award_points(purchase, occasion=received.newest_reversal(purchase))


def _lower(purchase: Purchase, *, actor: str) -> None:
    """Count less as received for a locked purchase, its surplus first. Raises ``CannotRecord`` if it was refunded."""
    in_all = received.in_all(purchase)
    counted = Paisa(min(in_all, purchase.received))
    if counted < purchase.received and refunds.has_any(purchase):
        raise CannotRecord(_("This order was refunded or cancelled, so its payment cannot be corrected any more."))
    if in_all < 0:
        raise CannotRecord(_("This money was refunded already, so its entry cannot be reversed."))
    if counted < purchase.received:
        if purchase.received_at is not None and purchase.earner:
            ledger.withdraw_award(purchase=purchase.key, mark=str(received.newest_pk(purchase)))
            purchase.earned = 0
            purchase.save(update_fields=["earned"])
        conf.shop(purchase.shop).record_received(purchase.ref, received=counted)
        received.set_received(purchase, counted, actor=actor)
    _save_surplus(purchase)


def _save_surplus(purchase: Purchase) -> None:
    purchase.surplus = received.in_all(purchase) - purchase.received
    purchase.save(update_fields=["surplus"])


def _obstacle(purchase: Purchase, work: Callable[[], None]) -> str:
    """Do the part of the shop and the points in a savepoint; where it fails, roll only that back and return why."""
    try:
        with transaction.atomic():
            work()
    except Exception as exc:
        if is_database_failure(exc):
            raise
        purchase.refresh_from_db()
        log.warning("purchase %s: received money could not be applied: %s", purchase, safe_trace(exc))
        return _sentence(exc)
    return ""


def _sentence(exc: Exception) -> str:
    if isinstance(exc, LedgerError):
        return _("The points that this order used are not available any more.")
    if isinstance(exc, ShopCannot):
        detail = {"detail": exc.detail or exc.reason}
        return _("Sold out: %(detail)s.") % detail if exc.reason == "sold_out" else exc.detail or exc.reason
    return _("The shop could not update the order; its log has the details.")
