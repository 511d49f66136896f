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


# One that waits is enough


def test_of_what_is_posted_once_one_waits_and_says_the_first_words() -> None:
    broken.set()
    for word in ("first", "second"):
        outbox.post_once(f"{HERE}.send", key="news", word=word)
    outbox.post_once(f"{HERE}.send", key="other news", word="third")
    broken.clear()

    assert outbox.deliver(insist=True) == 2
    assert sent == ["first", "third"]


def test_what_was_sent_is_no_reason_not_to_say_it_again() -> None:
    for _time in range(2):
        outbox.post_once(f"{HERE}.send", key="news", word="hello")

    assert sent == ["hello", "hello"]


def test_posted_once_it_leaves_after_the_commit_and_never_where_that_is_rolled_back() -> None:
    with transaction.atomic():
        outbox.post_once(f"{HERE}.send", key="news", word="never")
        transaction.set_rollback(True)
    with transaction.atomic():
        outbox.post_once(f"{HERE}.send", key="news", word="hello")
        before = list(sent)

    assert (before, sent, Message.objects.count()) == ([], ["hello"], 1)


def test_of_twenty_that_post_it_at_once_one_is_written_and_none_fails() -> None:
    """G08, I16"""
    broken.set()

    def post(_number: int) -> None:
        with transaction.atomic():
            outbox.post_once(f"{HERE}.send", key="news", word="hello")

    outcomes = at_once(20, post)
    broken.clear()

    assert outcomes == [None] * 20
    assert (Message.objects.count(), outbox.deliver(insist=True), sent) == (1, 1, ["hello"])


def test_of_twenty_that_post_it_at_once_an_hour_apart_one_leaves_and_at_most_one_waits() -> None:
    def post(_number: int) -> None:
        outbox.post_once(f"{HERE}.send", key="news", apart=timedelta(hours=1), word="hello")

    outcomes = at_once(20, post)

    assert (outcomes, sent) == ([None] * 20, ["hello"])
    assert Message.objects.filter(sent_at=None).count() <= 1


def test_one_an_hour_leaves_and_the_next_waits_until_it_is_due() -> None:
    start = timezone.now()
    hour = timedelta(hours=1)
    with time_machine.travel(start, tick=False) as clock:
        outbox.post_once(f"{HERE}.send", key="news", apart=hour, word="first")
        clock.move_to(start + timedelta(minutes=10))
        outbox.post_once(f"{HERE}.send", key="news", apart=hour, word="second")
        clock.move_to(start + timedelta(minutes=20))
        outbox.post_once(f"{HERE}.send", key="news", apart=hour, word="third")
        clock.move_to(start + hour - timedelta(seconds=1))
        early = outbox.deliver(), outbox.deliver(insist=True), list(sent)
        clock.move_to(start + hour)
        on_time = outbox.deliver(), list(sent)
        clock.move_to(start + 2 * hour)
        outbox.post_once(f"{HERE}.send", key="news", apart=hour, word="much later")

    assert early == (0, 0, ["first"])
    assert on_time == (1, ["first", "second"])
    assert sent == ["first", "second", "much later"]


def test_one_that_failed_does_not_count_as_sent() -> None:
    """Somebody is told late rather than never."""
    broken.set()
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        outbox.post_once(f"{HERE}.send", key="news", apart=timedelta(hours=1), word="first")
        broken.clear()
        clock.move_to(start + timedelta(minutes=1))

        assert (outbox.deliver(), sent) == (1, ["first"])


# A worker that was away


def test_a_day_without_a_worker_keeps_order_and_loses_nothing() -> None:
    """G07: processes that died before they could send, and nobody else at work."""
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        for hour in range(24):
            clock.move_to(start + timedelta(hours=hour))
            Message.objects.create(function=f"{HERE}.send", payload={"word": hour})
        clock.move_to(start + timedelta(days=1))
        delivered = outbox.deliver()

    assert (delivered, sent) == (24, list(range(24)))
    assert (outbox.deliver(insist=True), outbox.stuck()) == (0, 0)


def test_a_day_without_a_post_office_keeps_order_and_loses_nothing() -> None:
    """G07: each was tried again and again meanwhile."""
    broken.set()
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        for hour in range(24):
            clock.move_to(start + timedelta(hours=hour))
            outbox.post(f"{HERE}.send", word=hour)
            outbox.deliver()
        broken.clear()
        waited = outbox.stuck()
        clock.move_to(start + timedelta(days=1, hours=7))
        delivered = outbox.deliver()

    assert waited > 0
    assert (delivered, sent, outbox.stuck()) == (24, list(range(24)), 0)


def test_of_what_is_due_the_first_few_leave_first() -> None:
    for number in range(5):
        Message.objects.create(function=f"{HERE}.send", payload={"word": number})

    assert (outbox.deliver(most=2), outbox.deliver(most=2), sent) == (2, 2, [0, 1, 2, 3])


def test_a_few_that_always_fail_do_not_keep_the_others_from_their_turn() -> None:
    """G04"""
    for number in range(3):
        Message.objects.create(function="no.such.function", payload={})
        Message.objects.create(function=f"{HERE}.send", payload={"word": number})
    Message.objects.filter(function="no.such.function").update(due_at=timezone.now() - timedelta(days=1))

    for _nudge in range(3):
        outbox.deliver(most=2)

    assert sent == [0, 1, 2]


def test_senders_that_failed_together_do_not_come_back_together() -> None:
    """G05"""
    broken.set()
    with time_machine.travel(timezone.now(), tick=False):
        for number in range(20):
            outbox.post(f"{HERE}.send", word=number)

    due = set(Message.objects.values_list("due_at", flat=True))

    assert len(due) == 20
    assert max(due) - min(due) > timedelta(seconds=1)


def test_the_longest_wait_is_six_hours_however_often_it_failed() -> None:
    message = Message.objects.create(function="no.such.function", payload={}, tries=5000)

    outbox.send(message.pk)

    message.refresh_from_db()
    assert timedelta(hours=5) < message.due_at - timezone.now() < timedelta(hours=7)


def test_one_whose_sender_died_after_it_left_leaves_once_more_under_the_same_name() -> None:
    """B09: killed between the mail and the mark."""
    message = outbox.post(f"{HERE}.send_once", word="hello")
    Message.objects.filter(pk=message.pk).update(sent_at=None, due_at=timezone.now())

    outbox.deliver()

    assert sent == [(message.pk, "hello"), (message.pk, "hello")]


# What is looked at, and what is forgotten


def test_what_has_failed_five_times_is_stuck_until_it_leaves() -> None:
    """G04"""
    broken.set()
    outbox.post(f"{HERE}.send", word="hello")
    for _time in range(3):
        outbox.deliver(insist=True)
    after_four = outbox.stuck()
    outbox.deliver(insist=True)
    after_five = outbox.stuck()
    broken.clear()
    outbox.deliver(insist=True)

    assert (after_four, after_five, outbox.stuck()) == (0, 1, 0)


def test_what_was_sent_a_month_ago_is_forgotten_and_nothing_that_waits() -> None:
    now = timezone.now()
    for days, sent_days in ((40, 31), (40, 29), (40, None)):
        Message.objects.create(
            function=f"{HERE}.send",
            payload={"word": str(sent_days)},
            created_at=now - timedelta(days=days),
            sent_at=None if sent_days is None else now - timedelta(days=sent_days),
        )

    assert outbox.forget() == 1
    assert sorted(message.payload["word"] for message in Message.objects.all()) == ["29", "None"]
