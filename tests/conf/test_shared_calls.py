"""What the processes of a shop share through a cache: circuit breaker, wait after HTTP 429, slots; and without it."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.cache import caches
from django.core.cache.backends.filebased import FileBasedCache
from django.utils import timezone

from loyalink_khalti import conf
from loyalink_khalti.conf import gateway
from loyalink_khalti.errors import KhaltiNotCalled, KhaltiThrottled, KhaltiUnreachable
from loyalink_khalti.khalti import CircuitBreaker, ConcurrencyLimit, Secret, circuit_breaker
from loyalink_khalti.khalti.circuit_breaker import COOL_DOWN, FAILURE_THRESHOLD, READ_EVERY
from loyalink_khalti.payments import servers

from .conftest import KEY

SERVER = "https://dev.khalti.com"
OVER = timedelta(seconds=COOL_DOWN * 1.2 + 1)
A_MOMENT = timedelta(seconds=READ_EVERY + 0.1)
BACKENDS = "django.core.cache.backends"


class TestCache(FileBasedCache):
    """A cache that two processes share, which can fail; it counts what it is asked."""

    __test__ = False
    asked: Counter[str] = Counter()
    fails = False
    hides: tuple[Any, Any] | None = None
    """What ``get_many`` and ``add`` return in vain, of a client that is configured to hide its errors."""

    def _ask(self, what: str) -> None:
        self.asked[what] += 1
        if self.fails:
            raise ConnectionError("the cache is gone")

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return None if self.hides else super().get(*args, **kwargs)

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        self._ask("get_many")
        return self.hides[0] if self.hides else super().get_many(*args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> Any:
        self._ask("add")
        return self.hides[1] if self.hides else super().add(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        self._ask("delete")
        return super().delete(*args, **kwargs)


@pytest.fixture
def cache(settings: Any, tmp_path: Path) -> Iterator[type[TestCache]]:
    backend = {"BACKEND": f"{__name__}.TestCache", "LOCATION": str(tmp_path)}
    settings.CACHES = {**settings.CACHES, "shared": backend}
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "CACHE": "shared"}
    TestCache.asked, TestCache.fails, TestCache.hides = Counter(), False, None
    yield TestCache
    TestCache.fails, TestCache.hides = False, None


@pytest.fixture
def clock(cache: type[TestCache]) -> Iterator[Any]:
    """The time of the cache and of all processes, which moves only when a test moves it."""
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


class Process:
    """A process of the shop, as far as it calls Khalti."""

    def __init__(self) -> None:
        self.breaker = CircuitBreaker(time.time)
        self.breaker.shared = gateway._shared_state(SERVER)

    def call(self, error: Exception | None = None, *, deferrable: bool = False) -> bool:
        """Call Khalti, which answers or not; return whether the call was made."""
        self.breaker.refresh()
        try:
            with self.breaker.call(deferrable=deferrable):
                if error is not None:
                    raise error
        except KhaltiNotCalled:
            return False
        except (KhaltiUnreachable, KhaltiThrottled) as exc:
            assert exc is error  # noqa: PT017 - its own, and no error of the cache
        return True

    def fail(self, times: int = 1) -> None:
        for _time in range(times):
            assert self.call(KhaltiUnreachable("no answer"))


@pytest.fixture
def processes(clock: Any) -> list[Process]:
    return [Process() for _process in range(4)]


def test_failures_of_all_processes_count_together(processes: list[Process], clock: Any) -> None:
    """N14"""
    for process in processes:
        process.fail()
    processes[0].fail()
    clock.shift(A_MOMENT)

    assert [process.call() for process in [*processes, Process()]] == [False] * 5


def test_an_answer_in_one_process_clears_the_failures_of_all(processes: list[Process], clock: Any) -> None:
    processes[0].fail(FAILURE_THRESHOLD - 1)
    clock.shift(A_MOMENT)
    processes[1].call()
    clock.shift(A_MOMENT)
    processes[2].fail()

    assert not processes[2].breaker.is_open


def test_of_all_processes_one_makes_the_trial_and_its_answer_closes_it_for_all(
    processes: list[Process], clock: Any
) -> None:
    """N14"""
    processes[0].fail(FAILURE_THRESHOLD)
    clock.shift(OVER)
    trying, *others = processes
    trying.breaker.refresh()

    with trying.breaker.call(deferrable=False):
        meanwhile = [process.call() for process in others]
    clock.shift(A_MOMENT)

    assert meanwhile == [False] * 3
    assert [process.call() for process in processes] == [True] * 4


def test_a_trial_in_vain_keeps_all_processes_waiting_for_another_cool_down(
    processes: list[Process], clock: Any
) -> None:
    """N14"""
    processes[0].fail(FAILURE_THRESHOLD)
    clock.shift(OVER)
    for process in processes:
        process.breaker.refresh()
    processes[1].fail()

    at_once = [process.call() for process in processes]
    clock.shift(A_MOMENT)
    then = [process.call() for process in processes]
    clock.shift(OVER)

    assert (at_once, then) == ([False] * 4, [False] * 4)
    assert processes[2].call()


def test_the_trial_of_a_process_that_died_is_anothers_after_a_while(processes: list[Process], clock: Any) -> None:
    """N14"""
    processes[0].fail(FAILURE_THRESHOLD)
    clock.shift(OVER)
    dead, other = processes[1], processes[2]
    dead.breaker.refresh()
    call = dead.breaker.call(deferrable=False)
    call.__enter__()
    while_it_may_live = other.call()
    clock.shift(timedelta(seconds=2 * conf.deadline() + gateway.LONGEST_EXTRA + 1))

    assert (while_it_may_live, other.call()) == (False, True)


def test_after_429_in_one_process_all_let_lookups_wait(processes: list[Process], clock: Any) -> None:
    """N15"""
    throttled = KhaltiThrottled("/lookup/", status_code=429, detail={}, retry_after=60.0)
    processes[0].call(throttled)

    waits = [process.call(deferrable=True) for process in processes], processes[1].call()
    clock.shift(timedelta(seconds=59))
    still = processes[1].call(deferrable=True)
    clock.shift(timedelta(seconds=2))

    assert (waits, still) == (([False] * 4, True), False)
    assert [process.call(deferrable=True) for process in processes] == [True] * 4


def test_without_the_cache_each_process_goes_on_with_what_it_knows(
    processes: list[Process], clock: Any, cache: type[TestCache], caplog: pytest.LogCaptureFixture
) -> None:
    """N16"""
    one, other = processes[:2]
    one.fail(FAILURE_THRESHOLD - 2)
    cache.fails = True
    clock.shift(A_MOMENT)

    one.fail(2)

    assert (one.call(), other.call()) == (False, True)
    assert caplog.text.count("the cache 'shared' fails") == 1


def test_a_cache_that_fails_is_not_asked_again_for_some_seconds_and_comes_back_by_itself(
    processes: list[Process], clock: Any, cache: type[TestCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    """N16"""
    cache.fails = True
    one, other = processes[:2]
    one.call()
    cache.asked.clear()
    for _second in range(4):
        clock.shift(A_MOMENT)
        one.fail()
        other.call()
    meanwhile = cache.asked.total()
    one.fail()

    cache.fails = False
    monkeypatch.setattr(servers, "PAUSE", 0)  # it is over
    clock.shift(A_MOMENT)
    one.call()  # finds it back, and lets the others know
    clock.shift(A_MOMENT)

    assert meanwhile == 0
    assert (one.call(), other.call()) == (False, False)
    assert not conf.is_cache_failing()


def test_a_cache_that_has_forgotten_everything_closes_the_breaker_and_the_shop_calls(
    processes: list[Process], clock: Any
) -> None:
    """N16: Redis was killed and started again: the next failures open it again."""
    processes[0].fail(FAILURE_THRESHOLD)
    caches["shared"].clear()
    clock.shift(A_MOMENT)

    assert [process.call() for process in processes] == [True] * 4


def test_a_call_asks_the_cache_once_a_second_and_no_more_when_khalti_answers(
    processes: list[Process], clock: Any, cache: type[TestCache]
) -> None:
    for _call in range(10):
        processes[0].call()

    assert cache.asked == {"get_many": 1}


@pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache"])
def test_with_a_cache_of_each_process_nothing_is_shared_and_nothing_asked(
    deploy: Any, settings: Any, backend: str
) -> None:
    deploy()
    settings.CACHES = {"default": {"BACKEND": f"{BACKENDS}.{backend}"}}

    client = conf.client_with_key(conf.TEST, Secret(KEY), conf.Caller.PAGE)

    assert not conf.is_cache_shared()
    assert (client.circuit_breaker.shared, client._concurrency_limit.shared) == (None, None)  # type: ignore[union-attr]


# The bound on calls at once, over all processes


def limits(settings: Any, number: int, *, in_all: int) -> list[ConcurrencyLimit]:
    """Return the limits of that many processes, with slots enough in each."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "MAX_CONCURRENT_CALLS_IN_ALL": in_all}
    made = [ConcurrencyLimit(50) for _process in range(number)]
    for limit in made:
        limit.shared = gateway._shared_slots()
    return made


