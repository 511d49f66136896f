"""Compare Khalti's payments with the store's, one by one."""

from collections import Counter
from collections.abc import Iterator

from django.contrib.auth import get_user_model
from django.db.models import Count, Q, Sum

from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import PENDING_REFUNDS, PurchaseState, RefundState
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.simulator import Payment as AtKhalti
from loyalink_khalti.simulator import State
from sandbox.shop.accounts import CUSTOMERS
from tests.stories.running_store import Store

PAID_AT_KHALTI = frozenset({State.COMPLETED, State.PARTIALLY_REFUNDED, State.REFUNDED})
UNPAID_AT_KHALTI = frozenset({State.FAILED, State.EXPIRED, State.CANCELED})
UNPAID_IN_STORE = frozenset({"created", "initiated", "released"})
TO_REVIEW = frozenset({"paid", "mismatched"})


def disagreements(store: Store) -> list[str]:
    """Return what the audit finds and where Khalti and the store differ, a sentence each."""
    report = store.audit()
    found = [f"{row['invariant']} {row['subject']}: {row['detail']}" for row in report["violations"]]
    here = {
        payment.pidx: payment
        for payment in Payment.objects.select_related("purchase").prefetch_related("flags", "refunds")
    }
    there = {payment.pidx: payment for payment in store.khalti.payments()}
    found += [f"{pidx}: Khalti does not have it" for pidx in here.keys() - there.keys() if pidx]
    for pidx, at_khalti in there.items():
        payment = here.get(pidx)
        if payment is None:
            found += [f"{pidx}: paid, and the store does not have it"] if at_khalti.state in PAID_AT_KHALTI else []
            continue
        found += [f"{pidx} is {at_khalti.state.value}: {text}" for text in _payment(payment, at_khalti)]
        found += [f"{pidx} is {at_khalti.state.value}: {text}" for text in _refunds(payment, at_khalti)]
    paid = {order["number"]: order["paid"] for order in report["orders"]}
    return [*found, *_orders(paid, there), *_points(report["accounts"])]


def _payment(payment: Payment, at_khalti: AtKhalti) -> Iterator[str]:
    """The payment itself, without its refunds."""
    flagged = any(flag.resolved_at is None for flag in payment.flags.all())
    if payment.amount != at_khalti.amount:
        yield f"{payment.amount} paisa here, {at_khalti.amount} there"
    if payment.captured not in {None, at_khalti.amount} and payment.state != "mismatched":
        yield f"{payment.captured} paisa were captured of {at_khalti.amount}"
    if at_khalti.state in PAID_AT_KHALTI and payment.state in UNPAID_IN_STORE:
        yield f"{payment.state} here"
    if at_khalti.state not in PAID_AT_KHALTI and payment.state not in UNPAID_IN_STORE:
        yield f"{payment.state} here"
    if at_khalti.state in UNPAID_AT_KHALTI and payment.state != "released":
        yield f"still {payment.state} here"
    if payment.state in TO_REVIEW and not flagged:
        yield f"{payment.state}, and no flag is raised"


def _refunds(payment: Payment, at_khalti: AtKhalti) -> Iterator[str]:
    """The refunds; one without an answer may or may not be made."""
    pending = sum(refund.amount for refund in payment.refunds.all() if refund.state in PENDING_REFUNDS)
    if at_khalti.refunded - payment.refunded not in {0, pending}:
        yield f"{at_khalti.refunded} paisa refunded, {payment.refunded} in the store, {pending} unanswered"
    if at_khalti.refunded == payment.refunded:
        expected = {State.REFUNDED: {"refunded"}, State.PARTIALLY_REFUNDED: {"partially_refunded"}}
        if payment.state not in expected.get(at_khalti.state, {payment.state}):
            yield f"{payment.state} here"


def _orders(paid: dict[str, int], there: dict[str, AtKhalti]) -> Iterator[str]:
    """Every order paid at Khalti has exactly one payment there, and no basket was bought twice."""
    placed = Purchase.objects.filter(state=PurchaseState.PLACED)
    for purchase in placed.filter(method=PaymentMethod.KHALTI):
        settled = list(purchase.payments.filter(fulfilled_at__isnull=False))
        if len(settled) != 1 or there[str(settled[0].pidx)].state not in PAID_AT_KHALTI:
            yield f"order {purchase.number}: {[payment.pidx for payment in settled]} paid for it"
        elif not paid[purchase.number] == settled[0].captured == settled[0].amount == purchase.amount_due:
            yield f"order {purchase.number}: {paid[purchase.number]} paisa paid, {settled[0].captured} captured"
    for origin in placed.values_list("origin", flat=True).annotate(times=Count("pk")).filter(times__gt=1).order_by():
        yield f"basket {origin} was bought more than once"


def _points(accounts: list[dict[str, object]]) -> Iterator[str]:
    """Each member has the opening balance plus earned and restored points, less redeemed and reversed ones."""
    users = {account["member"]: account for account in accounts}
    for customer in CUSTOMERS:
        orders = Purchase.objects.filter(state=PurchaseState.PLACED, member_id__in=_pk_of(customer.email))
        applied = Q(refunds__state=RefundState.DONE, refunds__applied_at__isnull=False)
        moved = Counter[str]()
        moved.update(orders.aggregate(earned=Sum("earned", default=0), redeemed=Sum("points_redeemed", default=0)))
        moved.update(
            orders.aggregate(
                points_restored=Sum("refunds__points_restored", filter=applied, default=0),
                points_clawed_back=Sum("refunds__points_clawed_back", filter=applied, default=0),
            )
        )
        expected = (
            customer.points
            + moved["earned"]
            - moved["redeemed"]
            + moved["points_restored"]
            - moved["points_clawed_back"]
        )
        account = users.get(customer.email, dict.fromkeys(("available", "pending", "held", "owed"), 0))
        has = sum(int(str(account[name])) for name in ("available", "pending", "held")) - int(str(account["owed"]))
        if has != expected:
            yield f"{customer.email} has {has} points; {customer.points} and {dict(moved)} make {expected}"


def _pk_of(email: str) -> list[str]:
    return [str(pk) for pk in get_user_model().objects.filter(email=email).values_list("pk", flat=True)]
