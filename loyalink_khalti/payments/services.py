"""What is written down about payments. Each function is one step; the flow decides the order and the transactions."""

import json
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet
from django.utils import timezone

from loyalink_khalti import outbox
from loyalink_khalti.finding import words_of
from loyalink_khalti.khalti.wire import Initiated, Lookup, Status
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Cart, Method, Why

from .models import Credentials, Flag, Payment, Purchase
from .states import ANSWERS, EDGES, HOLDING, SETTLED, Reason, State
from .watch import next_look

VISITOR_BACK_OFF = (timedelta(seconds=3), timedelta(seconds=10), timedelta(seconds=30))
"""How long after the first, second and any later lookup of a payment a visitor's click makes no other one."""

OWN_LINK_LIFETIME = timedelta(minutes=60)
"""How long a link is taken to live where Khalti names no usable time (its documented default in production)."""
LONGEST_LINK_LIFETIME = timedelta(days=1)

ALERT = "loyalink_khalti.flow.alerts.digest"
"""What tells staff of new Flags; called by the outbox."""
ALERTS_APART = timedelta(hours=1)
"""The least time between two mails of new Flags."""


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
        words=words_for(cart),
    )


def words_for(cart: Cart, number: str = "") -> str:
    """What staff find a purchase by."""
    return words_of((cart.ref, number, cart.customer.name, cart.customer.email, cart.customer.phone))


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
            watch_after=next_look(payment, State.INITIATED),
        )
    )


def _link_expiry(told: datetime | None, *, now: datetime) -> datetime:
    """Believe Khalti's time only where it is one: not past, not in the far future."""
    if told is None or not now < told <= now + LONGEST_LINK_LIFETIME:
        return now + OWN_LINK_LIFETIME
    return told


def new_lease() -> str:
    """A name for a lease that nobody else has."""
    return secrets.token_hex(16)


def take_lease(
    payment: Payment,
    *,
    seconds: float,
    lease: str = "",
    asked_before: datetime | None = None,
    visitor: bool = False,
    granted: bool = False,
) -> str:
    """Become the one who asks Khalti about a payment for ``seconds``; "" where another is, it is too soon or settled.

    One conditional UPDATE, so that any number of processes may try; with the same ``lease`` twice, where the answer to
    the first was lost. A visitor honours ``ask_after`` and puts it off; ``asked_before`` refuses where somebody has
    asked since, unless they died of it. ``granted``: whoever looks for refunds asks about settled payments too.
    """
    now, lease = timezone.now(), lease or new_lease()
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    if not granted:
        free &= ~Q(state__in=SETTLED)
    back_off: dict[str, Any] = {}
    if visitor:
        free &= Q(ask_after=None) | Q(ask_after__lte=now)
        back_off = {"ask_after": now + _back_off(payment), "asked": F("asked") + 1}
    if asked_before is not None:
        free &= Q(asked_at=None) | Q(asked_at__lte=asked_before) | ~Q(lease="")
    mine = Payment.objects.filter(free | Q(lease=lease), pk=payment.pk)
    taken = mine.update(lease=lease, leased_until=now + timedelta(seconds=seconds), asked_at=now, **back_off)
    return lease if taken else ""


def _back_off(payment: Payment) -> timedelta:
    return VISITOR_BACK_OFF[min(payment.asked, len(VISITOR_BACK_OFF) - 1)]


def drop_lease(payment: Payment, lease: str, *, by_job: bool = False) -> None:
    """Let others ask again, now that nothing was learned.

    A job that has failed comes back ever later; a visitor's back-off begins now, or the next page would wait as long.
    """
    fields: dict[str, Any] = {"lease": "", "leased_until": None}
    if not by_job:
        fields["ask_after"] = timezone.now() + _back_off(payment)
    if by_job:
        failures = payment.failures + 1
        fields |= {
            "failures": failures, "watch_after": next_look(payment, State(payment.state), failures=failures),
        }  # fmt: skip
    Payment.objects.filter(pk=payment.pk, lease=lease).update(**fields)


def still_waits(payment: Payment, lease: str) -> bool:
    """End the lease of a payment that nobody has paid yet, without a lock; False where it has moved on meanwhile."""
    mine = Payment.objects.filter(pk=payment.pk, lease=lease, state=State.INITIATED)
    looked = {"watch_after": next_look(payment, State.INITIATED), "failures": 0, "not_found": 0}
    looked["heard"] = payment.heard
    return bool(mine.update(lease="", leased_until=None, **looked))


def put_off(payment: Payment, *, seconds: float) -> None:
    """Let nobody make Khalti be asked about this payment for so long."""
    then = timezone.now() + timedelta(seconds=seconds)
    Payment.objects.filter(pk=payment.pk).update(ask_after=then, watch_after=then)


def count_not_found(payment: Payment) -> int:
    """Count another "Not found." for a pidx that Khalti gave us, and return how many there have been."""
    Payment.objects.filter(pk=payment.pk).update(not_found=F("not_found") + 1)
    return Payment.objects.values_list("not_found", flat=True).get(pk=payment.pk)


