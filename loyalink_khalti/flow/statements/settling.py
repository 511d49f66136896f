"""Settled days: a person states that a day here and in the statements is the same. Each row is written once."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti.errors import CannotMatch
from loyalink_khalti.flow.transactions import advisory_lock, forbid_transaction, in_one_block
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import KATHMANDU, day_of, midnight, midnight_after
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.statement_values import RowKind
from loyalink_khalti.payments.statements import (
    DifferenceState,
    SettledDay,
    Statement,
    StatementDifference,
    StatementRow,
)
from loyalink_khalti.payments.states import CAPTURED

from .compare import environment_of, list_missing_there


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementDay:
    """One day here and in the statements; amounts are paisa."""

    day: date
    rows: int = 0
    there: Paisa = Paisa(0)
    """Payments of the statements."""
    fees_there: Paisa = Paisa(0)
    refunded_there: Paisa = Paisa(0)
    payments: int = 0
    here: Paisa = Paisa(0)
    """Payments captured here."""
    fees_here: Paisa = Paisa(0)
    open_differences: int = 0
    settled: SettledDay | None = None

    @property
    def can_be_settled(self) -> bool:
        return self.settled is None and not self.open_differences and bool(self.rows or self.payments)


def statement_days(site_key: str, first: date, last: date) -> list[StatementDay]:
    """Return the days that statements or payments are about, the newest first. Five statements."""
    days: dict[date, StatementDay] = {}

    def put(day: date, **figures: Any) -> None:
        days[day] = replace(days.get(day, StatementDay(day=day)), **figures)

    is_payment, is_refund = Q(kind=RowKind.PAYMENT), Q(kind=RowKind.REFUND)
    rows = StatementRow.objects.filter(site_key=site_key, day__gte=first, day__lte=last).values("day")
    for row in rows.annotate(
        number=Count("pk"),
        paid=Sum("amount", filter=is_payment),
        back=Sum("amount", filter=is_refund),
        fees=Sum("fee"),
    ).order_by():
        put(
            row["day"], rows=row["number"], there=Paisa(row["paid"] or 0), refunded_there=Paisa(row["back"] or 0),
            fees_there=Paisa(row["fees"] or 0),
        )  # fmt: skip
    paid = Payment.objects.filter(
        purchase__site_key=site_key, environment=environment_of(site_key), state__in=CAPTURED,
        paid_at__gte=midnight(first), paid_at__lt=midnight_after(last),
    )  # fmt: skip
    by_day = paid.values_list(TruncDate("paid_at", tzinfo=KATHMANDU)).order_by()
    for day, number, captured, fees in by_day.annotate(n=Count("pk"), captured=Sum("captured"), fees=Sum("fee")):
        put(day, payments=number, here=Paisa(captured or 0), fees_here=Paisa(fees or 0))
    differences = StatementDifference.objects.filter(
        site_key=site_key, state=DifferenceState.OPEN, day__gte=first, day__lte=last
    )
    for day, number in differences.values_list("day").annotate(number=Count("pk")).order_by():
        put(day, open_differences=number)
    for settled in _settled(site_key, first, last):
        put(settled.day, settled=settled)
    return [days[day] for day in sorted(days, reverse=True)]


def _settled(site_key: str, first: date, last: date) -> list[SettledDay]:
    rows = SettledDay.objects.filter(site_key=site_key, day__gte=first, day__lte=last)
    newest = rows.values("day").annotate(newest=Max("pk")).values("newest").order_by()
    return list(SettledDay.objects.filter(pk__in=newest, is_settled=True))


def is_settled(site_key: str, day: date) -> bool:
    """Return whether a day is settled."""
    return bool(_settled(site_key, day, day))


def settle_day(site_key: str, day: date, *, key: str, actor: str, note: str = "") -> SettledDay:
    """Mark a day as settled, once per ``key`` of the form.

    Raises ``CannotMatch`` with an open difference, without a statement of that day, before the day is over, or where
    it is settled already; and ``InsideTransaction``. Payments that became known since the statements of the day were
    matched, or that only a statement had which is taken back, are listed as missing there first.
    """
    forbid_transaction("settle_day")
    covered = Statement.objects.filter(
        site_key=site_key, first_day__lte=day, last_day__gte=day, matched_at__isnull=False
    ).order_by("-pk")
    newest = covered.defer("content").first()
    if newest is not None and not is_settled(site_key, day):
        list_missing_there(newest, day, day, with_refunds=covered.filter(has_refunds=True).exists())

    def settle() -> SettledDay:
        advisory_lock([f"statements:{site_key}"])
        if earlier := SettledDay.objects.filter(key=key).first():
            earlier.is_repeated = True
            return earlier
        if is_settled(site_key, day):
            raise CannotMatch(_("This day is settled already."))
        if day >= day_of(timezone.now()):
            raise CannotMatch(_("This day is not over yet."))
        if not covered.exists():
            raise CannotMatch(_("No statement has this day. Upload one first."))
        figures = next(iter(statement_days(site_key, day, day)), StatementDay(day=day))
        if figures.open_differences:
            raise CannotMatch(_("This day has open differences. Solve or explain each of them first."))
        return SettledDay.objects.create(
            site_key=site_key, day=day, is_settled=True, rows=figures.rows, amount=figures.here, note=note[:500],
            actor=actor, key=key,
        )  # fmt: skip

    return in_one_block(settle)


def undo_settled_day(site_key: str, day: date, *, note: str, key: str, actor: str) -> SettledDay:
    """Undo it by another row, with a reason. Raises ``CannotMatch`` and ``InsideTransaction``."""
    forbid_transaction("undo_settled_day")
    if not note.strip():
        raise CannotMatch(_("Enter a reason: colleagues will need it later."))

    def undo() -> SettledDay:
        advisory_lock([f"statements:{site_key}"])
        if earlier := SettledDay.objects.filter(key=key).first():
            earlier.is_repeated = True
            return earlier
        if not is_settled(site_key, day):
            raise CannotMatch(_("This day is not settled."))
        return SettledDay.objects.create(
            site_key=site_key, day=day, is_settled=False, note=note.strip()[:500], actor=actor, key=key
        )

    return in_one_block(undo)
