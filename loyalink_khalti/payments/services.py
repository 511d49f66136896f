"""What is written down about payments. Each function is one step; the flow decides the order and the transactions."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from loyalink_khalti.khalti.wire import Initiated, Lookup
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Cart, Method, Why

from .models import Credentials, Flag, Payment, Purchase
from .states import EDGES, HOLDING, SETTLED, Reason, State

VISITOR_BACK_OFF = (timedelta(seconds=3), timedelta(seconds=10), timedelta(seconds=30))
"""How long after the first, second and any later lookup of a payment a visitor's click makes no other one."""

OWN_LINK_LIFETIME = timedelta(minutes=60)
"""How long a link is taken to live where Khalti names no usable time (its documented default in production)."""
LONGEST_LINK_LIFETIME = timedelta(days=1)


def open_purchase(
    cart: Cart, *, method: Method, worth: Paisa, rules_version: int | None = None, visitor: str = ""
) -> Purchase:
    """Write down what is being bought; ``worth`` is what its points are worth, by the rules of ``rules_version``."""
    return Purchase.objects.create(
        shop=cart.shop,
        ref=cart.ref,
        origin=cart.origin,
        site_key=cart.site_key,
        language=cart.language,
        member_id=cart.member_id,
        visitor=visitor,
        method=method,
        cart=cart.to_json(),
        total=cart.total,
        spends=cart.spends,
        worth=worth,
        rules_version=rules_version,
        payable=cart.total - worth,
    )


def open_payment(purchase: Purchase, *, credentials: Credentials) -> Payment:
    """Write down that the purchase is about to be paid at Khalti, before Khalti hears of it."""
    last = purchase.payments.aggregate(last=Max("attempt"))["last"] or 0
    return Payment.objects.create(
        purchase=purchase,
        credentials=credentials,
        environment=credentials.environment,
        attempt=last + 1,
        amount=purchase.payable,
    )


def initiated(payment: Payment, answer: Initiated) -> bool:
    """Store what Khalti answered; False where the payment has meanwhile been released."""
    now = timezone.now()
    # The second: this very answer was committed, but the word of it was lost, and this is the second try.
    waiting = Q(state=State.CREATED) | Q(state=State.INITIATED, pidx=answer.pidx)
    return bool(
        Payment.objects.filter(waiting, pk=payment.pk).update(
            state=State.INITIATED,
            pidx=answer.pidx,
            payment_url=answer.payment_url,
            initiated_at=now,
            expires_at=_link_expiry(answer.expires_at, now=now),
        )
    )


def _link_expiry(told: datetime | None, *, now: datetime) -> datetime:
    """Believe Khalti's time only where it is one: not past, not in the far future."""
    if told is None or not now < told <= now + LONGEST_LINK_LIFETIME:
        return now + OWN_LINK_LIFETIME
    return told


def take_lease(
    payment: Payment, *, seconds: float, asked_before: datetime | None = None, visitor: bool = False
) -> str:
    """Become the one who asks Khalti about a payment for ``seconds``; "" where another is, it is too soon or settled.

    One conditional UPDATE, so that any number of processes may try. A visitor honours ``ask_after`` and puts it off;
    an owner's click honours ``asked_before``; a job neither, and it makes no visitor wait.
    """
    now = timezone.now()
    free = Payment.objects.filter(Q(leased_until=None) | Q(leased_until__lte=now), pk=payment.pk)
    free = free.exclude(state__in=SETTLED)
    back_off: dict[str, Any] = {}
    if visitor:
        free = free.filter(Q(ask_after=None) | Q(ask_after__lte=now))
        wait = VISITOR_BACK_OFF[min(payment.asked, len(VISITOR_BACK_OFF) - 1)]
        back_off = {"ask_after": now + wait, "asked": F("asked") + 1}
    if asked_before is not None:
        free = free.filter(Q(asked_at=None) | Q(asked_at__lte=asked_before))
    lease = secrets.token_hex(16)
    taken = free.update(lease=lease, leased_until=now + timedelta(seconds=seconds), asked_at=now, **back_off)
    return lease if taken else ""


def drop_lease(payment: Payment, lease: str) -> None:
    """Let others ask again, now that nothing was learned."""
    Payment.objects.filter(pk=payment.pk, lease=lease).update(lease="", leased_until=None)


def put_off(payment: Payment, *, seconds: float) -> None:
    """Let no visitor make Khalti be asked about this payment for so long."""
    Payment.objects.filter(pk=payment.pk).update(ask_after=timezone.now() + timedelta(seconds=seconds))


