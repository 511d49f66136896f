"""Daily closes: the cash that was counted at the end of a day, beside what the takings expect. Amounts are paisa.

Rows are never changed or deleted. A day that was counted wrongly is closed once more; the newest row holds.
"""

from datetime import date

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.append_only import AppendOnlyModel
from loyalink_khalti.money import Paisa, npr


class DailyClose(AppendOnlyModel):
    """One count of the drawer of one site and day, with the takings as they were then."""

    site_key = models.CharField(max_length=255)
    day = models.DateField(help_text="in Nepal")
    float_amount = models.BigIntegerField(default=0, help_text="paisa that lay in the drawer in the morning")
    expected = models.BigIntegerField(help_text="paisa in the drawer by the takings, with the float")
    counted = models.BigIntegerField(help_text="paisa")
    reason = models.CharField(max_length=500, blank=True, default="", help_text="of a difference")
    takings = models.JSONField(help_text="of each method: received, fees, refunded, in paisa")
    key = models.CharField(max_length=64, unique=True, help_text="of the form that recorded it")
    actor = models.CharField(max_length=64, help_text="the user's pk")
    closed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("daily close")
        verbose_name_plural = _("daily closes")
        default_permissions = ()
        permissions = [("close_day", _("Can close a day: count the cash"))]
        constraints = [
            models.CheckConstraint(condition=Q(counted__gte=0, float_amount__gte=0), name="loyalink_close_amounts"),
            models.CheckConstraint(
                condition=Q(counted=models.F("expected")) | ~Q(reason=""), name="loyalink_close_explained"
            ),
        ]
        indexes = [models.Index(fields=["site_key", "-day", "-id"], name="loyalink_close_of_site")]

    def __str__(self) -> str:
        return f"{self.day}: {npr(Paisa(self.counted))} counted"

    @property
    def difference(self) -> Paisa:
        """Return what is too much (positive) or missing (negative), in paisa."""
        return Paisa(self.counted - self.expected)


def closes_of(site_key: str, day: date) -> list[DailyClose]:
    """Return the closes of a day, the newest first: it holds, the others were corrected by it."""
    return list(DailyClose.objects.filter(site_key=site_key, day=day).order_by("-pk"))
