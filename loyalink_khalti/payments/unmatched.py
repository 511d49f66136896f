"""Unmatched payments: what a browser brought back from Khalti's page and no payment here has.

A database that was restored, a standby that was promoted, or an answer of initiate that was lost can leave money at
Khalti without a row here. The pidx in the return address is the only trace of it. It is kept, a few an hour, and the
reconciler looks it up; nothing that a browser says is believed. Amounts are paisa, as lookup reports them.
"""

import random
from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.clock import DatabaseTime, database_now, is_older, is_over
from loyalink_khalti.khalti.wire import MAX_ID, MONEY_MOVED, Lookup, Status
from loyalink_khalti.money import Paisa

from .credentials import Credentials
from .models import Payment
from .without_order import MoneyWithoutOrder

KEPT_PERIOD = timedelta(hours=1)
"""The period of the limits on how many are kept."""
ORDER_ID_LENGTH = 64
"""Characters that are kept of the order id that the browser brings."""
SOONEST, LATEST, DAILY = timedelta(seconds=30), timedelta(hours=6), timedelta(days=1)
LONGEST_WAIT = DAILY
UNANSWERED_FOR = timedelta(days=7)
"""How long one is looked up that Khalti neither calls paid nor unpaid."""
NOT_FOUND_AT_MOST = 3
"""Answers "Not found." after which a pidx counts as made up."""
RETENTION = timedelta(days=30)
"""How long one is kept that was not paid."""


class UnmatchedState(models.TextChoices):
    """``waiting → found | ended``, ``found → attached | refund | not_ours | ended``, ``not_ours → found``."""

    WAITING = "waiting", _("Being looked up")
    FOUND = "found", _("Needs review")
    ATTACHED = "attached", _("Attached to an order")
    REFUND = "refund", _("Refunded by staff")
    NOT_OURS = "not_ours", _("Belongs to another shop")
    ENDED = "ended", _("Not paid")


class UnmatchedQuerySet(models.QuerySet["UnmatchedPayment"]):
    """Unmatched payments."""

    def to_review(self) -> Self:
        """Return those with money at Khalti that staff have not dealt with, and that no payment here has by now."""
        return self.filter(state=UnmatchedState.FOUND).exclude(Exists(Payment.objects.filter(pidx=OuterRef("pidx"))))

    def looked_up(self, *, due_only: bool) -> Self:
        """Return those that are looked up, the most overdue first: now or, without ``due_only``, whenever they are."""
        rows = self.filter(next_lookup_at__isnull=False)
        if due_only:
            rows = rows.filter(is_over("next_lookup_at", longest=LONGEST_WAIT))
        return rows.order_by("next_lookup_at", "pk")


class UnmatchedPayment(models.Model):
    """A pidx that came back to the shop and that no payment here has."""

    pidx = models.CharField(max_length=MAX_ID, unique=True)
    site_key = models.CharField(max_length=255, help_text="of the site to which the browser came back")
    network = models.CharField(max_length=64, blank=True, default="", help_text="keyed hash, for a day")
    returned_to = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        help_text="the payment whose return address it was; null: none here has that address",
    )  # fmt: skip
    claimed_order_id = models.CharField(
        max_length=ORDER_ID_LENGTH, blank=True, default="", help_text="what the browser said: it proves nothing"
    )
    state = models.CharField(max_length=10, choices=UnmatchedState, default=UnmatchedState.WAITING)
    seen_at = models.DateTimeField(default=timezone.now)
    lookups = models.PositiveIntegerField(default=0)
    not_found = models.PositiveIntegerField(default=0)
    looked_up_at = models.DateTimeField(null=True, blank=True, help_text="when Khalti last answered")
    next_lookup_at = models.DateTimeField(null=True, blank=True, help_text="null: never")
    # Khalti's answer
    credentials = models.ForeignKey(
        Credentials, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="that found it"
    )
    status = models.CharField(max_length=MAX_ID, blank=True, default="", help_text="in Khalti's word")
    amount = models.BigIntegerField(null=True, blank=True, help_text="paisa")
    fee = models.BigIntegerField(null=True, blank=True, help_text="paisa")
    transaction_id = models.CharField(max_length=128, blank=True, default="")
    found_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)
    # What staff did
    payment = models.OneToOneField(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        help_text="the payment that it became",
    )  # fmt: skip
    resolved_at = models.DateTimeField(null=True, blank=True)
    actor = models.CharField(max_length=64, null=True, blank=True, help_text="the user's pk")
    note = models.TextField(blank=True, default="")

    objects = UnmatchedQuerySet.as_manager()

    class Meta:
        verbose_name = _("unmatched payment")
        verbose_name_plural = _("unmatched payments")
        indexes = [
            models.Index("seen_at", name="loyalink_unmatched_seen"),
            models.Index("next_lookup_at", condition=Q(next_lookup_at__isnull=False), name="loyalink_unmatched_due"),
            models.Index("found_at", condition=Q(state="found"), name="loyalink_unmatched_open"),
        ]

    def __str__(self) -> str:
        return f"{self.pidx} ({self.state})"


def is_within_limits(*, site_key: str, network: str, per_site: int, per_network: int) -> bool:
    """Return whether one more may be kept of this site and this network in ``KEPT_PERIOD``. One statement.

    What is counted does not depend on the pidx, so the answer reveals nothing about it.
    """
    recent = UnmatchedPayment.objects.filter(~is_older("seen_at", KEPT_PERIOD))
    of_network = Q(network=network) if network else Q(pk__in=[])
    kept = recent.aggregate(
        site=models.Count("pk", filter=Q(site_key=site_key)), network=models.Count("pk", filter=of_network)
    )
    return bool(kept["site"] < per_site and kept["network"] < per_network)


