"""What Khalti's answer changes, in one block: lock, look again, write the outcome.

The paid fact is written first; the shop and the points follow in a savepoint. Where the shop cannot, the savepoint
rolls back, the paid fact stays and a Flag tells staff.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from loyalink_khalti import conf
from loyalink_khalti.errors import LedgerError, ShopCannot, traced
from loyalink_khalti.khalti.wire import Lookup
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import Bought
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments import heard, refunds, services
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import LIVE, NOBODY_KNEW, Kind, Reason, State, Verdict, judge
from loyalink_khalti.payments.watch import TRIES
from loyalink_khalti.ports import Method, Outcome, Paid, Why

from .transactions import in_one_block, is_the_databases_own

log = logging.getLogger(__name__)

WRITTEN = ["number", "state", "placed_at", "earned", "words"]
"""Fields of a purchase that change when it is placed and awarded."""

_KHALTI_HAS_PAID = frozenset({State.PAID, State.MISMATCHED})

PATIENCE = timedelta(days=1)
"""How long after its link expired a payment may be neither paid nor expired before staff are told."""

FROM_KHALTI = frozenset({Why.EXPIRED, Why.CANCELLED})
"""Khalti itself had said that nobody paid: a payment that is Completed after all may be fulfilled without staff."""


def settle(payment: Payment, answer: Lookup, *, present: bool, counts: bool = True) -> Outcome:
    """Write down what Khalti answered about a payment, whatever others have written meanwhile.

    ``counts``: where the goods of a paid one cannot be granted, it is one of the tries after which staff decide.
    """
    told = Told(answer=answer, present=present, counts=counts)
    return in_one_block(lambda: _settle(payment.pk, payment.purchase_id, told))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What Khalti has answered, and to whom: a shopper who is there, or somebody whose look is a try."""

    answer: Lookup
    present: bool
    counts: bool


def release_payment(
    payment: Payment,
    why: Why,
    *,
    present: bool,
    states: Collection[State] = LIVE,
    flag: tuple[Reason, Mapping[str, Any]] | None = None,
) -> Outcome:
    """Give up an attempt that nobody can have paid, and its purchase with it, if it is still in one of ``states``."""

    def work() -> Outcome:
        purchase, payments = services.lock(payment.purchase_id)
        mine = _one(payments, payment.pk)
        if mine.state in states:
            services.mark_released(mine, why)
            if flag is not None:
                services.raise_flag(mine, *flag)
        if mine.state in {State.RELEASED, State.REFUNDED}:  # also where the shop could not give it back the last time
            release_purchase(purchase, payments, mine, why, present=present)
        return mine.outcome

    return in_one_block(work)


def _settle(payment_id: int, purchase_id: int, told: Told) -> Outcome:
    purchase, payments = services.lock(purchase_id)
    payment = _one(payments, payment_id)
    if not payment.is_settled:
        heard.hear(payment, told.answer)
        _write(purchase, payments, payment, told)
    return payment.outcome


def _write(purchase: Purchase, payments: list[Payment], payment: Payment, told: Told) -> None:
    if payment.state in _KHALTI_HAS_PAID and refunds.of_payment(payment):  # staff give it back: see ``noticed``
        services.save(payment)
        return
    answer = told.answer
    verdict = judge(answer, pidx=payment.pidx or "", amount=Paisa(payment.amount))
    if verdict.kind is not Kind.UNKNOWN and services.is_flagged(payment):  # Khalti knows it, and says so
        services.resolve_flags(payment, NOBODY_KNEW, "answered")
    match verdict.kind:
        case Kind.PAID:
            _paid(purchase, payment, told)
        case Kind.MISMATCHED:
            _mismatched(payment, answer, verdict)
        case Kind.UNPAID:
            _unpaid(purchase, payments, payment, verdict.why or Why.FAILED, present=told.present)
        case Kind.REFUNDED | Kind.PART_REFUNDED:
            services.mark_refunded(payment, answer, State(verdict.kind.value))
            if verdict.kind is Kind.REFUNDED:  # of a part refund the rest of the money is still there: staff decide
                release_purchase(purchase, payments, payment, Why.REFUNDED, present=told.present)
        case Kind.UNKNOWN:
            services.raise_flag(payment, verdict.reason or Reason.UNKNOWN_STATUS, services.evidence_of(answer))
            services.save(payment)
        case Kind.WAITING:
            _waiting(purchase, payments, payment, told)


