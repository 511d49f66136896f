"""A colleague at the counter, and a member with 1,000 points."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from loyalink_khalti.testing import FakeShop
from tests.backoffice.members.conftest import customer, member, shop, shop_alone
from tests.backoffice.staff import Desk, editor
from tests.purchases import fake_shop

__all__ = ["fake_shop", "shop", "shop_alone"]


@pytest.fixture
def desk(shop: FakeShop) -> Desk:
    return Desk(editor())


@pytest.fixture
def sita(shop: FakeShop) -> Any:
    user: User = customer("Sita", "Maharjan")
    member(user, 1000)
    return user
