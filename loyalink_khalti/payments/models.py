"""The tables of the money: purchases, payments, refunds and their Flags. All amounts are paisa."""

import secrets
from collections.abc import Collection
from typing import Any, Self, cast

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.clock import DatabaseTime, Timed
from loyalink_khalti.khalti.wire import Status
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.ports import Cart, Outcome, PaymentMethod, ReleaseReason
from loyalink_khalti.returning import Given, Select
from loyalink_khalti.search import SearchTextField

from .credentials import Credentials as Credentials
from .refund_rows import Refund as Refund
from .states import (
    LIVE,
    REFUNDABLE,
    SETTLED,
    FlagReason,
    PaymentState,
    PurchaseState,
    choices_of,
    outcome,
)


def new_token() -> str:
    """Return 128 random bits as text: a link with them shows one payment to anyone who has it."""
    return secrets.token_urlsafe(16)


class Purchase(Timed, models.Model):
    """What one customer is buying: a frozen Cart that becomes one placed order, or none."""

    shop = models.CharField(max_length=50)
    ref = models.CharField(max_length=128)
    origin = models.CharField(max_length=128)
    site_key = models.CharField(max_length=255)
    language = models.CharField(max_length=20)
    member_id = models.CharField(max_length=64, null=True, blank=True)
    browser_session = models.CharField(max_length=64, blank=True, default="")
    network = models.CharField(max_length=64, blank=True, default="", db_default="", help_text="keyed hash")
    method = models.CharField(max_length=20, choices=choices_of(PaymentMethod))
    cart = models.JSONField()
    line_details = models.JSONField(null=True, blank=True, help_text="of each line, what the cart has not")
    total = models.BigIntegerField(help_text="paisa, before points")
    points_redeemed = models.BigIntegerField(default=0)
    points_value = models.BigIntegerField(default=0, help_text="paisa, the value of those points")
    amount_due = models.BigIntegerField(help_text="paisa")
    rules_version = models.BigIntegerField(null=True, blank=True, help_text="of the rules that the customer saw")
    earned = models.BigIntegerField(default=0, help_text="points awarded")
    state = models.CharField(max_length=10, choices=PurchaseState, default=PurchaseState.OPEN)
    number = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    placed_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(null=True, blank=True)
    received_by = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")
    received_part = models.BigIntegerField(default=0, db_default=0, help_text="paisa, while the rest is awaited")
    surplus = models.BigIntegerField(default=0, db_default=0, help_text="paisa received that bought nothing")
    released_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=64, null=True, blank=True, help_text="member who claimed the points")
    claimed_at = models.DateTimeField(null=True, blank=True)
    search_text = SearchTextField(help_text="reference, order number, name, e-mail address, phone")

    of_same_basket: Collection["Purchase"] = ()
    """The other purchases of the basket, where ``transitions.lock_purchase`` has locked them all."""

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [
            models.UniqueConstraint(fields=["shop", "ref"], name="loyalink_purchase_shop_ref"),
            models.CheckConstraint(
                condition=Q(amount_due=F("total") - F("points_value"), amount_due__gte=0)
                & Q(points_value__gte=0, points_redeemed__gte=0),
                name="loyalink_purchase_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(member_id__isnull=True) | Q(claimed_by__isnull=True), name="loyalink_purchase_of_one"
            ),
            models.CheckConstraint(
                condition=Q(received_part__gte=0, received_part__lte=F("amount_due"), surplus__gte=0),
                name="loyalink_purchase_received",
            ),
        ]
        indexes = [
            models.Index("shop", "origin", name="loyalink_purchase_origin"),
            models.Index("member_id", condition=Q(state="open"), name="loyalink_purchase_member_open"),
            models.Index("browser_session", condition=Q(state="open"), name="loyalink_purchase_session_open"),
            models.Index(fields=["member_id", "-created_at"], name="loyalink_purchase_of_member"),
            models.Index("number", name="loyalink_purchase_number"),
            models.Index(fields=["id"], condition=Q(surplus__gt=0), name="loyalink_purchase_surplus"),
            models.Index(fields=["network", "state"], name="loyalink_purchase_network"),
            models.Index(fields=["browser_session", "-created_at"], name="loyalink_purchase_session"),
            models.Index(fields=["-created_at", "-id"], name="loyalink_purchase_newest"),
            models.Index("placed_at", condition=Q(placed_at__isnull=False), name="loyalink_purchase_placed"),
            models.Index(fields=["state", "-created_at", "-id"], name="loyalink_purchase_state"),
            models.Index(fields=["method", "-created_at", "-id"], name="loyalink_purchase_method"),
            models.Index(fields=["amount_due", "id"], name="loyalink_purchase_due"),
        ]

    def __str__(self) -> str:
        return f"{self.shop}:{self.ref}"

    @property
    def key(self) -> str:
        """The key of this purchase in the points ledger."""
        return f"{self.shop}:{self.ref}"

    @property
    def frozen_cart(self) -> Cart:
        """The Cart as it was frozen, read once from what is stored."""
        known: tuple[Any, Any, Cart] | None = self.__dict__.get("_frozen_cart")
        if known is not None and known[0] is self.cart and known[1] is self.line_details:
            return known[2]
        cart = self.frozen_cart = Cart.from_json(self.cart, self.line_details)
        return cart

    @frozen_cart.setter
    def frozen_cart(self, cart: Cart) -> None:
        self.__dict__["_frozen_cart"] = self.cart, self.line_details, cart

    @property
    def earner(self) -> str | None:
        """The member who earns its points: the buyer, or the member who claimed a guest's points; None so far."""
        return self.member_id or self.claimed_by

    @property
    def received(self) -> Paisa:
        """Paisa received for the order in cash or by bank transfer, at most ``amount_due``; ``surplus`` is apart."""
        return Paisa(self.amount_due if self.received_at else self.received_part)


