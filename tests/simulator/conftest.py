"""A simulator, and a merchant's server that calls it over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import khalti_simulator

__all__ = ["khalti_simulator"]


class Merchant:
    """A merchant's server: one secret key, and its calls to Khalti."""

    def __init__(self, simulator: Simulator, key: str = "live_secret_key_00000000000040008000000000000000") -> None:
        self.simulator = simulator
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Key {key}"

    def post(self, path: str, body: Any, **options: Any) -> requests.Response:
        """Post JSON to a path below /api/."""
        options.setdefault("timeout", 10)
        return self.session.post(f"{self.simulator.url}/api/{path}", json=body, allow_redirects=False, **options)

    def initiate(self, **changes: Any) -> requests.Response:
        """Initiate the documented order; the value ``...`` leaves a field out."""
        order = {
            "return_url": "https://shop.example/khalti/return/t0ken/",
            "website_url": "https://shop.example/",
            "amount": 1300,
            "purchase_order_id": "test12",
            "purchase_order_name": "test",
            **changes,
        }
        return self.post("v2/epayment/initiate/", {name: value for name, value in order.items() if value is not ...})

    def open(self, **changes: Any) -> str:
        """Initiate and return the pidx."""
        answer = self.initiate(**changes)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["pidx"])

    def lookup(self, pidx: str, **options: Any) -> requests.Response:
        return self.post("v2/epayment/lookup/", {"pidx": pidx}, **options)

    def status(self, pidx: str) -> str:
        return str(self.lookup(pidx).json()["status"])

    def refund(self, transaction_id: str | None, **body: Any) -> requests.Response:
        return self.post(f"merchant-transaction/{transaction_id}/refund/", body)


@pytest.fixture
def sim(khalti_simulator: Simulator) -> Simulator:
    return khalti_simulator


@pytest.fixture
def merchant(sim: Simulator) -> Iterator[Merchant]:
    merchant = Merchant(sim)
    with merchant.session:
        yield merchant


@pytest.fixture
def pidx(merchant: Merchant) -> str:
    return merchant.open()
