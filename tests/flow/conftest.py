"""The flow is tested with a shop that remembers; nothing in it may call Khalti inside a transaction."""

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
