"""The rows of the money. All amounts are paisa."""

import secrets

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.finding import WordsField
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.ports import Cart, Method, Outcome, Why

from .states import LIVE, PENDING_REFUND, SETTLED, Reason, RefundState, State, outcome

_LIVE_VALUES = sorted(LIVE)


def new_token() -> str:
    """128 random bits: whoever holds it may see how the payment stands."""
    return secrets.token_urlsafe(16)


class Credentials(models.Model):
    """A secret key of one site at one server; only ``conf`` can read it.

    A payment keeps the credentials that opened it. ``ciphertext`` is empty for a key that comes from the environment.
    """

    site_key = models.CharField(max_length=255)
    environment = models.CharField(max_length=10)
    base_url = models.CharField(max_length=255)
    ciphertext = models.BinaryField(default=b"", editable=False)
    fingerprint = models.CharField(max_length=16)
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "credentials"
        constraints = [
            models.UniqueConstraint(
                fields=["site_key", "environment"],
                condition=Q(retired_at=None),
                name="loyalink_one_current_key",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site_key} · {self.environment} · {self.fingerprint}"


class Purchase(models.Model):
    """What one shopper is buying: a frozen Cart, on its way to becoming one placed order, or none."""

    class State(models.TextChoices):
        OPEN = "open", _("open")
        PLACED = "placed", _("placed")
        RELEASED = "released", _("released")

    shop = models.CharField(max_length=50)
    ref = models.CharField(max_length=128)
    origin = models.CharField(max_length=128)
    site_key = models.CharField(max_length=255)
    language = models.CharField(max_length=20)
    member_id = models.CharField(max_length=64, null=True, blank=True)
    visitor = models.CharField(max_length=64, blank=True, default="")
    method = models.CharField(max_length=20, choices=[(method.value, method.value) for method in Method])
    cart = models.JSONField()
    total = models.BigIntegerField(help_text="paisa, before points")
    spends = models.BigIntegerField(default=0, help_text="points")
    worth = models.BigIntegerField(default=0, help_text="paisa that the points are worth")
    payable = models.BigIntegerField(help_text="paisa left to pay")
    rules_version = models.BigIntegerField(null=True, blank=True, help_text="the version of the rules that were shown")
    earned = models.BigIntegerField(default=0, help_text="points awarded")
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    number = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    placed_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(null=True, blank=True)
    received_by = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")
    released_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=64, null=True, blank=True, help_text="whose points a guest's became")
    claimed_at = models.DateTimeField(null=True, blank=True)
    words = WordsField(help_text="what staff find it by: reference, number, name, e-mail address, phone")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["shop", "ref"], name="loyalink_purchase_shop_ref"),
            models.CheckConstraint(
                condition=Q(payable=F("total") - F("worth"), payable__gte=0, worth__gte=0, spends__gte=0),
                name="loyalink_purchase_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(member_id__isnull=True) | Q(claimed_by__isnull=True), name="loyalink_purchase_of_one"
            ),
        ]
        indexes = [
            models.Index("shop", "origin", name="loyalink_purchase_origin"),
            models.Index("member_id", condition=Q(state="open"), name="loyalink_purchase_member_open"),
            models.Index("visitor", condition=Q(state="open"), name="loyalink_purchase_visitor_open"),
            models.Index(fields=["member_id", "-created_at"], name="loyalink_purchase_of_member"),
            models.Index("number", name="loyalink_purchase_number"),
        ]

    def __str__(self) -> str:
        return f"{self.shop}:{self.ref}"

    @property
    def key(self) -> str:
        """The name of this purchase in the points ledger."""
        return f"{self.shop}:{self.ref}"

    @property
    def frozen_cart(self) -> Cart:
        return Cart.from_json(self.cart)

    @property
    def earner(self) -> str | None:
        """Whose points it earns: its member's, or those of the guest who has claimed them; nobody's yet."""
        return self.member_id or self.claimed_by

    @property
    def received(self) -> Paisa:
        """What has come in by cash or bank transfer."""
        return Paisa(self.payable if self.received_at else 0)


