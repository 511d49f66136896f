"""Sales in the shop itself, at its counter, and their refunds: what was paid, how, and what points took off.

A counter sale is a purchase of its own for the ledger (``CounterSale.purchase``), without lines and without a payment
at Khalti. Amounts are paisa; ``amount`` is the bill before points. ``counter_movements`` is what takings, invoices and
statements read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import models
from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.append_only import AppendOnlyModel
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.money import Paisa, cumulative, npr
from loyalink_khalti.nepal import midnight, midnight_after

PREFIX = "counter:"
"""Begins the key of a counter sale in the ledger, where an order has the name of its shop."""
CHUNK = 500


class CounterMethod(models.TextChoices):
    """How the rest of a bill was paid at the counter."""

    CASH = "cash", _("Cash")
    KHALTI = "khalti_app", _("Khalti app or QR code")
    CARD = "card", _("Card")
    BANK_TRANSFER = "bank_transfer", _("Bank transfer")
    OTHER = "other", _("Other")


class CounterRefundReason(models.TextChoices):
    """Why a counter sale is refunded."""

    RETURNED = "returned", _("Products were returned")
    MISTAKE = "mistake", _("Entered by mistake")
    OTHER = "other", _("Other")


class CounterSale(models.Model):
    """One bill of the counter for which points were given or redeemed; without a member until it is claimed."""

    site_key = models.CharField(max_length=255)
    key = models.CharField(max_length=64, unique=True, help_text="of the form that recorded it")
    bill_number = models.CharField(max_length=40)
    bill_day = models.DateField(help_text="the day of the bill, in Nepal")
    repetition = models.PositiveSmallIntegerField(
        default=0, help_text="0; more where staff have confirmed that the number was used again on that day"
    )
    amount = models.BigIntegerField(help_text="paisa of the bill, before points")
    points_redeemed = models.BigIntegerField(default=0)
    points_value = models.BigIntegerField(default=0, help_text="paisa")
    method = models.CharField(max_length=20, choices=CounterMethod, default=CounterMethod.CASH)
    points_earned = models.BigIntegerField(default=0, help_text="when it was recorded or claimed, before any refund")
    points_balance = models.BigIntegerField(null=True, help_text="what the receipt says; null without a member")
    rules_version = models.BigIntegerField()
    member_id = models.CharField(max_length=64, null=True, blank=True)
    email = models.CharField(max_length=254, blank=True, default="", help_text="as typed, of who has no account yet")
    phone = models.CharField(max_length=20, blank=True, default="", help_text="ten digits; it proves nothing")
    language = models.CharField(max_length=20, blank=True, default="")
    actor = models.CharField(max_length=64, help_text="the user's pk")
    sold_at = models.DateTimeField(default=timezone.now)
    refunded = models.BigIntegerField(default=0, help_text="paisa of the amount")
    refunded_money = models.BigIntegerField(default=0, help_text="paisa that were paid out")
    # The code on the receipt: its first half finds the sale, of the second only a hash is stored.
    claim_name = models.CharField(max_length=12, null=True, unique=True)
    claim_hash = models.CharField(max_length=64, blank=True, default="")
    code_actor = models.CharField(max_length=64, null=True, help_text="who made a newer code; null: the seller")
    claim_tries = models.PositiveSmallIntegerField(default=0)
    claim_until = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=64, null=True, blank=True)
    claimed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("counter sale")
        verbose_name_plural = _("counter sales")
        default_permissions = ()
        permissions = [
            ("use_counter", _("Can give and redeem points at the counter")),
            ("counter_beyond_limit", _("Can give and redeem more points at the counter than the limit")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["site_key", "bill_day", "bill_number", "repetition"], name="loyalink_counter_bill"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0, points_earned__gte=0, points_redeemed__gte=0, points_value__gte=0)
                & Q(points_value__lte=F("amount")),
                name="loyalink_counter_amounts",
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded_money__gte=0)
                & Q(refunded__lte=F("amount"))
                & Q(refunded_money__lte=F("amount") - F("points_value")),
                name="loyalink_counter_refunded",
            ),
            models.CheckConstraint(
                condition=Q(member_id__isnull=True) | Q(claimed_by__isnull=True), name="loyalink_counter_one_member"
            ),
            models.CheckConstraint(
                condition=Q(points_redeemed=0) | Q(member_id__isnull=False), name="loyalink_counter_redeemer"
            ),
        ]
        indexes = [
            models.Index(fields=["-sold_at"], name="loyalink_counter_newest"),
            models.Index(fields=["site_key", "bill_day"], name="loyalink_counter_day"),
            models.Index(fields=["actor", "sold_at"], name="loyalink_counter_actor"),
            models.Index("member_id", name="loyalink_counter_member"),
            models.Index("claimed_by", condition=Q(claimed_by__isnull=False), name="loyalink_counter_claimed"),
            models.Index("email", condition=~Q(email=""), name="loyalink_counter_email"),
            models.Index("phone", condition=~Q(phone=""), name="loyalink_counter_phone"),
        ]

    def __str__(self) -> str:
        return f"{npr(Paisa(self.amount))}, bill {self.bill_number} of {self.bill_day}"

    @property
    def purchase(self) -> str:
        """Return the key of the sale in the ledger."""
        return f"{PREFIX}{self.key}"

    @property
    def amount_due(self) -> Paisa:
        """Return what was left to pay after points, in paisa."""
        return Paisa(self.amount - self.points_value)

    @property
    def earner(self) -> str | None:
        """Return the member who has the points of the sale; None until it is claimed."""
        return self.member_id or self.claimed_by

    @property
    def left(self) -> Paisa:
        """Return how much of the bill can still be refunded, in paisa before points."""
        return Paisa(self.amount - self.refunded)

    def money_for(self, amount: int) -> Paisa:
        """Return what is paid out when ``amount`` paisa more of the bill are refunded; all parts sum to the whole."""
        whole = cumulative(self.amount_due, self.refunded + amount, self.amount)
        return Paisa(max(whole - self.refunded_money, 0))


class CounterRefund(AppendOnlyModel):
    """A refund of a counter sale, or of a part of its bill. It is written once."""

    REFUSAL = CannotRefund
    sale = models.ForeignKey(CounterSale, on_delete=models.PROTECT, related_name="refunds")
    key = models.CharField(max_length=64, unique=True, help_text="of the form that recorded it")
    amount = models.BigIntegerField(help_text="paisa of the bill, before points")
    money = models.BigIntegerField(help_text="paisa that were paid out")
    points_restored = models.BigIntegerField(default=0)
    points_clawed_back = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=20, choices=CounterRefundReason)
    method = models.CharField(max_length=20, choices=CounterMethod)
    actor = models.CharField(max_length=64, help_text="the user's pk")
    refunded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, money__gte=0) & Q(money__lte=F("amount")), name="loyalink_counter_refund"
            )
        ]
        indexes = [
            models.Index("refunded_at", name="loyalink_counter_refund_at"),
            models.Index(fields=["actor", "refunded_at"], name="loyalink_counter_refund_of"),
        ]

    def __str__(self) -> str:
        return f"{npr(Paisa(self.amount))} of sale {self.sale_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterMovement:
    """Money at the counter: a sale, or a refund, whose figures are negative. Amounts are paisa."""

    sale: CounterSale
    refund: CounterRefund | None
    at: datetime
    method: str
    """One of ``CounterMethod``."""
    amount: Paisa
    """Of the bill, before points."""
    points_value: Paisa
    """What points paid of it."""
    money: Paisa
    """What was paid in, or out."""


def counter_movements(
    *, since: date | None = None, until: date | None = None, site_key: str | None = None
) -> Iterator[CounterMovement]:
    """Yield the sales and then the refunds of some days in Nepal, both inclusive, in the order of their time.

    A sale counts on the day on which it was recorded, a refund on its own. For all sites without a ``site_key``. Reads
    some hundred rows at a time; ``amount = points_value + money`` in every row.
    """
    sales, refunds = CounterSale.objects.all(), CounterRefund.objects.select_related("sale")
    if site_key is not None:
        sales, refunds = sales.filter(site_key=site_key), refunds.filter(sale__site_key=site_key)
    for sale in _within(sales, "sold_at", since, until).iterator(chunk_size=CHUNK):
        yield CounterMovement(
            sale=sale, refund=None, at=sale.sold_at, method=sale.method, amount=Paisa(sale.amount),
            points_value=Paisa(sale.points_value), money=sale.amount_due,
        )  # fmt: skip
    for refund in _within(refunds, "refunded_at", since, until).iterator(chunk_size=CHUNK):
        yield CounterMovement(
            sale=refund.sale, refund=refund, at=refund.refunded_at, method=refund.method, amount=Paisa(-refund.amount),
            points_value=Paisa(refund.money - refund.amount), money=Paisa(-refund.money),
        )  # fmt: skip


def _within(rows: "QuerySet[Any]", field: str, since: date | None, until: date | None) -> "QuerySet[Any]":
    if since is not None:
        rows = rows.filter(**{f"{field}__gte": midnight(since)})
    if until is not None:
        rows = rows.filter(**{f"{field}__lt": midnight_after(until)})
    return rows.order_by(field, "pk")


def money_refunded(refunds: "QuerySet[CounterRefund]") -> Paisa:
    """Return what some refunds have paid out, in paisa."""
    return Paisa(refunds.aggregate(money=Sum("money"))["money"] or 0)
