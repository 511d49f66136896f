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

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db(transaction=True)]

HERE = __name__
sent: list[Any] = []
broken = threading.Event()
gate: list[threading.Barrier] = []


@pytest.fixture(autouse=True)
def _nothing_sent() -> None:
    sent.clear()
    broken.clear()
    gate.clear()


def send(text: str) -> None:
    """Send, unless the mail server is down."""
    if broken.is_set():
        raise ConnectionError("the mail server is down")
    sent.append(text)


def send_and_wait(text: str) -> None:
    """Send; during the first one another sender claims the second."""
    sent.append(text)
    Message.objects.filter(payload={"text": "taken"}).update(attempts=2)


def send_once(message_id: int, text: str) -> None:
    sent.append((message_id, text))


def send_slowly(text: str) -> None:
    gate[0].wait(10)
    gate[0].wait(10)
    sent.append(text)


def test_a_message_is_sent_after_the_commit_and_not_before() -> None:
    """I16"""
    with transaction.atomic():
        outbox.post(f"{HERE}.send", text="hello")
        before = list(sent)

    assert (before, sent) == ([], ["hello"])
    assert Message.objects.get().sent_at is not None


def test_a_rolled_back_message_is_never_sent() -> None:
    with transaction.atomic():
        outbox.post(f"{HERE}.send", text="hello")
        transaction.set_rollback(True)

    assert (sent, outbox.deliver(ignore_back_off=True)) == ([], 0)


def test_a_message_of_a_rolled_back_savepoint_is_never_sent() -> None:
    with transaction.atomic():
        outbox.post(f"{HERE}.send", text="stays")
        with transaction.atomic():
            outbox.post(f"{HERE}.send", text="goes")
            transaction.set_rollback(True)

    assert (sent, Message.objects.count()) == (["stays"], 1)


def test_messages_posted_together_are_sent_in_their_order_and_one_that_fails_stops_none() -> None:
    """N18"""
    with transaction.atomic():
        texts = ["first", "second"]
        outbox.post_all(
            outbox.new(f"{HERE}.send", text=texts[0]),
            outbox.new(f"{HERE}.no_such_function"),
            hooks(delay=timedelta(minutes=5)),
            outbox.new(f"{HERE}.send", text=texts[1]),
        )
        before = list(sent)

    assert (before, sent) == ([], texts)
    assert [bool(message.sent_at) for message in Message.objects.order_by("pk")] == [True, False, False, True]


def test_of_messages_posted_together_one_that_another_sender_has_taken_over_is_not_sent_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """N18: The first one has taken so long that the claim of the others was over; another process has one of them."""
    with transaction.atomic():
        outbox.post_all(*[outbox.new(f"{HERE}.send_and_wait", text=text) for text in ("slow", "taken", "kept")])
        monkeypatch.setattr(outbox, "CLAIM", timedelta(0))  # half of it is over at once

    assert sent == ["slow", "kept"]


def test_a_message_that_was_sent_is_not_sent_again() -> None:
    outbox.post(f"{HERE}.send", text="hello")

    assert (outbox.deliver(), outbox.deliver(ignore_back_off=True), sent) == (0, 0, ["hello"])


def test_a_failure_does_not_reach_the_caller_and_is_retried_with_growing_delays() -> None:
    """G07"""
    broken.set()
    start = timezone.now()
    waits = []
    with time_machine.travel(start, tick=False) as clock:
        outbox.post(f"{HERE}.send", text="hello")
        for _ in range(4):
            message = Message.objects.get()
            waits.append((message.due_at - timezone.now()).total_seconds())
            clock.move_to(message.due_at - timedelta(seconds=1))
            assert outbox.deliver() == 0
            assert Message.objects.get().attempts == message.attempts
            clock.move_to(message.due_at)
            outbox.deliver()
        broken.clear()
        clock.move_to(start + timedelta(days=1))
        delivered = outbox.deliver()

    assert waits == [pytest.approx(wait, rel=0.1) for wait in (30, 60, 120, 240)]
    assert (delivered, sent, Message.objects.get().error) == (1, ["hello"], "")


def test_a_delivery_can_ignore_the_back_off() -> None:
    broken.set()
    outbox.post(f"{HERE}.send", text="hello")
    broken.clear()

    assert (outbox.deliver(), outbox.deliver(ignore_back_off=True), sent) == (0, 1, ["hello"])


def test_a_message_for_a_missing_function_waits(caplog: pytest.LogCaptureFixture) -> None:
    outbox.post("no.such.function", text="hello")

    assert Message.objects.get().error == "ModuleNotFoundError"


def test_a_function_may_receive_the_message_id() -> None:
    """B09: so that a repeated mail can carry the same id."""
    message = outbox.post(f"{HERE}.send_once", text="hello")

    assert sent == [(message.pk, "hello")]


def test_of_many_concurrent_senders_one_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message.objects.create(function=f"{HERE}.send", payload={"text": "hello"})

    at_once(10, lambda index: outbox.send(message.pk, ignore_back_off=bool(index % 2)))

    assert sent == ["hello"]


