"""Money received outside Khalti, in cash or by bank transfer: one row each time, and their sums.

Rows are never changed or deleted. A wrong one is corrected by a second row, which reverses it. Amounts are paisa. What
an order needs of the sum is ``Purchase.received``; the rest is ``Purchase.surplus``, until it is refunded.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, NoReturn

from django.db import models, transaction
from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncDate, Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.append_only import AppendOnly, AppendOnlyModel, refuse
from loyalink_khalti.clock import database_now, time_of
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.nepal import KATHMANDU, day_of, midnight, midnight_after

from . import refunds
from .models import Purchase, Refund
from .states import RefundKind, RefundState
from .transitions import lock_purchase
from .without_order import MoneyWithoutOrder


class ReceivedMoneyQuerySet(AppendOnly["ReceivedMoney"]):
    """Rows that are written once: changes raise ``LoyalinkError``, except for the texts of an erased customer."""

    def erase_texts(self) -> int:
        """Empty references and reasons, which may name a customer; return how many rows that changed."""
        named = self.exclude(reference="", reason="")
        return super(ReceivedMoneyQuerySet, named).update(reference="", reason="")

    def update(self, **kwargs: Any) -> NoReturn:
        refuse(self.model)


class ReceivedMoney(AppendOnlyModel):
    """Cash or a bank transfer that has arrived for a purchase, all of it or a part; or the reversal of such a row."""

    CHANGEABLE = ("reference", "reason")
    """They may name a customer: ``erase_texts`` empties them."""
    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="received_money")
    amount = models.BigIntegerField(help_text="paisa; negative where it reverses another row")
    received_on = models.DateField(help_text="the day on which the money arrived, in Nepal")
    reference = models.CharField(max_length=128, blank=True, default="", help_text="of the bank, for example")
    reverses = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversed_by"
    )
    reason = models.CharField(max_length=500, blank=True, default="", help_text="why it reverses the other row")
    key = models.CharField(max_length=160, unique=True, help_text="of the form that recorded it")
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")
    recorded_at = models.DateTimeField(default=timezone.now)

    objects = ReceivedMoneyQuerySet.as_manager()  # type: ignore[misc,unused-ignore]  # mypy says it in some orders of files only

    class Meta:
        verbose_name = _("received money")
        verbose_name_plural = _("received money")
        default_permissions = ()
        permissions = [("record_received", _("Can record cash and bank transfers that were received"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, reverses__isnull=True) | Q(amount__lt=0, reverses__isnull=False),
                name="loyalink_received_sign",
            ),
        ]
        indexes = [
            models.Index("received_on", name="loyalink_received_on"),
            models.Index(Upper("reference"), condition=~Q(reference=""), name="loyalink_received_reference"),
        ]

    def __str__(self) -> str:
        return f"{npr(Paisa(self.amount))} for {self.purchase_id} on {self.received_on}"


def rows(purchase: Purchase) -> list[ReceivedMoney]:
    """Return what was received for a purchase, the oldest first."""
    return list(purchase.received_money.select_related("reversed_by").order_by("pk"))


def newest_pk(purchase: Purchase) -> int:
    """Return the pk of the newest row; 0 where there is none.

    A form that shows what is left to receive sends it back, so that a row recorded meanwhile is detected.
    """
    return purchase.received_money.order_by("-pk").values_list("pk", flat=True).first() or 0


def newest_reversal(purchase: Purchase) -> str:
    """Return the pk of the newest row that reverses another, as text; "" where there is none."""
    reversals = purchase.received_money.filter(reverses__isnull=False)
    return str(reversals.order_by("-pk").values_list("pk", flat=True).first() or "")


def due(purchase: Purchase) -> Paisa:
    """Return what is left to receive until the order is paid, in paisa, or can be placed again if it was cancelled.

    A surplus counts. 0 where the order is not paid in cash or by transfer, or is paid already.
    """
    if not refunds.is_awaiting_money(purchase):
        return Paisa(0)
    counted = 0 if refunds.cancellation(purchase) else purchase.received
    return Paisa(max(purchase.amount_due - counted - purchase.surplus, 0))


def in_all(purchase: Purchase) -> Paisa:
    """Return what was received for a locked purchase and has not been returned apart from its order, in paisa."""
    received = purchase.received_money.aggregate(amount=Sum("amount"))["amount"] or 0
    returned = Refund.objects.filter(RETURNED, purchase=purchase).aggregate(amount=Sum("amount"))["amount"] or 0
    return Paisa(received - returned)


RETURNED = Q(payment=None, state=RefundState.DONE) & (Q(kind=RefundKind.RECEIVED) | Q(undone_at__isnull=False))
"""Refunds by hand that are no refunds of the order as it is now."""


def sums(purchases: Iterable[Purchase]) -> dict[int, int]:
    """Return what ``in_all`` does for those of the purchases that have rows, in paisa by the purchase's pk."""
    pks = [purchase.pk for purchase in purchases]
    rows = ReceivedMoney.objects.filter(purchase__in=pks).order_by().values_list("purchase")
    returned = Refund.objects.filter(RETURNED, purchase__in=pks).order_by().values_list("purchase")
    found = dict(rows.annotate(Sum("amount")))
    for pk, amount in returned.annotate(Sum("amount")):
        found[pk] = found.get(pk, 0) - amount
    return found