def _waiting(purchase: Purchase, payments: list[Payment], payment: Payment, told: Told) -> None:
    services.save(payment)
    if payment.state == State.INITIATED and is_long_over(payment):  # by now Khalti should say one thing or the other
        services.raise_flag(payment, Reason.UNKNOWN_STATUS, services.evidence_of(told.answer))
    if payment.state == State.RELEASED:  # given up, and the shop could not give the basket back the last time
        release_purchase(purchase, payments, payment, Why(payment.why), present=told.present)


def is_long_over(payment: Payment) -> bool:
    """Whether the time to pay was over so long ago that Khalti should know what became of it."""
    return payment.expires_at is not None and payment.expires_at + PATIENCE < timezone.now()


def _one(payments: list[Payment], pk: int) -> Payment:
    return next(payment for payment in payments if payment.pk == pk)


def _mismatched(payment: Payment, answer: Lookup, verdict: Verdict) -> None:
    # A payment whose money was established before is not made doubtful by a later, stranger answer.
    services.mark_mismatched(payment, answer, verdict.reason or Reason.AMOUNT_MISMATCH)
    services.save(payment)


def _unpaid(purchase: Purchase, payments: list[Payment], payment: Payment, why: Why, *, present: bool) -> None:
    if payment.state in LIVE:
        services.mark_released(payment, why)
    else:
        services.save(payment)
    if payment.state == State.RELEASED:
        release_purchase(purchase, payments, payment, why, present=present)


def release_purchase(
    purchase: Purchase, payments: list[Payment], payment: Payment, why: Why, *, present: bool
) -> None:
    """Give basket, stock and points back once no payment of the purchase can bring money any more."""
    if purchase.state != Purchase.State.OPEN or services.holds_goods(payments):
        return

    def work() -> None:
        conf.shop(purchase.shop).release(purchase.ref, why=why, present=present)
        ledger.release(purchase=purchase.key)
        purchase.state = Purchase.State.RELEASED
        purchase.released_at = timezone.now()
        purchase.save(update_fields=["state", "released_at"])
        if services.is_flagged(payment):
            services.resolve_flags(payment, {Reason.HOST_FAILED}, State.RELEASED.value)

    in_savepoint(work, purchase, payment)


def _paid(purchase: Purchase, payment: Payment, told: Told) -> None:
    if payment.state == State.MISMATCHED:  # staff decide, by name and with a reason
        services.keep_transaction(payment, told.answer)
        services.save(payment)
        return
    was_released = payment.state == State.RELEASED
    if payment.state != State.PAID and not services.mark_paid(payment, told.answer):
        return
    obstacles = _obstacles(purchase, payment, was_released=was_released or bool(payment.why))
    for reason in obstacles:
        services.raise_flag(payment, reason, services.evidence_of(told.answer))
    if not obstacles and payment.tries < TRIES:
        in_savepoint(lambda: fulfil(purchase, payment), purchase, payment)
    if payment.state == State.PAID:
        services.save(payment, tries=min(payment.tries + told.counts, TRIES))


def _obstacles(purchase: Purchase, payment: Payment, *, was_released: bool) -> list[Reason]:
    """Why the goods are not granted by themselves although the money has come."""
    if purchase.state == Purchase.State.PLACED:
        return [Reason.SECOND_PAYMENT]
    obstacles = []
    if was_released and payment.why == Why.ABANDONED:
        obstacles.append(Reason.PAID_AFTER_CANCEL)
    elif was_released and payment.why not in FROM_KHALTI:
        obstacles.append(Reason.LATE)
    if services.rivals(purchase, was_released=was_released):
        obstacles.append(Reason.SECOND_PAYMENT)
    return obstacles


