"""The e-mails that customers were sent, and what each member wants to get: one row for each mail about one event.

A row names a purchase by ``shop:ref`` and a member by the user's primary key, both as text, as the ledger does.
"""

from enum import StrEnum
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from .clock import DatabaseTime


class Result(StrEnum):
    """What became of a mail; "" while it is not decided."""

    SENT = "sent"
    OFF = "off"
    """Editors have switched this kind off."""
    NO_ADDRESS = "no_address"
    UNSUBSCRIBED = "unsubscribed"
    BY_SHOP = "by_shop"
    """The shop sends a mail of its own about this."""
    OVERTAKEN = "overtaken"
    """By the time it was to be sent, it was not true any more."""


class SentMail(models.Model):
    """One mail about one event: it is sent once, however often its message is delivered, and again by staff alone."""

    key = models.CharField(max_length=200, unique=True, help_text="named after the cause")
    kind = models.CharField(max_length=30)
    site_key = models.CharField(max_length=255)
    purchase = models.CharField(max_length=192, blank=True, default="", help_text="shop:ref")
    member_id = models.CharField(max_length=64, null=True, blank=True)
    data = models.JSONField(default=dict, help_text="the figures of the event: paisa, points, primary keys")
    created_at = models.DateTimeField(default=timezone.now)
    sending_at = models.DateTimeField(null=True, blank=True, help_text="since when a process is sending it")
    signalled_at = models.DateTimeField(
        null=True, blank=True, help_text="when its signals were sent, if the mail failed"
    )
    result = models.CharField(max_length=12, blank=True, default="")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="the last time")
    sent_to = models.CharField(max_length=254, blank=True, default="")
    times = models.PositiveIntegerField(default=0, help_text="how often it was sent")

    class Meta:
        verbose_name = "sent mail"
        indexes = [
            models.Index(fields=["purchase", "id"], condition=~Q(purchase=""), name="loyalink_mail_of_purchase"),
            models.Index(fields=["member_id", "id"], name="loyalink_mail_of_member"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"

    def failed(self) -> None:
        """Record that the mail could not be sent, and that its signals were: they are not sent again with it."""
        self._update(signalled_at=DatabaseTime(), sending_at=None)

    def sent(self, address: str) -> Result:
        """Record that the mail has left."""
        times = F("times") + 1
        self._update(result=Result.SENT, sent_at=DatabaseTime(), sent_to=address[:254], times=times)
        return Result.SENT

    def not_sent(self, result: Result) -> Result:
        """Record why there is no mail."""
        self._update(result=result)
        return result

    def _update(self, **changes: Any) -> None:
        SentMail.objects.filter(pk=self.pk).update(**changes)


class MailPreference(models.Model):
    """What one member of one site wants: a language, and whether e-mails about points are welcome."""

    member_id = models.CharField(max_length=64)
    site_key = models.CharField(max_length=255)
    language = models.CharField(max_length=20, blank=True, default="")
    language_at = models.DateTimeField(null=True, blank=True, help_text="when that language was last used")
    unsubscribed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "mail preference"
        constraints = [models.UniqueConstraint(fields=["member_id", "site_key"], name="loyalink_mail_preference_once")]

    def __str__(self) -> str:
        return f"{self.member_id} at {self.site_key}"
