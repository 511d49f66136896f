"""Match rows of statements with payments and refunds, and list what differs: open, until it is solved or explained."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from loyalink_khalti import conf
from loyalink_khalti.clock import database_now
from loyalink_khalti.flow.members.directory import chunked
from loyalink_khalti.flow.transactions import advisory_lock, in_one_block
from loyalink_khalti.nepal import day_of, midnight, midnight_after
from loyalink_khalti.payments.models import Payment, Refund
from loyalink_khalti.payments.statement_values import RowKind
from loyalink_khalti.payments.statements import (
    DifferenceKind,
    DifferenceState,
    Statement,
    StatementDifference,
    StatementRow,
)
from loyalink_khalti.payments.states import CAPTURED, RefundState

from .candidates import Candidates, contradicts

_CHUNK = 500


def store_matches(rows: list[StatementRow], *, repeated: Iterable[str]) -> None:
    """Match new rows of one site, store them and what differs; in the caller's transaction.

    ``repeated`` has the identities of rows that say what an earlier row of their file says.
    """
    if rows:
        found = _matched(rows, set(repeated))
        StatementRow.objects.bulk_create(rows, batch_size=_CHUNK)
        for difference in found:  # only now the rows have their pks
            difference.row = difference.row
        save_differences(found)


def save_matches(rows: list[StatementRow]) -> None:
    """Match stored rows of one site again, and save what differs; in the caller's transaction.

    A row that was matched before, by us or by a person, stays with its payment.
    """
    if rows:
        stored = StatementRow.objects.filter(pk__in=[row.pk for row in rows])
        before = {row.pk: (row.payment_id, row.refund_id) for row in stored}
        found = _matched(rows, _known_doubles(rows))
        changed = [row for row in rows if before.get(row.pk) != (row.payment_id, row.refund_id)]
        StatementRow.objects.bulk_update(changed, ["payment", "refund"], batch_size=_CHUNK)
        save_differences(found, about=rows)


def _matched(rows: list[StatementRow], repeated: set[str]) -> list[StatementDifference]:
    """Give the rows of one site their payments and refunds; return what differs."""
    candidates = Candidates(rows[0].site_key, [row for row in rows if row.payment_id is None])
    payments = [[row.payment] if row.payment else candidates.of(row) for row in rows]
    everyone = {payment.pk for each in payments for payment in each}
    taken = _taken(everyone)
    refunds = _free_refunds(everyone)
    found: list[StatementDifference] = []
    for row, possible in zip(rows, payments, strict=True):
        found += _compare(row, possible, taken, refunds, is_repeated=row.identity in repeated)
    return found


def _compare(
    row: StatementRow, payments: list[Payment], taken: set[int], refunds: dict[int, list[Refund]], *, is_repeated: bool
) -> Iterator[StatementDifference]:
    if is_repeated:
        yield _difference(DifferenceKind.DOUBLE, row, payment=payments[0] if len(payments) == 1 else None)
        return
    if not payments:
        yield _difference(DifferenceKind.MISSING_HERE, row)
        return
    payment = payments[0]
    if row.payment_id is None and (len(payments) > 1 or contradicts(row, payment)):
        yield _difference(DifferenceKind.UNCLEAR, row, payment=payment if len(payments) == 1 else None)
    elif row.kind == RowKind.REFUND:
        yield from _compare_refund(row, payment, refunds)
    elif row.payment_id is None and payment.pk in taken:
        yield _difference(DifferenceKind.DOUBLE, row, payment=payment)
    else:
        taken.add(payment.pk)
        row.payment = payment
        yield from _compare_figures(row, payment)


def _compare_figures(row: StatementRow, payment: Payment) -> Iterator[StatementDifference]:
    if payment.state not in CAPTURED or payment.captured is None:
        yield _difference(DifferenceKind.NOT_PAID_HERE, row, payment=payment, there=row.amount)
        return
    if payment.captured != row.amount:
        yield _difference(DifferenceKind.AMOUNT, row, payment=payment, here=payment.captured, there=row.amount)
    if row.fee is not None and payment.fee is not None and row.fee != payment.fee:
        yield _difference(DifferenceKind.FEE, row, payment=payment, here=payment.fee, there=row.fee)


def _compare_refund(
    row: StatementRow, payment: Payment, refunds: dict[int, list[Refund]]
) -> Iterator[StatementDifference]:
    row.payment = payment
    if row.refund_id is not None:
        return
    free = refunds.get(payment.pk, [])
    same = next((refund for refund in free if refund.amount == row.amount), None)
    if same is None:
        yield _difference(DifferenceKind.REFUND_MISSING_HERE, row, payment=payment, there=row.amount)
    else:
        free.remove(same)
        row.refund = same


def _known_doubles(rows: list[StatementRow]) -> set[str]:
    """Rows that were found double before stay so."""
    doubles = StatementDifference.objects.filter(row__in=rows, kind=DifferenceKind.DOUBLE, row__payment=None)
    return set(doubles.values_list("row__identity", flat=True))


def _taken(payments: set[int]) -> set[int]:
    rows = StatementRow.objects.filter(payment__in=payments, kind=RowKind.PAYMENT)
    return set(rows.values_list("payment", flat=True))


def _made() -> "QuerySet[Refund]":
    """Refunds at Khalti that were made and not taken back, by their time."""
    made = Refund.objects.filter(state=RefundState.DONE, reverses=None, reversal=None, payment__isnull=False)
    return made.order_by("done_at", "pk")


def _has_row(field: str) -> Exists:
    return Exists(StatementRow.objects.filter(**{field: OuterRef("pk")}))


def _free_refunds(payments: set[int]) -> dict[int, list[Refund]]:
    free: dict[int, list[Refund]] = {}
    for refund in _made().filter(~_has_row("refund"), payment__in=payments):
        free.setdefault(refund.payment_id or 0, []).append(refund)
    return free


def _difference(kind: DifferenceKind, row: StatementRow, **fields: Any) -> StatementDifference:
    return StatementDifference(
        statement_id=row.statement_id, site_key=row.site_key, key=f"{kind}:row:{row.identity}", kind=kind, day=row.day,
        row=row, **fields,
    )  # fmt: skip


def save_differences(found: list[StatementDifference], *, about: Iterable[StatementRow] = ()) -> None:
    """Open what is found, again where it was solved; solved is what was open about the rows and is found no more.

    What a person has explained stays explained.
    """
    keys = [each.key for each in found]
    if about:
        of_rows = StatementDifference.objects.filter(row__in=list(about), state=DifferenceState.OPEN)
        of_rows.exclude(key__in=keys).update(state=DifferenceState.GONE, closed_at=database_now())
    if found:
        site = StatementDifference.objects.filter(site_key=found[0].site_key, key__in=keys)
        site.filter(state=DifferenceState.GONE).update(state=DifferenceState.OPEN, closed_at=None)
        StatementDifference.objects.bulk_create(found, ignore_conflicts=True, batch_size=_CHUNK)


# What the statement lacks


def environment_of(site_key: str) -> str:
    """Return Khalti's live server, or the test server where a site has only used that."""
    live = Payment.objects.filter(environment=conf.LIVE, purchase__site_key=site_key, paid_at__isnull=False)
    return conf.LIVE if live.exists() else conf.TEST


