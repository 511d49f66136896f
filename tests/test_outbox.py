"""The outbox: after commit only, at least once, by one sender at a time."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from loyalink_khalti import outbox
from loyalink_khalti.outbox import Message
from tests.purchases import at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

HERE = __name__
sent: list[Any] = []
broken = threading.Event()
gate: list[threading.Barrier] = []


@pytest.fixture(autouse=True)
def _nothing_sent() -> None:
    sent.clear()
    broken.clear()
    gate.clear()


def send(word: str) -> None:
    """Send, unless the post office is closed."""
    if broken.is_set():
        raise ConnectionError("the post office is closed")
    sent.append(word)


def send_once(message_id: int, word: str) -> None:
    sent.append((message_id, word))


def send_slowly(word: str) -> None:
    gate[0].wait(10)
    gate[0].wait(10)
    sent.append(word)


def test_a_message_leaves_after_the_commit_and_not_before() -> None:
    """I16"""
    with transaction.atomic():
        outbox.post(f"{HERE}.send", word="hello")
        before = list(sent)

    assert (before, sent) == ([], ["hello"])
    assert Message.objects.get().sent_at is not None


def test_what_is_rolled_back_was_never_said() -> None:
    with transaction.atomic():
        outbox.post(f"{HERE}.send", word="hello")
        transaction.set_rollback(True)

    assert (sent, outbox.deliver(insist=True)) == ([], 0)


def test_what_a_savepoint_takes_back_was_never_said() -> None:
    with transaction.atomic():
        outbox.post(f"{HERE}.send", word="stays")
        with transaction.atomic():
            outbox.post(f"{HERE}.send", word="goes")
            transaction.set_rollback(True)

    assert (sent, Message.objects.count()) == (["stays"], 1)


def test_a_message_that_was_sent_is_not_sent_again() -> None:
    outbox.post(f"{HERE}.send", word="hello")

    assert (outbox.deliver(), outbox.deliver(insist=True), sent) == (0, 0, ["hello"])


def test_a_failure_is_the_senders_trouble_alone_and_is_tried_again_ever_later() -> None:
    """G07"""
    broken.set()
    start = timezone.now()
    waits = []
    with time_machine.travel(start, tick=False) as clock:
        outbox.post(f"{HERE}.send", word="hello")
        for _ in range(4):
            message = Message.objects.get()
            waits.append((message.due_at - timezone.now()).total_seconds())
            clock.move_to(message.due_at - timedelta(seconds=1))
            assert outbox.deliver() == 0
            assert Message.objects.get().tries == message.tries
            clock.move_to(message.due_at)
            outbox.deliver()
        broken.clear()
        clock.move_to(start + timedelta(days=1))
        delivered = outbox.deliver()

    assert waits == [pytest.approx(wait, rel=0.1) for wait in (30, 60, 120, 240)]
    assert (delivered, sent, Message.objects.get().error) == (1, ["hello"], "")


def test_a_pass_that_insists_does_not_wait_for_the_back_off() -> None:
    broken.set()
    outbox.post(f"{HERE}.send", word="hello")
    broken.clear()

    assert (outbox.deliver(), outbox.deliver(insist=True), sent) == (0, 1, ["hello"])


def test_a_message_of_a_function_that_is_gone_waits(caplog: pytest.LogCaptureFixture) -> None:
    outbox.post("no.such.function", word="hello")

    assert Message.objects.get().error == "ModuleNotFoundError"


def test_a_function_may_ask_which_message_it_is() -> None:
    """B09: so that a repeated mail can carry the same id."""
    message = outbox.post(f"{HERE}.send_once", word="hello")

    assert sent == [(message.pk, "hello")]


def test_of_many_senders_one_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message.objects.create(function=f"{HERE}.send", payload={"word": "hello"})

    at_once(10, lambda index: outbox.send(message.pk, insist=bool(index % 2)))

    assert sent == ["hello"]


def test_who_insists_waits_for_a_sender_at_work_and_does_not_say_it_twice() -> None:
    gate.append(threading.Barrier(2))
    message = Message.objects.create(function=f"{HERE}.send_slowly", payload={"word": "hello"})
    first = threading.Thread(target=at_once, args=(1, lambda _: outbox.send(message.pk)))
    first.start()
    gate[0].wait(10)  # the first is at work now
    threading.Timer(0.3, gate[0].wait, [10]).start()

    second = outbox.deliver(insist=True)
    first.join()

    assert (second, sent) == (0, ["hello"])


def test_what_a_sender_that_died_had_in_hand_is_sent_after_a_while() -> None:
    """B09"""
    Message.objects.create(function=f"{HERE}.send", payload={"word": "hello"}, tries=1, due_at=timezone.now())

    assert (outbox.deliver(), sent) == (1, ["hello"])
