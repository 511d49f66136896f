"""Messages that are sent only after the transaction that wrote them is committed, and at least once.

``post("dotted.path", **payload)`` writes a row beside the change that causes it. After commit (in a request: after the
response) the named function is called as ``function(**payload)``, here or, if this process dies, by the next
``khalti_reconcile``. A function may therefore be called twice with the same arguments; one with an argument
``message_id`` receives the id by which it can recognise that.
"""

import inspect
import logging
import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import F, Max, Q
from django.utils import timezone
from django.utils.module_loading import import_string

from loyalink_khalti.after_response import after_response
from loyalink_khalti.errors import safe_trace

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=30)
"""How long one sender keeps a message before another may try it."""
POLL_SECONDS = 0.2
FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(hours=6)
KEPT_FOR = timedelta(days=30)
"""How long a sent message is kept for inspection."""
STUCK_AFTER = 5
"""Failed attempts after which a message needs attention."""


class Message(models.Model):
    """One call to make after commit."""

    function = models.CharField(max_length=200)
    key = models.CharField(max_length=100, null=True, blank=True, help_text="at most one unsent message per key")
    payload = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        verbose_name = "outgoing message"
        indexes = [models.Index("due_at", condition=Q(sent_at=None), name="loyalink_outbox_due")]
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=Q(sent_at=None), name="loyalink_outbox_one_unsent"),
        ]

    def __str__(self) -> str:
        return f"{self.function} #{self.pk}"


_CLAIMED = Q(sent_at=None, attempts__gt=0, error="")
"""A sender has it until it is due again; a message that failed has an error and only waits for its back-off."""


def post(function: str, **payload: Any) -> Message:
    """Write a message in the caller's transaction; it is sent after commit."""
    message = Message.objects.create(function=function, payload=payload)
    transaction.on_commit(lambda: after_response(lambda: send(message.pk)), robust=True)
    return message


def post_once(function: str, *, key: str, apart: timedelta = timedelta(0), **payload: Any) -> None:
    """Write a message unless one with this ``key`` is unsent; it is sent ``apart`` from the last one, or later."""
    with transaction.atomic(savepoint=False):
        message = Message(function=function, key=key, payload=payload)
        Message.objects.bulk_create([message], ignore_conflicts=True)
        _delay(key, apart)  # only now: the unsent one may just have been sent
    transaction.on_commit(lambda: after_response(lambda: _send_due(key)), robust=True)


def post_later(function: str, *, key: str, delay: timedelta, **payload: Any) -> None:
    """Write a message that a job sends after ``delay``, unless somebody takes it before; ``key`` is of it alone."""
    Message.objects.create(function=function, key=key, payload=payload, due_at=timezone.now() + delay)


def take(key: str) -> bool:
    """Take a message that no sender has, to do its work here; return False if it was taken or sent before."""
    waiting = Message.objects.filter(key=key, sent_at=None, attempts=0)
    return bool(waiting.update(sent_at=timezone.now()))


def deliver(*, ignore_back_off: bool = False, most: int | None = None) -> int:
    """Send the messages that are due, or the first ``most`` of them, and return how many were sent here.

    ``ignore_back_off`` sends those that failed, too, and waits while another sender has a claim, dead or alive.
    """
    now = timezone.now()
    unsent = Message.objects.filter(sent_at=None)
    due = Q(due_at__lte=now)
    unsent = unsent.filter(due | Q(attempts__gt=0) if ignore_back_off else due)
    sent = 0
    for pk in list(unsent.order_by("pk").values_list("pk", flat=True)[:most]):
        while ignore_back_off and Message.objects.filter(_CLAIMED, pk=pk, due_at__gt=timezone.now()).exists():
            time.sleep(POLL_SECONDS)
        sent += send(pk, ignore_back_off=ignore_back_off)
    return sent


def send(pk: int, *, ignore_back_off: bool = False) -> bool:
    """Send one message unless another sender has it; return whether it was sent here."""
    now = timezone.now()
    free = Q(due_at__lte=now)
    if ignore_back_off:
        free |= ~_CLAIMED
    row = Message.objects.filter(free, pk=pk, sent_at=None)
    if not row.update(due_at=now + CLAIM, attempts=F("attempts") + 1, error=""):
        return False
    message = Message.objects.get(pk=pk)
    try:
        _call(import_string(message.function), message)
    except Exception as exc:  # noqa: BLE001 - it is tried again
        log.error("outbox: %s failed, attempt %d: %s", message, message.attempts, safe_trace(exc))
        jitter = random.uniform(0.9, 1.1)  # noqa: S311 - not secret
        wait = min(FIRST_RETRY * 2 ** min(message.attempts - 1, 16), LONGEST_RETRY) * jitter
        Message.objects.filter(pk=pk).update(due_at=timezone.now() + wait, error=type(exc).__name__)
        return False
    Message.objects.filter(pk=pk).update(sent_at=timezone.now(), error="")
    return True


def stuck() -> int:
    """Return how many messages have failed ``STUCK_AFTER`` times or more."""
    return Message.objects.filter(sent_at=None, attempts__gte=STUCK_AFTER).exclude(error="").count()


def delete_old() -> int:
    """Delete the messages that were sent longer than ``KEPT_FOR`` ago, and return how many there were."""
    return Message.objects.filter(sent_at__lt=timezone.now() - KEPT_FOR).delete()[0]


def _delay(key: str, apart: timedelta) -> None:
    """Make the unsent message with this key due ``apart`` from the last one that was sent."""
    last = Message.objects.filter(key=key, sent_at__gt=timezone.now() - apart).aggregate(at=Max("sent_at"))["at"]
    if last is not None:
        unsent = Message.objects.filter(key=key, sent_at=None, attempts=0, due_at__lt=last + apart)
        unsent.update(due_at=last + apart)


def _send_due(key: str) -> None:
    for pk in Message.objects.filter(key=key, sent_at=None, due_at__lte=timezone.now()).values_list("pk", flat=True):
        send(pk)


def _call(function: Callable[..., Any], message: Message) -> None:
    takes_id = "message_id" in inspect.signature(function).parameters
    function(**message.payload, **({"message_id": message.pk} if takes_id else {}))
