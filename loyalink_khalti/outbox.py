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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import F, Max, Q
from django.utils import timezone
from django.utils.module_loading import import_string

from loyalink_khalti import telemetry
from loyalink_khalti.after_response import after_response
from loyalink_khalti.clock import DatabaseTime, is_in_future, is_over
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.returning import update_rows

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=30)
"""How long one sender keeps a message before another may try it."""
POLL_SECONDS = 0.2
FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(hours=6)
JITTER = 0.1
LONGEST_DELAY = timedelta(hours=1)
"""The longest wait of a message that was not tried yet."""
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
_CLAIM_IS_OVER = is_over("due_at", longest=CLAIM)
_DUE = (
    is_over("due_at", longest=LONGEST_RETRY * (1 + JITTER))
    | (_CLAIMED & _CLAIM_IS_OVER)
    | (Q(attempts=0) & is_over("due_at", longest=LONGEST_DELAY))
)
"""A wait that is longer than any that is written was written by a wrong clock."""


_gathered: ContextVar[list[Message] | None] = ContextVar("loyalink_khalti_gathered", default=None)


@contextmanager
def gathered() -> Iterator[None]:
    """Write all messages that are posted meanwhile in one statement, at the end; none where an error is raised.

    For what is committed or rolled back as a whole: not around a savepoint of which only a part is rolled back.
    """
    if _gathered.get() is not None:
        yield
        return
    messages: list[Message] = []
    token = _gathered.set(messages)
    try:
        yield
    finally:
        _gathered.reset(token)
    if messages:
        post_all(*messages)


def post(function: str, **payload: Any) -> Message:
    """Write a message in the caller's transaction; it is sent after commit."""
    message = new(function, **payload)
    if (together := _gathered.get()) is not None:
        together.append(message)
        return message
    message.save(force_insert=True)
    transaction.on_commit(lambda: after_response(lambda: send(message.pk)), robust=True)
    return message


def new(function: str, **payload: Any) -> Message:
    """Return a message for ``post_all``, to be sent after commit."""
    return Message(function=function, payload=payload, **_now())


def new_later(function: str, *, key: str, delay: timedelta, **payload: Any) -> Message:
    """Return a message for ``post_all`` that a job sends after ``delay`` unless it is taken; ``key`` is its alone."""
    due_at = DatabaseTime(min(delay, LONGEST_DELAY))
    return Message(function=function, key=key, payload=payload, **{**_now(), "due_at": due_at})


def post_all(*messages: Message) -> None:
    """Write messages in the caller's transaction, in one statement; they are sent after commit, in this order."""
    if (together := _gathered.get()) is not None:
        together.extend(messages)
        return
    Message.objects.bulk_create(messages)
    pks = [message.pk for message in messages if message.key is None]
    transaction.on_commit(lambda: after_response(lambda: _send_all(pks)), robust=True)


def post_once(function: str, *, key: str, apart: timedelta = timedelta(0), **payload: Any) -> None:
    """Write a message unless one with this ``key`` is unsent; it is sent ``apart`` from the last one, or later."""
    with transaction.atomic(savepoint=False):
        message = Message(function=function, key=key, payload=payload, **_now())
        Message.objects.bulk_create([message], ignore_conflicts=True)
        _delay(key, min(apart, LONGEST_DELAY))  # only now: the unsent one may just have been sent
    transaction.on_commit(lambda: after_response(lambda: _send_due(key)), robust=True)


def take(key: str) -> bool:
    """Take a message that no sender has, to do its work here; return False if it was taken or sent before."""
    waiting = Message.objects.filter(key=key, sent_at=None, attempts=0)
    return bool(waiting.update(sent_at=DatabaseTime()))


