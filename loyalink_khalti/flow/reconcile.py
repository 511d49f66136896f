"""Find what nobody came back for: payers who closed the tab, messages that were not sent."""

import logging
from collections import Counter
from collections.abc import Iterator

from loyalink_khalti import outbox
from loyalink_khalti.payments import watch
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import State
from loyalink_khalti.ports import Outcome, Why

from .finish import finish
from .settle import release_payment
from .transactions import forbid_transaction

log = logging.getLogger(__name__)


def reconcile() -> Iterator[tuple[Payment, Outcome | None]]:
    """Ask about every watched payment, yielding each with where it stands; None where asking failed.

    One pass; it ignores back-off and waits leases out. One payment that fails does not keep the others waiting.
    """
    forbid_transaction("reconcile")
    for pk in list(watch.watched().values_list("pk", flat=True)):
        payment = Payment.objects.select_related("purchase").get(pk=pk)
        yield payment, _one(payment)
    outbox.deliver(insist=True)


def _one(payment: Payment) -> Outcome | None:
    try:
        if payment.state == State.RELEASED and payment.pidx is None:
            return release_payment(payment, Why(payment.why), present=False)
        return finish(payment, insist=True)
    except Exception:
        log.exception("reconcile: payment %s", payment.pk)
        return None


def summary(outcomes: Counter[str]) -> str:
    """One line for a person: what the pass found."""
    if not outcomes:
        return "nothing was waiting"
    return ", ".join(f"{number} {name}" for name, number in sorted(outcomes.items()))
