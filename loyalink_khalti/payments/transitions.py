"""Change a payment; create and lock a purchase.

Each function is one step; the flow decides their order and commits. Those that change a payment expect it locked, as
``lock`` returns it. ``states.TRANSITIONS`` has the allowed changes. ``captures`` has those for
money whose order is not placed with it, ``payments.refunds`` changes a Refund, and
``flow.verification.apply`` places a Purchase, ``release`` releases it.
"""

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from loyalink_khalti import telemetry
from loyalink_khalti.clock import DatabaseTime, time_of
from loyalink_khalti.khalti.wire import MONEY_MOVED, Initiated, Lookup
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Cart, PaymentMethod, ReleaseReason
from loyalink_khalti.returning import Given, Select, Update, insert, save_fields
from loyalink_khalti.search import search_text_of

from .flags import resolve_flags
from .models import Credentials, Payment, Purchase
from .polling import NO_TIME, link_expiry, next_poll
from .states import (
    CAPTURED,
    HOLDING,
    RESOLVED_BY,
    TRANSITIONS,
    UNPAID_STATUSES,
    PaymentState,
    PurchaseState,
    RecordedOutcome,
)

LONGEST_HISTORY = 50
"""Answers of lookup that are kept of one payment; a usual one has a handful."""


def create_purchase(
    cart: Cart,
    *,
    method: PaymentMethod,
    points_value: Paisa,
    rules_version: int | None = None,
    browser_session: str = "",
    network: str = "",
) -> Purchase:
    """Create the purchase of a Cart; ``points_value`` is the value of its points in paisa, under ``rules_version``."""
    stored, details = cart.to_stored()
    purchase = Purchase(
        shop=cart.shop,
        ref=cart.ref,
        origin=cart.origin,
        site_key=cart.site_key,
        language=cart.language,
        member_id=cart.member_id,
        browser_session=browser_session,
        network=network,
        method=method,
        cart=stored,
        line_details=details,
        total=cart.total,
        points_redeemed=cart.points_redeemed,
        points_value=points_value,
        rules_version=rules_version,
        amount_due=cart.total - points_value,
        search_text=search_text_for(cart),
        created_at=DatabaseTime(),
    )
    insert(purchase)
    purchase.read_at, purchase.frozen_cart = purchase.created_at, cart
    return purchase


def search_text_for(cart: Cart, number: str = "") -> str:
    """Return the words by which staff find a purchase; ``number`` is that of its order."""
    return search_text_of((cart.ref, number, cart.customer.name, cart.customer.email, cart.customer.phone))


def create_payment(
    purchase: Purchase, *, credentials: Credentials, return_to: str = "", attempt: int | None = None
) -> Payment:
    """Create an attempt to pay a purchase, the next one without ``attempt``; commit it before Khalti is called."""
    payment = Payment(
        purchase=purchase,
        credentials=credentials,
        environment=credentials.environment,
        attempt=attempt or (purchase.payments.aggregate(last=Max("attempt"))["last"] or 0) + 1,
        amount=purchase.amount_due,
        created_at=DatabaseTime(),
        next_poll_at=DatabaseTime(),
        return_to=return_to,
    )
    insert(payment)
    payment.read_at = payment.created_at
    return payment


_INITIATED: dict[str, Any] = {
    "state": PaymentState.INITIATED,
    "pidx": Given("pidx"),
    "payment_url": Given("payment_url"),
    "initiated_at": DatabaseTime(),
    "expires_at": link_expiry("answered"),
    "next_poll_at": DatabaseTime(Given("wait")),
}
_MARK_INITIATED = Update(
    Payment,
    # The second: this very answer was committed, the database's acknowledgement was lost, and this is the second try.
    lambda: Payment.objects.filter(
        Q(state=PaymentState.CREATED) | Q(state=PaymentState.INITIATED, pidx=Given("pidx")), pk=Given("pk")
    ),
    _INITIATED,
    returning=tuple(_INITIATED),
)


