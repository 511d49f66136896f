"""What each purchase earned, redeemed and had refunded. A purchase is named by ``shop:ref``.

An order has two parts, products and delivery, and each is refunded by itself. A column is about the whole order; the
one beside it whose name begins with ``shipping`` is about the delivery alone, and the rest is about the products.
"""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from loyalink_khalti.append_only import AppendOnlyModel
from loyalink_khalti.errors import LedgerError
from loyalink_khalti.money import Points

from .models import Account
from .program import Program, ProgramVersion


class OrderAward(models.Model):
    """What one purchase earned. A purchase is awarded at most once."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="+")
    purchase = models.CharField(max_length=192)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="awards")
    proportional = models.BigIntegerField(help_text="points")
    fixed = models.BigIntegerField(default=0, help_text="points")
    basis = models.BigIntegerField(help_text="paisa that earned")
    refunded = models.BigIntegerField(default=0, help_text="paisa of the basis")
    points_clawed_back = models.BigIntegerField(default=0)
    # What delivery earned follows its refund. Of an award written before these columns, all follows the products.
    shipping_proportional = models.BigIntegerField(default=0, db_default=0, help_text="points")
    shipping_basis = models.BigIntegerField(default=0, db_default=0, help_text="paisa that earned")
    shipping_refunded = models.BigIntegerField(default=0, db_default=0, help_text="paisa of that basis")
    shipping_clawed_back = models.BigIntegerField(default=0, db_default=0, help_text="points")
    points_forgiven = models.BigIntegerField(default=0, help_text="those of the points clawed back that were missing")
    version = models.ForeignKey(ProgramVersion, on_delete=models.PROTECT, related_name="awards")
    awarded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index("account", "awarded_at", name="loyalink_award_of_account")]
        constraints = [
            models.UniqueConstraint(fields=["purchase", "program"], name="loyalink_award_once"),
            models.CheckConstraint(
                condition=Q(points_clawed_back__gte=0, proportional__gte=0, fixed__gte=0)
                & Q(points_clawed_back__lte=F("proportional") + F("fixed")),
                name="loyalink_award_clawed_back",
            ),
            models.CheckConstraint(
                condition=Q(
                    refunded__gte=0,
                    refunded__lte=F("basis"),
                    points_forgiven__gte=0,
                    points_forgiven__lte=F("points_clawed_back"),
                ),
                name="loyalink_award_refunded",
            ),
            models.CheckConstraint(
                condition=Q(
                    shipping_proportional__gte=0,
                    shipping_proportional__lte=F("proportional"),
                    shipping_basis__gte=0,
                    shipping_basis__lte=F("basis"),
                    shipping_refunded__gte=0,
                    shipping_refunded__lte=F("shipping_basis"),
                    shipping_clawed_back__gte=0,
                    shipping_clawed_back__lte=F("shipping_proportional"),
                ),
                name="loyalink_award_shipping",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} for {self.purchase}"

    @property
    def points(self) -> Points:
        """Return what the purchase earned, before any refund."""
        return Points(self.proportional + self.fixed)


class OrderRedemption(models.Model):
    """What one purchase redeemed. A purchase redeems points at most once."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="+")
    purchase = models.CharField(max_length=192)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="redemptions")
    points = models.BigIntegerField()
    value = models.BigIntegerField(help_text="paisa")
    points_restored = models.BigIntegerField(default=0)
    shipping_points_restored = models.BigIntegerField(
        default=0, db_default=0, help_text="those of the points restored that had paid delivery"
    )
    version = models.ForeignKey(ProgramVersion, on_delete=models.PROTECT, related_name="redemptions")
    redeemed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purchase", "program"], name="loyalink_redemption_once"),
            models.CheckConstraint(
                condition=Q(points__gt=0, points_restored__gte=0, points_restored__lte=F("points")),
                name="loyalink_redemption_restored",
            ),
            models.CheckConstraint(
                condition=Q(shipping_points_restored__gte=0, shipping_points_restored__lte=F("points_restored")),
                name="loyalink_redemption_shipping",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.points} by {self.purchase}"


class RefundApplied(AppendOnlyModel):
    """A refund of a purchase that has been applied to its points, once."""

    CHANGEABLE = ("purchase",)
    """It gets another name when its purchase is placed a second time (``reopening``)."""
    REFUSAL = LedgerError
    purchase = models.CharField(max_length=192)
    refund_ref = models.CharField(max_length=128)
    amount = models.BigIntegerField(help_text="paisa of the subtotal, by this refund")
    cumulative = models.BigIntegerField(help_text="paisa of the subtotal, by all refunds so far")
    shipping_cumulative = models.BigIntegerField(
        null=True, help_text="paisa of the delivery before points, by all refunds so far; null: not recorded"
    )
    points_restored = models.BigIntegerField(default=0)
    points_clawed_back = models.BigIntegerField(default=0)
    applied_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "refunds applied"
        constraints = [
            models.UniqueConstraint(fields=["purchase", "refund_ref"], name="loyalink_refund_once"),
            models.CheckConstraint(
                # A reversal has negative figures, and lowers what is refunded so far.
                condition=Q(cumulative__gte=0) & Q(cumulative__gte=F("amount")),
                name="loyalink_refund_cumulative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.refund_ref} of {self.purchase}"