def test_a_delivery_that_ignores_the_back_off_waits_for_a_running_sender() -> None:
    gate.append(threading.Barrier(2))
    message = Message.objects.create(function=f"{HERE}.send_slowly", payload={"text": "hello"})
    first = threading.Thread(target=at_once, args=(1, lambda _: outbox.send(message.pk)))
    first.start()
    gate[0].wait(10)  # the first is running now
    threading.Timer(0.3, gate[0].wait, [10]).start()

    second = outbox.deliver(ignore_back_off=True)
    first.join()

    assert (second, sent) == (0, ["hello"])


def test_a_message_whose_sender_died_is_sent_when_its_claim_ends() -> None:
    """B09"""
    Message.objects.create(function=f"{HERE}.send", payload={"text": "hello"}, attempts=1, due_at=timezone.now())

    assert (outbox.deliver(), sent) == (1, ["hello"])


# One unsent message per key


def test_of_messages_with_one_key_the_first_waits_alone() -> None:
    broken.set()
    for text in ("first", "second"):
        outbox.post_once(f"{HERE}.send", key="news", text=text)
    outbox.post_once(f"{HERE}.send", key="other news", text="third")
    broken.clear()

    assert outbox.deliver(ignore_back_off=True) == 2
    assert sent == ["first", "third"]


def test_a_key_can_be_posted_again_after_it_was_sent() -> None:
    for _time in range(2):
        outbox.post_once(f"{HERE}.send", key="news", text="hello")

    assert sent == ["hello", "hello"]


def test_a_message_with_a_key_is_sent_after_commit_and_never_after_a_rollback() -> None:
    with transaction.atomic():
        outbox.post_once(f"{HERE}.send", key="news", text="never")
        transaction.set_rollback(True)
    with transaction.atomic():
        outbox.post_once(f"{HERE}.send", key="news", text="hello")
        before = list(sent)

    assert (before, sent, Message.objects.count()) == ([], ["hello"], 1)


def test_of_twenty_that_post_one_key_concurrently_one_is_written_and_none_fails() -> None:
    """G08, I16"""
    broken.set()

    def post(_number: int) -> None:
        with transaction.atomic():
            outbox.post_once(f"{HERE}.send", key="news", text="hello")

    outcomes = at_once(20, post)
    broken.clear()

    assert outcomes == [None] * 20
    assert (Message.objects.count(), outbox.deliver(ignore_back_off=True), sent) == (1, 1, ["hello"])


def test_of_twenty_posted_concurrently_an_hour_apart_one_is_sent_and_at_most_one_waits() -> None:
    def post(_number: int) -> None:
        outbox.post_once(f"{HERE}.send", key="news", apart=timedelta(hours=1), text="hello")

    outcomes = at_once(20, post)

    assert (outcomes, sent) == ([None] * 20, ["hello"])
    assert Message.objects.filter(sent_at=None).count() <= 1


def test_one_message_an_hour_is_sent_and_the_next_waits_until_it_is_due() -> None:
    start = timezone.now()
    hour = timedelta(hours=1)
    with time_machine.travel(start, tick=False) as clock:
        outbox.post_once(f"{HERE}.send", key="news", apart=hour, text="first")
        clock.move_to(start + timedelta(minutes=10))
        outbox.post_once(f"{HERE}.send", key="news", apart=hour, text="second")
        clock.move_to(start + timedelta(minutes=20))
        outbox.post_once(f"{HERE}.send", key="news", apart=hour, text="third")
        clock.move_to(start + hour - timedelta(seconds=1))
        early = outbox.deliver(), outbox.deliver(ignore_back_off=True), list(sent)
        clock.move_to(start + hour)
        on_time = outbox.deliver(), list(sent)
        clock.move_to(start + 2 * hour)
        outbox.post_once(f"{HERE}.send", key="news", apart=hour, text="much later")

    assert early == (0, 0, ["first"])
    assert on_time == (1, ["first", "second"])
    assert sent == ["first", "second", "much later"]


def test_one_that_failed_does_not_count_as_sent() -> None:
    """A late message is better than none."""
    broken.set()
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        outbox.post_once(f"{HERE}.send", key="news", apart=timedelta(hours=1), text="first")
        broken.clear()
        clock.move_to(start + timedelta(minutes=1))

        assert (outbox.deliver(), sent) == (1, ["first"])


# Days without a sender


def test_a_day_without_a_worker_keeps_order_and_loses_nothing() -> None:
    """G07: processes died before they could send, and no other sender ran."""
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        for hour in range(24):
            clock.move_to(start + timedelta(hours=hour))
            Message.objects.create(function=f"{HERE}.send", payload={"text": hour})
        clock.move_to(start + timedelta(days=1))
        delivered = outbox.deliver()

    assert (delivered, sent) == (24, list(range(24)))
    assert (outbox.deliver(ignore_back_off=True), outbox.stuck()) == (0, 0)


