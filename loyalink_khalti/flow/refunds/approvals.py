"""Refunds that need two people: one requests them, and another one approves or rejects them.

A request moves no money. Approved, it is refunded as it was requested, under the same locks and checks as any refund,
and with the approver's permissions; where the order has changed so that the figures differ, nothing is refunded.
"""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from loyalink_khalti import conf, outbox
from loyalink_khalti.clock import database_now, time_of
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.flow.checkout.received import refund_surplus
from loyalink_khalti.flow.members.directory import login_name
from loyalink_khalti.flow.review.alerts import mail_alert
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import flags, refunds, transitions
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.payments.refund_approvals import ApprovalState, RefundApproval
from loyalink_khalti.payments.states import REFUNDABLE, RefundKind
from loyalink_khalti.ports import PrivateText

from .checks import check_no_other, check_shop, lines_to_keep, money_to_refund, payment_to_refund
from .grants import grant_of, locked_request
from .limits import Lines
from .order import quote_refund, refund_order
from .payment import refund_payment

_MAIL = f"{__name__}.mail_request"


def request_order_refund(
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
    seen_refund: int | None = None,
    cancels: bool = False,
) -> RefundApproval:
    """Request what ``refund_order`` would refund, once per ``key``; the arguments and errors are the same."""

    def figures(locked: Purchase, payments: list[Payment]) -> dict[str, Any]:
        check_no_other(locked, seen_refund)
        check_shop(locked)
        if cancels and not refunds.is_awaiting_money(locked):
            raise CannotRefund(_("This order is paid. Refund it instead."))
        quoted = quote_refund(locked, subtotal=subtotal, shipping=shipping, lines=lines)
        payment = payment_to_refund(payments, quoted.amount) if quoted.via_khalti else None
        return {
            "kind": RefundKind.ORDER, "payment": payment, "subtotal": subtotal, "shipping": quoted.shipping,
            "amount": money_to_refund(payment, quoted.amount), "cancels": cancels,
            "lines": lines_to_keep(lines, restock),
            "points_restored": quoted.points_restored, "points_clawed_back": quoted.points_clawed_back,
        }  # fmt: skip

    return _request(purchase, figures, key=key, actor=actor, reason=reason, note=note)


def request_payment_refund(payment: Payment, *, key: str, actor: str, note: str = "") -> RefundApproval:
    """Request what ``refund_payment`` would refund, once per ``key``. Raises as ``request_order_refund``."""

    def figures(_purchase: Purchase, payments: list[Payment]) -> dict[str, Any]:
        row = next(each for each in payments if each.pk == payment.pk)
        if row.state not in REFUNDABLE or row.fulfilled_at is not None or flags.has_unrecorded_partial_refund(row):
            raise CannotRefund(
                _("This payment cannot be refunded by itself: it paid for an order, or it brought no money.")
            )
        left = (row.captured or 0) - row.refunded
        return {"kind": RefundKind.PAYMENT, "payment": row, "subtotal": 0, "shipping": 0, "amount": left}

    return _request(payment.purchase, figures, key=key, actor=actor, note=note)


def request_surplus_refund(purchase: Purchase, *, amount: Paisa, key: str, actor: str) -> RefundApproval:
    """Request what ``refund_surplus`` would refund, once per ``key``. Raises as ``request_order_refund``."""

    def figures(locked: Purchase, _payments: list[Payment]) -> dict[str, Any]:
        if not 0 < amount <= locked.surplus:
            left = {"left": npr(Paisa(locked.surplus))}
            raise CannotRefund(_("Only %(left)s was received beyond what the order needs.") % left)
        return {"kind": RefundKind.RECEIVED, "subtotal": 0, "shipping": 0, "amount": amount}

    return _request(purchase, figures, key=key, actor=actor)


def _request(
    purchase: Purchase, figures: Any, *, key: str, actor: str, reason: str = "", note: str = ""
) -> RefundApproval:
    forbid_transaction("request_refund")

    def work() -> RefundApproval:
        locked, payments = transitions.lock_purchase(purchase.pk)
        earlier = RefundApproval.objects.filter(key=key).first()
        if earlier is not None:
            if earlier.purchase_id != locked.pk:
                raise CannotRefund(_("This form was sent before with other amounts. Please open the page again."))
            earlier.is_repeated = True
            return earlier
        forbid_self_dealing(actor, StaffAction.REFUND, purchase=locked)
        if open_request(locked) is not None:
            raise CannotRefund(_("A refund of this order awaits a colleague's approval already."))
        fields = figures(locked, payments)
        if not fields["amount"]:
            raise CannotRefund(_("This returns no money, so no one has to approve it."))
        row = RefundApproval(
            purchase=locked, key=key, requested_by=actor, requested_at=time_of(locked), reason=reason,
            note=PrivateText(note.strip()), **fields,
        )  # fmt: skip
        row.save(force_insert=True)
        outbox.post(_MAIL, request=row.pk)
        return row

    try:
        return in_one_block(work)
    except IntegrityError as exc:  # another process was first, and its row was not visible here
        raise CannotRefund(_("A refund of this order awaits a colleague's approval already.")) from exc