def keep(
    *, pidx: str, site_key: str, network: str, order_id: str, returned_to: Payment | None, wait: timedelta
) -> None:
    """Keep a pidx once, to be looked up after ``wait``; the same statements whether it is known or not."""
    now = database_now()
    row = UnmatchedPayment(
        pidx=pidx, site_key=site_key, network=network, claimed_order_id=order_id[:ORDER_ID_LENGTH],
        returned_to=returned_to, seen_at=now, next_lookup_at=now + wait,
    )  # fmt: skip
    UnmatchedPayment.objects.bulk_create([row], ignore_conflicts=True)


def claim(row: UnmatchedPayment) -> bool:
    """Claim the next lookup of a row for this process; False where another has it. Sets when the one after it is."""
    then = DatabaseTime(_wait(row))
    mine = UnmatchedPayment.objects.filter(pk=row.pk, lookups=row.lookups, next_lookup_at__isnull=False)
    return bool(mine.update(lookups=F("lookups") + 1, next_lookup_at=then))


def _wait(row: UnmatchedPayment) -> timedelta:
    """Return the wait after this lookup: a quarter of the age, and a day once the money is found."""
    if row.state == UnmatchedState.FOUND:
        return DAILY
    age = min(max((database_now() - row.seen_at) / 4, SOONEST), LATEST)
    return age * random.uniform(0.9, 1.1)  # noqa: S311 - not secret


def has_payment(row: UnmatchedPayment) -> bool:
    """Return whether a payment here has this pidx after all."""
    return Payment.objects.filter(pidx=row.pidx).exists()


def lock(pk: int) -> UnmatchedPayment:
    """Lock an unmatched payment and return it, freshly read; after purchase and payments, where those are locked."""
    return UnmatchedPayment.objects.select_for_update(of=("self",)).get(pk=pk)


def record_answer(row: UnmatchedPayment, answer: Lookup, credentials: Credentials) -> bool:
    """Record Khalti's answer about a locked row that waits or was found; return whether it is money found just now.

    A refund in full ends it; so does "not paid", unless money was found before.
    """
    now, is_new = database_now(), False
    row.status, row.amount, row.fee = answer.status_text, answer.total_amount, answer.fee
    row.transaction_id, row.credentials = answer.transaction_id or "", credentials
    row.looked_up_at, row.not_found = now, 0
    if answer.status is Status.REFUNDED:
        end(row)
    elif answer.status in MONEY_MOVED:
        is_new = row.state == UnmatchedState.WAITING
        if is_new:
            row.state, row.found_at, row.next_lookup_at = UnmatchedState.FOUND, now, now + DAILY
    elif row.state == UnmatchedState.WAITING and (answer.status in _UNPAID or _is_old(row)):
        end(row)
    row.save()
    return is_new


_UNPAID = frozenset({Status.EXPIRED, Status.CANCELED, Status.FAILED})


def record_not_found(row: UnmatchedPayment) -> None:
    """Record that Khalti knows no such payment under the site's keys, for a locked row."""
    row.not_found += 1
    row.looked_up_at = database_now()
    if row.state == UnmatchedState.WAITING and (row.not_found >= NOT_FOUND_AT_MOST or _is_old(row)):
        end(row)
    row.save()


def record_no_answer(row: UnmatchedPayment) -> None:
    """End a locked row that Khalti has not answered about for ``UNANSWERED_FOR``."""
    if row.state == UnmatchedState.WAITING and _is_old(row):
        end(row)
        row.save()


def _is_old(row: UnmatchedPayment) -> bool:
    return row.seen_at + UNANSWERED_FOR < database_now()


def end(row: UnmatchedPayment) -> None:
    """Let a row end without anything to review; the caller saves it."""
    row.state, row.next_lookup_at, row.resolved_at = UnmatchedState.ENDED, None, database_now()


def resolve(
    row: UnmatchedPayment, state: UnmatchedState, *, actor: str, note: str, payment: Payment | None = None
) -> None:
    """Save what staff did with a locked row."""
    row.state, row.next_lookup_at = state, None
    row.resolved_at, row.actor, row.note, row.payment = database_now(), actor, note, payment
    row.save()


def reopen(row: UnmatchedPayment, *, actor: str, note: str) -> None:
    """Let staff review a locked row again that they had called another shop's."""
    row.state, row.next_lookup_at, row.resolved_at = UnmatchedState.FOUND, database_now(), None
    row.actor, row.note = actor, note
    row.save()


def delete_old() -> int:
    """Delete the rows that were not paid and are older than ``RETENTION``; return how many. Forget old networks."""
    now = database_now()
    UnmatchedPayment.objects.filter(seen_at__lt=now - DAILY).exclude(network="").update(network="")
    old = UnmatchedPayment.objects.filter(state=UnmatchedState.ENDED, seen_at__lt=now - RETENTION)
    return old.delete()[0]


def of_return_address(payment: Payment) -> UnmatchedPayment | None:
    """Return what came back to this payment's return address and may be its money; None without such."""
    rows = UnmatchedPayment.objects.filter(returned_to=payment).exclude(
        state__in=[UnmatchedState.ENDED, UnmatchedState.NOT_OURS]
    )
    return rows.order_by("-pk").first()


def unmatched_total() -> MoneyWithoutOrder:
    """Return how many wait for staff, and their money in paisa. One statement."""
    sums = UnmatchedPayment.objects.to_review().aggregate(number=models.Count("pk"), amount=models.Sum("amount"))
    return MoneyWithoutOrder(payments=sums["number"], refundable=Paisa(sums["amount"] or 0))
