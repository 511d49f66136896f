"""The API in front of the fake shop, in the sandbox's URLs."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model

from loyalink_khalti.testing import FakeShop
from tests.api.calling import App
from tests.purchases import account, fake_shop, khalti, member, no_call_in_a_transaction
from tests.purchases import shop as plain_shop

__all__ = ["account", "app", "fake_shop", "khalti", "member", "no_call_in_a_transaction", "plain_shop", "shop", "sita"]


@pytest.fixture
def shop(plain_shop: FakeShop, settings: Any) -> FakeShop:
    settings.ROOT_URLCONF = "sandbox.urls"
    api = {"AUTHENTICATE": "tests.api.calling.user_of_token", "RETURN_ADDRESSES": ["myapp://paid"]}
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "API": api}
    return plain_shop


@pytest.fixture
def app(shop: FakeShop) -> App:
    """A guest's app."""
    return App()


@pytest.fixture
def sita(shop: FakeShop, member: str) -> App:
    """The app of the member, who has points, by her token."""
    get_user_model().objects.create(pk=member, username="sita", email="sita@example.com")
    return App("sita")
