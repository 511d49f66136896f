"""H08: Oscar reads its pages from a replica, and no order, basket or stock."""

import pytest
from django.apps import apps

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.simulator import Simulator
from tests.replicas import empty_replica

from .conftest import Customer, Store, only_order

__all__ = ["empty_replica"]

pytestmark = pytest.mark.money


@pytest.fixture
def empty_tables(store: Store, empty_replica: None) -> None:
    """Begin to read from the replica once the shop has its products."""


@pytest.mark.usefixtures("empty_tables")
def test_a_purchase_in_oscar_reads_no_order_basket_or_stock_from_the_replica(
    store: Store, sita: Customer, khalti: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H08"""
    pages = {each.label for each in apps.get_app_configs()} - {"order", "basket", "partner", "loyalink_khalti"}
    monkeypatch.setattr("tests.replicas.READ_BY_THE_SHOP", pages)
    sita.buy(store.notebook, points=500)
    payment = Payment.objects.get()
    khalti.pay(payment.pidx or "")

    page = sita.browser.get(f"/khalti/return/{payment.token}/", follow=True)

    assert (page.status_code, only_order().status) == (200, "Paid")
    assert store.stock(store.notebook) == 19
    assert not list(flow.audit_violations())
