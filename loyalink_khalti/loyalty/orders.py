"""What each purchase earned, spent and had refunded; named by ``shop:ref``."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from .models import Account
from .programmes import Program, ProgramVersion


class OrderAward(models.Model):
    """What one purchase earned; a purchase is awarded at most once."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="+")
    purchase = models.CharField(max_length=192)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="awards")
    proportional = models.BigIntegerField(help_text="points")
    fixed = models.BigIntegerField(default=0, help_text="points")
    basis = models.BigIntegerField(help_text="paisa that earned")
    refunded = models.BigIntegerField(default=0, help_text="paisa of the basis")
    clawed = models.BigIntegerField(default=0, help_text="points")
    short = models.BigIntegerField(default=0, help_text="points that were forgiven")
    version = models.ForeignKey(ProgramVersion, on_delete=models.PROTECT, related_name="awards")
    awarded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purchase", "program"], name="loyalink_award_once"),  # found by purchase
            models.CheckConstraint(
                condition=Q(clawed__gte=0, proportional__gte=0, fixed__gte=0)
                & Q(clawed__lte=F("proportional") + F("fixed")),
                name="loyalink_award_clawed",
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("basis"), short__gte=0, short__lte=F("clawed")),
                name="loyalink_award_refunded",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.proportional + self.fixed} for {self.purchase}"


class OrderRedemption(models.Model):
    """What one purchase spent; a purchase is redeemed at most once."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="+")
    purchase = models.CharField(max_length=192)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="redemptions")
    points = models.BigIntegerField()
    value = models.BigIntegerField(help_text="paisa")
    restored = models.BigIntegerField(default=0, help_text="points")
    version = models.ForeignKey(ProgramVersion, on_delete=models.PROTECT, related_name="redemptions")
    redeemed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purchase", "program"], name="loyalink_redemption_once"),  # the same
            models.CheckConstraint(
                condition=Q(points__gt=0, restored__gte=0, restored__lte=F("points")),
                name="loyalink_redemption_restored",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} by {self.purchase}"


class RefundApplied(models.Model):
    """That a refund of a purchase has been carried into the points, once."""

    purchase = models.CharField(max_length=192)
    refund_ref = models.CharField(max_length=128)
    amount = models.BigIntegerField(help_text="paisa of goods, this time")
    cumulative = models.BigIntegerField(help_text="paisa of goods, so far")
    restored = models.BigIntegerField(default=0, help_text="points")
    clawed = models.BigIntegerField(default=0, help_text="points")
    applied_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "refunds applied"
        constraints = [
            models.UniqueConstraint(fields=["purchase", "refund_ref"], name="loyalink_refund_once"),
            models.CheckConstraint(
                condition=Q(amount__gte=0, cumulative__gte=F("amount"), restored__gte=0, clawed__gte=0),
                name="loyalink_refund_grows",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.refund_ref} of {self.purchase}"
