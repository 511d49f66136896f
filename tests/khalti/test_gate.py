"""A silent server is left alone, one call tries it, and what waits for a place is told."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from loyalink_khalti.errors import (
    KhaltiKeyRejected,
    KhaltiNotAsked,
    KhaltiNotFound,
    KhaltiRejected,
    KhaltiThrottled,
    KhaltiUnreachable,
    KhaltiUnreadable,
)
from loyalink_khalti.khalti import Gate, Places
from loyalink_khalti.khalti.gate import PATIENCE, REST, SILENCES, forget, gate

LONGEST_REST = REST * 1.2
SERVER = "https://dev.khalti.com/api/v2/"


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(clock: Clock) -> Gate:
    """The gate of one server."""
    return Gate(clock)


def refusal(kind: type[KhaltiRejected], code: int, **more: Any) -> KhaltiRejected:
    return kind("/api/v2/epayment/lookup/", status_code=code, detail={}, **more)


def ask(door: Gate, answer: BaseException | None = None, *, can_wait: bool = False) -> None:
    """Ask, and hear this; no exception is an answer."""
    with door.asking(can_wait=can_wait):
        if answer is not None:
            raise answer


def hear(door: Gate, answer: BaseException, times: int = 1) -> None:
    for _time in range(times):
        with pytest.raises(type(answer)):
            ask(door, answer)


def silence(door: Gate, times: int = SILENCES) -> None:
    hear(door, KhaltiUnreachable("no answer"), times)


def is_told_to_wait(door: Gate, *, can_wait: bool = False) -> bool:
    """Whether a call is refused before anything is sent; one that is not is answered."""
    try:
        ask(door, can_wait=can_wait)
    except KhaltiNotAsked:
        return True
    return False


def test_after_five_silences_in_a_row_nothing_is_sent(door: Gate) -> None:
    """C01, C03, I14"""
    silence(door, SILENCES - 1)
    before = door.is_shut
    silence(door, 1)

    assert (before, door.is_shut, is_told_to_wait(door)) == (False, True, True)


def test_an_answer_in_between_starts_the_count_anew(door: Gate) -> None:
    silence(door, SILENCES - 1)
    ask(door)
    silence(door, SILENCES - 1)

    assert not door.is_shut
    assert not is_told_to_wait(door)


@pytest.mark.parametrize(
    "answer", [KhaltiUnreachable("503"), KhaltiUnreadable("<html>")], ids=["silent", "unreadable"]
)
def test_no_answer_and_an_unreadable_one_are_silences(door: Gate, answer: Exception) -> None:
    """C08, C09"""
    hear(door, answer, SILENCES)

    assert door.is_shut


@pytest.mark.parametrize(
    "answer",
    [
        refusal(KhaltiRejected, 400),
        refusal(KhaltiKeyRejected, 401),
        refusal(KhaltiNotFound, 404),
        refusal(KhaltiThrottled, 429),
    ],
    ids=["400", "401", "404", "429"],
)
def test_a_no_is_an_answer_and_no_silence(door: Gate, answer: KhaltiRejected) -> None:
    """C11, C12, C13, C27"""
    silence(door, SILENCES - 1)
    hear(door, answer)
    silence(door, SILENCES - 1)

    assert not door.is_shut


def test_what_failed_on_this_side_says_nothing_of_the_server(door: Gate) -> None:
    silence(door, SILENCES - 1)
    hear(door, ValueError("not a transaction id of Khalti's"), SILENCES)
    still_open = not door.is_shut
    silence(door, 1)

    assert (still_open, door.is_shut) == (True, True)


def test_it_rests_for_a_while_and_a_fifth_more_at_the_most(door: Gate, clock: Clock) -> None:
    silence(door)
    clock.pass_(REST - 0.01)
    early = door.is_shut
    clock.pass_(REST * 0.2 + 0.02)

    assert (early, door.is_shut) == (True, False)


def test_processes_do_not_come_back_all_at_once() -> None:
    """G05: a server that is back is not stormed."""
    clock = Clock()
    doors = [Gate(clock) for _process in range(50)]
    for each in doors:
        silence(each)
    clock.pass_(REST * 1.1)

    assert 0 < sum(each.is_shut for each in doors) < len(doors)


def test_after_the_rest_one_call_tries_and_the_others_are_told_meanwhile(door: Gate, clock: Clock) -> None:
    silence(door)
    clock.pass_(LONGEST_REST)

    with door.asking(can_wait=False):
        meanwhile = [is_told_to_wait(door) for _other in range(3)]

    assert meanwhile == [True, True, True]
    assert not is_told_to_wait(door)


def test_a_trial_that_meets_silence_shuts_it_for_another_rest(door: Gate, clock: Clock) -> None:
    silence(door)
    clock.pass_(LONGEST_REST)
    silence(door, 1)
    shut_again = door.is_shut
    clock.pass_(LONGEST_REST)
    ask(door)

    assert shut_again
    assert not is_told_to_wait(door)


@pytest.mark.parametrize(
    "end",
    [KhaltiNotAsked("too many calls"), ValueError("wrong"), KeyboardInterrupt()],
    ids=["no place", "error", "interrupt"],
)
def test_a_trial_that_was_never_made_leaves_the_trial_to_the_next(
    door: Gate, clock: Clock, end: BaseException
) -> None:
    silence(door)
    clock.pass_(LONGEST_REST)
    hear(door, end)

    with door.asking(can_wait=False):
        second_is_the_only_one = is_told_to_wait(door)

    assert second_is_the_only_one


@pytest.mark.parametrize(
    "end", [KhaltiUnreachable("no answer"), ValueError("wrong")], ids=["in silence", "in an error"]
)
def test_a_call_from_before_the_rest_that_ends_beside_the_trial_makes_no_second_one(
    door: Gate, clock: Clock, end: Exception
) -> None:
    """A person may wait for a place, and then for the deadline: longer than the rest."""
    slow = door.asking(can_wait=False)
    slow.__enter__()
    silence(door)
    clock.pass_(LONGEST_REST)

    with door.asking(can_wait=False):
        slow.__exit__(type(end), end, None)
        clock.pass_(LONGEST_REST)
        beside = is_told_to_wait(door)

    assert beside


def test_of_twenty_threads_at_once_one_tries(door: Gate, clock: Clock) -> None:
    silence(door)
    clock.pass_(LONGEST_REST)
    together, all_asked = threading.Barrier(20), threading.Event()
    told: list[bool] = []

    def call(_number: int) -> bool:
        together.wait(10)
        try:
            with door.asking(can_wait=False):
                return all_asked.wait(10)
        except KhaltiNotAsked:
            told.append(True)
            if len(told) == 19:
                all_asked.set()
            return False

    with ThreadPoolExecutor(20) as pool:
        tried = list(pool.map(call, range(20)))

    assert (tried.count(True), len(told)) == (1, 19)


def test_silences_of_many_threads_are_all_counted(door: Gate) -> None:
    together = threading.Barrier(SILENCES)

    def call(_number: int) -> None:
        together.wait(10)
        silence(door, 1)

    with ThreadPoolExecutor(SILENCES) as pool:
        list(pool.map(call, range(SILENCES)))

    assert door.is_shut


# A server that asks for patience


def test_a_throttle_holds_back_only_what_can_wait(door: Gate, clock: Clock) -> None:
    """C13"""
    hear(door, refusal(KhaltiThrottled, 429, retry_after=120.0))
    clock.pass_(119)
    held_back = is_told_to_wait(door, can_wait=True), is_told_to_wait(door, can_wait=False)
    clock.pass_(1)

    assert held_back == (True, False)
    assert not is_told_to_wait(door, can_wait=True)


@pytest.mark.parametrize("told", [None, 0.0])
def test_a_throttle_that_names_no_time_is_given_half_a_minute(door: Gate, told: float | None) -> None:
    hear(door, refusal(KhaltiThrottled, 429, retry_after=told))

    assert (door.pause, door.is_shut) == (PATIENCE, False)


def test_a_shorter_word_does_not_cut_a_longer_pause_short(door: Gate, clock: Clock) -> None:
    hear(door, refusal(KhaltiThrottled, 429, retry_after=120.0))
    clock.pass_(10)
    hear(door, refusal(KhaltiThrottled, 429, retry_after=5.0))
    ask(door)

    assert door.pause == 110.0


# Places


def test_a_call_without_a_place_is_refused_at_once() -> None:
    """I14"""
    places = Places(1)

    with places.taken(patience=0.0), pytest.raises(KhaltiNotAsked, match="too many"), places.taken(patience=0.0):
        pass


def test_who_is_patient_gets_the_place_that_becomes_free() -> None:
    places, taken, leave = Places(1), threading.Event(), threading.Event()

    def hold() -> None:
        with places.taken(patience=0.0):
            taken.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(10)
    with pytest.raises(KhaltiNotAsked), places.taken(patience=0.05):
        pass
    leave.set()
    with places.taken(patience=10.0):
        got_it = True
    holder.join()

    assert got_it


@pytest.mark.parametrize("end", [KhaltiUnreachable("no answer"), ValueError("wrong"), KeyboardInterrupt()])
def test_a_place_is_given_back_whatever_is_raised(end: BaseException) -> None:
    places = Places(1)

    for _time in range(3):
        with pytest.raises(type(end)), places.taken(patience=0.0):
            raise end


def test_a_place_that_was_refused_is_not_given_back() -> None:
    """Nobody makes room by being turned away."""
    places = Places(2)

    with places.taken(patience=0.0), places.taken(patience=0.0):
        refused = 0
        for _time in range(3):
            try:
                with places.taken(patience=0.0):
                    pass
            except KhaltiNotAsked:
                refused += 1

    assert refused == 3


# What a process knows


def test_what_is_known_is_known_of_a_server_whatever_the_path() -> None:
    silence(gate(SERVER))

    assert gate("https://dev.khalti.com/api/").is_shut
    assert not gate("https://khalti.com/api/v2/").is_shut
    assert not gate("https://dev.khalti.com:8443/api/v2/").is_shut


def test_all_threads_share_what_is_known() -> None:
    together = threading.Barrier(20)

    def find(_number: int) -> Gate:
        together.wait(10)
        return gate(SERVER)

    with ThreadPoolExecutor(20) as pool:
        found = set(pool.map(find, range(20)))

    assert len(found) == 1


def test_what_is_forgotten_is_asked_again() -> None:
    silence(gate(SERVER))
    old = gate(SERVER)

    forget()

    assert (old.is_shut, gate(SERVER).is_shut) == (True, False)
