"""Payments are tested with the fake shop and a scripted Khalti."""

from typing import Any

import pytest

from loyalink_khalti import conf
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import (
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


def created(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Payment:
    """Return a payment that is about to be initiated."""
    cart = shop.cart(ref, **changes)
    purchase = transitions.create_purchase(cart, method=PaymentMethod.KHALTI, points_value=Paisa(0))
    return transitions.create_payment(purchase, credentials=conf.credentials("default"))


@pytest.fixture
def payment(shop: FakeShop) -> Payment:
    return created(shop)
