"""A colleague's approval of one refund, as the verbs that refund check and use it under the lock of the purchase."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.payments.refund_approvals import ApprovalState, RefundApproval
from loyalink_khalti.payments.states import RefundState
from loyalink_khalti.ports import PrivateText


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The decision of ``actor`` (the user's pk) to approve a request; it counts once, and for its own figures only."""

    approval: int
    """The primary key of the ``RefundApproval``."""
    actor: str
    words: dict[str, Any]
    """``reason`` and ``note`` of the request, for the Refund."""

    def check(self, purchase: Purchase, amount: Paisa, *, restored: int = 0, clawed_back: int = 0) -> None:
        """Raise ``CannotRefund`` or ``SelfDealing`` where the request cannot be approved now; the purchase is locked.

        ``amount``, in paisa, and the points are what the refund does as the order is now. Another refund since the
        request may be this one, made another way, so the request does not hold then, whatever its figures.
        """
        row = locked_request(self.approval, purchase)
        if row.requested_by == self.actor:
            raise CannotRefund(_("You have requested this refund yourself. A colleague has to approve it."))
        forbid_self_dealing(row.requested_by, StaffAction.REFUND, purchase=purchase)
        is_other = (
            purchase.refunds.exclude(state=RefundState.REFUSED).filter(requested_at__gt=row.requested_at).exists()
        )
        if is_other or (row.amount, row.points_restored, row.points_clawed_back) != (amount, restored, clawed_back):
            raise CannotRefund(
                _(
                    "The figures of this request no longer hold: the order has changed since. Nothing was refunded."
                    " Reject it, and request the refund again."
                )
            )

    def use(self, refund: Refund) -> None:
        """Record that the request is approved by this refund."""
        RefundApproval.objects.filter(pk=self.approval).update(
            state=ApprovalState.APPROVED, decided_by=self.actor, decided_at=database_now(), refund=refund
        )


def grant_of(row: RefundApproval, *, actor: str) -> Grant:
    """Return the decision of a colleague to approve a request."""
    return Grant(approval=row.pk, actor=actor, words={"reason": row.reason, "note": PrivateText(row.note)})


def locked_request(pk: int, purchase: Purchase) -> RefundApproval:
    """Return an open request of a locked purchase. Raises ``CannotRefund`` where it is decided already."""
    row = RefundApproval.objects.get(pk=pk, purchase=purchase)
    if row.state != ApprovalState.REQUESTED:
        state = {"state": row.get_state_display()}
        raise CannotRefund(_("This request is decided already: %(state)s. Nothing was refunded again.") % state)
    return row