def open_request(purchase: Purchase) -> RefundApproval | None:
    """Return the request of an order that awaits a decision; there is one at most."""
    return RefundApproval.objects.filter(purchase=purchase, state=ApprovalState.REQUESTED).first()


def approve_refund(row: RefundApproval, *, actor: str, mobile: str = "", enforce_limit: bool = False) -> Refund:
    """Refund what was requested, once, and return the Refund, which ``is_repeated`` where it was approved before.

    ``actor`` is the approver, never the requester. Raises ``CannotRefund`` (with ``RefundLimitExceeded`` and
    ``SelfDealing``), with a sentence for staff, where the figures no longer hold or the request is decided otherwise;
    then nothing is refunded and the request stays as it is. Raises ``InsideTransaction``.
    """
    forbid_transaction("approve_refund")
    if row.requested_by == actor:
        raise CannotRefund(_("You have requested this refund yourself. A colleague has to approve it."))
    key, grant = f"approval:{row.pk}", grant_of(row, actor=actor)
    done = Refund.objects.filter(approval=row.pk).first()
    if done is not None:
        done.is_repeated = True
        return done
    if row.kind == RefundKind.PAYMENT and row.payment is not None:
        return refund_payment(row.payment, actor=actor, mobile=mobile, enforce_limit=enforce_limit, grant=grant)
    if row.kind == RefundKind.RECEIVED:
        return refund_surplus(
            row.purchase, amount=Paisa(row.amount), key=key, actor=actor, enforce_limit=enforce_limit, grant=grant
        )
    return refund_order(
        row.purchase,
        subtotal=Paisa(row.subtotal),
        shipping=Paisa(row.shipping),
        lines=[(line, number) for line, number, _restock in row.lines],
        restock={line for line, _number, restock in row.lines if restock},
        key=key,
        actor=actor,
        mobile=mobile,
        enforce_limit=enforce_limit,
        cancels=row.cancels,
        grant=grant,
        **grant.words,
    )


def reject_refund(row: RefundApproval, *, actor: str, note: str) -> RefundApproval:
    """Reject a request with a reason, or withdraw one's own. Raises ``CannotRefund`` where it is decided already."""

    def work() -> RefundApproval:
        purchase, _payments = transitions.lock_purchase(row.purchase_id)
        locked = locked_request(row.pk, purchase)
        is_own = locked.requested_by == actor
        if not is_own:
            forbid_self_dealing(actor, StaffAction.REFUND, purchase=purchase)
        locked.state = ApprovalState.WITHDRAWN if is_own else ApprovalState.REJECTED
        locked.decided_by, locked.decided_at = actor, database_now()
        locked.decision_note = PrivateText(note.strip())
        locked.save(update_fields=["state", "decided_by", "decided_at", "decision_note"])
        return locked

    forbid_transaction("reject_refund")
    return in_one_block(work)


def mail_request(request: int, message_id: int) -> None:
    """E-mail ``ALERTS_TO`` about a request, without a name of a customer; the outbox calls this at least once."""
    row = RefundApproval.objects.select_related("purchase").filter(pk=request).first()
    if row is None:
        return
    context = {
        "order": row.purchase.number or row.purchase.ref,
        "amount": npr(Paisa(row.amount)),
        "actor": login_name(row.requested_by),
        "at": row.requested_at,
        "url": _url(row),
    }
    mail_alert("refund_requested", context, message_id, site_key=row.purchase.site_key)


def _url(row: RefundApproval) -> str:
    """Return where staff decide; "" in a shop without Wagtail's admin, or whose site has no address."""
    try:
        return conf.absolute_url(row.purchase.site_key, reverse("loyalink_khalti_refund_approval", args=[row.pk]))
    except (NoReverseMatch, ImproperlyConfigured):
        return ""