class Payment(models.Model):
    """One attempt to pay a purchase at Khalti."""

    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="payments")
    credentials = models.ForeignKey(Credentials, on_delete=models.PROTECT, related_name="payments")
    environment = models.CharField(max_length=10)
    token = models.CharField(max_length=32, unique=True, default=new_token)
    attempt = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=16, choices=[(s.value, s.value) for s in State], default=State.CREATED)
    why = models.CharField(max_length=16, blank=True, default="", choices=[(why.value, why.value) for why in Why])
    amount = models.BigIntegerField(help_text="paisa")
    pidx = models.CharField(max_length=64, null=True, blank=True, unique=True)
    payment_url = models.CharField(max_length=2000, blank=True, default="")
    transaction_id = models.CharField(max_length=128, null=True, blank=True)
    captured = models.BigIntegerField(null=True, blank=True, help_text="paisa that Khalti says it took")
    fee = models.BigIntegerField(null=True, blank=True, help_text="paisa that Khalti keeps")
    refunded = models.BigIntegerField(default=0, help_text="paisa")
    created_at = models.DateTimeField(default=timezone.now)
    initiated_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    fulfilled_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    # Single flight: who holds the lease asks Khalti, and nobody asks before ``ask_after``.
    lease = models.CharField(max_length=32, blank=True, default="")
    leased_until = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    ask_after = models.DateTimeField(null=True, blank=True)
    asked = models.PositiveIntegerField(default=0)
    not_found = models.PositiveIntegerField(default=0)
    # The reconciler's own back-off: when it looks next by itself (null: now), and how often in a row it could not.
    watch_after = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0, help_text="how often the shop could not grant the goods")
    heard = models.JSONField(default=list, blank=True, help_text="what Khalti has said of it, and when")

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        permissions = [("export_payment", _("Can export payments and the reports about them"))]
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "transaction_id"], name="loyalink_one_payment_per_transaction"
            ),
            models.UniqueConstraint(
                fields=["purchase"], condition=Q(state__in=_LIVE_VALUES), name="loyalink_one_live_payment"
            ),
            models.UniqueConstraint(
                fields=["purchase"], condition=Q(fulfilled_at__isnull=False), name="loyalink_one_fulfilled_payment"
            ),
            models.UniqueConstraint(fields=["purchase", "attempt"], name="loyalink_payment_attempt"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="loyalink_payment_amount_positive"),
            models.CheckConstraint(
                condition=Q(refunded=0) | Q(refunded__gt=0, captured__isnull=False, refunded__lte=F("captured")),
                name="loyalink_refunded_within_captured",
            ),
        ]
        indexes = [
            models.Index("watch_after", name="loyalink_payment_watch"),
            models.Index(fields=["-created_at", "-id"], name="loyalink_payment_newest"),
            models.Index(fields=["state", "-created_at", "-id"], name="loyalink_payment_state"),
            models.Index("paid_at", name="loyalink_payment_paid"),
        ]

    def __str__(self) -> str:
        return f"{self.purchase_order_id}: {npr(Paisa(self.amount))} {self.state}"

    @property
    def purchase_order_id(self) -> str:
        """The name of this attempt at Khalti, unique per attempt."""
        return f"{self.purchase.ref}-{self.attempt}"

    @property
    def is_settled(self) -> bool:
        return self.state in SETTLED

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def outcome(self) -> Outcome:
        """Where the shopper stands; reads ``purchase``."""
        return outcome(
            State(self.state),
            why=Why(self.why) if self.why else None,
            placed=self.purchase.state == Purchase.State.PLACED,
        )


class Refund(models.Model):
    """Giving money back, wholly or in part; written down before Khalti hears of it.

    Of kind ``order`` it gives back what a placed purchase cost, with its goods and points; of kind ``payment``, a
    payment that bought nothing (a second one, say), and neither goods nor points move.
    """

    class Kind(models.TextChoices):
        ORDER = "order", _("order")
        PAYMENT = "payment", _("payment")

    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="refunds")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="refunds")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.ORDER)
    key = models.CharField(max_length=128, unique=True)
    state = models.CharField(
        max_length=12, choices=[(s.value, s.value) for s in RefundState], default=RefundState.REQUESTED
    )
    goods = models.BigIntegerField(help_text="paisa of goods, before points")
    shipping = models.BigIntegerField(help_text="paisa, in cash")
    cash = models.BigIntegerField(help_text="paisa in cash, for goods and shipping")
    lines = models.JSONField(default=list)
    restored = models.BigIntegerField(default=0, help_text="points given back")
    clawed = models.BigIntegerField(default=0, help_text="points taken back")
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")
    words = models.CharField(max_length=500, blank=True, default="", help_text="what Khalti said")
    requested_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    carried_at = models.DateTimeField(null=True, blank=True, help_text="when shop and points followed")

    class Meta:
        permissions = [("refund_beyond_limit", _("Can give back more than the limit in Khalti's settings"))]
        indexes = [models.Index("done_at", name="loyalink_refund_done")]
        constraints = [
            models.UniqueConstraint(
                fields=["purchase"],
                condition=Q(state__in=sorted(PENDING_REFUND)),
                name="loyalink_one_refund_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(goods__gte=0, shipping__gte=0, cash__gte=F("shipping")), name="loyalink_refund_adds_up"
            ),
        ]

    def __str__(self) -> str:
        return f"{npr(Paisa(self.cash))} of {self.purchase_id} ({self.state})"


class Flag(models.Model):
    """Something about a payment that staff must look at; it stands until somebody resolves it."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="flags")
    reason = models.CharField(max_length=32, choices=[(reason.value, reason.value) for reason in Reason])
    evidence = models.JSONField(default=dict)
    raised_at = models.DateTimeField(default=timezone.now)
    mailed_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=20, blank=True, default="")
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "reason"], condition=Q(resolved_at=None), name="loyalink_flag_once"
            ),
        ]
        indexes = [models.Index("raised_at", condition=Q(resolved_at=None), name="loyalink_flag_open")]

    def __str__(self) -> str:
        return f"{self.reason} ({self.payment_id})"


class LastRun(models.Model):
    """When a job was last at work, so that a check and a badge can say that it no longer is."""

    name = models.CharField(max_length=40)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="loyalink_last_run_name")]

    def __str__(self) -> str:
        return f"{self.name}: {self.at:%Y-%m-%d %H:%M}"
