"""Fixtures of the commands' tests: run a command, a user, a paid order."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import account, fake_shop, khalti, member, no_call_in_a_transaction, shop

__all__ = ["account", "fake_shop", "khalti", "member", "no_call_in_a_transaction", "shop"]

Run = Callable[..., str]
ACTOR = "owner@example.com"
"""Who runs the commands that move points or money, unless a test names another."""
NEED_ACTOR = frozenset({"loyalty adjust", "loyalty merge", "loyalty block", "loyalty unblock", "loyalty_import"})


def with_actor(name: str, *arguments: Any) -> list[str]:
    """Return the arguments of a command, with ``--actor`` if it needs one."""
    given = list(map(str, arguments))
    verb = f"{name} {given[0]}" if name == "loyalty" and given else name
    if verb not in NEED_ACTOR or "--actor" in given:
        return given
    get_user_model().objects.get_or_create(username="owner", defaults={"email": ACTOR, "is_staff": True})
    return [*given, "--actor", ACTOR]


@pytest.fixture
def run(db: None) -> Run:
    """Run a command, with ``--actor`` if it needs one, and return what it prints."""

    def command(name: str, *arguments: Any) -> str:
        out = StringIO()
        call_command(name, *with_actor(name, *arguments), stdout=out, stderr=StringIO())
        return out.getvalue()

    return command


@pytest.fixture
def user(db: None, django_user_model: Any) -> Any:
    """Sita, who has an e-mail address and no points."""
    return django_user_model.objects.create_user(username="sita", email="sita@example.com", is_staff=True)


def bought(shop: FakeShop, ref: str = "order-1", **changes: Any) -> Purchase:
    """A delivered order of Rs 2,500, paid in cash; ``changes`` are fields of its Cart."""
    purchase = flow.place_order(shop.freeze(shop.cart(ref, **changes)), method=PaymentMethod.COD)
    flow.mark_received(purchase, actor="1")
    return purchase
