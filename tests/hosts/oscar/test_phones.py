"""M17: a phone number that is not a Nepali mobile keeps its country, is not sent to Khalti, and is found as typed."""

from typing import Any

import pytest

from loyalink_khalti.khalti.wire import Initiate
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase
from tests.migrating import migrate, migrate_to_before

from .conftest import Customer, Store, only_purchase

pytestmark = [pytest.mark.money, pytest.mark.sampled]

FOREIGN, LANDLINE = "+91 98412 34567", "+977 1-4412345"


def sent(phone: str) -> str | None:
    """Return the phone number that Khalti gets with a payment."""
    order: dict[str, Any] = dict.fromkeys(
        ("return_url", "website_url", "purchase_order_id", "purchase_order_name"), "x"
    )
    wire = Initiate(**order, amount=Paisa(1000), name="Sita", phone=phone).to_wire()
    found: str | None = wire["customer_info"].get("phone")
    return found


@pytest.mark.parametrize(
    ("typed", "stored", "at_khalti"),
    [
        ("9841234567", "+9779841234567", "9841234567"),
        ("+977 984-123-4567", "+9779841234567", "9841234567"),
        ("९८४१२३४५६७", "+9779841234567", "9841234567"),
        ("+91 98412 34567", FOREIGN, None),
        ("+977 1 4412345", LANDLINE, None),
    ],
)
def test_only_a_nepali_mobile_is_stored_as_one_and_sent_to_khalti(
    typed: str, stored: str, at_khalti: str | None, store: Store, guest: Customer
) -> None:
    """M17"""
    guest.phone = typed

    guest.buy(store.notebook)

    purchase = only_purchase()
    assert purchase.frozen_cart.customer.phone == stored
    assert sent(stored) == at_khalti
    assert Purchase.objects.filter(search_text__matches=typed).get() == purchase


@pytest.mark.django_db(transaction=True)
def test_phones_that_were_stored_without_their_country_are_corrected(store: Store, guest: Customer) -> None:
    """M17: Rows as the version before the migration stored them; the order has the number as it was typed."""
    numbers = {}
    for name, typed in (("foreign", FOREIGN), ("landline", LANDLINE), ("mobile", "9841234567"), ("erased", FOREIGN)):
        customer = Customer(f"{name}@example.com")
        customer.phone = typed
        customer.buy(store.notebook, method="cod")
        numbers[name] = Purchase.objects.latest("pk")
    for name, stored in (
        ("foreign", "9841234567"),
        ("landline", "14412345"),
        ("mobile", "9841234567"),
        ("erased", ""),
    ):
        row = numbers[name]
        row.cart["customer"]["phone"], row.search_text = stored, f"{row.ref} {stored}".strip()
        row.save()
    migrate_to_before("phones_as_typed")

    migrate()

    phones = {name: Purchase.objects.get(pk=row.pk).frozen_cart.customer.phone for name, row in numbers.items()}
    assert phones == {"foreign": FOREIGN, "landline": LANDLINE, "mobile": "9841234567", "erased": ""}
    assert Purchase.objects.get(search_text__matches="+91 98412 34567") == numbers["foreign"]
    assert Purchase.objects.get(search_text__matches="+977 1-4412345") == numbers["landline"]