def free_slots(limit: ConcurrencyLimit) -> int:
    with ExitStack() as stack:
        for number in range(50):
            try:
                stack.enter_context(limit.slot(timeout=0))
            except KhaltiNotCalled:
                return number
    return 50


def test_all_processes_together_make_no_more_calls_at_once_than_the_setting_says(settings: Any, clock: Any) -> None:
    """N17"""
    one, other = limits(settings, 2, in_all=5)
    with ExitStack() as stack:
        for _call in range(3):
            stack.enter_context(one.slot(timeout=0))
        left = free_slots(other)

    assert (left, free_slots(other)) == (2, 5)


def test_slots_of_a_process_that_died_are_free_after_a_while(settings: Any, clock: Any) -> None:
    """N17"""
    dead, other = limits(settings, 2, in_all=5)
    calls = [dead.slot(timeout=0) for _call in range(5)]
    for call in calls:
        call.__enter__()
    before = free_slots(other)
    clock.shift(timedelta(seconds=2 * conf.deadline() + gateway.LONGEST_EXTRA + 1))

    assert (before, free_slots(other)) == (0, 5)


def test_without_the_cache_only_the_processs_own_slots_bound_its_calls(
    settings: Any, clock: Any, cache: type[TestCache]
) -> None:
    """N17"""
    one, other = limits(settings, 2, in_all=5)
    cache.fails = True

    assert (free_slots(one), free_slots(other)) == (50, 50)


