"""Who waits how long for its turn to call Khalti, and how the shop offers Khalti while it does not answer."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import responses

from loyalink_khalti import conf
from loyalink_khalti.conf import Lane, calls
from loyalink_khalti.errors import KhaltiNotAsked, KhaltiUnreachable
from loyalink_khalti.khalti import Khalti, Secret
from loyalink_khalti.khalti.gate import SILENCES

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
def _no_place_is_taken() -> Iterator[None]:
    calls._places.cache_clear()
    yield
    calls._places.cache_clear()


@pytest.fixture
def khalti() -> Iterator[responses.RequestsMock]:
    """Khalti's test server, where every payment waits."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.post(LOOKUP, json={**INITIATED, "refunded": False})
        yield mock


def client(lane: Lane) -> Khalti:
    return conf.client(conf.TEST, Secret(KEY), lane)


@contextmanager
def all_taken() -> Iterator[ExitStack]:
    """As many calls are under way as may be."""
    with ExitStack() as stack:
        for _place in range(conf.calls_at_once()):
            stack.enter_context(calls._places(conf.calls_at_once()).taken(patience=0.0))
        yield stack


def seconds_to_be_told(lane: Lane) -> float:
    began = time.monotonic()
    with pytest.raises(KhaltiNotAsked, match="too many"):
        client(lane).lookup("p")
    return time.monotonic() - began


def test_a_page_that_only_looks_is_told_at_once(deploy: Deploy, khalti: responses.RequestsMock) -> None:
    """I14"""
    deploy(CALLS_AT_ONCE=2)

    with all_taken():
        waited = seconds_to_be_told(Lane.LOOK)

    assert waited < 1
    assert len(khalti.calls) == 0


@pytest.mark.parametrize("lane", [Lane.BEGIN, Lane.STAFF])
def test_who_has_clicked_waits_no_longer_than_a_call_may_take(
    deploy: Deploy, khalti: responses.RequestsMock, lane: Lane
) -> None:
    """I14"""
    deploy(CALLS_AT_ONCE=1, DEADLINE=0.2)

    with all_taken():
        waited = seconds_to_be_told(lane)

    assert 0.2 <= waited < 5


def test_a_shopper_waits_a_moment_and_staff_for_as_long_as_a_call_may_take(deploy: Deploy) -> None:
    deploy(DEADLINE=10)

    assert {lane.value: conf.patience(lane) for lane in Lane} == {"look": 0, "begin": 2, "staff": 10, "job": 0}


def test_who_is_patient_is_heard_when_another_call_ends(deploy: Deploy, khalti: responses.RequestsMock) -> None:
    deploy(CALLS_AT_ONCE=1, DEADLINE=10)

    with all_taken() as taken:
        waits = threading.Timer(0.05, taken.close)
        waits.start()
        answer = client(Lane.STAFF).lookup("p")
        waits.join()

    assert answer.pidx == "p"


def test_a_job_counts_its_own_threads(deploy: Deploy, khalti: responses.RequestsMock) -> None:
    deploy(CALLS_AT_ONCE=1)

    with all_taken():
        answer = client(Lane.JOB).lookup("p")

    assert answer.pidx == "p"


def test_all_pages_of_a_process_share_its_places(deploy: Deploy, khalti: responses.RequestsMock) -> None:
    """Whatever the key and the lane: what hangs is the thread."""
    deploy(CALLS_AT_ONCE=1)
    beside: list[float] = []

    def note(_request: Any) -> tuple[int, dict[str, str], str]:
        beside.append(seconds_to_be_told(Lane.LOOK))
        return 503, {}, ""

    khalti.replace(responses.CallbackResponse(responses.POST, LOOKUP, callback=note))
    with pytest.raises(KhaltiUnreachable):
        conf.client(conf.TEST, Secret("f" * 32), Lane.STAFF).lookup("p")

    assert len(beside) == 1


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_all_its_places_and_its_own_mind(deploy: Deploy, khalti: responses.RequestsMock) -> None:
    """A server that forks has threads of its own, and none of those that were calling."""
    deploy(CALLS_AT_ONCE=2)
    shut(client(Lane.JOB))

    with all_taken():
        child = os.fork()
        if not child:
            try:
                with all_taken():
                    free = not client(Lane.JOB).gate.is_shut
                os._exit(0 if free else 1)
            finally:
                os._exit(2)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert (code, client(Lane.JOB).gate.is_shut) == (0, True)


# How Khalti is offered


def shut(khalti: Khalti) -> None:
    """The server has been silent as often as it takes."""
    for _time in range(SILENCES):
        with pytest.raises(KhaltiUnreachable), khalti.gate.asking(can_wait=False):
            raise KhaltiUnreachable("no answer")


def test_while_khalti_does_not_answer_it_is_not_offered_and_says_so(deploy: Deploy) -> None:
    """C01"""
    before = conf.khalti_options("default").why_off

    shut(client(Lane.LOOK))

    assert before == ""
    assert conf.khalti_options("default").why_off.startswith("Khalti does not answer just now. Try again in a minute")


def test_that_another_server_is_silent_does_not_matter(deploy: Deploy) -> None:
    shut(conf.client(conf.LIVE, Secret(KEY), Lane.LOOK))

    assert conf.khalti_options("default").why_off == ""