def list_missing_there(statement: Statement, first: date, last: date, *, with_refunds: bool) -> None:
    """List the payments captured in the days of a statement, and the refunds, that no statement has. In chunks."""
    since, until = midnight(first), midnight_after(last)
    environment = environment_of(statement.site_key)
    payments = Payment.objects.filter(
        ~Exists(_rows_of_payments()),
        purchase__site_key=statement.site_key, environment=environment, state__in=CAPTURED,
        paid_at__gte=since, paid_at__lt=until,
    )  # fmt: skip
    for chunk in chunked(payments.order_by("pk").iterator(chunk_size=_CHUNK)):
        _save(statement, [_missing(DifferenceKind.MISSING_THERE, statement, payment=payment) for payment in chunk])
    if not with_refunds:
        return
    refunds = _made().filter(
        ~_has_row("refund"), payment__purchase__site_key=statement.site_key, payment__environment=environment,
        done_at__gte=since, done_at__lt=until,
    )  # fmt: skip
    for group in chunked(refunds.select_related("payment").order_by("pk").iterator(chunk_size=_CHUNK)):
        _save(statement, [_missing(DifferenceKind.REFUND_MISSING_THERE, statement, refund=refund) for refund in group])


def _rows_of_payments() -> "QuerySet[StatementRow]":
    return StatementRow.objects.filter(payment=OuterRef("pk"), kind=RowKind.PAYMENT)