HIDDEN = [pytest.param((None, None), id="django-redis"), pytest.param(({}, False), id="pymemcache")]


@pytest.mark.parametrize("hides", HIDDEN)
def test_a_cache_that_hides_its_errors_takes_no_slot_from_anybody(
    settings: Any, clock: Any, cache: type[TestCache], hides: tuple[Any, Any]
) -> None:
    """N47"""
    one, other = limits(settings, 2, in_all=5)
    cache.hides = hides

    assert (free_slots(one), free_slots(other)) == (50, 50)


@pytest.mark.parametrize("hides", HIDDEN)
def test_a_cache_that_hides_its_errors_keeps_no_process_from_its_trial(
    processes: list[Process], clock: Any, cache: type[TestCache], hides: tuple[Any, Any]
) -> None:
    """N47"""
    process = processes[0]
    process.fail(FAILURE_THRESHOLD)
    clock.shift(OVER)
    process.breaker.refresh()
    cache.hides = hides

    assert process.call()


def test_what_others_have_written_under_its_keys_in_the_cache_stops_no_call(
    processes: list[Process], clock: Any, cache: type[TestCache]
) -> None:
    """N47"""
    caches["shared"].set(servers.cache_key("server", "failures", SERVER), "many")

    assert processes[0].call()


def test_a_slot_costs_a_call_one_request_to_the_cache_before_it_begins(
    settings: Any, clock: Any, cache: type[TestCache]
) -> None:
    [one] = limits(settings, 1, in_all=64)

    with one.slot(timeout=0):
        asked = dict(cache.asked)

    assert (asked, cache.asked) == ({"add": 1}, {"add": 1, "delete": 1})


def test_jobs_of_another_process_do_not_call_a_server_that_a_page_has_found_silent(
    deploy: Any, cache: type[TestCache], transactional_db: None
) -> None:
    """N14"""
    deploy(CACHE="shared")
    page = conf.client_with_key(conf.TEST, Secret(KEY), conf.Caller.PAGE)
    page._observer.before_call()  # type: ignore[union-attr]  # as each call does
    for _failure in range(FAILURE_THRESHOLD):
        with pytest.raises(KhaltiUnreachable), page.circuit_breaker.call(deferrable=False):
            raise KhaltiUnreachable("no answer")

    circuit_breaker.reset()  # as in another process
    job = conf.client_with_key(conf.TEST, Secret(KEY), conf.Caller.JOB)

    with pytest.raises(KhaltiNotCalled):
        job.lookup("bZQLD9wRVWo4CdESSfuSsB")
