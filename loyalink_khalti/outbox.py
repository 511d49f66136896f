"""Messages that leave only when the transaction that wrote them has been committed, and at least once.

``post("dotted.path", **payload)`` writes a row beside the change that causes it. After commit the named function is
called as ``function(**payload)``, here and now or, if this process dies, by the next ``khalti_reconcile``. A function
may therefore be called twice with the same words; ``message_id`` tells it so where it asks for that argument.
"""

import inspect
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.module_loading import import_string

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=30)
"""How long one sender keeps a message before another may try it."""
POLL = 0.2
"""seconds"""
FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(hours=6)


class Message(models.Model):
    """One call to make after commit."""

    function = models.CharField(max_length=200)
    key = models.CharField(max_length=100, null=True, blank=True, help_text="one that waits is enough")
    payload = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    tries = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        verbose_name = "outgoing message"
        indexes = [models.Index("due_at", condition=Q(sent_at=None), name="loyalink_outbox_due")]
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=Q(sent_at=None), name="loyalink_outbox_one_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.function} #{self.pk}"


_CLAIMED = Q(sent_at=None, tries__gt=0, error="")
"""Until it is due again; one that failed has an error, and waits only for its back-off."""


def post(function: str, **payload: Any) -> Message:
    """Write a message in the caller's transaction; it is sent after commit."""
    message = Message.objects.create(function=function, payload=payload)
    transaction.on_commit(lambda: send(message.pk), robust=True)
    return message


def deliver(*, insist: bool = False) -> int:
    """Send what is due and return how many were sent.

    ``insist`` ignores the back-off of those that failed, and waits while another sender, alive or dead, has a claim.
    """
    waiting = Message.objects.filter(sent_at=None)
    if not insist:
        waiting = waiting.filter(due_at__lte=timezone.now())
    sent = 0
    for pk in list(waiting.order_by("pk").values_list("pk", flat=True)):
        while insist and Message.objects.filter(_CLAIMED, pk=pk, due_at__gt=timezone.now()).exists():
            time.sleep(POLL)
        sent += send(pk, insist=insist)
    return sent


def send(pk: int, *, insist: bool = False) -> bool:
    """Send one message unless somebody else is at it; say whether it was sent here."""
    now = timezone.now()
    free = Q(due_at__lte=now)
    if insist:
        free |= ~_CLAIMED
    mine = Message.objects.filter(free, pk=pk, sent_at=None)
    if not mine.update(due_at=now + CLAIM, tries=F("tries") + 1, error=""):
        return False
    message = Message.objects.get(pk=pk)
    try:
        _call(import_string(message.function), message)
    except Exception as exc:
        log.exception("outbox: %s failed, try %d", message, message.tries)
        wait = min(FIRST_RETRY * 2 ** min(message.tries - 1, 16), LONGEST_RETRY)
        Message.objects.filter(pk=pk).update(due_at=timezone.now() + wait, error=type(exc).__name__)
        return False
    Message.objects.filter(pk=pk).update(sent_at=timezone.now(), error="")
    return True


def _call(function: Callable[..., Any], message: Message) -> None:
    wants_id = "message_id" in inspect.signature(function).parameters
    function(**message.payload, **({"message_id": message.pk} if wants_id else {}))
