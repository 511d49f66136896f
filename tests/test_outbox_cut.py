"""A sender cut off at any statement: nothing is lost, and a message sent twice has the same id."""

import os
from collections.abc import Iterator

import pytest

from loyalink_khalti import outbox
from loyalink_khalti.outbox import Message
from tests.cutting import Clock, Way, clock, in_every_way, sweep

__all__ = ["clock"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

pipe_end = [-1]
"""Where ``deliver`` writes: the parent reads what a child sends."""


def deliver(message_id: int, text: str) -> None:
    os.write(pipe_end[0], f"{message_id}:{text}\n".encode())


@pytest.fixture
def sent_messages() -> Iterator[int]:
    reader, pipe_end[0] = os.pipe()
    os.set_blocking(reader, False)
    yield reader
    os.close(reader)
    os.close(pipe_end[0])


def received(reader: int) -> list[str]:
    """The messages sent since the last call."""
    try:
        return os.read(reader, 65_536).decode().split()
    except BlockingIOError:
        return []


@in_every_way(few=9)
def test_a_message_cut_off_anywhere_is_sent_and_twice_at_most(
    way: Way, few: int | None, sent_messages: int, clock: Clock
) -> None:
    """B09: killed after the mail was sent and before that was recorded, the same mail is sent once more."""
    twice = []
    for cut_off in sweep(way, few):
        message = Message.objects.create(function=f"{__name__}.deliver", payload={"text": "hello"})
        cut_off(lambda message=message: outbox.send(message.pk))
        clock.passes()

        outbox.deliver()

        sent = received(sent_messages)
        assert set(sent) == {f"{message.pk}:hello"}
        assert len(sent) <= 2
        twice.append(len(sent) == 2)
        message.refresh_from_db()
        assert message.sent_at is not None
    assert few or way.executed or any(twice), "the sweep never cut between the mail and its record"