class PaymentQuerySet(models.QuerySet["Payment"]):
    """Payments."""

    def with_flags(self) -> Self:
        """Read ``is_flagged`` and ``read_at``, too: whether a Flag of the payment is open, and the database's time."""
        return self.annotate(**self.read_besides())

    @staticmethod
    def read_besides() -> dict[str, Any]:
        """Return what ``with_flags`` reads besides the fields, by name."""
        is_flagged = Exists(Flag.objects.filter(payment=OuterRef("pk"), resolved_at=None))
        return {"is_flagged": is_flagged, "read_at": DatabaseTime()}


class Payment(Timed, models.Model):
    """One attempt to pay a purchase at Khalti."""

    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="payments")
    credentials = models.ForeignKey(Credentials, on_delete=models.PROTECT, related_name="payments")
    environment = models.CharField(max_length=10)
    token = models.CharField(max_length=32, unique=True, default=new_token)
    attempt = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=20, choices=choices_of(PaymentState), default=PaymentState.CREATED)
    release_reason = models.CharField(max_length=20, blank=True, default="", choices=choices_of(ReleaseReason))
    amount = models.BigIntegerField(help_text="paisa")
    pidx = models.CharField(max_length=64, null=True, blank=True, unique=True)
    payment_url = models.CharField(max_length=2000, blank=True, default="")
    transaction_id = models.CharField(max_length=128, null=True, blank=True)
    captured = models.BigIntegerField(null=True, blank=True, help_text="paisa, as Khalti reports it")
    fee = models.BigIntegerField(null=True, blank=True, help_text="paisa, kept by Khalti")
    refunded = models.BigIntegerField(default=0, help_text="paisa")
    created_at = models.DateTimeField(default=timezone.now)
    initiated_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    fulfilled_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    # Single flight: only the holder of the lease calls lookup; customers cause no call before ``lookup_not_before``.
    lease = models.CharField(max_length=32, blank=True, default="")
    leased_until = models.DateTimeField(null=True, blank=True)
    last_lookup_at = models.DateTimeField(null=True, blank=True)
    lookup_not_before = models.DateTimeField(null=True, blank=True)
    lookup_count = models.PositiveIntegerField(default=0)
    not_found = models.PositiveIntegerField(default=0)
    # The reconciler's own back-off: when it polls next (null: never), and how often in a row polling has failed.
    next_poll_at = models.DateTimeField(null=True, blank=True)
    poll_failures = models.PositiveIntegerField(default=0)
    confirm_attempts = models.PositiveIntegerField(default=0, help_text="how often placing the order failed")
    recorded_outcome = models.CharField(max_length=10, blank=True, default="", db_default="", help_text="by staff")
    lookup_history = models.JSONField(default=list, blank=True, help_text="each new answer of lookup, with its time")
    last_answer = models.CharField(max_length=20, blank=True, default="", db_default="", help_text="'' after silence")
    cancelled_by_customer = models.BooleanField(default=False, db_default=False)
    return_to = models.CharField(max_length=500, blank=True, default="", db_default="", help_text="an app's address")

    is_flagged: bool = True
    """Whether a Flag is open, where the row was read ``with_flags``; True where that is not known."""

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        permissions = [
            ("export_payment", _("Can export payments and the reports about them")),
            ("record_outcome", _("Can record what Khalti's dashboard shows of a payment")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "transaction_id"], name="loyalink_one_payment_per_transaction"
            ),
            models.UniqueConstraint(
                fields=["purchase"], condition=Q(state__in=sorted(LIVE)), name="loyalink_one_live_payment"
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
            models.Index("next_poll_at", name="loyalink_payment_next_poll"),
            models.Index(fields=["-created_at", "-id"], name="loyalink_payment_newest"),
            models.Index(fields=["state", "-created_at", "-id"], name="loyalink_payment_state"),
            models.Index("paid_at", name="loyalink_payment_paid"),
            models.Index(Upper("transaction_id"), name="loyalink_payment_transaction"),
            models.Index(Upper("pidx"), name="loyalink_payment_pidx"),
            models.Index(
                "paid_at",
                condition=Q(state__in=sorted(REFUNDABLE), fulfilled_at=None),
                name="loyalink_payment_without_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purchase_order_id}: {npr(Paisa(self.amount))} {self.state}"

    @classmethod
    def load(cls, pk: int) -> Self:
        """Return a payment freshly read, with its purchase, the key that created it and ``is_flagged``.

        Raises ``DoesNotExist``.
        """
        return cls._found(_LOADED.first(pk=pk))

    @classmethod
    def load_by_token(cls, token: str) -> Self:
        """Return the payment of a token like ``load``: as ``verify_payment`` needs it. Raises ``DoesNotExist``."""
        return cls._found(_LOADED_BY_TOKEN.first(token=token))

    @classmethod
    def _found(cls, row: Any) -> Self:
        if row is None:
            raise cls.DoesNotExist("there is no such payment")
        return cast(Self, row)

    @property
    def purchase_order_id(self) -> str:
        """The id of this attempt at Khalti: each attempt has its own."""
        return f"{self.purchase.ref}-{self.attempt}"

    @property
    def is_settled(self) -> bool:
        return self.state in SETTLED

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def may_be_paid(self) -> bool:
        """Whether money may have moved that is not recorded: Khalti's last answer, if any, is not "Initiated"."""
        return self.state == PaymentState.INITIATED and self.last_answer != Status.INITIATED.value

    @property
    def outcome(self) -> Outcome:
        """What the customer sees; reads ``purchase``."""
        return outcome(
            PaymentState(self.state),
            release_reason=ReleaseReason(self.release_reason) if self.release_reason else None,
            placed=self.purchase.state == PurchaseState.PLACED,
        )


def _loaded() -> PaymentQuerySet:
    return Payment.objects.with_flags().select_related("purchase", "credentials")


_LOADED = Select(Payment, lambda: _loaded().filter(pk=Given("pk")))
_LOADED_BY_TOKEN = Select(Payment, lambda: _loaded().filter(token=Given("token")))


class FlagQuerySet(models.QuerySet["Flag"]):
    """Flags."""

    def unmailed(self) -> Self:
        """Open Flags that no e-mail to staff has listed yet."""
        return self.filter(mailed_at=None, resolved_at=None)


class Flag(models.Model):
    """Something about a payment that staff must review; it is open until it is resolved."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="flags")
    reason = models.CharField(max_length=32, choices=choices_of(FlagReason))
    evidence = models.JSONField(default=dict)
    # One Flag stands for all payments of a site to which the same happens without money: it counts them.
    site_key = models.CharField(max_length=255, blank=True, default="", db_default="")
    count = models.PositiveIntegerField(default=1, db_default=1)
    last_at = models.DateTimeField(null=True, blank=True, help_text="when it was counted last")
    raised_at = models.DateTimeField(default=timezone.now)
    mailed_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=20, blank=True, default="")
    note = models.TextField(blank=True, default="")
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")

    objects = FlagQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "reason"], condition=Q(resolved_at=None), name="loyalink_flag_once"
            ),
            models.UniqueConstraint(
                fields=["site_key", "reason"],
                condition=Q(resolved_at=None) & ~Q(site_key=""),
                name="loyalink_flag_once_per_site",
            ),
        ]
        indexes = [models.Index("raised_at", condition=Q(resolved_at=None), name="loyalink_flag_open")]

    def __str__(self) -> str:
        return f"{self.reason} ({self.payment_id})"