def _missing(
    kind: DifferenceKind, statement: Statement, *, payment: Payment | None = None, refund: Refund | None = None
) -> StatementDifference:
    at = refund.done_at if refund else payment.paid_at if payment else None
    assert at is not None
    return StatementDifference(
        statement=statement, site_key=statement.site_key, kind=kind,
        key=f"{kind}:{refund.pk if refund else payment.pk if payment else 0}", day=day_of(at),
        payment=refund.payment if refund else payment, refund=refund,
        here=refund.amount if refund else payment.captured if payment else None,
    )  # fmt: skip


def _save(statement: Statement, found: list[StatementDifference]) -> None:
    def save() -> None:
        advisory_lock([f"statements:{statement.site_key}"])
        save_differences(found)

    in_one_block(save)


# Later


def check_again(site_key: str, *, statement: int | None = None) -> int:
    """Compare what is open with the payments of now; return how many differences are solved. In chunks."""
    differences = StatementDifference.objects.filter(site_key=site_key, state=DifferenceState.OPEN)
    if statement is not None:
        differences = differences.filter(statement=statement)
    before = differences.count()
    pks = list(differences.order_by("pk").values_list("pk", flat=True))
    for chunk in chunked(pks):
        check_differences(site_key, chunk)
    return max(before - differences.count(), 0)


def check_differences(site_key: str, pks: list[int]) -> None:
    """Compare some differences again, in a transaction."""

    def check() -> None:
        advisory_lock([f"statements:{site_key}"])
        rows = StatementRow.objects.filter(differences__in=pks).select_related("payment").distinct().order_by("pk")
        save_matches(list(rows))
        solve_missing_there(StatementDifference.objects.filter(pk__in=pks))

    in_one_block(check)


def solve_missing_there(differences: "QuerySet[StatementDifference]") -> None:
    """Solve what is in a statement by now, or was not paid or refunded after all."""
    payments = Payment.objects.filter(Exists(_rows_of_payments())) | Payment.objects.exclude(state__in=CAPTURED)
    refunds = Refund.objects.filter(_has_row("refund")) | Refund.objects.exclude(pk__in=_made().order_by())
    is_open = differences.filter(state=DifferenceState.OPEN)
    for kind, name, rows in (
        (DifferenceKind.MISSING_THERE, "payment", payments),
        (DifferenceKind.REFUND_MISSING_THERE, "refund", refunds),
    ):
        of_kind = is_open.filter(**{"kind": kind, f"{name}__in": rows.values("pk")})
        of_kind.update(state=DifferenceState.GONE, closed_at=database_now())


def count_differences(statement: int) -> dict[str, tuple[int, int]]:
    """Return how many differences of a statement are open, and how many there are, by kind. One statement."""
    rows = StatementDifference.objects.filter(statement=statement).values("kind").order_by("kind")
    counted = rows.annotate(number=Count("pk"), is_open=Count("pk", filter=Q(state=DifferenceState.OPEN)))
    return {row["kind"]: (row["is_open"], row["number"]) for row in counted}
