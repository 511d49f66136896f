"""What is written down about refunds. Amounts are paisa."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Sum
from django.utils import timezone

from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Method

from . import services
from .models import Payment, Purchase, Refund
from .states import SETTLED, RefundState, State


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """What refunds have given back of a purchase; money in paisa."""

    goods: Paisa
    shipping: Paisa
    cash: Paisa


def so_far(purchase: Purchase) -> SoFar:
    """The sums of the refunds that were made."""
    done = Refund.objects.filter(purchase=purchase, state=RefundState.DONE)
    sums = done.aggregate(goods=Sum("goods"), shipping=Sum("shipping"), cash=Sum("cash"))
    return SoFar(**{name: Paisa(value or 0) for name, value in sums.items()})


def came_in(purchase: Purchase) -> Paisa:
    """The money that has come in for a placed purchase."""
    return Paisa(purchase.payable if purchase.method == Method.KHALTI else purchase.received)


def paid_by(payments: Sequence[Payment]) -> Payment | None:
    """The payment that settled the purchase."""
    return next((payment for payment in payments if payment.state in SETTLED and payment.fulfilled_at), None)


def send(refund: Refund) -> bool:
    """Become the one who sends a refund to Khalti; False where it was sent before. Committed before it is sent."""
    waiting = Refund.objects.filter(pk=refund.pk, state=RefundState.REQUESTED)
    return bool(waiting.update(state=RefundState.SENT))


def resolve(refund: Refund, state: RefundState, words: str = "") -> None:
    """Write down what became of it."""
    refund.state, refund.words = state, words[:500]
    if state is RefundState.DONE:
        refund.done_at = timezone.now()
    refund.save(update_fields=["state", "words", "done_at"])


def give_back(payment: Payment, cash: int) -> None:
    """Count cash as given back by Khalti; the payment is locked."""
    refunded = payment.refunded + cash
    to = State.REFUNDED if refunded == payment.captured else State.PART_REFUNDED
    if payment.state == to:
        services.save(payment, refunded=refunded)
    else:
        services.move(payment, to, refunded=refunded)
