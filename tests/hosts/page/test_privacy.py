"""The personal data of an order of a page is exported and erased with that of its purchase."""

from dataclasses import replace

import pytest

from loyalink_khalti import flow
from loyalink_khalti.hosts.page.basket import Item
from loyalink_khalti.hosts.page.models import Order, OrderNote
from loyalink_khalti.money import Points
from loyalink_khalti.ports import PaymentMethod
from tests.hosts.page.conftest import SITA, TeaHouse, basket_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]


def test_an_order_is_exported_and_erased_with_its_purchase(house: TeaHouse) -> None:
    """W12"""
    details = replace(SITA, address="Naxal 7", note="Ring", delivery=house.courier)
    basket = basket_of(Item(page=house.trek(needs_delivery=True, stock=9).pk), details=details)
    freeze = basket.freeze(method=PaymentMethod.COD, points=Points(0), expected_due=None)
    order = Order.objects.get(number=flow.place_order(freeze, method=PaymentMethod.COD).ref)
    OrderNote.objects.create(order=order, text="Sita called", actor="7")
    guest = flow.guest_subject("sita@example.com")
    assert guest is not None

    _head, purchases = flow.export_personal_data(guest)
    exported = next(purchases)["order"]
    flow.erase_personal_data(guest)

    assert (exported["address"], exported["note"], exported["notes"][0]["text"]) == ("Naxal 7", "Ring", "Sita called")
    order.refresh_from_db()
    assert (order.name, order.email, order.phone, order.address, order.note) == ("", "", "", "", "")
    assert (order.notes.get().text, order.total, order.lines.count()) == ("", 650_00, 1)