def surpluses(*, site_key: str | None = None) -> "QuerySet[Purchase]":
    """Return the purchases with a surplus, the oldest first; each has ``since``, when its newest row was written."""
    found = Purchase.objects.filter(surplus__gt=0)
    if site_key is not None:
        found = found.filter(site_key=site_key)
    return found.annotate(since=Max("received_money__recorded_at")).order_by("since", "pk")


def surplus_total(*, site_key: str | None = None) -> MoneyWithoutOrder:
    """Return the number of purchases with a surplus, and its sum. One statement."""
    of_site = {} if site_key is None else {"site_key": site_key}
    sums = Purchase.objects.filter(surplus__gt=0, **of_site).aggregate(number=Count("pk"), amount=Sum("surplus"))
    return MoneyWithoutOrder(payments=sums["number"], refundable=Paisa(sums["amount"] or 0))


def by_day(*, since: date, until: date, site_key: str | None = None) -> dict[date, tuple[Paisa, Paisa]]:
    """Return what was received and what was refunded by hand on each day in Nepal, in paisa. Two statements."""
    of_site = {} if site_key is None else {"purchase__site_key": site_key}
    received = ReceivedMoney.objects.filter(received_on__range=(since, until), **of_site).values_list("received_on")
    refunded = Refund.objects.filter(
        payment=None, state=RefundState.DONE, amount__gt=0, done_at__gte=midnight(since),
        done_at__lt=midnight_after(until), **of_site,
    ).values_list(TruncDate("done_at", tzinfo=KATHMANDU))  # fmt: skip
    came, went = (dict(rows.annotate(total=Sum("amount")).order_by()) for rows in (received, refunded))
    return {day: (Paisa(came.get(day, 0)), Paisa(went.get(day, 0))) for day in {*came, *went}}


MARKED_EARLIER = Q(received_at__isnull=False, received_part=0, amount_due__gt=0)
"""Purchases whose money the version before this table has marked as received while both were running."""


def record_earlier(purchase: Purchase) -> None:
    """Write the row of a locked purchase whose money the version before this table has marked as received."""
    if purchase.received_at is not None and not purchase.received_money.exists():
        ReceivedMoney.objects.create(
            purchase=purchase,
            amount=purchase.amount_due,
            received_on=day_of(purchase.received_at),
            key=f"received:{purchase.pk}",
            actor=purchase.received_by,
            recorded_at=purchase.received_at,
        )


def record_all_earlier() -> None:
    """Write the rows of all money that workers of that version have marked as received while both were running.

    This version sets ``received_part`` with ``received_at``, so what it has marked is not read.
    """
    for pk in list(Purchase.objects.filter(MARKED_EARLIER).order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            purchase, _payments = lock_purchase(pk)
            record_earlier(purchase)
            Purchase.objects.filter(pk=pk, received_part=0).update(received_part=F("amount_due"))


def of_key(key: str) -> ReceivedMoney | None:
    """Return the row that a form has recorded, None where it has recorded none."""
    return ReceivedMoney.objects.filter(key=key).select_related("purchase").first()


def of_reference(reference: str, *, besides: Purchase) -> Purchase | None:
    """Return the newest other order with money under this reference, in any letters, that was not reversed."""
    rows = ReceivedMoney.objects.alias(upper=Upper("reference")).exclude(reference="").exclude(purchase=besides)
    row = (
        rows.filter(upper=reference.upper(), reversed_by=None).select_related("purchase").order_by("-pk").first()
        if reference
        else None
    )
    return row.purchase if row is not None else None


def is_future(day: date) -> bool:
    """Return whether a day has not begun in Nepal."""
    return day > day_of(database_now())


def set_received(purchase: Purchase, amount: Paisa, *, actor: str) -> None:
    """Record how much of what is due was received outside Khalti, in paisa; the whole of it marks the order as paid.

    ``actor`` is the pk of the user who says so.
    """
    purchase.received_part = amount
    if amount < purchase.amount_due:
        purchase.received_at, purchase.received_by = None, None
    elif purchase.received_at is None:
        purchase.received_at, purchase.received_by = time_of(purchase), actor
    purchase.save(update_fields=["received_part", "received_at", "received_by"])
