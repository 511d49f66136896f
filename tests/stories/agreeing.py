"""Khalti's books beside the store's: what each says of the money, compared payment by payment."""

from collections import Counter
from collections.abc import Iterator

from django.contrib.auth import get_user_model
from django.db.models import Count, Q, Sum

from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import PENDING_REFUND, RefundState
from loyalink_khalti.ports import Method
from loyalink_khalti.simulator import Payment as AtKhalti
from loyalink_khalti.simulator import State
from sandbox.shop.people import CUSTOMERS
from tests.stories.running import Store

PAID_THERE = frozenset({State.COMPLETED, State.PART_REFUNDED, State.REFUNDED})
OVER_THERE = frozenset({State.FAILED, State.EXPIRED, State.CANCELED})
UNPAID_HERE = frozenset({"created", "initiated", "released"})
FOR_STAFF = frozenset({"paid", "mismatched"})


def disagreements(store: Store) -> list[str]:
    """Whatever the audit finds, and whatever Khalti's books tell otherwise; a sentence each."""
    report = store.audit()
    found = [f"{row['invariant']} {row['subject']}: {row['detail']}" for row in report["violations"]]
    here = {
        payment.pidx: payment
        for payment in Payment.objects.select_related("purchase").prefetch_related("flags", "refunds")
    }
    there = {payment.pidx: payment for payment in store.khalti.payments()}
    found += [f"{pidx}: Khalti knows nothing of it" for pidx in here.keys() - there.keys() if pidx]
    for pidx, books in there.items():
        payment = here.get(pidx)
        if payment is None:
            found += [f"{pidx}: paid, and the store knows nothing of it"] if books.state in PAID_THERE else []
            continue
        found += [f"{pidx} is {books.state.value}: {words}" for words in _payment(payment, books)]
        found += [f"{pidx} is {books.state.value}: {words}" for words in _refunds(payment, books)]
    paid = {order["number"]: order["paid"] for order in report["orders"]}
    return [*found, *_orders(paid, there), *_points(report["accounts"])]


def _payment(payment: Payment, books: AtKhalti) -> Iterator[str]:
    """The payment itself, but for what was given back."""
    flagged = any(flag.resolved_at is None for flag in payment.flags.all())
    if payment.amount != books.amount:
        yield f"{payment.amount} paisa here, {books.amount} there"
    if payment.captured not in {None, books.amount} and payment.state != "mismatched":
        yield f"{payment.captured} paisa were captured of {books.amount}"
    if books.state in PAID_THERE and payment.state in UNPAID_HERE:
        yield f"{payment.state} here"
    if books.state not in PAID_THERE and payment.state not in UNPAID_HERE:
        yield f"{payment.state} here"
    if books.state in OVER_THERE and payment.state != "released":
        yield f"still {payment.state} here"
    if payment.state in FOR_STAFF and not flagged:
        yield f"{payment.state}, and staff are not told"


def _refunds(payment: Payment, books: AtKhalti) -> Iterator[str]:
    """What was given back; of a refund without an answer nobody knows yet, and staff do know that."""
    pending = sum(refund.cash for refund in payment.refunds.all() if refund.state in PENDING_REFUND)
    if books.refunded - payment.refunded not in {0, pending}:
        yield f"{books.refunded} paisa are back, {payment.refunded} by the store's books, {pending} unanswered"
    if books.refunded == payment.refunded:
        wanted = {State.REFUNDED: {"refunded"}, State.PART_REFUNDED: {"part_refunded"}}
        if payment.state not in wanted.get(books.state, {payment.state}):
            yield f"{payment.state} here"


def _orders(paid: dict[str, int], there: dict[str, AtKhalti]) -> Iterator[str]:
    """Every order that Khalti paid has its one payment there, and no basket was bought twice."""
    placed = Purchase.objects.filter(state=Purchase.State.PLACED)
    for purchase in placed.filter(method=Method.KHALTI):
        settled = list(purchase.payments.filter(fulfilled_at__isnull=False))
        if len(settled) != 1 or there[str(settled[0].pidx)].state not in PAID_THERE:
            yield f"order {purchase.number}: {[payment.pidx for payment in settled]} paid for it"
        elif not paid[purchase.number] == settled[0].captured == settled[0].amount == purchase.payable:
            yield f"order {purchase.number}: {paid[purchase.number]} paisa came, {settled[0].captured} captured"
    for origin in placed.values_list("origin", flat=True).annotate(times=Count("pk")).filter(times__gt=1).order_by():
        yield f"basket {origin} was bought more than once"


def _points(accounts: list[dict[str, object]]) -> Iterator[str]:
    """Each member has what they opened with, what orders earned and refunds gave back, less what they spent."""
    users = {account["member"]: account for account in accounts}
    for customer in CUSTOMERS:
        orders = Purchase.objects.filter(state=Purchase.State.PLACED, member_id__in=_pk_of(customer.email))
        carried = Q(refunds__state=RefundState.DONE, refunds__carried_at__isnull=False)
        moved = Counter[str]()
        moved.update(orders.aggregate(earned=Sum("earned", default=0), spent=Sum("spends", default=0)))
        moved.update(
            orders.aggregate(
                restored=Sum("refunds__restored", filter=carried, default=0),
                clawed=Sum("refunds__clawed", filter=carried, default=0),
            )
        )
        wanted = customer.points + moved["earned"] - moved["spent"] + moved["restored"] - moved["clawed"]
        account = users.get(customer.email, dict.fromkeys(("available", "pending", "held", "owed"), 0))
        has = sum(int(str(account[name])) for name in ("available", "pending", "held")) - int(str(account["owed"]))
        if has != wanted:
            yield f"{customer.email} has {has} points; {customer.points} and {dict(moved)} make {wanted}"


def _pk_of(email: str) -> list[str]:
    return [str(pk) for pk in get_user_model().objects.filter(email=email).values_list("pk", flat=True)]
