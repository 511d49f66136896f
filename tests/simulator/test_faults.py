"""A test can inject every fault of a network or of Khalti."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import requests

from loyalink_khalti.simulator import Simulator

from .conftest import Merchant


@pytest.mark.parametrize(
    ("kind", "code", "media_type"),
    [
        ("503", 503, "text/html; charset=utf-8"),
        ("500", 500, "application/json"),
        ("429", 429, "application/json"),
        ("garbage", 200, "application/json"),
        ("empty", 200, "application/json"),
        ("redirect", 302, None),
    ],
)
def test_a_response_can_be_replaced(
    merchant: Merchant, sim: Simulator, pidx: str, kind: str, code: int, media_type: str | None
) -> None:
    sim.fault(kind)

    first, second = merchant.lookup(pidx), merchant.lookup(pidx)

    assert (first.status_code, first.headers.get("Content-Type")) == (code, media_type)
    assert "status" not in first.text.replace("status_code", "")
    assert second.json()["status"] == "Initiated"


def test_a_response_can_be_too_large_to_read(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    sim.fault("huge")

    with merchant.lookup(pidx, stream=True) as answer:
        assert int(answer.headers["Content-Length"]) == 64_000_000
        assert answer.raw.read(3) == b"   "


def test_a_throttled_call_gets_retry_after(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    sim.fault("429", seconds=7)

    assert merchant.lookup(pidx).headers["Retry-After"] == "7"


def test_a_fault_hits_its_endpoint_a_number_of_times(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    sim.fault("500", where="lookup", times=2)

    codes = [merchant.initiate().status_code, *(merchant.lookup(pidx).status_code for _ in range(3))]

    assert codes == [200, 500, 500, 200]


def test_a_fault_can_last_until_it_is_cleared(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    sim.fault("500", where="all", times=None)

    during = [merchant.lookup(pidx).status_code, merchant.initiate().status_code]
    sim.clear_faults()

    assert during == [500, 500]
    assert merchant.lookup(pidx).status_code == 200


def test_a_fault_can_be_for_one_payment(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    other = merchant.open()
    sim.fault("500", pidx=pidx)

    assert [merchant.lookup(other).status_code, merchant.lookup(pidx).status_code] == [200, 500]


def test_a_replaced_response_means_that_the_call_has_no_effect(merchant: Merchant, sim: Simulator) -> None:
    sim.fault("503", where="initiate")

    merchant.initiate()

    assert sim.payments() == []


def test_a_response_can_be_lost_after_the_work_is_done(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    transaction = sim.pay(pidx).transaction_id
    sim.fault("drop", where="refund", after=True)

    with pytest.raises(requests.ConnectionError):
        merchant.refund(transaction, amount=500)

    assert sim.payment(pidx).refunded == 500


def test_a_connection_can_be_dropped_without_a_response(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    sim.fault("drop")

    with pytest.raises(requests.ConnectionError):
        merchant.lookup(pidx)


def test_a_response_can_be_truncated(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    sim.fault("cut")

    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        merchant.lookup(pidx)


@pytest.mark.parametrize("kind", ["drip", "header_drip"])
def test_a_response_can_drip(merchant: Merchant, sim: Simulator, pidx: str, kind: str) -> None:
    sim.fault(kind, seconds=0.001)

    assert merchant.lookup(pidx).json()["pidx"] == pidx


def test_a_dripping_response_outlasts_any_read_timeout(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    sim.fault("drip", seconds=0.005)

    answer = merchant.lookup(pidx, timeout=0.3, stream=True)

    assert len(list(answer.iter_content(1))) == int(answer.headers["Content-Length"])


def test_a_hanging_response_does_not_delay_other_calls(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    sim.fault("hang", seconds=60)

    with pytest.raises(requests.Timeout):
        merchant.lookup(pidx, timeout=0.1)

    assert merchant.lookup(pidx, timeout=5).status_code == 200


def test_closing_does_not_wait_for_a_hanging_response() -> None:
    ended = threading.Event()

    with Simulator() as sim:
        merchant = Merchant(sim)
        pidx = merchant.open()
        sim.fault("hang", seconds=3600)

        def look_up() -> None:
            with pytest.raises(requests.ConnectionError):
                merchant.lookup(pidx, timeout=30)
            ended.set()

        thread = threading.Thread(target=look_up)
        thread.start()
        assert sim.wait_for("lookup", pidx)

    assert ended.wait(5)
    thread.join()


def test_after_the_hang_the_response_arrives(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    sim.fault("hang", seconds=0.05)

    assert merchant.lookup(pidx).json()["status"] == "Initiated"


def test_a_payment_can_become_completed_some_lookups_late(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    sim.fault("not_yet", times=2)
    before = merchant.status(pidx)
    sim.pay(pidx)

    assert [before, *(merchant.status(pidx) for _ in range(3))] == ["Initiated", "Pending", "Pending", "Completed"]


def test_a_payment_can_become_completed_some_seconds_late() -> None:
    moments = [datetime(2026, 11, 23, tzinfo=UTC)]
    with Simulator(clock=lambda: moments[-1]) as sim:
        merchant = Merchant(sim)
        pidx = merchant.open()
        sim.fault("not_yet", seconds=10, status="Initiated")
        sim.pay(pidx)

        early = [merchant.status(pidx), merchant.status(pidx)]
        moments.append(moments[0] + timedelta(seconds=10))

        assert early == ["Initiated", "Initiated"]
        assert merchant.status(pidx) == "Completed"


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("wrong_amount", "total_amount", 1200),
        ("no_transaction_id", "transaction_id", None),
        ("unknown_status", "status", "Under review"),
        ("refunded_flag", "refunded", True),
    ],
)
def test_lookup_can_give_a_wrong_answer(
    merchant: Merchant, sim: Simulator, pidx: str, kind: str, field: str, value: object
) -> None:
    sim.pay(pidx)
    correct = merchant.lookup(pidx).json()
    sim.fault(kind)

    assert merchant.lookup(pidx).json() == {**correct, field: value}
    assert merchant.lookup(pidx).json() == correct


def test_lookup_can_answer_for_another_pidx(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    sim.fault("wrong_pidx")

    assert merchant.lookup(pidx).json()["pidx"] != pidx


def test_initiate_can_return_a_foreign_payment_url(merchant: Merchant, sim: Simulator) -> None:
    sim.fault("wrong_payment_url", where="initiate")

    assert merchant.initiate().json()["payment_url"].startswith("https://khalti.example.org/")


def test_an_unknown_fault_is_refused(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="no such fault: 'thunder'"):
        sim.fault("thunder")
    with pytest.raises(ValueError, match="no such endpoint: 'kitchen'"):
        sim.fault("500", where="kitchen")
