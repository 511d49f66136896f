"""Placed orders that somebody has deleted in the shop: their money and points are still on record here."""

from django.db import models
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.clock import DatabaseTime

from .models import Purchase


class MissingOrder(models.Model):
    """That the order of a placed purchase does not exist in the shop any more, and how staff closed the matter."""

    purchase = models.OneToOneField(Purchase, on_delete=models.PROTECT, related_name="missing_order")
    noticed_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")
    note = models.TextField(blank=True, default="", db_default="", help_text="why nothing more is to be done")

    class Meta:
        verbose_name = _("missing order")
        verbose_name_plural = _("missing orders")
        default_permissions = ()
        indexes = [models.Index("noticed_at", condition=models.Q(closed_at=None), name="loyalink_order_missing")]

    def __str__(self) -> str:
        return f"{self.purchase_id} ({'closed' if self.closed_at else 'open'})"


def note(purchase: Purchase) -> bool:
    """Note that the order of a purchase is missing, once; return whether that is new."""
    _row, is_new = MissingOrder.objects.get_or_create(
        purchase=purchase, defaults={"noticed_at": DatabaseTime()}
    )  # fmt: skip
    return is_new


def to_close(*, site_key: str | None = None) -> "QuerySet[Purchase]":
    """Return the purchases whose order is missing and whose matter is open, the oldest first; with ``since``."""
    rows = Purchase.objects.filter(missing_order__isnull=False, missing_order__closed_at=None)
    if site_key is not None:
        rows = rows.filter(site_key=site_key)
    return rows.annotate(since=F("missing_order__noticed_at")).order_by("since", "pk")
