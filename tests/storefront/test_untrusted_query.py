"""The return from Khalti: no value of the query is trusted."""

import pytest
from django.test import Client
from django.urls import reverse

from loyalink_khalti import flow
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.loyalty.orders import OrderAward
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti, member: str) -> Payment:
    """Rs 2,500 of products, Rs 50 of it paid with 500 points, pending at Khalti."""
    return flow.begin_payment(shop.freeze(shop.cart(member_id=member, points_redeemed=Points(500))))


def return_from_khalti(client: Client, payment: Payment) -> str:
    """Open the return URL with all that Khalti appends to it, claiming success; return the next redirect."""
    query = {
        "pidx": payment.pidx,
        "status": "Completed",
        "transaction_id": "T1",
        "tidx": "T1",
        "amount": payment.amount,
        "total_amount": payment.amount,
        "purchase_order_id": payment.purchase_order_id,
    }
    first = client.get(reverse("loyalink_khalti:return", args=[payment.token]), query)
    return str(client.get(first["Location"])["Location"])


@pytest.mark.parametrize("status", ["Initiated", "Pending"])
def test_completed_in_the_query_alone_moves_no_points_and_places_no_order(
    status: str, client: Client, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """A13, I10"""
    khalti.says(payment.pidx, status)
    before = Entry.objects.count()

    return_from_khalti(client, payment)

    account.refresh_from_db()
    assert (shop.confirmed, OrderAward.objects.count(), Entry.objects.count()) == ([], 0, before)
    assert (account.available, account.held, account.lifetime_earned) == (500, 500, 0)


def test_expired_at_khalti_is_expired_whatever_the_query_says(
    client: Client, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """I10"""
    khalti.says(payment.pidx, "Expired")

    redirected_to = return_from_khalti(client, payment)

    account.refresh_from_db()
    assert (shop.confirmed, shop.released, redirected_to) == ([], [("order-1", "expired")], "/fake/order-1/expired/")
    assert (account.available, account.held, account.lifetime_earned) == (1000, 0, 0)


def test_completed_at_khalti_is_paid_and_awarded_once_however_many_returns(
    client: Client, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    khalti.pay(payment.pidx)

    redirected_to = {return_from_khalti(client, payment) for _ in range(3)}

    account.refresh_from_db()
    assert (shop.confirmed, redirected_to) == ([("order-1", 245_000)], {"/fake/order-1/paid/"})
    assert (account.available, account.held, account.lifetime_earned) == (745, 0, 245)
