"""What staff note on an order or one of its payments: written once, with author and time, for their colleagues."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.append_only import AppendOnly, AppendOnlyModel, refuse

from .models import Payment, Purchase

LONGEST_NOTE = 2_000
"""Characters of a note."""


class PurchaseNoteQuerySet(AppendOnly["PurchaseNote"]):
    """Notes: changes raise ``LoyalinkError``, except for the texts of an erased customer."""

    def erase_texts(self) -> int:
        """Empty the texts, which may name a customer; return how many rows that changed."""
        return super(PurchaseNoteQuerySet, self.exclude(text="")).update(text="")

    def update(self, **kwargs: Any) -> NoReturn:
        refuse(self.model)


class PurchaseNote(AppendOnlyModel):
    """A note of staff on an order or, with ``payment``, on one of its payments at Khalti."""

    CHANGEABLE = ("text",)
    """It may name a customer: ``erase_texts`` empties it."""
    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="notes")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="notes")
    text = models.TextField(help_text="empty once the customer's data is erased")
    key = models.CharField(max_length=160, unique=True, help_text="of the form that sent it")
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")
    written_at = models.DateTimeField(default=timezone.now)

    objects = PurchaseNoteQuerySet.as_manager()  # type: ignore[misc,unused-ignore]  # as in ``received``

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        default_permissions = ()
        permissions = [("add_purchasenote", _("Can write notes on orders and payments"))]

    def __str__(self) -> str:
        return f"note {self.pk} on {self.purchase_id}"
