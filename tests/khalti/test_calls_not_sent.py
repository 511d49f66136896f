"""Calls that are not sent: the circuit breaker is open, Khalti asks to wait, or no slot is free."""

import pytest
import responses

from loyalink_khalti.errors import KhaltiNotCalled, KhaltiThrottled, KhaltiUnreachable, KhaltiUnreadable
from loyalink_khalti.khalti import ConcurrencyLimit, Khalti, Secret, Status
from loyalink_khalti.khalti.circuit_breaker import FAILURE_THRESHOLD

from . import vectors
from .test_client import BASE, INITIATE, LOOKUP, ORDER, PIDX, each_method

# Calls that are not sent


@pytest.fixture
def failing(sandbox, khalti):
    """A server that has failed so often that its circuit breaker is open."""
    for _time in range(FAILURE_THRESHOLD):
        sandbox.post(LOOKUP, status=503)
        with pytest.raises(KhaltiUnreachable):
            khalti.lookup(PIDX)
    sandbox.reset()


@each_method
def test_an_open_breaker_stops_every_method(url, call, failing, sandbox, khalti, secret):
    """C01, I14: also for another merchant in this process."""
    for client in (khalti, Khalti(base_url=BASE, secret=Secret("f" * 32))):
        with pytest.raises(KhaltiNotCalled):
            call(client)

    assert len(sandbox.calls) == 0


def test_another_server_is_called_anyway(failing, sandbox, secret):
    sandbox.post("https://khalti.com/api/v2/epayment/lookup/", json=vectors.looked_up("Pending"))

    assert Khalti(base_url="https://khalti.com/api/v2/", secret=secret).lookup(PIDX).status is Status.PENDING


@pytest.mark.parametrize("body", ["<html>Maintenance</html>", "{}"])
@each_method
def test_unreadable_answers_open_the_breaker(url, call, body, sandbox, khalti):
    """C09, C15"""
    sandbox.post(url, body=body)
    for _time in range(FAILURE_THRESHOLD):
        with pytest.raises(KhaltiUnreadable):
            call(khalti)

    assert khalti.circuit_breaker.is_open


def test_foreign_payment_urls_open_the_breaker(sandbox, khalti):
    """C24"""
    sandbox.post(INITIATE, json=vectors.INITIATED | {"payment_url": "https://evil.example/"})
    for _time in range(FAILURE_THRESHOLD):
        with pytest.raises(KhaltiUnreadable):
            khalti.initiate(ORDER)

    assert khalti.circuit_breaker.is_open


@pytest.mark.parametrize("status", ["Expired", "User canceled"])
def test_a_400_that_answers_a_lookup_resets_the_breaker(status, sandbox, khalti):
    """C10"""
    for answer in ({"status": 503}, {"status": 400, "json": vectors.looked_up(status)}):
        for _time in range(FAILURE_THRESHOLD - 1):
            sandbox.post(LOOKUP, **answer)
    for _time in range(FAILURE_THRESHOLD - 1):
        with pytest.raises(KhaltiUnreachable):
            khalti.lookup(PIDX)
    khalti.lookup(PIDX)
    sandbox.reset()
    sandbox.post(LOOKUP, status=503)
    with pytest.raises(KhaltiUnreachable):
        khalti.lookup(PIDX)

    assert not khalti.circuit_breaker.is_open


def test_a_call_that_is_never_sent_is_no_failure(sandbox, khalti):
    for _time in range(FAILURE_THRESHOLD):
        with pytest.raises(ValueError, match="transaction id"):
            khalti.refund("..")

    assert not khalti.circuit_breaker.is_open


def test_a_throttled_lookup_stops_lookups_and_not_initiate(sandbox, khalti):
    """C13"""
    sandbox.post(LOOKUP, json={"detail": "Request was throttled."}, status=429, headers={"Retry-After": "60"})
    sandbox.post(INITIATE, json=vectors.INITIATED)
    with pytest.raises(KhaltiThrottled):
        khalti.lookup(PIDX)

    with pytest.raises(KhaltiNotCalled, match="asks to wait"):
        khalti.lookup(PIDX)

    assert khalti.initiate(ORDER).pidx
    assert len(sandbox.calls) == 2


@each_method
def test_a_call_without_a_slot_sends_nothing_and_is_no_failure(url, call, sandbox, secret):
    """I14"""
    limit = ConcurrencyLimit(1)
    khalti = Khalti(base_url=BASE, secret=secret, concurrency_limit=limit)

    with limit.slot(timeout=0.0):
        for _time in range(FAILURE_THRESHOLD):
            with pytest.raises(KhaltiNotCalled, match="too many"):
                call(khalti)

    assert (len(sandbox.calls), khalti.circuit_breaker.is_open) == (0, False)


def test_a_slot_is_held_during_a_call_and_released_after_a_failure(sandbox, secret):
    khalti = Khalti(base_url=BASE, secret=secret, concurrency_limit=ConcurrencyLimit(1))
    refusals = []

    def try_another(request):
        with pytest.raises(KhaltiNotCalled) as caught:
            khalti.lookup(PIDX)
        refusals.append(str(caught.value))
        return 503, {}, ""

    sandbox.add_callback(responses.POST, LOOKUP, callback=try_another)
    for _time in range(2):
        with pytest.raises(KhaltiUnreachable):
            khalti.lookup(PIDX)

    assert refusals == ["too many calls to Khalti are in progress"] * 2