def test_a_day_without_a_mail_server_keeps_order_and_loses_nothing() -> None:
    """G07: each was tried again and again meanwhile."""
    broken.set()
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        for hour in range(24):
            clock.move_to(start + timedelta(hours=hour))
            outbox.post(f"{HERE}.send", text=hour)
            outbox.deliver()
        broken.clear()
        waited = outbox.stuck()
        clock.move_to(start + timedelta(days=1, hours=7))
        delivered = outbox.deliver()

    assert waited > 0
    assert (delivered, sent, outbox.stuck()) == (24, list(range(24)), 0)


def test_the_first_few_due_messages_are_sent_first() -> None:
    for number in range(5):
        Message.objects.create(function=f"{HERE}.send", payload={"text": number})

    assert (outbox.deliver(most=2), outbox.deliver(most=2), sent) == (2, 2, [0, 1, 2, 3])


def test_messages_that_always_fail_do_not_block_the_others() -> None:
    """G04"""
    for number in range(3):
        Message.objects.create(function="no.such.function", payload={})
        Message.objects.create(function=f"{HERE}.send", payload={"text": number})
    Message.objects.filter(function="no.such.function").update(due_at=timezone.now() - timedelta(days=1))

    for _call in range(3):
        outbox.deliver(most=2)

    assert sent == [0, 1, 2]


def test_messages_that_failed_together_are_not_retried_together() -> None:
    """G05"""
    broken.set()
    with time_machine.travel(timezone.now(), tick=False):
        for number in range(20):
            outbox.post(f"{HERE}.send", text=number)

    due = set(Message.objects.values_list("due_at", flat=True))

    assert len(due) == 20
    assert max(due) - min(due) > timedelta(seconds=1)


def test_the_longest_retry_delay_is_six_hours() -> None:
    message = Message.objects.create(function="no.such.function", payload={}, attempts=5000)

    outbox.send(message.pk)

    message.refresh_from_db()
    assert timedelta(hours=5) < message.due_at - timezone.now() < timedelta(hours=7)


def test_a_message_whose_sender_died_after_sending_is_sent_again_with_the_same_id() -> None:
    """B09: killed after sending and before that was recorded."""
    message = outbox.post(f"{HERE}.send_once", text="hello")
    Message.objects.filter(pk=message.pk).update(sent_at=None, due_at=timezone.now())

    outbox.deliver()

    assert sent == [(message.pk, "hello"), (message.pk, "hello")]


# Stuck and old messages


def test_a_message_that_failed_five_times_is_stuck_until_it_is_sent() -> None:
    """G04"""
    broken.set()
    outbox.post(f"{HERE}.send", text="hello")
    for _time in range(3):
        outbox.deliver(ignore_back_off=True)
    after_four = outbox.stuck()
    outbox.deliver(ignore_back_off=True)
    after_five = outbox.stuck()
    broken.clear()
    outbox.deliver(ignore_back_off=True)

    assert (after_four, after_five, outbox.stuck()) == (0, 1, 0)


def test_messages_sent_a_month_ago_are_deleted_and_unsent_ones_kept() -> None:
    now = timezone.now()
    for days, sent_days in ((40, 31), (40, 29), (40, None)):
        Message.objects.create(
            function=f"{HERE}.send",
            payload={"text": str(sent_days)},
            created_at=now - timedelta(days=days),
            sent_at=None if sent_days is None else now - timedelta(days=sent_days),
        )

    assert outbox.delete_old() == 1
    assert sorted(message.payload["text"] for message in Message.objects.all()) == ["29", "None"]


def hooks(*, delay: timedelta) -> Message:
    return outbox.new_later(f"{HERE}.send", key="hooks:1", delay=delay, text="hello")


def test_a_message_for_later_is_sent_by_a_job_once_it_is_due() -> None:
    """M16"""
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        outbox.post_all(hooks(delay=timedelta(minutes=5)))
        outbox.deliver()
        early = list(sent)
        clock.move_to(start + timedelta(minutes=5))
        outbox.deliver()
        outbox.deliver()

    assert (early, sent) == ([], ["hello"])
    assert not outbox.take("hooks:1")


def test_a_message_that_was_taken_is_never_sent_and_is_taken_once() -> None:
    """M16"""
    outbox.post_all(hooks(delay=timedelta(0)))

    taken = [outbox.take("hooks:1"), outbox.take("hooks:1"), outbox.take("hooks:2")]
    outbox.deliver(ignore_back_off=True)

    assert (taken, sent) == ([True, False, False], [])


def test_one_of_many_takes_a_message() -> None:
    """M16: pages at once."""
    outbox.post_all(hooks(delay=timedelta(minutes=5)))

    taken = at_once(5, lambda _index: outbox.take("hooks:1"))

    assert sorted(taken) == [False] * 4 + [True]


def test_a_taken_message_of_a_rolled_back_transaction_waits_again() -> None:
    """M16"""
    outbox.post_all(hooks(delay=timedelta(minutes=5)))
    with transaction.atomic():
        assert outbox.take("hooks:1")
        transaction.set_rollback(True)

    assert outbox.take("hooks:1")
