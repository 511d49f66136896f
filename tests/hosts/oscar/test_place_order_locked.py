"""Placing an order while the database is busy."""

import pytest
from django.db import connection

from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.simulator import Simulator
from tests.flow.test_database_contention import holding, limited

from .conftest import Basket, Customer, Store

pytestmark = [
    pytest.mark.money,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, and no lock_timeout"),
]


def test_placing_an_order_while_the_basket_is_locked_asks_to_try_again(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    """H04"""
    sita.add(store.notebook)
    sita.go_to_payment()
    sita.choose()
    sita.browser.raise_request_exception = False

    with limited("lock_timeout"), holding(lambda: list(Basket.objects.select_for_update())):
        answer = sita.place()

    assert (answer.status_code < 500, Purchase.objects.count()) == (True, 0)
