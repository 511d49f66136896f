"""Send a committed Refund to Khalti: look the payment up first, send once, record the answer.

Both calls are made under one lease of the payment, so that no other lookup runs meanwhile. A refund is sent only where
lookup's answer agrees with what is recorded here, and it is never sent again automatically.
"""

import logging
import secrets
import time
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from loyalink_khalti import conf
from loyalink_khalti.clock import time_of
from loyalink_khalti.conf import Caller
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import KhaltiError, KhaltiKeyRejected, KhaltiNotCalled, KhaltiRejected, KhaltiThrottled
from loyalink_khalti.flow.transactions import in_one_block
from loyalink_khalti.flow.verification.apply import apply_lookup
from loyalink_khalti.flow.verification.external_refunds import apply_refund_status
from loyalink_khalti.flow.verification.verify import is_refunding, load, look_up_or_raise, take_lease
from loyalink_khalti.khalti.wire import Lookup, Status, is_id
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import captures, polling, refund_mobile, refunds, transitions
from loyalink_khalti.payments.contradictions import contradicts, shows_refund
from loyalink_khalti.payments.models import Payment, Refund
from loyalink_khalti.payments.states import UNANSWERED_REFUNDS, FlagReason, RefundState

from .execution import record_done

log = logging.getLogger(__name__)

