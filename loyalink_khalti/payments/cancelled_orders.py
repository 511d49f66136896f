"""Placed orders that a shop has cancelled, or recorded as refunded, by itself: their money and points are here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models

from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.money import Paisa

from . import refunds
from .models import Purchase


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What a shop has set an order, or some of its lines, to; or money that it has recorded as refunded."""

    status: str
    """The shop's own word for it."""
    lines: tuple[tuple[str, int], ...] = ()
    """``Line.key`` and quantity, if it is about these lines only."""
    amount: Paisa | None = None
    """The money that the shop has recorded as refunded so far, in paisa, if it is about that."""

    def is_whole(self) -> bool:
        """Return whether it is about the whole order."""
        return not self.lines and self.amount is None


class CancelledOrder(models.Model):
    """That a shop has cancelled the order of a purchase by itself, and how the matter ended; one row an order."""

    purchase = models.OneToOneField(Purchase, on_delete=models.PROTECT, related_name="cancelled_order")
    status = models.CharField(max_length=100, help_text="the shop's own word")
    lines = models.JSONField(default=list, db_default=models.Value([], models.JSONField()), blank=True)
    amount = models.PositiveBigIntegerField(null=True, blank=True, help_text="paisa, as the shop has recorded it")
    noticed_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk; none if it was refunded")
    note = models.TextField(blank=True, default="", db_default="", help_text="why nothing more is to be done")

    class Meta:
        verbose_name = "order that was cancelled in the shop"
        default_permissions = ()
        indexes = [models.Index("noticed_at", condition=models.Q(closed_at=None), name="loyalink_order_cancelled")]

    def __str__(self) -> str:
        return f"{self.purchase_id} {self.status} ({'closed' if self.closed_at else 'open'})"

    @property
    def cancellation(self) -> Cancellation:
        lines = tuple((str(key), int(quantity)) for key, quantity in self.lines)
        amount = None if self.amount is None else Paisa(self.amount)
        return Cancellation(status=self.status, lines=lines, amount=amount)


def is_outstanding(purchase: Purchase, cancellation: Cancellation) -> bool:
    """Return whether a placed order still has money or points, in full or in part, that a cancellation is about."""
    left = refunds.refundable(purchase)
    if not left.subtotal + left.shipping:
        return False
    if cancellation.amount is not None:
        return cancellation.amount > refunds.totals(purchase).amount
    refunded = refunds.refunded_lines(purchase) if cancellation.lines else {}
    return cancellation.is_whole() or any(quantity > refunded.get(key, 0) for key, quantity in cancellation.lines)


def note(purchase: Purchase, cancellation: Cancellation) -> bool:
    """Note what a shop has set the order of a locked purchase to; return whether staff do not know of it yet."""
    values: dict[str, Any] = {
        "status": cancellation.status[:100],
        "lines": [list(line) for line in cancellation.lines],
        "amount": cancellation.amount,
    }
    row = CancelledOrder.objects.filter(purchase=purchase).first()
    if row is not None and row.cancellation == cancellation and (row.closed_at is None or row.actor is not None):
        return False  # what staff have closed stays closed while the shop says nothing else
    is_new = row is None or row.closed_at is not None
    row = row or CancelledOrder(purchase=purchase)
    for name, value in values.items():
        setattr(row, name, value)
    if is_new:
        row.noticed_at, row.closed_at, row.actor, row.note = DatabaseTime(), None, None, ""
    row.save()
    return is_new


def end(purchase: Purchase) -> None:
    """Close the matter of a purchase whose order is not cancelled any more, or is refunded by now."""
    CancelledOrder.objects.filter(purchase=purchase, closed_at=None).update(closed_at=DatabaseTime())


def open_of(purchase: Purchase) -> CancelledOrder | None:
    """Return the open matter of a purchase, while something is left to refund; None without one."""
    row = CancelledOrder.objects.filter(purchase=purchase, closed_at=None).first()
    return row if row is not None and is_outstanding(purchase, row.cancellation) else None


def to_close(*, site_key: str | None = None) -> Sequence[CancelledOrder]:
    """Return the open matters with something left to refund, the oldest first. They are few."""
    rows = CancelledOrder.objects.filter(closed_at=None).select_related("purchase").order_by("noticed_at", "pk")
    if site_key is not None:
        rows = rows.filter(purchase__site_key=site_key)
    return [row for row in rows if is_outstanding(row.purchase, row.cancellation)]
