"""The flow is tested with a shop that remembers; nothing in it may call Khalti inside a transaction."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import (
    Khalti,
    account,
    fake_shop,
    khalti,
    khalti_simulator,
    member,
    no_call_in_a_transaction,
    shop,
    simulator,
)

__all__ = [
    "account",
    "fake_shop",
    "khalti",
    "khalti_simulator",
    "member",
    "no_call_in_a_transaction",
    "shop",
    "simulator",
]


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti, member: str) -> Payment:
    """Rs 2,500 of goods, Rs 50 of it by 500 points, waiting at Khalti."""
    shop.stock(pen=3)
    return flow.begin(shop.freeze(shop.cart(member_id=member, spends=Points(500))))
