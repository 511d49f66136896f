"""Which payments the rows of a statement name: by transaction id, pidx, order number, reference or purchase_order_id.

A constant number of statements for a chunk of rows, each along an index. Amount and day never find a payment by
themselves: ``possible_payments`` proposes some, and a person decides.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from loyalink_khalti import conf
from loyalink_khalti.nepal import midnight, midnight_after
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.statement_values import RowKind
from loyalink_khalti.payments.statements import StatementRow
from loyalink_khalti.payments.states import CAPTURED

MOST_POSSIBLE = 10
_ENVIRONMENTS = (conf.TEST, conf.LIVE)


class Candidates:
    """The payments of one site that some rows name; four statements."""

    def __init__(self, site_key: str, rows: Iterable[StatementRow]) -> None:
        rows = list(rows)
        ids = {each for row in rows for each in (row.transaction_id, row.order_id) if each}
        self._by_id: dict[str, list[Payment]] = {}
        self._by_order: dict[str, list[Payment]] = {}
        if not ids:
            return
        self._add_ids(Payment.objects.filter(environment__in=_ENVIRONMENTS, transaction_id__in=ids), site_key)
        self._add_ids(Payment.objects.filter(pidx__in=ids), site_key)
        orders = {row.order_id for row in rows if row.order_id}
        self._add_orders(orders, site_key)

    def _add_ids(self, payments: "QuerySet[Payment]", site_key: str) -> None:
        for payment in payments.filter(purchase__site_key=site_key).select_related("purchase"):
            for each in {payment.transaction_id, payment.pidx} - {None}:
                known = self._by_id.setdefault(str(each), [])
                if payment not in known:
                    known.append(payment)

    def _add_orders(self, orders: set[str], site_key: str) -> None:
        """Find by number, by reference, and by reference with the attempt, which is the id at Khalti."""
        if not orders:
            return
        refs = orders | {order.rpartition("-")[0] for order in orders} - {""}
        shops = [*conf.shops(), ""]
        found: dict[int, Payment] = {}
        for named in (Q(purchase__number__in=orders), Q(purchase__shop__in=shops, purchase__ref__in=refs)):
            payments = Payment.objects.filter(named, purchase__site_key=site_key).select_related("purchase")
            found.update((payment.pk, payment) for payment in payments)
        for payment in sorted(found.values(), key=lambda each: each.pk):
            purchase = payment.purchase
            for name in {purchase.number, purchase.ref, payment.purchase_order_id} & orders:
                self._by_order.setdefault(name, []).append(payment)

    def of(self, row: StatementRow) -> list[Payment]:
        """Return the payments that a row may be by its ids: none, one, or several between which a person decides."""
        by_id = self._by_id.get(row.transaction_id, []) if row.transaction_id else []
        by_order = self._by_order.get(row.order_id, []) or self._by_id.get(row.order_id, []) if row.order_id else []
        if by_id:
            agreed = [payment for payment in by_id if payment in by_order] if by_order else by_id
            return agreed or [*by_id, *by_order]
        return self._of_order(row, by_order)

    def _of_order(self, row: StatementRow, payments: list[Payment]) -> list[Payment]:
        captured = [payment for payment in payments if payment.state in CAPTURED] or payments
        if len(captured) > 1:
            same = [payment for payment in captured if payment.captured == row.amount]
            return same if len(same) == 1 else captured
        return captured


def contradicts(row: StatementRow, payment: Payment) -> bool:
    """Return whether a row has another transaction id than its order's payment: it may be a second payment."""
    known = {payment.transaction_id, payment.pidx} - {None, ""}
    return bool(row.transaction_id and payment.transaction_id and row.transaction_id not in known)


def possible_payments(row: StatementRow) -> list[Payment]:
    """Return captured payments of the same amount, on the same day or the one before or after, that no row has.

    They are possible, no more: a person decides.
    """
    day = timedelta(days=1)
    taken = StatementRow.objects.filter(payment=OuterRef("pk"), kind=RowKind.PAYMENT)
    payments = Payment.objects.filter(
        purchase__site_key=row.site_key, state__in=CAPTURED, captured=row.amount,
        paid_at__gte=midnight(row.day - day), paid_at__lt=midnight_after(row.day + day),
    )  # fmt: skip
    if row.kind == RowKind.PAYMENT:
        payments = payments.filter(~Exists(taken))
    return list(payments.select_related("purchase").order_by("paid_at", "pk")[:MOST_POSSIBLE])


def named_payments(site_key: str, name: str) -> list[Payment]:
    """Return the payments with this order number, reference, order id at Khalti, pidx or transaction id."""
    name = name.strip()
    if not name:
        return []
    row = StatementRow(site_key=site_key, transaction_id=name, order_id=name)
    found = Candidates(site_key, [row])
    both = [*found._by_id.get(name, []), *found._by_order.get(name, [])]
    return list({payment.pk: payment for payment in both}.values())
