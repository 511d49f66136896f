"""Messages that leave only when the transaction that wrote them has been committed, and at least once.

``post("dotted.path", **payload)`` writes a row beside the change that causes it. After commit the named function is
called as ``function(**payload)``, here and now or, if this process dies, by the next ``khalti_reconcile``. A function
may therefore be called twice with the same words; ``message_id`` tells it so where it asks for that argument.
"""

import inspect
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.module_loading import import_string

log = logging.getLogger(__name__)

CLAIM = timedelta(minutes=2)
"""How long one sender keeps a message before another may try it."""
FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(hours=6)


class Message(models.Model):
    """One call to make after commit."""

    function = models.CharField(max_length=200)
    payload = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    tries = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        verbose_name = "outgoing message"
        indexes = [models.Index("due_at", condition=Q(sent_at=None), name="loyalink_outbox_due")]

    def __str__(self) -> str:
        return f"{self.function} #{self.pk}"


def post(function: str, **payload: Any) -> Message:
    """Write a message in the caller's transaction; it is sent after commit."""
    message = Message.objects.create(function=function, payload=payload)
    transaction.on_commit(lambda: send(message.pk), robust=True)
    return message


def deliver(*, insist: bool = False) -> int:
    """Send what is due and return how many were sent; ``insist`` ignores the back-off of failed ones."""
    waiting = Message.objects.filter(sent_at=None)
    if not insist:
        waiting = waiting.filter(due_at__lte=timezone.now())
    return sum(send(pk, insist=insist) for pk in list(waiting.order_by("pk").values_list("pk", flat=True)))


def send(pk: int, *, insist: bool = False) -> bool:
    """Send one message unless somebody else is at it; say whether it was sent here."""
    now = timezone.now()
    mine = Message.objects.filter(pk=pk, sent_at=None)
    if not insist:
        mine = mine.filter(due_at__lte=now)
    if not mine.update(due_at=now + CLAIM, tries=F("tries") + 1):
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