def count_not_found(payment: Payment) -> int:
    """Count another "Not found." for a pidx that Khalti gave us, and return how many there have been."""
    Payment.objects.filter(pk=payment.pk).update(not_found=F("not_found") + 1)
    return Payment.objects.values_list("not_found", flat=True).get(pk=payment.pk)


def lock(purchase_id: int) -> tuple[Purchase, list[Payment]]:
    """Lock a purchase, whatever else came from its basket, and then its payments; all are as the database has them."""
    mine = Purchase.objects.filter(pk=purchase_id)
    basket = Purchase.objects.filter(shop__in=mine.values("shop"), origin__in=mine.values("origin"))
    purchase = next(row for row in basket.select_for_update(of=("self",)).order_by("pk") if row.pk == purchase_id)
    payments = list(Payment.objects.select_for_update(of=("self",)).filter(purchase=purchase).order_by("pk"))
    for payment in payments:
        payment.purchase = purchase
    return purchase, payments


def move(payment: Payment, to: State, **fields: Any) -> None:
    """Move a locked payment along an allowed edge, end its lease and save what is named."""
    state = State(payment.state)
    if to not in EDGES[state]:
        raise ValueError(f"payment {payment.pk} cannot go from {state} to {to}")
    save(payment, state=to, **fields)


def save(payment: Payment, **fields: Any) -> None:
    """Save the named fields of a locked payment and end its lease."""
    fields |= {"lease": "", "leased_until": None}
    for name, value in fields.items():
        setattr(payment, name, value)
    payment.save(update_fields=list(fields))


def mark_paid(payment: Payment, answer: Lookup) -> bool:
    """Write down that Khalti has the money; False (a mismatch) where its transaction id settled another payment."""
    try:
        with transaction.atomic():
            move(
                payment,
                State.PAID,
                paid_at=timezone.now(),
                captured=answer.total_amount,
                fee=answer.fee,
                transaction_id=answer.transaction_id,
            )
    except IntegrityError:
        payment.refresh_from_db()
        mark_mismatched(payment, answer, Reason.DUPLICATE_TRANSACTION_ID)
        return False
    return True


def mark_mismatched(payment: Payment, answer: Lookup, reason: Reason) -> None:
    """Keep Khalti's figure beside the stored one, and tell staff."""
    fields = {"captured": answer.total_amount, "fee": answer.fee}
    if State.MISMATCHED in EDGES[State(payment.state)]:
        move(payment, State.MISMATCHED, **fields)
    raise_flag(payment, reason, evidence_of(answer))


def mark_released(payment: Payment, why: Why) -> None:
    move(payment, State.RELEASED, why=why, released_at=timezone.now())


def mark_refunded(payment: Payment, answer: Lookup, to: State) -> None:
    """Khalti gave the money back, or a part that lookup does not name, before the goods were granted."""
    captured = answer.total_amount if answer.total_amount is not None else payment.amount
    refunded = captured if to is State.REFUNDED else 0
    fields: dict[str, Any] = {"captured": captured, "refunded": refunded}
    if to is State.REFUNDED and not payment.why:
        fields |= {"why": Why.REFUNDED, "released_at": timezone.now()}
    move(payment, to, **fields)
    raise_flag(payment, Reason.REFUNDED_AT_KHALTI, evidence_of(answer))


def raise_flag(payment: Payment, reason: Reason, evidence: Mapping[str, Any]) -> None:
    """Tell staff, once; the same reason is not raised again while it stands."""
    Flag.objects.get_or_create(payment=payment, reason=reason, resolved_at=None, defaults={"evidence": dict(evidence)})


def evidence_of(answer: Lookup) -> dict[str, Any]:
    return {
        "pidx": answer.pidx,
        "status": answer.status_text,
        "total_amount": answer.total_amount,
        "transaction_id": answer.transaction_id,
        "refunded": answer.refunded,
    }


def mark_received(purchase: Purchase, *, by: str, at: datetime) -> None:
    """The cash or the transfer has come, says ``by`` (a user's pk)."""
    purchase.received_at, purchase.received_by = at, by
    purchase.save(update_fields=["received_at", "received_by"])


def holds_goods(payments: list[Payment]) -> bool:
    """Whether any of a purchase's payments may still become, or has become, money for its goods."""
    return any(payment.state in HOLDING for payment in payments)


def rivals(purchase: Purchase, *, was_released: bool) -> bool:
    """Whether the same basket was bought under another purchase or, for one that was given up, is being bought."""
    others = Purchase.objects.filter(shop=purchase.shop, origin=purchase.origin).exclude(pk=purchase.pk)
    if was_released:
        return others.exclude(state=Purchase.State.RELEASED).exists()
    return others.filter(state=Purchase.State.PLACED).exists()