def mark_initiated(payment: Payment, answer: Initiated) -> bool:
    """Store Khalti's answer to initiate in one statement; ``payment`` is then as it is stored. Needs no lock.

    Return False where the payment was released meanwhile.
    """
    found = _MARK_INITIATED.run(
        pk=payment.pk,
        pidx=answer.pidx,
        payment_url=answer.payment_url,
        answered=answer.expires_at or NO_TIME,
        wait=next_poll(payment, PaymentState.INITIATED),
    )
    for row in found:
        payment.__dict__.update(zip(_INITIATED, row, strict=True))
        payment.read_at = payment.initiated_at
    return bool(found)


def lock(payment: Payment) -> tuple[Purchase, list[Payment], Payment]:
    """Lock the purchase of a payment with all of its payments; return it, them, and the one meant, freshly read."""
    purchase, payments = lock_purchase(payment.purchase_id)
    return purchase, payments, next(each for each in payments if each.pk == payment.pk)


def lock_purchase(purchase_id: int) -> tuple[Purchase, list[Payment]]:
    """Lock a purchase, every purchase of the same basket, and then its payments; return it and them, freshly read.

    One statement for each kind of row. ``purchase.of_same_basket`` has the other purchases of the basket.
    """
    basket = _BASKET_LOCKED.all(pk=purchase_id)
    purchase: Purchase = next(each for each in basket if each.pk == purchase_id)
    purchase.of_same_basket = [each for each in basket if each.pk != purchase_id]
    payments: list[Payment] = _PAYMENTS_LOCKED.all(purchase=purchase_id)
    for payment in payments:
        payment.purchase, purchase.read_at = purchase, payment.read_at
    return purchase, payments


def _basket() -> "QuerySet[Purchase]":
    row = Purchase.objects.filter(pk=Given("pk"))
    basket = Purchase.objects.filter(shop__in=row.values("shop"), origin__in=row.values("origin"))
    return basket.select_for_update(of=("self",)).order_by("pk")


def _payments() -> "QuerySet[Payment]":
    rows = Payment.objects.with_flags().select_for_update(of=("self",))
    return rows.filter(purchase_id=Given("purchase")).order_by("pk")


_BASKET_LOCKED = Select(Purchase, _basket)
_PAYMENTS_LOCKED = Select(Payment, _payments)


def move(payment: Payment, to: PaymentState, **fields: Any) -> None:
    """Move a payment to another state, save the named fields and resolve the Flags that this state resolves.

    Raises ``ValueError`` where ``TRANSITIONS`` does not allow it.
    """
    _check(payment, to)
    if to in CAPTURED and payment.recorded_outcome == RecordedOutcome.UNPAID:  # it was paid after all
        payment.recorded_outcome = ""
    save(payment, state=to, **fields)
    reason = str(fields.get("release_reason", ""))
    transaction.on_commit(partial(telemetry.count_payment, to.value, reason), robust=True)
    if to in RESOLVED_BY and payment.is_flagged:
        resolve_flags(payment, RESOLVED_BY[to], to.value)


def _check(payment: Payment, to: PaymentState) -> None:
    state = PaymentState(payment.state)
    if to not in TRANSITIONS[state]:
        raise ValueError(f"payment {payment.pk} cannot go from {state} to {to}")


def save(payment: Payment, **fields: Any) -> None:
    """Save the named fields and the lookup history, end the lease and set the next poll."""
    for name, value in fields.items():
        setattr(payment, name, value)
    defaults: dict[str, Any] = {"lease": "", "leased_until": None, "poll_failures": 0}
    if "next_poll_at" not in fields:
        wait = next_poll(payment, PaymentState(payment.state))
        defaults["next_poll_at"] = None if wait is None else time_of(payment) + wait
    fields = defaults | fields
    for name, value in fields.items():
        setattr(payment, name, value)
    save_fields(payment, *sorted({*fields, "last_answer", "lookup_history", "recorded_outcome"}))


