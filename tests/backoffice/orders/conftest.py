"""The fixtures of payments, and orders that are paid in cash or by bank transfer."""

from collections.abc import Callable
from typing import Any

import pytest

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Customer, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.backoffice.payments.conftest import (
    account,
    begin,
    desk,
    fake_shop,
    flagged,
    khalti,
    member,
    no_call_in_a_transaction,
    paid,
    shop,
    urls,
    waiting,
)

__all__ = [
    "account", "begin", "desk", "fake_shop", "flagged", "khalti", "member", "no_call_in_a_transaction", "paid", "shop",
    "urls", "waiting",
]  # fmt: skip

SITA = Customer(name="Sita Maharjan", email="sita@example.com", phone="+9779841000001")
Place = Callable[..., Purchase]


@pytest.fixture
def place(urls: None, shop: FakeShop) -> Place:
    """Place orders of Rs 2,500 without Khalti; ``changes`` are fields of the Cart."""

    def place_order(ref: str = "N-1001", method: PaymentMethod = PaymentMethod.COD, **changes: Any) -> Purchase:
        changes.setdefault("customer", SITA)
        return flow.place_order(shop.freeze(shop.cart(ref, **changes)), method=method)

    return place_order
