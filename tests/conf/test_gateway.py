"""How long each caller waits for a slot, and what the checkout shows while Khalti is not responding."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import responses

from loyalink_khalti import conf
from loyalink_khalti.conf import Caller, gateway
from loyalink_khalti.errors import KhaltiNotCalled, KhaltiUnreachable
from loyalink_khalti.khalti import Khalti, Secret
from loyalink_khalti.khalti.circuit_breaker import FAILURE_THRESHOLD

from .conftest import KEY

pytestmark = pytest.mark.django_db

LOOKUP = "https://dev.khalti.com/api/v2/epayment/lookup/"
INITIATED = {
    "pidx": "p",
    "total_amount": 1000,
    "status": "Initiated",
    "transaction_id": None,
    "fee": 0,
    "refunded": False,
}
Deploy = Callable[..., None]


@pytest.fixture(autouse=True)
def _all_slots_are_free() -> Iterator[None]:
    gateway._concurrency_limit.cache_clear()
    yield
    gateway._concurrency_limit.cache_clear()


@pytest.fixture
def khalti() -> Iterator[responses.RequestsMock]:
    """Khalti's test server, where every payment is Initiated."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post(LOOKUP, json={**INITIATED, "refunded": False})
        yield mock


def client(caller: Caller) -> Khalti:
    return conf.client_with_key(conf.TEST, Secret(KEY), caller)


@contextmanager
def all_slots_taken() -> Iterator[ExitStack]:
    """Hold all slots."""
    with ExitStack() as stack:
        for _slot in range(conf.max_concurrent_calls()):
            stack.enter_context(gateway._concurrency_limit(conf.max_concurrent_calls()).slot(timeout=0.0))
        yield stack


def seconds_until_refused(caller: Caller) -> float:
    started = time.monotonic()
    with pytest.raises(KhaltiNotCalled, match="too many"):
        client(caller).lookup("p")
    return time.monotonic() - started


def test_a_page_does_not_wait_for_a_slot(deploy: Deploy, khalti: responses.RequestsMock) -> None:
    """I14"""
    deploy(MAX_CONCURRENT_CALLS=2)

    with all_slots_taken():
        waited = seconds_until_refused(Caller.PAGE)

    assert waited < 1
    assert len(khalti.calls) == 0


@pytest.mark.parametrize("caller", [Caller.CHECKOUT, Caller.STAFF])
def test_customers_and_staff_wait_for_a_slot_at_most_the_deadline(
    deploy: Deploy, khalti: responses.RequestsMock, caller: Caller
) -> None:
    """I14"""
    deploy(MAX_CONCURRENT_CALLS=2, DEADLINE=0.2)

    with all_slots_taken():
        waited = seconds_until_refused(caller)

    assert 0.2 <= waited < 5


@pytest.mark.parametrize("caller", Caller)
def test_of_two_threads_one_is_always_free(deploy: Deploy, khalti: responses.RequestsMock, caller: Caller) -> None:
    """D3: one may call Khalti, and none may wait for it."""
    deploy(MAX_CONCURRENT_CALLS=1, DEADLINE=10)

    with all_slots_taken():
        waited = seconds_until_refused(caller) if caller is not Caller.JOB else 0

    assert waited < 1


def test_a_job_in_a_thread_of_the_web_server_takes_a_slot_of_pages(deploy: Deploy) -> None:
    """D3"""
    deploy(MAX_CONCURRENT_CALLS=1)

    with conf.page_slot() as first, conf.page_slot() as second:
        pass

    assert (first, second) == (True, False)
    with conf.page_slot() as again:
        assert again


def test_a_checkout_waits_two_seconds_and_staff_wait_the_deadline(deploy: Deploy) -> None:
    deploy(DEADLINE=10)

    assert {caller.value: conf.slot_timeout(caller) for caller in Caller} == {
        "page": 0,
        "checkout": 2,
        "staff": 10,
        "job": 0,
    }


def test_a_waiting_call_is_made_when_another_call_ends(deploy: Deploy, khalti: responses.RequestsMock) -> None:
    deploy(MAX_CONCURRENT_CALLS=2, DEADLINE=10)

    with all_slots_taken() as taken:
        timer = threading.Timer(0.05, taken.close)
        timer.start()
        answer = client(Caller.STAFF).lookup("p")
        timer.join()

    assert answer.pidx == "p"


def test_a_job_needs_no_slot(deploy: Deploy, khalti: responses.RequestsMock) -> None:
    deploy(MAX_CONCURRENT_CALLS=1)

    with all_slots_taken():
        answer = client(Caller.JOB).lookup("p")

    assert answer.pidx == "p"


def test_all_pages_of_a_process_share_its_slots(deploy: Deploy, khalti: responses.RequestsMock) -> None:
    """For every key and caller: a hanging call blocks a thread."""
    deploy(MAX_CONCURRENT_CALLS=1)
    refused: list[float] = []

    def call_meanwhile(_request: Any) -> tuple[int, dict[str, str], str]:
        refused.append(seconds_until_refused(Caller.PAGE))
        return 503, {}, ""

    khalti.replace(responses.CallbackResponse(responses.POST, LOOKUP, callback=call_meanwhile))
    with pytest.raises(KhaltiUnreachable):
        conf.client_with_key(conf.TEST, Secret("f" * 32), Caller.STAFF).lookup("p")

    assert len(refused) == 1


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_its_own_slots_and_circuit_breakers(
    deploy: Deploy, khalti: responses.RequestsMock
) -> None:
    """The threads that hold slots exist only in the parent."""
    deploy(MAX_CONCURRENT_CALLS=2)
    open_breaker(client(Caller.JOB))

    with all_slots_taken():
        child = os.fork()
        if not child:
            try:
                with all_slots_taken():
                    free = not client(Caller.JOB).circuit_breaker.is_open
                os._exit(0 if free else 1)
            finally:
                os._exit(2)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert (code, client(Caller.JOB).circuit_breaker.is_open) == (0, True)


# What the checkout shows


def open_breaker(khalti: Khalti) -> None:
    """Fail so often that the circuit breaker opens."""
    for _time in range(FAILURE_THRESHOLD):
        with pytest.raises(KhaltiUnreachable), khalti.circuit_breaker.call(deferrable=False):
            raise KhaltiUnreachable("no answer")


def test_khalti_is_unavailable_while_its_circuit_breaker_is_open(deploy: Deploy) -> None:
    """C01"""
    before = conf.khalti_options("default").unavailable_reason

    open_breaker(client(Caller.PAGE))

    assert before == ""
    assert conf.khalti_options("default").unavailable_reason.startswith(
        "Khalti is not responding. Try again in a minute"
    )


def test_the_circuit_breaker_of_another_server_does_not_matter(deploy: Deploy) -> None:
    open_breaker(conf.client_with_key(conf.LIVE, Secret(KEY), Caller.PAGE))

    assert conf.khalti_options("default").unavailable_reason == ""
