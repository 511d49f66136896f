"""Fixtures of the flow's tests: a fake shop, Khalti as a test scripts it, and no call inside a transaction."""

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
    no_mails_to_customers,
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
    "no_mails_to_customers",
    "shop",
    "simulator",
]


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti, member: str) -> Payment:
    """A purchase of Rs 2,500, Rs 50 of it by 500 points, pending at Khalti."""
    shop.stock(pen=3)
    return flow.begin_payment(shop.freeze(shop.cart(member_id=member, points_redeemed=Points(500))))
