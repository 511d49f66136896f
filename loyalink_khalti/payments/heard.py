"""What Khalti has said of a payment, each change with its time, for the people who will ask."""

from django.utils import timezone

from loyalink_khalti.khalti.wire import Lookup

from .models import Payment

MOST = 50
"""Changes that are kept of one payment; it has a handful."""


def hear(payment: Payment, answer: Lookup) -> None:
    """Remember what Khalti has said, where it is news; whoever holds the row saves it with what follows from it."""
    told = {
        "status": answer.status_text,
        "pidx": answer.pidx,
        "total_amount": answer.total_amount,
        "transaction_id": answer.transaction_id,
        "fee": answer.fee,
        "refunded": answer.refunded,
    }
    last = payment.heard[-1] if payment.heard else {}
    if told != {name: last.get(name) for name in told}:
        payment.heard = [*payment.heard, {"at": timezone.now().isoformat(), **told}][-MOST:]
