"""What a person decides about a difference of a statement: attach a row, explain it, open it again.

No payment, refund or fee is changed: a fee is Khalti's own answer, so a statement's fee stays a note of its row.
"""

from collections.abc import Callable

from django.db.models import Q
from django.utils.translation import gettext as _

from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import CannotMatch
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing
from loyalink_khalti.flow.transactions import advisory_lock, forbid_transaction, in_one_block
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.statement_values import RowKind
from loyalink_khalti.payments.statements import (
    Decision,
    DifferenceKind,
    DifferenceState,
    StatementDecision,
    StatementDifference,
    StatementRow,
)

from .compare import save_matches, solve_missing_there
from .settling import is_settled

ATTACHABLE = frozenset({DifferenceKind.MISSING_HERE, DifferenceKind.UNCLEAR})
"""Differences that end when a person names the payment of the row."""


def explain_difference(pk: int, *, reason: str, key: str, actor: str) -> StatementDecision:
    """Close an open difference with a reason, once per ``key`` of the form.

    Raises ``CannotMatch`` and ``SelfDealing``.
    """

    def work(difference: StatementDifference) -> Payment | None:
        _require(difference, DifferenceState.OPEN)
        difference.state, difference.closed_at = DifferenceState.CLOSED, database_now()
        difference.save(update_fields=["state", "closed_at"])
        return difference.payment

    return _decide(pk, Decision.EXPLAINED, work, reason=reason, key=key, actor=actor)


def reopen_difference(pk: int, *, reason: str, key: str, actor: str) -> StatementDecision:
    """Open an explained difference again. Raises ``CannotMatch``, also on a settled day, and ``SelfDealing``."""

    def work(difference: StatementDifference) -> Payment | None:
        _require(difference, DifferenceState.CLOSED)
        if is_settled(difference.site_key, difference.day):
            raise CannotMatch(_("Its day is settled. Undo that first."))
        difference.state, difference.closed_at = DifferenceState.OPEN, None
        difference.save(update_fields=["state", "closed_at"])
        return difference.payment

    return _decide(pk, Decision.REOPENED, work, reason=reason, key=key, actor=actor)


def attach_row(pk: int, payment: Payment, *, reason: str, key: str, actor: str) -> StatementDecision:
    """Make a payment the one that the row of a difference is about; what differs of the two is listed then.

    Raises ``CannotMatch`` where another row has the payment, or it is of another site, and ``SelfDealing``.
    """

    def work(difference: StatementDifference) -> Payment | None:
        _require(difference, DifferenceState.OPEN)
        row = difference.row
        if row is None or difference.kind not in ATTACHABLE:
            raise CannotMatch(_("This difference has no row that could be attached."))
        if payment.purchase.site_key != difference.site_key:
            raise CannotMatch(_("This payment is of another site."))
        others = StatementRow.objects.filter(payment=payment, kind=RowKind.PAYMENT).exclude(pk=row.pk)
        if row.kind == RowKind.PAYMENT and others.exists():
            raise CannotMatch(_("Another row of a statement has this payment already."))
        row.payment = payment
        save_matches([row])
        is_of_payment = Q(payment=payment, site_key=difference.site_key)
        solve_missing_there(StatementDifference.objects.filter(is_of_payment))
        return payment

    return _decide(pk, Decision.ATTACHED, work, reason=reason, key=key, actor=actor, payment=payment)


def _decide(
    pk: int,
    decision: Decision,
    work: Callable[[StatementDifference], Payment | None],
    *,
    reason: str,
    key: str,
    actor: str,
    payment: Payment | None = None,
) -> StatementDecision:
    forbid_transaction("decide a difference")
    if not reason.strip():
        raise CannotMatch(_("Enter a reason: colleagues will need it later."))

    def decide() -> StatementDecision:
        earlier = StatementDecision.objects.filter(key=key).first()
        if earlier is not None:
            earlier.is_repeated = True
            return earlier
        site_key = StatementDifference.objects.values_list("site_key", flat=True).get(pk=pk)
        advisory_lock([f"statements:{site_key}"])  # before the row: who compares again has it before its rows
        found = StatementDifference.objects.select_related("row", "payment").select_for_update(of=("self",)).get(pk=pk)
        about = payment or found.payment
        if about is not None:
            purchase = Purchase.objects.get(pk=about.purchase_id)
            forbid_self_dealing(actor, StaffAction.STATEMENT, purchase=purchase)
        of_payment = work(found)
        return StatementDecision.objects.create(
            difference=found, decision=decision, reason=reason.strip()[:1000], payment=of_payment, actor=actor, key=key
        )

    return in_one_block(decide)


def _require(difference: StatementDifference, state: DifferenceState) -> None:
    if difference.state != state:
        raise CannotMatch(_("This difference has changed meanwhile. Look at it again."))
