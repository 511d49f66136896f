"""What became of a payment that lookup cannot tell: staff record what Khalti's dashboard shows, or release it.

Khalti's own answer comes first: it is looked up, and where there is a usable answer, that is applied and nothing is
recorded. What staff have recorded is marked (``Payment.recorded_outcome``) until a lookup confirms it; the audit lists
it. https://docs.khalti.com/khalti-epayment/#payment-verification-lookup
"""

from django.utils.translation import gettext as _

from loyalink_khalti.clock import database_now
from loyalink_khalti.conf import Caller, formats
from loyalink_khalti.errors import CannotResolve
from loyalink_khalti.flow.transactions import in_savepoint
from loyalink_khalti.flow.verification.apply import apply_lookup, fulfil
from loyalink_khalti.flow.verification.release import release_purchase
from loyalink_khalti.flow.verification.verify import load, look_up, take_lease
from loyalink_khalti.khalti.wire import Lookup, Status, is_id
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import captures, polling, transitions
from loyalink_khalti.payments.flags import raise_flag
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import (
    RELEASABLE_BY_STAFF,
    FlagReason,
    PaymentState,
    PurchaseState,
    RecordedOutcome,
    VerdictKind,
    judge,
)
from loyalink_khalti.ports import ReleaseReason

BY_STAFF = "Recorded by staff"
"""What stands for Khalti's status in the evidence of a Flag about a recorded payment."""


def look_up_before_release(payment: Payment) -> None:
    """Ask Khalti before staff release a payment. Raise ``CannotResolve`` unless it says now that nothing was paid.

    Any other usable answer is applied.
    """
    payment, lease, answer = _ask(payment)
    kind = None if answer is None else judge(answer, pidx=payment.pidx or "", amount=Paisa(payment.amount)).kind
    if answer is None or kind is VerdictKind.UNKNOWN:
        polling.end_lease(payment, lease)
        raise CannotResolve(
            _(
                "Khalti does not say whether this was paid, so nothing is released. Look into Khalti's dashboard and"
                " record what it shows."
            )
        )
    if kind is VerdictKind.UNPAID or answer.status is Status.INITIATED:
        polling.end_lease(payment, lease)
        return
    apply_lookup(payment, answer, lease=lease)
    raise CannotResolve(_says(answer, _("Nothing was released.")))


def look_up_before_record(payment: Payment) -> None:
    """Ask Khalti before staff record an outcome. Raise ``CannotResolve`` where it has an answer, which is applied.

    A payment of which Khalti's answer is in doubt (a mismatch) has been answered: there staff decide.
    """
    if payment.state == PaymentState.MISMATCHED:
        return
    payment, lease, answer = _ask(payment)
    if answer is None:
        return
    if judge(answer, pidx=payment.pidx or "", amount=Paisa(payment.amount)).kind is VerdictKind.UNKNOWN:
        polling.end_lease(payment, lease)
        return
    apply_lookup(payment, answer, lease=lease)
    raise CannotResolve(_says(answer, _("Its answer counts, and nothing was recorded.")))


def _ask(payment: Payment) -> tuple[Payment, str, Lookup | None]:
    payment = load(payment)
    lease = take_lease(payment, caller=Caller.STAFF)
    if not lease:
        raise CannotResolve(_("This payment is being looked up at this moment. Try again in a minute."))
    return payment, lease, look_up(payment, lease, caller=Caller.STAFF)


def _says(answer: Lookup, sentence: str) -> str:
    return " ".join((_("Khalti answers now: “%(status)s”.") % {"status": answer.status_text}, sentence))


def record_paid(purchase: Purchase, payment: Payment, *, amount: Paisa, transaction_id: str, actor: str) -> None:
    """Record that Khalti's dashboard shows a locked payment as paid, with ``amount`` in paisa; then its order follows.

    Raises ``CannotResolve`` where the figures cannot be those of this payment. Another amount than was due is a
    mismatch, about which staff decide next.
    """
    if amount <= 0 or not is_id(transaction_id):
        raise CannotResolve(_("Enter the amount and the transaction ID that Khalti's dashboard shows."))
    if Payment.objects.filter(environment=payment.environment, transaction_id=transaction_id).exists():
        raise CannotResolve(_("This transaction ID belongs to another payment."))
    was_released = payment.state == PaymentState.RELEASED
    answer = Lookup(
        pidx=payment.pidx or "", status=Status.COMPLETED, status_text=BY_STAFF, total_amount=amount,
        transaction_id=transaction_id, fee=None, refunded=False,
    )  # fmt: skip
    payment.recorded_outcome = RecordedOutcome.PAID
    if amount != payment.amount:
        captures.mark_mismatched(payment, answer, FlagReason.AMOUNT_MISMATCH)
        return
    captures.mark_paid(payment, answer)
    if purchase.state == PurchaseState.PLACED or transitions.has_rival(purchase, was_released=was_released):
        raise_flag(payment, FlagReason.SECOND_PAYMENT, {"recorded_by": actor})
    elif was_released:
        raise_flag(payment, FlagReason.PAID_AFTER_CANCEL, {"recorded_by": actor})
    else:
        in_savepoint(lambda: fulfil(purchase, payment), purchase, payment)


def record_unpaid(purchase: Purchase, payments: list[Payment], payment: Payment) -> None:
    """Record that Khalti's dashboard shows a locked payment as not paid, and release what it holds.

    Raises ``CannotResolve`` while its link can still be paid.
    """
    if payment.state == PaymentState.INITIATED and payment.expires_at and payment.expires_at > database_now():
        until = formats.moment(payment.expires_at)
        text = _("The customer can still pay until %(until)s. Look into Khalti's dashboard after that.")
        raise CannotResolve(text % {"until": until})
    payment.recorded_outcome = RecordedOutcome.UNPAID
    if payment.state in RELEASABLE_BY_STAFF:
        transitions.mark_released(payment, ReleaseReason.CANCELLED_IN_SHOP)
    release_purchase(purchase, payments, payment, ReleaseReason.CANCELLED_IN_SHOP, customer_present=False)
