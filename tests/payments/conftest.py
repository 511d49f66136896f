"""Payments are tested as the flow leaves them."""

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
