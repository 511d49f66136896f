"""Two clicks at the same moment, and two shops with one wallet."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop, fake_shop
from tests.purchases import at_once

from .site.models import Tea
from .store import Customer, Store, available, new_member

__all__ = ["fake_shop"]

pytestmark = pytest.mark.money


@pytest.mark.parametrize("method", ["khalti", "cod"])
def test_two_clicks_at_once_are_one_order(method: str, store: Store, maya: Customer) -> None:
    """S4"""
    maya.add(store.green, 3)

    answers = at_once(2, lambda _number: maya.check_out(method))

    refs = {answer.json().get("ref") for answer in answers if answer.status_code == 201}  # type: ignore[union-attr]
    refused = [answer.status_code for answer in answers if answer.status_code != 201]  # type: ignore[union-attr]
    assert refs == set(Purchase.objects.values_list("ref", flat=True))
    assert (len(refs), store.stock()["GREEN"], set(refused) <= {400, 402}) == (1, 17, True)


def test_the_last_piece_is_sold_to_one_of_two_customers_at_once(store: Store, maya: Customer) -> None:
    """S6"""
    ram = new_member("ram@example.com")
    Tea.objects.filter(pk=store.green.pk).update(stock=1)
    customers = [maya, ram]
    for customer in customers:
        customer.add(store.green)

    answers = at_once(2, lambda number: customers[number].check_out("cod"))

    assert sorted(answer.status_code for answer in answers) == [201, 402]  # type: ignore[union-attr]
    assert store.stock()["GREEN"] == 0


def test_two_shops_in_one_project_share_one_wallet(store: Store, maya: Customer, fake_shop: FakeShop) -> None:
    """S10"""
    other = fake_shop.cart(member_id=str(maya.user.pk), points_redeemed=Points(1000))
    flow.place_order(fake_shop.freeze(other), method=PaymentMethod.COD)
    maya.add(store.green)

    shown = maya.get("payment/khalti/points/").json()
    too_many = maya.put("payment/khalti/points/", {"points": 1000})
    maya.put("payment/khalti/points/", {"points": 200})
    maya.check_out("cod")

    assert (shown["balance"], too_many.status_code, available(maya)) == (200, 400, 0)
    assert len(list(flow.audit_rows()["orders"])) == 2
    assert not list(flow.audit_violations())