def with_flags() -> "QuerySet[Any]":
    """Payments, each read together with whether a Flag of it is open: ``is_flagged``."""
    return Payment.objects.annotate(is_flagged=Exists(Flag.objects.filter(payment=OuterRef("pk"), resolved_at=None)))


def lock(purchase_id: int) -> tuple[Purchase, list[Payment]]:
    """Lock a purchase, whatever else came from its basket, and then its payments; all are as the database has them."""
    mine = Purchase.objects.filter(pk=purchase_id)
    basket = Purchase.objects.filter(shop__in=mine.values("shop"), origin__in=mine.values("origin"))
    purchase = next(row for row in basket.select_for_update(of=("self",)).order_by("pk") if row.pk == purchase_id)
    rows = with_flags().select_for_update(of=("self",))
    payments: list[Payment] = [*rows.filter(purchase=purchase).order_by("pk")]
    for payment in payments:
        payment.purchase = purchase
    return purchase, payments


def is_flagged(payment: Payment) -> bool:
    """Whether a Flag of a payment was open when it was read ``with_flags``."""
    return bool(getattr(payment, "is_flagged", True))


def move(payment: Payment, to: State, **fields: Any) -> None:
    """Move a locked payment along an allowed edge, end its lease and save what is named."""
    state = State(payment.state)
    if to not in EDGES[state]:
        raise ValueError(f"payment {payment.pk} cannot go from {state} to {to}")
    save(payment, state=to, **fields)
    if to in ANSWERS and is_flagged(payment):
        resolve_flags(payment, ANSWERS[to], to.value)


def save(payment: Payment, **fields: Any) -> None:
    """Save the named fields of a locked payment, end its lease and say when a job looks next."""
    for name in fields:
        setattr(payment, name, fields[name])
    looked = {"lease": "", "leased_until": None, "failures": 0}
    fields = looked | {"watch_after": next_look(payment, State(payment.state))} | fields
    for name, value in fields.items():
        setattr(payment, name, value)
    payment.save(update_fields=[*fields, "heard"])


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
    if State.MISMATCHED in EDGES[State(payment.state)]:
        move(payment, State.MISMATCHED, captured=answer.total_amount, fee=answer.fee)
    keep_transaction(payment, answer)
    raise_flag(payment, reason, evidence_of(answer))


def keep_transaction(payment: Payment, answer: Lookup) -> None:
    """Store the transaction id of a payment that has none, so that staff can give it back, unless another has it."""
    if payment.transaction_id or not answer.transaction_id or answer.pidx != payment.pidx:
        return
    try:
        with transaction.atomic():
            save(payment, transaction_id=answer.transaction_id, paid_at=timezone.now())
    except IntegrityError:
        payment.refresh_from_db(fields=["transaction_id", "paid_at"])


def mark_accepted(payment: Payment) -> None:
    """A person has said, with a reason, that the money of a mismatched payment is taken as it is."""
    move(payment, State.PAID, paid_at=payment.paid_at or timezone.now())


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
    keep_transaction(payment, answer)
    raise_flag(payment, Reason.REFUNDED_AT_KHALTI, evidence_of(answer))


def look_soon(payment: Payment) -> None:
    """Let the next pass look at a payment, whatever its back-off: something must still become of it."""
    Payment.objects.filter(pk=payment.pk).update(watch_after=None)


def raise_flag(payment: Payment, reason: Reason, evidence: Mapping[str, Any]) -> None:
    """Tell staff, once: not while the same reason stands, nor where a person has answered just this before."""
    told = json.loads(json.dumps(dict(evidence), default=str))
    for flag in Flag.objects.filter(payment=payment, reason=reason):
        if flag.resolved_at is None or (flag.actor is not None and flag.evidence == told):
            return
    Flag.objects.bulk_create([Flag(payment=payment, reason=reason, evidence=told)], ignore_conflicts=True)
    transaction.on_commit(tell_staff, robust=True)


def tell_staff() -> None:
    """Let a digest of new Flags be mailed; one that waits already is enough."""
    outbox.post_once(ALERT, key=ALERT, apart=ALERTS_APART)


def resolve_flags(
    payment: Payment, reasons: Collection[Reason], resolution: str, *, by: str | None = None, note: str = ""
) -> int:
    """Write what became of a payment's open Flags; ``by`` is the user's pk, None where it came right by itself.

    Those about one of its refunds stay: ``refunds`` closes them with that refund.
    """
    flags = Flag.objects.filter(payment=payment, reason__in=list(reasons), resolved_at=None)
    flags = flags.exclude(evidence__has_key="refund")
    noted = {"note": note} if note else {}
    return flags.update(resolved_at=timezone.now(), resolution=resolution, actor=by, **noted)


def has_unsaid_part(payment: Payment) -> bool:
    """Whether Khalti has said that a part went back in its dashboard, and nobody has said yet how much."""
    flags = Flag.objects.filter(payment=payment, reason=Reason.REFUNDED_AT_KHALTI, resolved_at=None)
    return flags.filter(evidence__status=Status.PARTIALLY_REFUNDED.value).exists()


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