def record_lookup(payment: Payment, answer: Lookup) -> None:
    """Add an answer to ``payment.lookup_history`` if it differs from the last one; the caller saves it.

    ``payment.last_answer`` is its status, which the caller saves, too.
    """
    entry = {
        "status": answer.status_text,
        "pidx": answer.pidx,
        "total_amount": answer.total_amount,
        "transaction_id": answer.transaction_id,
        "fee": answer.fee,
        "refunded": answer.refunded,
    }
    if payment.recorded_outcome and _is_known_by(payment, answer):
        payment.recorded_outcome = ""
    payment.last_answer = answer.status.value if answer.pidx == payment.pidx else ""
    last = payment.lookup_history[-1] if payment.lookup_history else {}
    if entry != {name: last.get(name) for name in entry}:
        history = [*payment.lookup_history, {"at": time_of(payment).isoformat(), **entry}]
        payment.lookup_history = history[-LONGEST_HISTORY:]


def _is_known_by(payment: Payment, answer: Lookup) -> bool:
    """Return whether Khalti itself now says what staff have recorded of a payment."""
    if answer.pidx != payment.pidx:
        return False
    if payment.recorded_outcome == RecordedOutcome.UNPAID:
        return answer.status in UNPAID_STATUSES
    figures = answer.total_amount, answer.transaction_id
    return answer.status in MONEY_MOVED and figures == (payment.captured, payment.transaction_id)


def paid_fields(payment: Payment, answer: Lookup) -> dict[str, Any]:
    """Return what is stored of a payment that Khalti reports as paid; amounts in paisa."""
    return {
        "paid_at": time_of(payment),
        "captured": answer.total_amount,
        "fee": answer.fee,
        "transaction_id": answer.transaction_id,
    }


def set_paid(payment: Payment, answer: Lookup) -> None:
    """Set that Khalti has the money, without a statement: ``mark_fulfilled`` writes it together with the order.

    Raises ``ValueError`` like ``move``.
    """
    _check(payment, PaymentState.PAID)
    payment.state = PaymentState.PAID
    for name, value in paid_fields(payment, answer).items():
        setattr(payment, name, value)


def mark_fulfilled(payment: Payment) -> None:
    """Record in one statement that Khalti has the money of a payment and that its order is placed.

    Raises ``IntegrityError`` where the transaction id belongs to another payment.
    """
    paid = {name: getattr(payment, name) for name in ("paid_at", "captured", "fee", "transaction_id")}
    move(payment, PaymentState.FULFILLED, fulfilled_at=time_of(payment), **paid)


def mark_released(payment: Payment, reason: ReleaseReason, *, by_customer: bool = False) -> None:
    """Record that a payment is not paid in the end; ``by_customer``: because its customer has cancelled it here."""
    fields = {"cancelled_by_customer": True} if by_customer else {}
    move(payment, PaymentState.RELEASED, release_reason=reason, released_at=time_of(payment), **fields)


def is_holding(payments: list[Payment]) -> bool:
    """Return whether any of a purchase's payments keeps its stock and points."""
    return any(payment.state in HOLDING for payment in payments)


def has_rival(purchase: Purchase, *, was_released: bool) -> bool:
    """Return whether another purchase of the same basket is placed or, for a released one, open.

    The purchase is locked, and with it the others of its basket. Unless it is open they are read again, which costs
    a statement: the basket is free then, so that another purchase of it may have been committed while
    ``lock_purchase`` waited, which does not see such a row.
    """
    if purchase.state == PurchaseState.OPEN and not was_released:
        return any(each.state == PurchaseState.PLACED for each in purchase.of_same_basket)
    others = Purchase.objects.filter(shop=purchase.shop, origin=purchase.origin).exclude(pk=purchase.pk)
    rivals = (
        others.exclude(state=PurchaseState.RELEASED) if was_released else others.filter(state=PurchaseState.PLACED)
    )
    return rivals.exists()


def has_bought_since(purchase: Purchase) -> bool:
    """Return whether the purchase's member or browser session has anything else open, or placed since it was begun."""
    whose = Q()
    if purchase.member_id:
        whose |= Q(member_id=purchase.member_id)
    if purchase.browser_session:
        whose |= Q(browser_session=purchase.browser_session)
    if not whose:
        return True  # it is not known whose it is
    others = Purchase.objects.filter(whose).exclude(pk=purchase.pk)
    since = Q(state=PurchaseState.PLACED, placed_at__gte=purchase.created_at)
    return others.filter(Q(state=PurchaseState.OPEN) | since).exists()