def deliver(*, ignore_back_off: bool = False, most: int | None = None) -> int:
    """Send the messages that are due, or the first ``most`` of them, and return how many were sent here.

    ``ignore_back_off`` sends those that failed, too, and waits while another sender has a claim, dead or alive, for
    ``CLAIM`` in all: every claim of a dead one is over then.
    """
    unsent = Message.objects.filter(sent_at=None)
    unsent = unsent.filter(_DUE | Q(attempts__gt=0) if ignore_back_off else _DUE)
    sent, until = 0, time.monotonic() + CLAIM.total_seconds()
    for pk in list(unsent.order_by("pk").values_list("pk", flat=True)[:most]):
        claimed = Message.objects.filter(_CLAIMED, ~_CLAIM_IS_OVER, pk=pk)
        while ignore_back_off and time.monotonic() < until and claimed.exists():
            time.sleep(POLL_SECONDS)
        sent += send(pk, ignore_back_off=ignore_back_off)
    return sent


def send(pk: int, *, ignore_back_off: bool = False) -> bool:
    """Send one message unless another sender has it; return whether it was sent here."""
    free = _DUE | ~_CLAIMED if ignore_back_off else _DUE
    return any(_send(message) for message in _claim(free, pk=pk))


def _send_all(pks: list[int]) -> None:
    """Send new messages in their order: one statement claims all, and one more each where those before took long."""
    claimed_at = time.monotonic()
    for message in _claim(_DUE, pk__in=pks):
        if time.monotonic() < claimed_at + CLAIM.total_seconds() / 2 or _claim_longer(message):
            _send(message)


def _claim(free: Q, **which: Any) -> list[Message]:
    """Claim unsent messages that no other sender has, and return them."""
    rows = Message.objects.filter(free, sent_at=None, **which)
    changes = {"due_at": DatabaseTime(CLAIM), "attempts": F("attempts") + 1, "error": ""}
    return sorted(update_rows(rows, changes), key=lambda message: message.pk)


def _claim_longer(message: Message) -> bool:
    """Claim a message from now on once more; return False if another sender has it by now."""
    mine = Message.objects.filter(pk=message.pk, attempts=message.attempts, sent_at=None, error="")
    return bool(mine.update(due_at=DatabaseTime(CLAIM)))


def _send(message: Message) -> bool:
    try:
        with telemetry.Span("send_message") as span:
            span.attributes["code.function.name"] = message.function
            _call(import_string(message.function), message)
    except Exception as exc:  # noqa: BLE001 - it is tried again
        log.error("outbox: %s failed, attempt %d: %s", message, message.attempts, safe_trace(exc))
        jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - not secret
        wait = min(FIRST_RETRY * 2 ** min(message.attempts - 1, 16), LONGEST_RETRY) * jitter
        Message.objects.filter(pk=message.pk).update(due_at=DatabaseTime(wait), error=type(exc).__name__)
        return False
    Message.objects.filter(pk=message.pk).update(sent_at=DatabaseTime(), error="")
    return True


def _now() -> dict[str, Any]:
    """Return the times of a new message, which is due at once."""
    return {"created_at": DatabaseTime(), "due_at": DatabaseTime()}


def stuck() -> int:
    """Return how many messages have failed ``STUCK_AFTER`` times or more."""
    return Message.objects.filter(sent_at=None, attempts__gte=STUCK_AFTER).exclude(error="").count()


def delete_old() -> int:
    """Delete the messages that were sent longer than ``KEPT_FOR`` ago, and return how many there were."""
    return Message.objects.filter(sent_at__lt=DatabaseTime(-KEPT_FOR)).delete()[0]


def _delay(key: str, apart: timedelta) -> None:
    """Make the unsent message with this key due ``apart`` from the last one that was sent."""
    recent = Q(sent_at__gt=DatabaseTime(-apart)) & ~is_in_future("sent_at")
    last = Message.objects.filter(recent, key=key).aggregate(at=Max("sent_at"))["at"]
    if last is not None:
        unsent = Message.objects.filter(key=key, sent_at=None, attempts=0, due_at__lt=last + apart)
        unsent.update(due_at=last + apart)


def _send_due(key: str) -> None:
    for pk in Message.objects.filter(_DUE, key=key, sent_at=None).values_list("pk", flat=True):
        send(pk)


def _call(function: Callable[..., Any], message: Message) -> None:
    takes_id = "message_id" in inspect.signature(function).parameters
    function(**message.payload, **({"message_id": message.pk} if takes_id else {}))
