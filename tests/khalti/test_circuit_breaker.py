"""The circuit breaker opens after failures, tries again after a cool-down, and respects HTTP 429."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from loyalink_khalti.errors import (
    KhaltiKeyRejected,
    KhaltiNotCalled,
    KhaltiNotFound,
    KhaltiRejected,
    KhaltiThrottled,
    KhaltiUnreachable,
    KhaltiUnreadable,
)
from loyalink_khalti.khalti import CircuitBreaker
from loyalink_khalti.khalti.circuit_breaker import (
    COOL_DOWN,
    DEFAULT_RETRY_AFTER,
    FAILURE_THRESHOLD,
    breaker_for,
    reset,
)

LONGEST_COOL_DOWN = COOL_DOWN * 1.2


SERVER = "https://dev.khalti.com/api/v2/"


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    """The circuit breaker of one server."""
    return CircuitBreaker(clock)


def rejection(kind: type[KhaltiRejected], code: int, **more: Any) -> KhaltiRejected:
    return kind("/api/v2/epayment/lookup/", status_code=code, detail={}, **more)


def call(breaker: CircuitBreaker, error: BaseException | None = None, *, deferrable: bool = False) -> None:
    """Make one call, which gets an answer or raises ``error``."""
    with breaker.call(deferrable=deferrable):
        if error is not None:
            raise error


def call_with_error(breaker: CircuitBreaker, error: BaseException, times: int = 1) -> None:
    for _time in range(times):
        with pytest.raises(type(error)):
            call(breaker, error)


def fail(breaker: CircuitBreaker, times: int = FAILURE_THRESHOLD) -> None:
    call_with_error(breaker, KhaltiUnreachable("no answer"), times)


def is_refused(breaker: CircuitBreaker, *, deferrable: bool = False) -> bool:
    """Whether the breaker refuses a call. A call that it allows gets an answer."""
    try:
        call(breaker, deferrable=deferrable)
    except KhaltiNotCalled:
        return True
    return False


def test_after_five_failures_in_a_row_the_breaker_opens_and_nothing_is_sent(breaker: CircuitBreaker) -> None:
    """C01, C03, I14"""
    fail(breaker, FAILURE_THRESHOLD - 1)
    before = breaker.is_open
    fail(breaker, 1)

    assert (before, breaker.is_open, is_refused(breaker)) == (False, True, True)


def test_an_answer_resets_the_count_of_failures(breaker: CircuitBreaker) -> None:
    fail(breaker, FAILURE_THRESHOLD - 1)
    call(breaker)
    fail(breaker, FAILURE_THRESHOLD - 1)

    assert not breaker.is_open
    assert not is_refused(breaker)


@pytest.mark.parametrize(
    "answer", [KhaltiUnreachable("503"), KhaltiUnreadable("<html>")], ids=["unreachable", "unreadable"]
)
def test_no_answer_and_an_unreadable_answer_are_failures(breaker: CircuitBreaker, answer: Exception) -> None:
    """C08, C09"""
    call_with_error(breaker, answer, FAILURE_THRESHOLD)

    assert breaker.is_open


@pytest.mark.parametrize(
    "answer",
    [
        rejection(KhaltiRejected, 400),
        rejection(KhaltiKeyRejected, 401),
        rejection(KhaltiNotFound, 404),
        rejection(KhaltiThrottled, 429),
    ],
    ids=["400", "401", "404", "429"],
)
def test_a_rejection_is_not_a_failure(breaker: CircuitBreaker, answer: KhaltiRejected) -> None:
    """C11, C12, C13, C27"""
    fail(breaker, FAILURE_THRESHOLD - 1)
    call_with_error(breaker, answer)
    fail(breaker, FAILURE_THRESHOLD - 1)

    assert not breaker.is_open


def test_an_error_of_our_own_is_neither_a_failure_nor_an_answer(breaker: CircuitBreaker) -> None:
    fail(breaker, FAILURE_THRESHOLD - 1)
    call_with_error(breaker, ValueError("not a transaction id of Khalti's"), FAILURE_THRESHOLD)
    still_closed = not breaker.is_open
    fail(breaker, 1)

    assert (still_closed, breaker.is_open) == (True, True)


def test_the_cool_down_lasts_at_most_a_fifth_longer(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.advance(COOL_DOWN - 0.01)
    early = breaker.is_open
    clock.advance(COOL_DOWN * 0.2 + 0.02)

    assert (early, breaker.is_open) == (True, False)


def test_processes_do_not_all_try_again_at_once() -> None:
    """G05: a server that has recovered is not overloaded at once."""
    clock = Clock()
    breakers = [CircuitBreaker(clock) for _process in range(50)]
    for each in breakers:
        fail(each)
    clock.advance(COOL_DOWN * 1.1)

    assert 0 < sum(each.is_open for each in breakers) < len(breakers)


def test_half_open_one_trial_call_goes_through_and_the_others_are_refused(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    fail(breaker)
    clock.advance(LONGEST_COOL_DOWN)

    with breaker.call(deferrable=False):
        meanwhile = [is_refused(breaker) for _other in range(3)]

    assert meanwhile == [True, True, True]
    assert not is_refused(breaker)


def test_a_failed_trial_opens_the_breaker_for_another_cool_down(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.advance(LONGEST_COOL_DOWN)
    fail(breaker, 1)
    open_again = breaker.is_open
    clock.advance(LONGEST_COOL_DOWN)
    call(breaker)

    assert open_again
    assert not is_refused(breaker)


@pytest.mark.parametrize(
    "end",
    [KhaltiNotCalled("too many calls"), ValueError("wrong"), KeyboardInterrupt()],
    ids=["no slot", "error", "interrupt"],
)
def test_a_trial_that_sends_nothing_leaves_the_trial_to_the_next_call(
    breaker: CircuitBreaker, clock: Clock, end: BaseException
) -> None:
    fail(breaker)
    clock.advance(LONGEST_COOL_DOWN)
    call_with_error(breaker, end)

    with breaker.call(deferrable=False):
        others_are_refused = is_refused(breaker)

    assert others_are_refused


@pytest.mark.parametrize("end", [KhaltiUnreachable("no answer"), ValueError("wrong")], ids=["unreachable", "error"])
def test_a_slow_call_from_before_the_cool_down_does_not_end_the_trial(
    breaker: CircuitBreaker, clock: Clock, end: Exception
) -> None:
    """A call may wait for a slot and then for the deadline, together longer than the cool-down."""
    slow = breaker.call(deferrable=False)
    slow.__enter__()
    fail(breaker)
    clock.advance(LONGEST_COOL_DOWN)

    with breaker.call(deferrable=False):
        slow.__exit__(type(end), end, None)
        clock.advance(LONGEST_COOL_DOWN)
        others_are_refused = is_refused(breaker)

    assert others_are_refused


def test_of_twenty_threads_at_once_one_makes_the_trial(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.advance(LONGEST_COOL_DOWN)
    together, all_called = threading.Barrier(20), threading.Event()
    refused: list[bool] = []

    def try_once(_number: int) -> bool:
        together.wait(10)
        try:
            with breaker.call(deferrable=False):
                return all_called.wait(10)
        except KhaltiNotCalled:
            refused.append(True)
            if len(refused) == 19:
                all_called.set()
            return False

    with ThreadPoolExecutor(20) as pool:
        tried = list(pool.map(try_once, range(20)))

    assert (tried.count(True), len(refused)) == (1, 19)


def test_failures_in_many_threads_are_all_counted(breaker: CircuitBreaker) -> None:
    together = threading.Barrier(FAILURE_THRESHOLD)

    def fail_once(_number: int) -> None:
        together.wait(10)
        fail(breaker, 1)

    with ThreadPoolExecutor(FAILURE_THRESHOLD) as pool:
        list(pool.map(fail_once, range(FAILURE_THRESHOLD)))

    assert breaker.is_open


# HTTP 429


def test_a_throttle_refuses_only_deferrable_calls(breaker: CircuitBreaker, clock: Clock) -> None:
    """C13"""
    call_with_error(breaker, rejection(KhaltiThrottled, 429, retry_after=120.0))
    clock.advance(119)
    refused = is_refused(breaker, deferrable=True), is_refused(breaker, deferrable=False)
    clock.advance(1)

    assert refused == (True, False)
    assert not is_refused(breaker, deferrable=True)


@pytest.mark.parametrize("retry_after", [None, 0.0])
def test_a_throttle_without_a_time_lasts_half_a_minute(breaker: CircuitBreaker, retry_after: float | None) -> None:
    call_with_error(breaker, rejection(KhaltiThrottled, 429, retry_after=retry_after))

    assert (breaker.retry_after, breaker.is_open) == (DEFAULT_RETRY_AFTER, False)


def test_a_shorter_retry_after_does_not_shorten_a_longer_one(breaker: CircuitBreaker, clock: Clock) -> None:
    call_with_error(breaker, rejection(KhaltiThrottled, 429, retry_after=120.0))
    clock.advance(10)
    call_with_error(breaker, rejection(KhaltiThrottled, 429, retry_after=5.0))
    call(breaker)

    assert breaker.retry_after == 110.0


# All servers of a process


def test_a_breaker_belongs_to_a_server_regardless_of_the_path() -> None:
    fail(breaker_for(SERVER))

    assert breaker_for("https://dev.khalti.com/api/").is_open
    assert not breaker_for("https://khalti.com/api/v2/").is_open
    assert not breaker_for("https://dev.khalti.com:8443/api/v2/").is_open


def test_all_threads_share_one_breaker() -> None:
    together = threading.Barrier(20)

    def find(_number: int) -> CircuitBreaker:
        together.wait(10)
        return breaker_for(SERVER)

    with ThreadPoolExecutor(20) as pool:
        found = set(pool.map(find, range(20)))

    assert len(found) == 1


def test_after_a_reset_the_server_is_called_again() -> None:
    fail(breaker_for(SERVER))
    old = breaker_for(SERVER)

    reset()

    assert (old.is_open, breaker_for(SERVER).is_open) == (True, False)
