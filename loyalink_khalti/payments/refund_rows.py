"""The table of refunds. All amounts are paisa."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.money import Paisa, npr

from .states import PENDING_REFUNDS, RefundKind, RefundState, choices_of


class Refund(models.Model):
    """Money that goes back to a customer, all of it or a part; committed before Khalti is called.

    Kind ``order``: of a placed order, with its products and points. With the others no stock and no points move:
    ``payment``, of a payment that bought nothing (a second one), and ``received``, of a surplus from outside Khalti.
    """

    purchase = models.ForeignKey("Purchase", on_delete=models.PROTECT, related_name="refunds")
    payment = models.ForeignKey("Payment", on_delete=models.PROTECT, null=True, blank=True, related_name="refunds")
    kind = models.CharField(max_length=10, choices=RefundKind, default=RefundKind.ORDER)
    key = models.CharField(max_length=128, unique=True)
    state = models.CharField(max_length=12, choices=choices_of(RefundState), default=RefundState.REQUESTED)
    subtotal = models.BigIntegerField(help_text="paisa, the products before points")
    shipping = models.BigIntegerField(help_text="paisa of money for delivery")
    shipping_before_points = models.BigIntegerField(
        null=True, blank=True, help_text="paisa, the delivery before points; null: as much as the money for it"
    )
    amount = models.BigIntegerField(help_text="paisa of money, for products and delivery")
    lines = models.JSONField(default=list, help_text="sku, quantity, whether restocked")
    points_restored = models.BigIntegerField(default=0)
    points_clawed_back = models.BigIntegerField(default=0)
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")
    khalti_message = models.CharField(max_length=500, blank=True, default="", help_text="Khalti's own words")
    reason = models.CharField(
        max_length=60, blank=True, default="", db_default="", help_text="a code of REASONS, or the shop's own text"
    )
    note = models.TextField(blank=True, default="", db_default="", help_text="why staff recorded it")
    mobile_masked = models.CharField(max_length=20, blank=True, default="", db_default="", help_text="98XXXXX904")
    mobile_hash = models.CharField(max_length=64, blank=True, default="", db_default="", help_text="with SECRET_KEY")
    mobile_requested = models.BooleanField(default=False, db_default=False, help_text="Khalti asked for a number")
    inferred = models.BooleanField(default=False, db_default=False, help_text="by lookup; Khalti never answered it")
    reverses = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversal",
        help_text="the refund that was not made: this row takes it back, with negative figures",
    )  # fmt: skip
    requested_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True, help_text="when the order and the points were updated")
    undone_at = models.DateTimeField(null=True, blank=True, help_text="when the order it cancelled was placed again")

    is_repeated: bool = False
    """Whether the flow has returned a refund that was made before, by the same form for example."""

    class Meta:
        permissions = [("refund_beyond_limit", _("Can refund more than the limit in Khalti's settings"))]
        indexes = [models.Index("done_at", name="loyalink_refund_done")]
        constraints = [
            models.UniqueConstraint(
                fields=["purchase"],
                condition=Q(state__in=sorted(PENDING_REFUNDS)),
                name="loyalink_one_refund_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(reverses=None, subtotal__gte=0, shipping__gte=0, amount__gte=F("shipping"))
                | Q(reverses__isnull=False, subtotal__lte=0, shipping__lte=0, amount__lte=F("shipping")),
                name="loyalink_refund_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(shipping_before_points=None)
                | Q(shipping_before_points__gte=0, reverses=None)
                | Q(shipping_before_points__lte=0, reverses__isnull=False),
                name="loyalink_refund_of_shipping",
            ),
        ]

    def __str__(self) -> str:
        return f"{npr(Paisa(self.amount))} of {self.purchase_id} ({self.state})"

    @property
    def shipping_price(self) -> Paisa:
        """How much of the delivery was refunded, in paisa before points."""
        return Paisa(self.shipping if self.shipping_before_points is None else self.shipping_before_points)
