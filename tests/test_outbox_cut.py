"""A sender cut off at any statement: nothing is lost, and what is said twice is said under the same id."""

import os
from collections.abc import Iterator

import pytest

from loyalink_khalti import outbox
from loyalink_khalti.outbox import Message
from tests.cutting import Clock, Way, clock, in_every_way, sweep

__all__ = ["clock"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

told = [-1]
"""Where ``say`` writes: what a child says its parent hears."""


def say(message_id: int, word: str) -> None:
    os.write(told[0], f"{message_id}:{word}\n".encode())


@pytest.fixture
def heard() -> Iterator[int]:
    ear, told[0] = os.pipe()
    os.set_blocking(ear, False)
    yield ear
    os.close(ear)
    os.close(told[0])


def words(ear: int) -> list[str]:
    """What was said since the last time."""
    try:
        return os.read(ear, 65_536).decode().split()
    except BlockingIOError:
        return []


@in_every_way("lost", "blink", "kill")
def test_a_message_cut_off_anywhere_is_sent_and_twice_at_most(
    way: Way, few: int | None, heard: int, clock: Clock
) -> None:
    """B09: killed after the mail was sent and before that was written down, the same one goes out once more."""
    twice = []
    for cut_off in sweep(way, few):
        message = Message.objects.create(function=f"{__name__}.say", payload={"word": "hello"})
        cut_off(lambda message=message: outbox.send(message.pk))
        clock.passes()

        outbox.deliver()

        said = words(heard)
        assert set(said) == {f"{message.pk}:hello"}
        assert len(said) <= 2
        twice.append(len(said) == 2)
        message.refresh_from_db()
        assert message.sent_at is not None
    assert any(twice) or way.executed, "the sweep has not come between the mail and its mark"
