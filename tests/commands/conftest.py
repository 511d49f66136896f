"""Commands are run as a person runs them: words in, text out, and a code at the end."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Method
from loyalink_khalti.testing import FakeShop
from tests.purchases import account, fake_shop, khalti, member, no_call_in_a_transaction, shop

__all__ = ["account", "fake_shop", "khalti", "member", "no_call_in_a_transaction", "shop"]

Run = Callable[..., str]


@pytest.fixture
def run(db: None) -> Run:
    """Run a command and return what it says."""

    def command(name: str, *words: Any) -> str:
        out = StringIO()
        call_command(name, *map(str, words), stdout=out, stderr=StringIO())
        return out.getvalue()

    return command


@pytest.fixture
def user(db: None, django_user_model: Any) -> Any:
    """Sita, who has an e-mail address and no points."""
    return django_user_model.objects.create_user(username="sita", email="sita@example.com", is_staff=True)


def bought(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Purchase:
    """An order of Rs 2,500 that has been delivered and paid in cash; ``changes`` are fields of its Cart."""
    purchase = flow.place(shop.freeze(shop.cart(ref, **changes)), method=Method.COD)
    flow.received(purchase, by="1")
    return purchase
