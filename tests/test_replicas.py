"""H08: whatever a shop reads from a replica, what decides over money is read where it is written."""

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import router, transaction
from django.test import Client

from loyalink_khalti import flow
from loyalink_khalti.databases import MONEY, current, each_reading_from, reading_from
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Outcome, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, account, fake_shop, khalti, khalti_simulator, member, points, shop
from tests.replicas import REPLICA, empty_replica

__all__ = ["account", "empty_replica", "fake_shop", "khalti", "khalti_simulator", "member", "shop"]

pytestmark = [
    pytest.mark.money,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("empty_replica"),
]
Term = apps.get_model("taggit", "Tag")
"""A model of the shop's that is none of ours."""


@pytest.mark.parametrize("label", ["loyalink_khalti", "loyalink_khalti_page"])
def test_every_model_of_ours_is_read_where_it_is_written(label: str) -> None:
    """H08"""
    for model in apps.get_app_config(label).get_models(include_auto_created=True):
        assert router.db_for_read(model) == router.db_for_write(model) == MONEY, model


def test_the_shop_reads_from_its_replica_outside_a_transaction_and_the_current_rows_inside_one() -> None:
    assert router.db_for_read(Term) == REPLICA
    with transaction.atomic():
        assert not Term.objects.exists()
    assert not current(Term.objects).exists()


def test_a_purchase_with_points_its_refund_its_pages_and_its_jobs_read_nothing_from_the_replica(
    shop: FakeShop, account: Account, khalti: Khalti
) -> None:
    """H08"""
    cart = shop.cart(member_id=account.member_id, points_redeemed=Points(500))
    payment = flow.begin_payment(shop.freeze(cart))
    khalti.pay(payment.pidx)
    token = payment.token

    page = Client().get(f"/khalti/return/{token}/", follow=True)
    waiting = flow.begin_payment(shop.freeze(shop.cart("order-2")))
    khalti.pay(waiting.pidx)
    passed = [result.outcome for result in flow.reconcile()]
    unpaid = flow.place_order(shop.freeze(shop.cart("order-3")), method=PaymentMethod.COD)
    paid = Payment.objects.get(token=token)
    refund = flow.refund_order(paid.purchase, subtotal=Paisa(10_000), shipping=Paisa(0), key="part", actor="1")
    call_command("loyalink_audit")

    paid.refresh_from_db()
    assert page.status_code == 200
    assert Outcome.PAID in passed
    assert (paid.state, refund.state, unpaid.state) == ("partially_refunded", "done", "placed")
    assert points(account)[1:] == (0, 480)  # 20 of the 500 went back with the refund


def test_a_row_that_was_read_from_a_replica_is_written_to_the_database_of_the_money(shop: FakeShop) -> None:
    purchase = flow.place_order(shop.freeze(shop.cart()), method=PaymentMethod.COD)
    with reading_from(REPLICA):
        assert router.db_for_read(Purchase) == REPLICA
        purchase._state.db = REPLICA  # as if it had been read there
        assert router.db_for_write(Purchase, instance=purchase) == MONEY
        with transaction.atomic():
            assert router.db_for_read(Purchase) == MONEY
        assert router.allow_relation(purchase, Payment(purchase=purchase))

    assert router.db_for_read(Payment, instance=purchase) == MONEY


def test_rows_that_are_streamed_from_a_replica_leave_the_reads_of_others_alone() -> None:
    read = each_reading_from(REPLICA, (router.db_for_read(Payment) for _row in range(2)))

    seen = [(each, router.db_for_read(Payment)) for each in read]

    assert seen == [(REPLICA, MONEY)] * 2


def test_the_users_that_the_flow_asks_about_are_the_current_ones(shop: FakeShop) -> None:
    assert current(get_user_model().objects).db == MONEY
    assert flow.find_members(["staff1@shop.example"]) == {"staff1@shop.example": ["1"]}
