"""lookup returns the state of a payment, and refund refunds it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalink_khalti.simulator import NotPossible, Simulator

from .conftest import Merchant

NOT_FOUND = {"detail": "Not found.", "error_key": "validation_error"}


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_a_new_payment_is_initiated(merchant: Merchant, pidx: str) -> None:
    answer = merchant.lookup(pidx)

    assert answer.status_code == 200
    assert answer.json() == {
        "pidx": pidx,
        "total_amount": 1300,
        "status": "Initiated",
        "transaction_id": None,
        "fee": 0,
        "refunded": False,
    }


def test_a_paid_payment_is_completed_with_its_transaction_and_fee(merchant: Merchant, sim: Simulator) -> None:
    pidx = merchant.open(amount=10_000)

    paid = sim.pay(pidx)

    answer = merchant.lookup(pidx)
    assert answer.status_code == 200
    assert answer.json() == {
        "pidx": pidx,
        "total_amount": 10_000,
        "status": "Completed",
        "transaction_id": paid.transaction_id,
        "fee": 300,
        "refunded": False,
    }


@pytest.mark.parametrize(
    ("method", "status", "code"),
    [
        ("pend", "Pending", 200),
        ("fail", "Failed", 200),
        ("expire", "Expired", 400),
        ("cancel", "User canceled", 400),
        ("complete", "Completed", 200),
    ],
)
def test_each_state_has_its_status_and_http_code(
    merchant: Merchant, sim: Simulator, pidx: str, method: str, status: str, code: int
) -> None:
    getattr(sim, method)(pidx)

    answer = merchant.lookup(pidx)
    assert (answer.status_code, answer.json()["status"]) == (code, status)
    assert answer.json()["pidx"] == pidx


def test_a_link_expires_after_its_lifetime() -> None:
    clock = Clock()
    with Simulator(clock=clock, link_lifetime=1800) as sim:
        merchant = Merchant(sim)
        pidx = merchant.open()

        clock.now += timedelta(seconds=1799)
        before = merchant.status(pidx)
        clock.now += timedelta(seconds=1)
        after = merchant.lookup(pidx)

        assert before == "Initiated"
        assert (after.status_code, after.json()["status"]) == (400, "Expired")
        with pytest.raises(NotPossible, match="Expired"):
            sim.pay(pidx)


def test_a_paid_payment_does_not_expire() -> None:
    clock = Clock()
    with Simulator(clock=clock) as sim:
        merchant = Merchant(sim)
        pidx = merchant.open()
        sim.pay(pidx)

        clock.now += timedelta(days=8)

        assert merchant.status(pidx) == "Completed"


@pytest.mark.parametrize("method", ["expire", "cancel", "fail"])
def test_a_closed_payment_may_still_complete(merchant: Merchant, sim: Simulator, pidx: str, method: str) -> None:
    getattr(sim, method)(pidx)

    sim.complete(pidx)

    assert merchant.status(pidx) == "Completed"


@pytest.mark.parametrize("code", [404, 400])
def test_an_unknown_pidx_is_not_found(merchant: Merchant, sim: Simulator, code: int) -> None:
    sim.switches.unknown_pidx_code = code

    answer = merchant.lookup("HT6o6PEZRWFJ5ygavzHWd5")

    assert (answer.status_code, answer.json()) == (code, NOT_FOUND)


def test_a_payment_of_another_key_is_not_found(sim: Simulator, pidx: str) -> None:
    answer = Merchant(sim, "another").lookup(pidx)

    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "This field is required."),
        ({"pidx": ""}, "This field may not be blank."),
        ({"pidx": None}, "This field may not be null."),
        ({"pidx": {}}, "Not a valid string."),
    ],
)
def test_a_lookup_without_a_pidx_is_refused(merchant: Merchant, body: dict[str, Any], message: str) -> None:
    answer = merchant.post("v2/epayment/lookup/", body)

    assert (answer.status_code, answer.json()) == (400, {"pidx": [message], "error_key": "validation_error"})


def test_lookup_sdk_and_detail_return_more_and_accept_the_public_key(merchant: Merchant, sim: Simulator) -> None:
    pidx = merchant.open(merchant_username="saraswati")
    app = Merchant(sim, "live_public_key_1")

    looked, detail = (app.post(f"v2/epayment/{name}/", {"pidx": pidx}).json() for name in ("lookup-sdk", "detail"))

    assert looked["purchase_order_id"] == "test12"
    assert looked["extra_merchant_params"] == {"merchant_username": "saraswati"}
    assert detail == {"return_url": "https://shop.example/khalti/return/t0ken/"}


def test_every_call_is_recorded(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    merchant.lookup(pidx)
    merchant.lookup(pidx)
    merchant.refund("nothing")

    assert sim.calls == [("initiate", "test12"), ("lookup", pidx), ("lookup", pidx), ("refund", "nothing")]
    assert sim.count("lookup", pidx) == 2


@pytest.mark.parametrize("path", ["merchant-transaction", "v2/merchant-transaction"])
def test_a_full_refund_refunds_everything(merchant: Merchant, sim: Simulator, pidx: str, path: str) -> None:
    transaction = sim.pay(pidx).transaction_id

    answer = merchant.post(f"{path}/{transaction}/refund/", {})

    assert (answer.status_code, answer.json()) == (200, {"detail": "Transaction refund successful."})
    looked = merchant.lookup(pidx)
    assert (looked.status_code, looked.json()["status"], looked.json()["refunded"]) == (200, "Refunded", True)
    assert looked.json()["transaction_id"] == transaction


def test_partial_refunds_add_up_to_the_payment_at_most(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    transaction = sim.pay(pidx).transaction_id

    first = merchant.refund(transaction, amount=500)
    part = merchant.status(pidx)
    too_much = merchant.refund(transaction, amount=801)
    rest = merchant.refund(transaction, amount=800)
    again = merchant.refund(transaction)

    assert [answer.status_code for answer in (first, too_much, rest, again)] == [200, 400, 200, 400]
    assert part == "Partially Refunded"
    assert too_much.json()["detail"] == "The refund amount cannot be greater than the amount left."
    assert again.json()["detail"] == "This transaction has already been refunded."
    assert sim.payment(pidx).refunded == 1300
    assert merchant.status(pidx) == "Refunded"


@pytest.mark.parametrize("amount", [0, -1, "50.00", 5.5, None, "x"])
def test_a_refund_must_be_a_whole_number_of_paisa(merchant: Merchant, sim: Simulator, pidx: str, amount: Any) -> None:
    answer = merchant.refund(sim.pay(pidx).transaction_id, amount=amount)

    assert answer.status_code == 400
    assert list(answer.json()) == ["amount", "error_key"]
    assert sim.payment(pidx).refunded == 0


def test_the_refund_of_a_bank_payment_needs_a_mobile(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    transaction = sim.pay(pidx, bank=True).transaction_id

    without, wrong = merchant.refund(transaction), merchant.refund(transaction, mobile="12")
    with_it = merchant.refund(transaction, mobile="9800000005", amount=750)

    assert without.json()["mobile"] == ["This field is required."]
    assert wrong.status_code == 400
    assert (with_it.status_code, sim.payment(pidx).refunded) == (200, 750)


def test_only_the_key_that_opened_the_payment_can_refund_it(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    transaction = sim.pay(pidx).transaction_id

    answers = [Merchant(sim, "another").refund(transaction), merchant.refund("GFq9PFS7b2iYvL8Lir9oXe")]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(404, NOT_FOUND)] * 2
    assert sim.payment(pidx).refunded == 0


def test_an_unpaid_payment_cannot_be_refunded(merchant: Merchant, sim: Simulator, pidx: str) -> None:
    failed = sim.fail(pidx)

    answer = merchant.refund(failed.transaction_id)

    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "This transaction cannot be refunded: it is Failed.",
    )
