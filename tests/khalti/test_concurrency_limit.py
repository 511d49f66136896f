"""A bound on concurrent calls: slots are taken, waited for and released."""

import threading

import pytest

from loyalink_khalti.errors import KhaltiNotCalled, KhaltiUnreachable
from loyalink_khalti.khalti import ConcurrencyLimit


def test_a_call_without_a_free_slot_is_refused_at_once() -> None:
    """I14"""
    limit = ConcurrencyLimit(1)

    with limit.slot(timeout=0.0), pytest.raises(KhaltiNotCalled, match="too many"), limit.slot(timeout=0.0):
        pass


def test_a_call_with_a_timeout_gets_the_slot_that_becomes_free() -> None:
    limit, taken, release = ConcurrencyLimit(2), threading.Event(), threading.Event()

    def hold() -> None:
        with limit.slot(timeout=0.0), limit.slot(timeout=0.0):
            taken.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(10)
    with pytest.raises(KhaltiNotCalled), limit.slot(timeout=0.05):
        pass
    release.set()
    with limit.slot(timeout=10.0):
        got_it = True
    holder.join()

    assert got_it


def test_beside_a_single_slot_no_call_waits() -> None:
    """D3: a thread that waits is blocked too, and of two threads one stays free."""
    limit = ConcurrencyLimit(1)

    with limit.slot(timeout=0.0), pytest.raises(KhaltiNotCalled), limit.slot(timeout=60.0):
        pass


@pytest.mark.parametrize("end", [KhaltiUnreachable("no answer"), ValueError("wrong"), KeyboardInterrupt()])
def test_a_slot_is_released_after_any_exception(end: BaseException) -> None:
    limit = ConcurrencyLimit(1)

    for _time in range(3):
        with pytest.raises(type(end)), limit.slot(timeout=0.0):
            raise end


def test_a_refused_call_releases_no_slot() -> None:
    """A refusal must not free a slot that another call holds."""
    limit = ConcurrencyLimit(2)

    with limit.slot(timeout=0.0), limit.slot(timeout=0.0):
        refused = 0
        for _time in range(3):
            try:
                with limit.slot(timeout=0.0):
                    pass
            except KhaltiNotCalled:
                refused += 1

    assert refused == 3
