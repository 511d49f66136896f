"""The package's own client works with the simulator, with and without faults."""

from collections.abc import Iterator

import pytest

from loyalink_khalti.errors import KhaltiError, KhaltiNotFound, KhaltiRejected, KhaltiThrottled, KhaltiUnreachable
from loyalink_khalti.khalti import Initiate, Khalti, Secret, Status, Transport, close_connections
from loyalink_khalti.money import Paisa
from loyalink_khalti.simulator import Simulator

ORDER = Initiate(
    return_url="http://localhost:8000/khalti/return/t0ken/",
    website_url="http://localhost:8000/",
    amount=Paisa(250_000),
    purchase_order_id="SS-100001-1",
    purchase_order_name="Saraswati Stationery: 3 things",
    name="Sita Sharma",
    email="sita@example.com",
    phone="9800000123",
)


@pytest.fixture
def khalti(sim: Simulator) -> Iterator[Khalti]:
    yield Khalti(base_url=sim.base_url, secret=Secret("k1"), transport=Transport(deadline=0.5))
    close_connections()


def test_a_payment_is_opened_paid_looked_up_and_refunded(sim: Simulator, khalti: Khalti) -> None:
    opened = khalti.initiate(ORDER)
    before = khalti.lookup(opened.pidx)
    sim.pay(opened.pidx)
    paid = khalti.lookup(opened.pidx)
    assert paid.transaction_id is not None
    khalti.refund(paid.transaction_id, amount=Paisa(100))
    part = khalti.lookup(opened.pidx)
    khalti.refund(paid.transaction_id)
    after = khalti.lookup(opened.pidx)

    assert opened.payment_url.startswith(f"{sim.url}/wallet/?pidx={opened.pidx}&")
    assert [answer.status for answer in (before, paid, part, after)] == [
        Status.INITIATED,
        Status.COMPLETED,
        Status.PARTIALLY_REFUNDED,
        Status.REFUNDED,
    ]
    assert (paid.total_amount, paid.fee) == (250_000, 7_500)


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("expire", Status.EXPIRED),
        ("cancel", Status.CANCELED),
        ("pend", Status.PENDING),
        ("fail", Status.FAILED),
    ],
)
def test_every_other_state_is_an_answer(sim: Simulator, khalti: Khalti, method: str, status: Status) -> None:
    pidx = khalti.initiate(ORDER).pidx

    getattr(sim, method)(pidx)

    assert khalti.lookup(pidx).status is status


@pytest.mark.parametrize(
    "kind", ["503", "500", "garbage", "empty", "huge", "redirect", "drop", "cut", "hang", "drip", "header_drip"]
)
def test_a_fault_is_no_answer(sim: Simulator, khalti: Khalti, kind: str) -> None:
    pidx = khalti.initiate(ORDER).pidx
    sim.fault(kind, times=None)

    with pytest.raises(KhaltiUnreachable):
        khalti.lookup(pidx)

    sim.clear_faults()
    assert khalti.lookup(pidx).status is Status.INITIATED


@pytest.mark.parametrize("code", [404, 400])
def test_an_unknown_pidx_is_not_found(sim: Simulator, khalti: Khalti, code: int) -> None:
    sim.switches.unknown_pidx_code = code

    with pytest.raises(KhaltiNotFound):
        khalti.lookup("HT6o6PEZRWFJ5ygavzHWd5")


def test_a_throttled_lookup_has_retry_after(sim: Simulator, khalti: Khalti) -> None:
    pidx = khalti.initiate(ORDER).pidx
    sim.fault("429", seconds=12)

    with pytest.raises(KhaltiThrottled) as throttled:
        khalti.lookup(pidx)

    assert throttled.value.retry_after == 12


def test_the_merchant_limit_has_khaltis_message(sim: Simulator, khalti: Khalti) -> None:
    sim.switches.merchant_limit = 200

    with pytest.raises(KhaltiRejected) as rejected:
        khalti.initiate(ORDER)

    assert rejected.value.message == "amount: Amount must be less than 200."


def test_a_payment_url_that_is_not_khaltis_is_refused(sim: Simulator, khalti: Khalti) -> None:
    sim.fault("wrong_payment_url", where="initiate")

    with pytest.raises(KhaltiError, match="payment_url"):
        khalti.initiate(ORDER)
