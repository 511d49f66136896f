"""Fixtures of the mails' tests: those of the flow, and what each signal was sent with."""

from collections.abc import Iterator
from typing import Any

import pytest

from loyalink_khalti import signals
from tests.flow.conftest import (
    account,
    fake_shop,
    khalti,
    khalti_simulator,
    member,
    no_call_in_a_transaction,
    payment,
    shop,
    simulator,
)

__all__ = [
    "account", "fake_shop", "khalti", "khalti_simulator", "member", "no_call_in_a_transaction", "payment", "shop",
    "simulator",
]  # fmt: skip

SIGNALS = (
    "order_placed", "money_received", "payment_under_review", "order_cancelled", "order_shipped", "order_refunded",
    "points_earned", "points_redeemed", "points_refunded", "points_adjusted", "tier_reached", "points_expiring",
)  # fmt: skip


@pytest.fixture
def signalled() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """The name and the arguments of each signal, in the order in which they were sent."""
    sent: list[tuple[str, dict[str, Any]]] = []
    receivers = []
    for name in SIGNALS:

        def receive(*, _name: str = name, **arguments: Any) -> None:
            sent.append((_name, {key: value for key, value in arguments.items() if key not in {"signal", "sender"}}))

        getattr(signals, name).connect(receive)
        receivers.append((name, receive))
    yield sent
    for name, receive in receivers:
        getattr(signals, name).disconnect(receive)
