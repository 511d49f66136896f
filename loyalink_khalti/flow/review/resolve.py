"""Resolve a Flag: what staff decide where nothing may be decided automatically, by name and with a reason.

Every resolution is written under the lock of the purchase: of two people who resolve a Flag at the same time, the
second learns that it is resolved. A later answer may replace an earlier one that its actor has seen; the earlier one
is kept. ``options`` lists the resolutions.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import DatabaseError, InterfaceError
from django.utils.translation import gettext as _

from loyalink_khalti.clock import database_now
from loyalink_khalti.conf import Caller
from loyalink_khalti.errors import CannotResolve, LedgerError, LoyalinkError, SelfDealing, ShopCannot, safe_trace
from loyalink_khalti.flow.refunds.execution import record_done
from loyalink_khalti.flow.refunds.limits import enforce_approval, enforce_refund_limit
from loyalink_khalti.flow.refunds.payment import refund_payment
from loyalink_khalti.flow.refunds.record import record_locked, record_made
from loyalink_khalti.flow.refunds.reversal import refuse_if_khalti_shows_it, reverse_locked
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing, self_dealing_obstacle
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block, in_savepoint
from loyalink_khalti.flow.verification.apply import fulfil
from loyalink_khalti.flow.verification.release import release_purchase
from loyalink_khalti.flow.verification.verify import load, look_up, take_lease
from loyalink_khalti.khalti.wire import Status
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import captures, polling, refunds, transitions
from loyalink_khalti.payments.flag_entries import keep_answer, reopen
from loyalink_khalti.payments.flags import raise_flag, resolve_flags
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import (
    RELEASABLE_BY_STAFF,
    RESOLVED_BY,
    FlagReason,
    PaymentState,
    PurchaseState,
    RefundState,
)
from loyalink_khalti.ports import PrivateText, ReleaseReason

from .options import RECORDED, Resolution, blocking_refund, refund_in_question, resolution_options
from .outcomes import look_up_before_record, look_up_before_release, record_paid, record_unpaid

log = logging.getLogger(__name__)


def resolve_flag(
    flag: Flag,
    resolution: Resolution,
    *,
    actor: str,
    reason: str,
    amount: Paisa = Paisa(0),
    shipping: Paisa = Paisa(0),
    transaction_id: str = "",
    mobile: str = "",
    enforce_limit: bool = False,
) -> Flag:
    """Resolve a Flag for ``actor`` (a user's pk) with their reason, and return it as it is then.

    A Flag that is resolved, as the caller has read it, is answered again; it is refused where another answer came
    meanwhile. ``RECORD_PAID`` needs ``amount`` (paisa) and ``transaction_id``, ``RECORD_REFUND`` ``amount`` and the
    ``shipping`` in it. ``REFUND`` takes ``mobile``, the Khalti number for what was paid from a bank, and
    ``enforce_limit``: whether the site's limit binds this actor. A Flag that is still open then says that Khalti
    refused the refund or did not answer.

    Raises ``CannotResolve`` or ``CannotRefund`` (``RefundLimitExceeded`` above the limit, ``SelfDealing`` for the
    actor's own order) with a sentence for staff; then nothing is changed. Raises ``InsideTransaction`` inside a
    transaction.
    """
    forbid_transaction("resolve_flag")
    reason = PrivateText(reason)  # it may be about a person
    if not reason.strip():
        raise CannotResolve(_("Enter a reason: colleagues will need it later."))
    request = Request(
        flag_id=flag.pk, resolution=resolution, actor=actor, note=reason.strip(), seen_at=flag.resolved_at
    )
    _check_with_khalti(flag, resolution)
    if resolution is Resolution.REFUND:
        return _refund(request, mobile=mobile, enforce_limit=enforce_limit)
    actions: dict[Resolution, Callable[[Review], None]] = {
        Resolution.PLACE_ORDER: _place_order,
        Resolution.ACCEPT: _accept,
        Resolution.RELEASE: _release,
        Resolution.RECORD_PAID: lambda review: _record_paid(review, amount=amount, transaction_id=transaction_id),
        Resolution.RECORD_UNPAID: _record_unpaid,
        Resolution.CONFIRM_REFUND: _confirm_refund,
        Resolution.REJECT_REFUND: _reject_refund,
        Resolution.RECORD_REFUND: lambda review: _record_refund(
            review, amount=amount, shipping=shipping, enforce_limit=enforce_limit
        ),
        Resolution.CLOSE: _close,
        Resolution.REOPEN: _reopen,
    }

    def work() -> Flag:
        review = _lock(request)
        actions[resolution](review)
        review.close_flag()
        return review.flag

    try:
        return in_one_block(work)
    except SelfDealing:
        raise
    except ShopCannot as exc:
        raise CannotResolve(_("The shop cannot do this: %(error)s") % {"error": exc.detail or exc.reason}) from exc
    except LedgerError as exc:
        raise CannotResolve(_("The points cannot be updated: %(error)s") % {"error": exc}) from exc
    except (LoyalinkError, DatabaseError, InterfaceError):
        raise
    except Exception as exc:
        log.error("flag %s, %s: %s", flag.pk, resolution, safe_trace(exc))
        error = {"error": type(exc).__name__}
        raise CannotResolve(_("The shop failed with an error (%(error)s); its log has the details.") % error) from exc


def _check_with_khalti(flag: Flag, resolution: Resolution) -> None:
    """Look the payment up before an answer is written: Khalti's own word is not contradicted."""
    if resolution not in resolution_options(flag):
        return
    if resolution is Resolution.RELEASE:
        look_up_before_release(flag.payment)
    if resolution in RECORDED:
        look_up_before_record(flag.payment)
    if resolution is Resolution.CONFIRM_REFUND and _khalti_shows_no_refund(flag.payment):
        raise CannotResolve(
            _("Khalti still reports that nothing was refunded. Check its dashboard again, or resolve this later.")
        )
    refund = refund_in_question(flag)
    if resolution is Resolution.REJECT_REFUND and flag.resolved_at is not None and refund is not None:
        refuse_if_khalti_shows_it(refund)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who resolves which Flag, how, and why."""

    flag_id: int
    resolution: Resolution
    actor: str
    note: str = field(repr=False)
    seen_at: datetime | None
    """When the Flag was resolved, as the actor has seen it; None for an open one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A Flag with its payment and purchase, all locked, and how it is being resolved."""

    flag: Flag
    purchase: Purchase
    payments: list[Payment]
    payment: Payment
    request: Request

    def close_flag(self) -> None:
        """Save the resolution, with its actor and reason; an earlier answer is kept. A reopened Flag stays open."""
        if self.request.resolution is Resolution.REOPEN:
            return
        keep_answer(self.flag)
        self.flag.resolved_at, self.flag.resolution = database_now(), self.request.resolution.value
        self.flag.actor, self.flag.note = self.request.actor, self.request.note
        self.flag.save(update_fields=["resolved_at", "resolution", "actor", "note"])

    def close_flags_resolved_by(self, state: PaymentState) -> None:
        """Save the same resolution for every Flag that the payment's new state resolves."""
        request = self.request
        resolve_flags(
            self.payment, RESOLVED_BY[state], request.resolution.value, actor=request.actor, note=request.note
        )


def _lock(request: Request) -> Review:
    """Lock what a Flag is about; raise ``CannotResolve`` where it may not be resolved like that."""
    payment = Payment.objects.get(flags=request.flag_id)
    purchase, payments, payment = transitions.lock(payment)
    flag = Flag.objects.get(pk=request.flag_id)
    flag.payment = payment
    if flag.resolved_at != request.seen_at:
        raise CannotResolve(_already_resolved(flag))
    if request.resolution not in (options := resolution_options(flag)):
        raise CannotResolve(_not_an_option(options, payment))
    if request.resolution is not Resolution.REFUND:  # ``refund_payment`` asks by itself
        forbid_self_dealing(request.actor, StaffAction.RESOLVE, purchase=purchase)
    return Review(flag=flag, purchase=purchase, payments=payments, payment=payment, request=request)


def _already_resolved(flag: Flag) -> str:
    if flag.resolved_at is None:
        return _("A colleague has opened this flag again. Please open the page again.")
    return _("This flag is already resolved: “%(resolution)s”.") % {"resolution": flag.resolution}


def _not_an_option(options: tuple[Resolution, ...], payment: Payment) -> str:
    if options:
        return _("A payment that is “%(state)s” cannot be resolved like this, only by: %(options)s.") % {
            "state": payment.state,
            "options": ", ".join(options),
        }
    if blocking_refund(payment):
        return _("This payment is being refunded.")
    return _("A refund is not finished yet. It is checked again automatically: resolve this flag after that.")


def _place_order(review: Review) -> None:
    review.close_flags_resolved_by(PaymentState.FULFILLED)
    fulfil(review.purchase, review.payment, on_credit=True)


def _accept(review: Review) -> None:
    """Accept the amount as it is; where the order cannot be placed, that is another Flag."""
    purchase, payment = review.purchase, review.payment
    review.close_flags_resolved_by(PaymentState.FULFILLED)
    captures.mark_accepted(payment)
    if purchase.state == PurchaseState.PLACED or transitions.has_rival(purchase, was_released=False):
        raise_flag(payment, FlagReason.SECOND_PAYMENT, {"accepted_by": review.request.actor})
        return
    in_savepoint(lambda: fulfil(purchase, payment, on_credit=True), purchase, payment)


def _close(_review: Review) -> None:
    """Change nothing but the Flag."""


def _reopen(review: Review) -> None:
    reopen(review.flag, actor=review.request.actor, note=review.request.note)


def _release(review: Review) -> None:
    if review.payment.state in RELEASABLE_BY_STAFF:
        review.close_flags_resolved_by(PaymentState.RELEASED)
        transitions.mark_released(review.payment, ReleaseReason.CANCELLED_IN_SHOP)
    reason = ReleaseReason.CANCELLED_IN_SHOP
    release_purchase(review.purchase, review.payments, review.payment, reason, customer_present=False)


def _record_paid(review: Review, *, amount: Paisa, transaction_id: str) -> None:
    review.close_flags_resolved_by(PaymentState.FULFILLED)
    actor = review.request.actor
    record_paid(review.purchase, review.payment, amount=amount, transaction_id=transaction_id.strip(), actor=actor)


def _record_unpaid(review: Review) -> None:
    review.close_flags_resolved_by(PaymentState.RELEASED)
    record_unpaid(review.purchase, review.payments, review.payment)


def _khalti_shows_no_refund(payment: Payment) -> bool:
    """Return whether lookup reports no refund at all; False where Khalti does not answer."""
    payment = load(payment)
    lease = take_lease(payment, caller=Caller.JOB)  # the one caller that may look up a settled payment
    answer = look_up(payment, lease, caller=Caller.JOB) if lease else None
    if answer is None:
        return False
    polling.end_lease(payment, lease)
    return answer.pidx == payment.pidx and answer.status is Status.COMPLETED and not answer.refunded


def _confirm_refund(review: Review) -> None:
    if review.request.seen_at is None:
        record_done(review.purchase, review.payments, _unknown_refund(review), _("Shown in Khalti's dashboard."))
        return
    refund = refund_in_question(review.flag)
    if refund is None:
        raise CannotResolve(_("The refund that this flag is about does not exist any more."))
    record_made(review.purchase, review.payments, refund, note=review.request.note, actor=review.request.actor)


def _reject_refund(review: Review) -> None:
    refund = refund_in_question(review.flag)
    if review.request.seen_at is not None and refund is not None:  # it was called made, and was not
        request = review.request
        reverse_locked(review.purchase, review.payments, refund.pk, note=request.note, actor=request.actor)
        return
    refunds.set_state(_unknown_refund(review), RefundState.REFUSED, _("Not shown in Khalti's dashboard."))
    _ask_for_reported_refund(review.payment)


def _ask_for_reported_refund(payment: Payment) -> None:
    """Ask for the amount of the partial refund that Khalti reports, where no refund is recorded that explains it."""
    answer = payment.lookup_history[-1] if payment.lookup_history else {"status": ""}
    if Status.parse(answer["status"]) is Status.PARTIALLY_REFUNDED and not payment.refunded:
        evidence = {name: value for name, value in answer.items() if name not in {"at", "fee"}}
        raise_flag(payment, FlagReason.REFUNDED_AT_KHALTI, evidence)


def _unknown_refund(review: Review) -> Refund:
    rows = Refund.objects.select_related("payment").filter(key=review.flag.evidence.get("refund"))
    refund = rows.filter(payment=review.payment, state=RefundState.UNKNOWN).first()
    if refund is None:
        raise CannotResolve(_("The result of this refund is known now."))
    return refund


def _record_refund(review: Review, *, amount: Paisa, shipping: Paisa, enforce_limit: bool) -> None:
    """Record a partial refund made in Khalti's dashboard like one of ours; order and points follow."""
    request, payment = review.request, review.payment
    if not 0 < amount <= (payment.captured or 0) - payment.refunded or not 0 <= shipping <= amount:
        raise CannotResolve(
            _("Enter the amount that Khalti's dashboard shows: more than 0, and no more than was paid.")
        )
    if enforce_limit:
        enforce_refund_limit(review.purchase, amount, actor=request.actor)
    key = f"khalti:{payment.pk}:{review.flag.pk}"
    earlier = payment.refunds.filter(key__startswith=key).count()
    record_locked(
        review.purchase, review.payments, payment, amount=amount, shipping=shipping, note=request.note,
        actor=request.actor, key=f"{key}:{earlier}" if earlier else key,
    )  # fmt: skip


def _refuse_refund(review: Review, *, enforce_limit: bool) -> None:
    """Refuse what ``refund_payment`` will refuse, before the Flag changes."""
    actor, payment = review.request.actor, review.payment
    if obstacle := self_dealing_obstacle(actor, purchase=review.purchase):
        raise SelfDealing(obstacle)
    if enforce_limit:
        enforce_refund_limit(review.purchase, Paisa((payment.captured or 0) - payment.refunded), actor=actor)
    enforce_approval(review.purchase, Paisa((payment.captured or 0) - payment.refunded))


def _refund(request: Request, *, mobile: str, enforce_limit: bool) -> Flag:
    """Refund the payment; its Flag keeps the reason, and is resolved when the money has gone back."""

    def save_note() -> Payment:
        review = _lock(request)
        _refuse_refund(review, enforce_limit=enforce_limit)
        if review.flag.resolved_at is not None:  # it is open until the money has gone back
            _reopen(review)
        Flag.objects.filter(pk=review.flag.pk).update(note=request.note)
        return review.payment

    refund_payment(in_one_block(save_note), actor=request.actor, mobile=mobile, enforce_limit=enforce_limit)
    return Flag.objects.get(pk=request.flag_id)
