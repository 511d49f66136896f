"""The table of refunds that a second person has to approve. All amounts are paisa."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .states import RefundKind


class ApprovalState(models.TextChoices):
    """What became of a request. Only ``REQUESTED`` is open."""

    REQUESTED = "requested", _("Awaits approval")
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class RefundApproval(models.Model):
    """A refund that one colleague has requested, with its figures, until another one decides. No money has moved.

    ``amount`` and the points are what a refund of ``subtotal`` and ``shipping`` (prices before points) did at the
    request: approved is exactly that, or nothing.
    """

    purchase = models.ForeignKey("Purchase", on_delete=models.PROTECT, related_name="refund_approvals")
    payment = models.ForeignKey(
        "Payment", on_delete=models.PROTECT, null=True, blank=True, related_name="refund_approvals"
    )
    kind = models.CharField(max_length=10, choices=RefundKind, default=RefundKind.ORDER)
    key = models.CharField(max_length=128, unique=True)
    state = models.CharField(max_length=12, choices=ApprovalState, default=ApprovalState.REQUESTED)
    subtotal = models.BigIntegerField(help_text="paisa, the products before points")
    shipping = models.BigIntegerField(help_text="paisa, the delivery before points")
    amount = models.BigIntegerField(help_text="paisa of money, for products and delivery")
    points_restored = models.BigIntegerField(default=0)
    points_clawed_back = models.BigIntegerField(default=0)
    lines = models.JSONField(default=list, help_text="Line.key, quantity, whether to restock")
    cancels = models.BooleanField(default=False, help_text="the order was not paid yet")
    reason = models.CharField(max_length=60, blank=True, default="")
    note = models.TextField(blank=True, default="")
    requested_by = models.CharField(max_length=64, help_text="the user's pk")
    requested_at = models.DateTimeField(default=timezone.now)
    decided_by = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_note = models.TextField(blank=True, default="")
    refund = models.OneToOneField("Refund", on_delete=models.PROTECT, null=True, blank=True, related_name="approval")

    is_repeated: bool = False
    """Whether the flow has returned a request that the same form had made before."""

    class Meta:
        default_permissions = ()
        permissions = [("approve_refund", _("Can approve or reject a colleague's refund"))]
        indexes = [models.Index(fields=["state", "id"], name="loyalink_approval_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["purchase"], condition=Q(state="requested"), name="loyalink_one_open_approval"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0, subtotal__gte=0, shipping__gte=0), name="loyalink_approval_has_money"
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | Q(state="withdrawn") | ~Q(decided_by=models.F("requested_by")),
                name="loyalink_approval_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"refund of {self.amount} paisa of {self.purchase_id} ({self.state})"
