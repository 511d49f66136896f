"""What staff decide about a payment where nothing decides by itself: each Flag is answered once, by a named person.

::

    fulfil       the money has come: grant the goods, points that are gone meanwhile are owed
    accept       the money is not as it was asked for, and is taken all the same; then as fulfil
    refund       give back all of a payment that bought nothing
    give_up      nobody knows of this payment at Khalti: let go of what it holds
    made         the refund after which Khalti was silent was made, says Khalti's dashboard, and lookup not otherwise
    not_made     … was not made
    amount       so much was given back in Khalti's dashboard
    dismiss      nothing more is to be done, for a reason

Every decision has its reason, and is written under the lock of the purchase, so that of two people one is told that
the other was quicker.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from django.db import DatabaseError, InterfaceError
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti.conf import Lane
from loyalink_khalti.errors import CannotDecide, LedgerError, LoyalinkError, ShopCannot, traced
from loyalink_khalti.khalti.wire import Status
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import refunds, services
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import ANSWERS, LIVE, NOBODY_KNEW, PENDING_REFUND, Reason, RefundState, State
from loyalink_khalti.ports import Private, Why

from . import settle
from .asking import ask, lease, read
from .give_back import give_back
from .refunding import write_done
from .transactions import forbid_transaction, in_one_block
from .undo import goods_for

log = logging.getLogger(__name__)


class Decision(StrEnum):
    """What may be decided about a Flag."""

    FULFIL = "fulfil"
    ACCEPT = "accept"
    REFUND = "refund"
    GIVE_UP = "give_up"
    MADE = "made"
    NOT_MADE = "not_made"
    AMOUNT = "amount"
    DISMISS = "dismiss"


_LOST = NOBODY_KNEW | {Reason.PIDX_MISMATCH}
"""Khalti says nothing of the payment that could be believed; maybe its dashboard does."""
_NO_SUCH_MONEY = frozenset({Reason.PIDX_MISMATCH, Reason.NO_TRANSACTION_ID, Reason.DUPLICATE_TRANSACTION_ID})
"""Khalti speaks of money, but its dashboard may show that none of it came for this payment."""

_OF_PAID = {
    Purchase.State.OPEN: (Decision.FULFIL, Decision.REFUND),  # it holds goods, so that nothing else ends it
    Purchase.State.RELEASED: (Decision.FULFIL, Decision.REFUND, Decision.DISMISS),
    Purchase.State.PLACED: (Decision.REFUND, Decision.DISMISS),
}


def choices(flag: Flag) -> tuple[Decision, ...]:
    """What staff may decide about an open Flag, as its payment stands now; reads ``payment.purchase``."""
    payment, reason = flag.payment, Reason(flag.reason)
    if flag.resolved_at is not None:
        return ()
    if reason is Reason.REFUND_UNKNOWN:
        return (Decision.MADE, Decision.NOT_MADE)
    if "refund" in flag.evidence or waits_for(payment):  # the next pass tries again, or its own flag is answered first
        return ()
    if payment.state == State.MISMATCHED:
        none_came = (Decision.GIVE_UP,) if reason in _NO_SUCH_MONEY else ()
        return (Decision.ACCEPT, Decision.REFUND, *none_came)
    if payment.state == State.PAID:
        return _OF_PAID[Purchase.State(payment.purchase.state)]
    if payment.state == State.INITIATED and reason in _LOST:
        return (Decision.GIVE_UP, Decision.DISMISS)
    if payment.state in {State.FULFILLED, State.PART_REFUNDED}:
        return _of_part(flag, payment)
    return (Decision.DISMISS,)


def waits_for(payment: Payment) -> Refund | None:
    """The refund of a payment that bought nothing which must end before anything else is decided about it."""
    if payment.fulfilled_at is not None:
        return None
    return next((refund for refund in payment.refunds.all() if refund.state in PENDING_REFUND), None)


def _of_part(flag: Flag, payment: Payment) -> tuple[Decision, ...]:
    """A part is back at the payer: how much the dashboard says; and what becomes of a rest that bought nothing."""
    unsaid = flag.reason == Reason.REFUNDED_AT_KHALTI and "status" in flag.evidence
    if unsaid and payment.refunded < (payment.captured or 0):
        ours = (Decision.DISMISS,) if payment.refunded and payment.fulfilled_at is not None else ()
        return (Decision.AMOUNT, *ours)
    if payment.fulfilled_at is None and payment.refunded:
        holds_goods = payment.purchase.state == Purchase.State.OPEN
        return (Decision.REFUND,) if holds_goods else (Decision.REFUND, Decision.DISMISS)
    return (Decision.DISMISS,)


def decide(
    flag: Flag,
    decision: Decision,
    *,
    by: str,
    reason: str,
    cash: Paisa = Paisa(0),
    shipping: Paisa = Paisa(0),
    mobile: str = "",
    within_limit: bool = False,
) -> Flag:
    """Do what ``by`` (a user's pk) has decided, with their reason, and return the Flag as it stands then.

    ``cash``, and the ``shipping`` in it, in paisa, are for ``AMOUNT``; for a ``REFUND`` there are ``mobile``, of what
    was paid by bank, and ``within_limit``, by somebody who may not pass the site's limit. A Flag that is open
    afterwards says that Khalti refused a refund, or was silent. Raises ``CannotDecide`` (or ``CannotRefund``) with
    words for staff; then nothing was changed.
    """
    forbid_transaction("decide")
    reason = Private(reason)  # which may be about a person
    if not reason.strip():
        raise CannotDecide(_("Say why: whoever reads this next year will want to know."))
    answer = Answer(flag_id=flag.pk, decision=decision, by=by, note=reason.strip())
    if decision is Decision.MADE and Decision.MADE in choices(flag) and _khalti_denies(flag.payment):
        raise CannotDecide(
            _("Khalti itself still says that nothing went back. Look again in its dashboard, or decide later.")
        )
    if decision is Decision.REFUND:
        return _refund(answer, mobile=mobile, within_limit=within_limit)
    works: dict[Decision, Callable[[Case], None]] = {
        Decision.FULFIL: _fulfil,
        Decision.ACCEPT: _accept,
        Decision.GIVE_UP: _give_up,
        Decision.MADE: _made,
        Decision.NOT_MADE: _not_made,
        Decision.AMOUNT: lambda case: _amount(case, cash=cash, shipping=shipping),
        Decision.DISMISS: _dismiss,
    }

    def work() -> Flag:
        case = _open(answer)
        works[decision](case)
        case.answer(case.flag)
        return case.flag

    try:
        return in_one_block(work)
    except ShopCannot as exc:
        raise CannotDecide(_("The shop cannot do this: %(why)s") % {"why": exc.detail or exc.reason}) from exc
    except LedgerError as exc:
        raise CannotDecide(_("The points cannot follow: %(why)s") % {"why": exc}) from exc
    except (LoyalinkError, DatabaseError, InterfaceError):
        raise
    except Exception as exc:
        log.error("flag %s, %s: %s", flag.pk, decision, traced(exc))
        raise CannotDecide(_("The shop failed (%(why)s); its log says where.") % {"why": type(exc).__name__}) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Who has decided what about which Flag, and why."""

    flag_id: int
    decision: Decision
    by: str
    note: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An open Flag and what it is about, all of it locked."""

    flag: Flag
    purchase: Purchase
    payments: list[Payment]
    payment: Payment
    given: Answer

    def answer(self, flag: Flag) -> None:
        """Close the Flag, and write by whom and why."""
        flag.resolved_at, flag.resolution = timezone.now(), self.given.decision.value
        flag.actor, flag.note = self.given.by, self.given.note
        flag.save(update_fields=["resolved_at", "resolution", "actor", "note"])

    def answer_all(self, to: State) -> None:
        """Close whatever the payment's new state answers."""
        services.resolve_flags(
            self.payment, ANSWERS[to], self.given.decision.value, by=self.given.by, note=self.given.note
        )


def _open(answer: Answer) -> Case:
    """Lock all that a Flag is about, and see that it may be answered so."""
    purchase_id = Flag.objects.values_list("payment__purchase", flat=True).get(pk=answer.flag_id)
    purchase, payments = services.lock(purchase_id)
    flag = Flag.objects.get(pk=answer.flag_id)
    flag.payment = payment = next(one for one in payments if one.pk == flag.payment_id)
    if flag.resolved_at is not None:
        raise CannotDecide(_("This was decided before: “%(resolution)s”.") % {"resolution": flag.resolution})
    if answer.decision not in (may := choices(flag)):
        raise CannotDecide(_not_one_of(may, payment))
    return Case(flag=flag, purchase=purchase, payments=payments, payment=payment, given=answer)


def _not_one_of(may: tuple[Decision, ...], payment: Payment) -> str:
    if may:
        return _("This cannot be decided about a payment that is “%(state)s”, but this can: %(may)s.") % {
            "state": payment.state,
            "may": ", ".join(may),
        }
    if waits_for(payment):
        return _("This payment is being given back.")
    return _("Nothing can be decided while a refund is not finished; the next pass of khalti_reconcile tries again.")


def _fulfil(case: Case) -> None:
    case.answer_all(State.FULFILLED)
    settle.fulfil(case.purchase, case.payment, on_credit=True)


def _accept(case: Case) -> None:
    """Take the money as it came; where the goods cannot be granted, that is another Flag."""
    case.answer_all(State.FULFILLED)
    services.mark_accepted(case.payment)
    if case.purchase.state == Purchase.State.PLACED or services.rivals(case.purchase, was_released=False):
        services.raise_flag(case.payment, Reason.SECOND_PAYMENT, {"accepted_by": case.given.by})
        return
    settle.in_savepoint(
        lambda: settle.fulfil(case.purchase, case.payment, on_credit=True), case.purchase, case.payment
    )


def _dismiss(_case: Case) -> None:
    """Nothing but the answer is written."""


def _give_up(case: Case) -> None:
    if case.payment.state in LIVE or case.payment.state == State.MISMATCHED:
        case.answer_all(State.RELEASED)
        services.mark_released(case.payment, Why.ABANDONED)
    settle.release_purchase(case.purchase, case.payments, case.payment, Why.ABANDONED, present=False)


def _khalti_denies(payment: Payment) -> bool:
    """Whether lookup says that no refund was made, of which somebody says that it was; not where it is silent."""
    payment = read(payment)
    taken = lease(payment, lane=Lane.JOB)  # whatever its state: no other lane asks about what is settled
    answer = ask(payment, taken, lane=Lane.JOB) if taken else None
    if answer is None:
        return False
    services.drop_lease(payment, taken)
    return answer.pidx == payment.pidx and answer.status is Status.COMPLETED and not answer.refunded


def _made(case: Case) -> None:
    write_done(case.purchase, case.payments, _unknown_refund(case), _("Khalti's dashboard shows it."))


def _not_made(case: Case) -> None:
    refunds.resolve(_unknown_refund(case), RefundState.REFUSED, _("Khalti's dashboard does not show it."))


def _unknown_refund(case: Case) -> Refund:
    found = Refund.objects.select_related("payment").filter(key=case.flag.evidence.get("refund"))
    refund = found.filter(payment=case.payment, state=RefundState.UNKNOWN).first()
    if refund is None:
        raise CannotDecide(_("What became of this refund is known by now."))
    return refund


def _amount(case: Case, *, cash: Paisa, shipping: Paisa) -> None:
    """Write a partial refund that was made at Khalti as one of ours, and let shop and points follow."""
    payment = case.payment
    left = (payment.captured or 0) - payment.refunded
    if not 0 < cash <= left or not 0 <= shipping <= cash:
        raise CannotDecide(_("Say how much Khalti's dashboard shows: more than nothing, and no more than was paid."))
    if refunds.pending(case.purchase):
        raise CannotDecide(_("Another refund of this order is not finished yet."))
    bought = payment.fulfilled_at is not None
    if bought and shipping > refunds.left(case.purchase).shipping:
        raise CannotDecide(_("That is more than is left of the delivery."))
    refund = Refund.objects.create(
        purchase=case.purchase,
        payment=payment,
        kind=Refund.Kind.ORDER if bought else Refund.Kind.PAYMENT,
        key=f"khalti:{payment.pk}:{case.flag.pk}",
        state=RefundState.DONE,
        goods=goods_for(case.purchase, Paisa(cash - shipping)) if bought else 0,
        shipping=shipping if bought else 0,
        cash=cash,
        actor=case.given.by,
    )
    write_done(case.purchase, case.payments, refund, _("Khalti's dashboard shows it."))
    if not bought and left > cash:  # of the rest somebody must decide, too
        case.answer(case.flag)
        services.raise_flag(payment, Reason.REFUNDED_AT_KHALTI, {"rest": left - cash})


def _refund(answer: Answer, *, mobile: str, within_limit: bool) -> Flag:
    """Give the payment back; the Flag closes when the money is there, and keeps the reason until then."""

    def note() -> Payment:
        case = _open(answer)
        Flag.objects.filter(pk=case.flag.pk).update(note=answer.note)
        return case.payment

    give_back(in_one_block(note), by=answer.by, mobile=mobile, within_limit=within_limit)
    return Flag.objects.get(pk=answer.flag_id)
