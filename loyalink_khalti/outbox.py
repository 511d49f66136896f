"""Messages that leave only when the transaction that wrote them has been committed, and at least once.

``post("dotted.path", **payload)`` writes a row beside the change that causes it. After commit (in a request: after the
response) the named function is called as ``function(**payload)``, here or, if this process dies, by the next
``khalti_reconcile``. A function may therefore be called twice with the same words; ``message_id`` tells it so where it
asks for that argument.
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

from .afterwards import afterwards
from .errors import traced

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=30)
"""How long one sender keeps a message before another may try it."""
POLL = 0.2
"""seconds"""
FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(hours=6)
KEPT_FOR = timedelta(days=30)
"""How long a message that was sent is kept, so that one can see what was."""
STUCK = 5
"""After so many tries somebody should look."""


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
    transaction.on_commit(lambda: afterwards(lambda: send(message.pk)), robust=True)
    return message


def post_once(function: str, *, key: str, apart: timedelta = timedelta(0), **payload: Any) -> None:
    """Write a message unless one with this key waits already; it is sent ``apart`` from the last at the earliest."""
    with transaction.atomic(savepoint=False):
        message = Message(function=function, key=key, payload=payload)
        Message.objects.bulk_create([message], ignore_conflicts=True)
        _put_off(key, apart)  # only now: what waited a moment ago may just have been sent
    transaction.on_commit(lambda: afterwards(lambda: _send_waiting(key)), robust=True)


def deliver(*, insist: bool = False, most: int | None = None) -> int:
    """Send what is due, or the first ``most`` of it, and return how many were sent.

    ``insist`` ignores the back-off of those that failed, and waits while another sender, alive or dead, has a claim.
    """
    now = timezone.now()
    waiting = Message.objects.filter(sent_at=None)
    due = Q(due_at__lte=now)
    waiting = waiting.filter(due | Q(tries__gt=0) if insist else due)
    sent = 0
    for pk in list(waiting.order_by("pk").values_list("pk", flat=True)[:most]):
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
    except Exception as exc:  # noqa: BLE001 - it is tried again
        log.error("outbox: %s failed, try %d: %s", message, message.tries, traced(exc))
        wait = min(FIRST_RETRY * 2 ** min(message.tries - 1, 16), LONGEST_RETRY) * random.uniform(0.9, 1.1)  # noqa: S311
        Message.objects.filter(pk=pk).update(due_at=timezone.now() + wait, error=type(exc).__name__)
        return False
    Message.objects.filter(pk=pk).update(sent_at=timezone.now(), error="")
    return True


def stuck() -> int:
    """How many messages have failed again and again."""
    return Message.objects.filter(sent_at=None, tries__gte=STUCK).exclude(error="").count()


def forget() -> int:
    """Remove what was sent long ago, and return how many there were."""
    return Message.objects.filter(sent_at__lt=timezone.now() - KEPT_FOR).delete()[0]


def _put_off(key: str, apart: timedelta) -> None:
    """Let what waits under this key leave ``apart`` from the last that left."""
    last = Message.objects.filter(key=key, sent_at__gt=timezone.now() - apart).aggregate(at=Max("sent_at"))["at"]
    if last is not None:
        Message.objects.filter(key=key, sent_at=None, tries=0, due_at__lt=last + apart).update(due_at=last + apart)


def _send_waiting(key: str) -> None:
    for pk in Message.objects.filter(key=key, sent_at=None, due_at__lte=timezone.now()).values_list("pk", flat=True):
        send(pk)


def _call(function: Callable[..., Any], message: Message) -> None:
    wants_id = "message_id" in inspect.signature(function).parameters
    function(**message.payload, **({"message_id": message.pk} if wants_id else {}))