LONGEST_LEASE_WAIT = 5.0
"""seconds that a refund waits while another process looks the payment up; less where the deadline of a call is less"""
LEASE_POLL_INTERVAL = 0.1
"""seconds"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sender:
    """One try to send one refund: the payment as it was read before the lookup, and the lease for both calls."""

    refund: Refund
    payment: Payment
    lease: str
    """Named after the refund, so that another try to send the same one recognises it."""


def send_refund(refund: Refund, *, mobile: str) -> Refund:
    """Send a committed refund to Khalti after a lookup, unless another process has, and return it.

    It is ``refused``, with a sentence for staff, where nothing was sent: Khalti did not answer the lookup, or reports
    something else than is recorded here. No transaction is open.
    """
    payment = load(Payment(pk=refund.payment_id))
    sender = _Sender(refund=refund, payment=payment, lease=f"refund{refund.pk}-{secrets.token_hex(6)}")
    try:
        conf.client_for(payment.credentials, Caller.STAFF)
    except ImproperlyConfigured as exc:
        return _refuse_unsent(refund, str(exc))
    if not _take_lease(sender):
        return Refund.objects.get(pk=refund.pk)
    try:
        answer = look_up_or_raise(payment, sender.lease, caller=Caller.STAFF)
    except (ImproperlyConfigured, KhaltiError) as exc:
        return _refuse_unsent(refund, _without_answer(exc))
    return _send_after(sender, answer, mobile=mobile)


def _take_lease(sender: _Sender) -> bool:
    """Wait, but not long, for the lease of the payment; a refund that cannot have it is refused.

    It does not wait for another sender of the same refund: then this one is done.
    """
    until = time.monotonic() + min(LONGEST_LEASE_WAIT, conf.deadline())
    while not take_lease(sender.payment, caller=Caller.STAFF, for_refund=sender.lease):
        holder = Payment.objects.values_list("lease", flat=True).get(pk=sender.payment.pk)
        if holder.startswith(f"refund{sender.refund.pk}-"):
            return False
        if time.monotonic() > until:
            text = _("Khalti is being asked about this payment at this moment. Nothing was sent: try again.")
            _refuse_unsent(sender.refund, text)
            return False
        time.sleep(LEASE_POLL_INTERVAL)
    return True


def _without_answer(exc: Exception) -> str:
    """Return why nothing is sent where lookup brought no answer."""
    if isinstance(exc, ImproperlyConfigured):
        return str(exc)
    if isinstance(exc, KhaltiNotCalled | KhaltiThrottled):
        return _("Khalti does not respond, or asks this shop to wait. Nothing was sent: try again in a minute.")
    if isinstance(exc, KhaltiRejected):
        text = _("Khalti refuses to say what became of this payment: “%(khalti)s”. Nothing was sent.")
        return text % {"khalti": exc.message.removesuffix(".")}
    return _("Khalti did not answer. Nothing was sent: try again.")


def _refuse_unsent(refund: Refund, message: str) -> Refund:
    in_one_block(lambda: refunds.refuse_unsent(refund, message))
    return Refund.objects.get(pk=refund.pk)


def _send_after(sender: _Sender, answer: Lookup, *, mobile: str) -> Refund:
    """Send the refund where the answer allows it; else apply what the answer says about the payment."""
    payment = in_one_block(lambda: _claim(sender, answer))
    if payment is not None:
        return _send(sender, payment, mobile=mobile)
    if Payment.objects.filter(pk=sender.payment.pk, lease=sender.lease).exists():
        _apply(sender, answer)
    return Refund.objects.get(pk=sender.refund.pk)


def _claim(sender: _Sender, answer: Lookup) -> Payment | None:
    """Mark the refund as sent and return its payment, for the one process that may send it now; None for any other.

    Where Khalti reports something else than is recorded, the refund is refused with what Khalti says.
    """
    _purchase, _payments, payment = transitions.lock(sender.payment)
    refund = Refund.objects.get(pk=sender.refund.pk)
    leased_until, has_lease = payment.leased_until, payment.lease == sender.lease
    payment.credentials = sender.payment.credentials
    if has_lease and refund.state == RefundState.SENT:  # by the first try, whose acknowledgement was lost
        return payment
    if not has_lease:
        refunds.refuse_unsent(refund, _("Khalti answered too late. Nothing was sent: try again."))
        return None
    obstacle = _obstacle(payment, answer) or _keep_transaction_id(payment, answer)
    if obstacle:
        refunds.refuse_unsent(refund, obstacle)
    if obstacle or not refunds.mark_sent(refund):
        return None
    transitions.record_lookup(payment, answer)
    next_poll_at = time_of(payment) + refunds.SENDER_GONE_AFTER  # should this process die
    transitions.save(payment, lease=sender.lease, leased_until=leased_until, next_poll_at=next_poll_at)
    return payment


def _obstacle(payment: Payment, answer: Lookup) -> str:
    """Return why a payment is not refunded after this answer, as a sentence for staff; "" where it may be."""
    values = {"status": answer.status_text, "amount": npr(answer.total_amount or Paisa(0))}
    if answer.pidx != payment.pidx:
        return _("Khalti answered about another payment. Nothing was sent: try again.")
    if answer.status is Status.REFUNDED:
        return _("Khalti reports “%(status)s”: all of this payment was refunded already. Nothing was sent.") % values
    if shows_refund(answer) and not payment.refunded:
        return (
            _(
                "Khalti reports “%(status)s”: a part was refunded that is not recorded here. Nothing was sent. Record "
                "the amount that Khalti's dashboard shows, then refund the rest."
            )
            % values
        )
    if contradicts(payment, answer):
        return (
            _(
                "Khalti reports “%(status)s” and %(amount)s, which contradicts what is recorded of this payment. "
                "Nothing was sent: check Khalti's dashboard."
            )
            % values
        )
    return ""


def _keep_transaction_id(payment: Payment, answer: Lookup) -> str:
    """Keep the transaction id of a payment that has none yet; return why it cannot be refunded, "" where it can."""
    captures.keep_transaction_id(payment, answer)
    if is_id(payment.transaction_id or ""):
        return ""
    return _("Khalti sent no transaction id for this payment. Refund it in Khalti's dashboard.")


def _apply(sender: _Sender, answer: Lookup) -> None:
    """Apply an answer after which nothing was sent; this ends the lease."""
    if is_refunding(load(sender.payment)):
        apply_refund_status(sender.payment, answer)
    else:
        apply_lookup(sender.payment, answer, lease=sender.lease)


def _send(sender: _Sender, payment: Payment, *, mobile: str) -> Refund:
    """Call Khalti once and record the result."""
    refund = sender.refund
    try:
        message = _call_khalti(refund, payment, mobile=mobile or None)
    except (ImproperlyConfigured, KhaltiNotCalled):
        text = _("Khalti is not responding. Nothing was sent: try again.")
        return _record_failure(sender, RefundState.REFUSED, text, was_sent=False)
    except KhaltiRejected as exc:
        asks = refund_mobile.asks_for_mobile(exc)
        message = refund_mobile.without(exc.message, mobile)
        return _record_failure(sender, RefundState.REFUSED, message, asks_for_mobile=asks)
    except KhaltiError as exc:
        log.warning("refund %s: %s", refund.pk, exc)
        return _record_failure(sender, RefundState.UNKNOWN, str(exc))
    return _record_success(refund, message)


def _call_khalti(refund: Refund, payment: Payment, *, mobile: str | None) -> str:
    """Ask Khalti for the refund and return its message.

    It is asked with the key that opened the payment or, where Khalti no longer accepts that one, with its successor.
    For a full refund no amount is sent: https://docs.khalti.com/khalti-epayment/#refund
    """
    client, _same_key = conf.client_for(payment.credentials, Caller.STAFF)
    transaction_id = payment.transaction_id or ""
    is_full = not payment.refunded and refund.amount == payment.captured
    amount = None if is_full else Paisa(refund.amount)
    try:
        return client.refund(transaction_id, amount=amount, mobile=mobile)
    except KhaltiKeyRejected:  # a "no": nothing was refunded
        successor = conf.replacement_client(payment.credentials, Caller.STAFF)
        if successor is None:
            raise
        return successor.refund(transaction_id, amount=amount, mobile=mobile)


def _record_failure(
    sender: _Sender, state: RefundState, message: str, *, asks_for_mobile: bool = False, was_sent: bool = True
) -> Refund:
    """Record that a refund was refused or not sent, or that its result is unknown."""

    def work() -> Refund:
        transitions.lock_purchase(sender.refund.purchase_id)
        row = Refund.objects.select_related("payment").get(pk=sender.refund.pk)
        polling.end_lease(sender.payment, sender.lease)
        if row.state not in UNANSWERED_REFUNDS or row.state == state:
            return row
        if state is RefundState.UNKNOWN:
            refunds.mark_unknown(row, message)
        else:
            refunds.set_state(row, state, message)
            refunds.resolve_flag(row, FlagReason.REFUND_UNKNOWN, "not made")
        row.mobile_requested = asks_for_mobile or row.mobile_requested
        row.sent_at = row.sent_at if was_sent else None
        row.save(update_fields=["mobile_requested", "sent_at"])
        return row

    return in_one_block(work)


def _record_success(refund: Refund, message: str) -> Refund:
    def work() -> Refund:
        purchase, payments = transitions.lock_purchase(refund.purchase_id)
        row = Refund.objects.select_related("payment").get(pk=refund.pk)
        if row.state != RefundState.DONE:
            record_done(purchase, payments, row, message)
        return row

    return in_one_block(work)
