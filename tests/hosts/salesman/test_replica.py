"""H08: Salesman reads from a replica, and no order and no basket."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.simulator import Simulator
from tests.replicas import READ_BY_THE_SHOP, empty_replica

from .store import Customer, Store, only_purchase, order_of

__all__ = ["empty_replica"]

pytestmark = [pytest.mark.money, pytest.mark.usefixtures("empty_replica")]


def test_a_purchase_in_salesman_reads_no_order_and_no_basket_from_the_replica(
    store: Store, guest: Customer, khalti: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H08"""
    monkeypatch.setattr("tests.replicas.READ_BY_THE_SHOP", READ_BY_THE_SHOP | {"salesman_site"})
    answer = guest.buy(store.green, store.green).json()
    khalti.pay(Payment.objects.get().pidx or "")

    status = guest.get(f"payment/khalti/payments/{answer['payment']}/").json()

    assert (status["outcome"], order_of(only_purchase()).status) == ("paid", "PROCESSING")
    assert not list(flow.audit_violations())
