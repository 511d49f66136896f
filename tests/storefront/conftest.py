"""Pages of a payment of the fake shop, in the sandbox's layout; no test may call Khalti in a transaction."""

from typing import Any

import pytest

from loyalink_khalti.testing import FakeShop
from tests.purchases import account, fake_shop, khalti, member, no_call_in_a_transaction
from tests.purchases import shop as plain_shop

__all__ = ["account", "fake_shop", "khalti", "member", "no_call_in_a_transaction", "plain_shop", "shop"]


@pytest.fixture
def shop(plain_shop: FakeShop, settings: Any) -> FakeShop:
    settings.ROOT_URLCONF = "sandbox.urls"
    return plain_shop
