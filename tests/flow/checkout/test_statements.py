"""How many statements an order takes until the customer is sent to Khalti, or until it is placed without Khalti.

On the wire: with those of the shop, and with those that begin and end transactions.
"""

from typing import Any

import pytest
from django.db import connection

from loyalink_khalti import after_response, flow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti
from tests.statements import sent_statements

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db(transaction=True)]

LOCKS = connection.vendor == "postgresql"
"""PostgreSQL takes one statement more, for an advisory lock."""
BROWSER = {"browser_session": "browser", "network": "198.51.100.0/24"}


@pytest.fixture(autouse=True)
def _warm(shop: FakeShop, khalti: Khalti) -> None:
    """The first purchase of all creates the rules and the row of the key, and the second reads these rules, once."""
    for ref in ("first", "second"):
        flow.begin_payment(shop.freeze(shop.cart(ref)), browser_session=f"of the {ref}")


@pytest.mark.parametrize(
    ("known", "most"), [({}, 11 + LOCKS), (BROWSER, 12 + LOCKS)], ids=["member", "member in a browser"]
)
def test_beginning_a_payment_takes_a_bounded_number_of_statements(
    shop: FakeShop, account: Account, known: dict[str, str], most: int
) -> None:
    """N1"""
    with sent_statements() as sent:
        payment = flow.begin_payment(shop.freeze(shop.cart(member_id=account.member_id)), **known)

    assert len(sent) <= most, sent
    assert payment.payment_url
    assert sent[-2] == "COMMIT"  # before Khalti is called
    assert sent[-1].startswith("UPDATE")


def test_what_begin_payment_returns_is_what_is_stored(shop: FakeShop, account: Account) -> None:
    """N1"""
    payment = flow.begin_payment(shop.freeze(shop.cart(member_id=account.member_id)))

    stored = Payment.objects.select_related("purchase").get(pk=payment.pk)
    for made, read in ((payment, stored), (payment.purchase, stored.purchase)):
        fields = [field.attname for field in made._meta.concrete_fields if field.name != "cart"]
        assert [getattr(made, name) for name in fields] == [getattr(read, name) for name in fields]
    assert payment.purchase.frozen_cart == stored.purchase.frozen_cart


@pytest.mark.parametrize(("known", "most"), [({}, 10), (BROWSER, 11 + LOCKS)], ids=["guest", "guest in a browser"])
def test_an_order_paid_on_delivery_takes_a_bounded_number_of_statements(
    shop: FakeShop, known: dict[str, Any], most: int
) -> None:
    """N2: the last one is the message of the customer's mail, which leaves after the response."""
    after_response.start()
    try:
        with sent_statements() as sent:
            flow.place_order(shop.freeze(shop.cart()), method=PaymentMethod.COD, **known)
    finally:
        after_response.finish()

    assert len(sent) <= most, sent