def fulfil(purchase: Purchase, payment: Payment, *, on_credit: bool = False) -> None:
    """Grant the goods: the shop confirms, the points held are spent, new ones awarded. In the caller's savepoint.

    ``on_credit`` (staff): points that the member no longer has are owed.
    """
    paid = Paid(
        method=Method.KHALTI,
        amount=Paisa(payment.amount),
        transaction_id=payment.transaction_id or "",
        at=payment.paid_at or timezone.now(),
        points=Points(purchase.spends),
        worth=Paisa(purchase.worth),
    )
    confirm(purchase, paid, on_credit=on_credit)
    award(purchase)
    services.move(payment, State.FULFILLED, fulfilled_at=timezone.now())


def confirm(purchase: Purchase, paid: Paid, *, on_credit: bool = False) -> None:
    """Let the shop place the order and spend the points held for it; the caller saves ``WRITTEN``."""
    purchase.number = conf.shop(purchase.shop).confirm(purchase.ref, paid=paid)
    purchase.words = services.words_for(purchase.frozen_cart, purchase.number)
    if purchase.spends and purchase.member_id:  # after the shop's rows: the account is locked last
        _spend(purchase, purchase.member_id, on_credit=on_credit)
    purchase.state = Purchase.State.PLACED
    purchase.placed_at = purchase.placed_at or timezone.now()


def _spend(purchase: Purchase, member_id: str, *, on_credit: bool) -> None:
    """Capture the points held; those of a purchase that was released are held again first, or taken on credit."""
    if purchase.state == Purchase.State.RELEASED:
        words: dict[str, Any] = {
            "site_key": purchase.site_key,
            "member_id": member_id,
            "purchase": purchase.key,
            "points": Points(purchase.spends),
            "version_id": purchase.rules_version,
        }
        if on_credit:
            ledger.late_capture(**words, value=Paisa(purchase.worth))
            return
        ledger.hold(**words)
    ledger.capture(purchase=purchase.key, value=Paisa(purchase.worth))


def award(purchase: Purchase) -> None:
    """Give the points that the purchase has earned to its member, or the guest who has claimed them, and save it."""
    if purchase.earner:
        purchase.earned = ledger.award(
            site_key=purchase.site_key,
            member_id=purchase.earner,
            purchase=purchase.key,
            bought=bought(purchase),
            version_id=purchase.rules_version,
        )
    purchase.save(update_fields=WRITTEN)


def bought(purchase: Purchase) -> Bought:
    """What a purchase earns on, as its shopper was shown it."""
    cart = purchase.frozen_cart
    return Bought(
        lines=cart.lines,
        shipping=cart.shipping,
        discount=cart.discount,
        worth=Paisa(purchase.worth),
        at=purchase.created_at,
    )


def in_savepoint(work: Callable[[], None], purchase: Purchase, payment: Payment) -> bool:
    """Do the shop's part; where it fails only that part is undone, staff are told, and it is False."""
    try:
        with transaction.atomic():
            work()
    except Exception as exc:
        if is_the_databases_own(exc):
            raise
        purchase.refresh_from_db()
        payment.refresh_from_db()
        payment.purchase = purchase
        reason, detail = _fault(exc)
        log.warning("purchase %s: %s: %s", purchase, reason, traced(exc))
        services.raise_flag(payment, reason, detail)
        return False
    return True


def _fault(exc: Exception) -> tuple[Reason, dict[str, str]]:
    if isinstance(exc, LedgerError):
        return Reason.LATE, {"points": str(exc)}
    if isinstance(exc, ShopCannot):
        known = {reason.value for reason in Reason}
        return Reason(exc.reason if exc.reason in known else Reason.HOST_FAILED), {"shop": exc.detail or exc.reason}
    return Reason.HOST_FAILED, {"shop": type(exc).__name__}
