"""A fake shop, a scripted Khalti, an editor's browser and payments in several states."""

from collections.abc import Callable
from typing import Any

import pytest

from loyalink_khalti import flow
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.backoffice.staff import Desk, editor
from tests.purchases import Khalti, account, fake_shop, khalti, member, no_call_in_a_transaction, shop

__all__ = ["account", "fake_shop", "khalti", "member", "no_call_in_a_transaction", "shop"]


@pytest.fixture
def urls(shop: FakeShop, settings: Any) -> None:
    """The URLs of the whole site, with Wagtail's admin."""
    settings.ROOT_URLCONF = "sandbox.urls"


@pytest.fixture
def desk(urls: None, db: None) -> Desk:
    return Desk(editor())


@pytest.fixture
def begin(urls: None, shop: FakeShop, khalti: Khalti) -> Callable[..., Payment]:
    """Begin payments of Rs 2,500; ``changes`` are fields of the Cart."""

    def begin_payment(ref: str = "N-1001", **changes: Any) -> Payment:
        return flow.begin_payment(shop.freeze(shop.cart(ref, **changes)))

    return begin_payment


@pytest.fixture
def waiting(begin: Callable[..., Payment], shop: FakeShop, member: str) -> Payment:
    """Products for Rs 2,500, Rs 50 of it paid with 500 points, awaiting payment at Khalti."""
    return begin(member_id=member, points_redeemed=Points(500))


@pytest.fixture
def paid(waiting: Payment, khalti: Khalti) -> Payment:
    """The same payment, paid and its order placed."""
    khalti.pay(waiting.pidx)
    flow.verify_payment(waiting)
    waiting.refresh_from_db()
    return waiting


@pytest.fixture
def flagged(begin: Callable[..., Payment], khalti: Khalti) -> Payment:
    """Rs 2,500 are due and Khalti captured Rs 2,499."""
    payment = begin("N-1002")
    khalti.pay(payment.pidx, total_amount=249_900)
    flow.verify_payment(payment)
    payment.refresh_from_db()
    return payment
