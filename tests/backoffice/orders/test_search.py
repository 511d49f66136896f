"""An order is found by whatever is printed anywhere, however it is typed."""

from collections.abc import Callable

import pytest

from loyalink_khalti import flow
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Customer, PaymentMethod
from loyalink_khalti.staff import payment_search
from loyalink_khalti.staff.payment_search import search_purchases
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, fake_shop, khalti, no_call_in_a_transaction, shop

__all__ = ["fake_shop", "khalti", "no_call_in_a_transaction", "shop"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def orders(shop: FakeShop, khalti: Khalti) -> None:
    """Sita has paid at Khalti at her second attempt, and Ram by bank transfer; Gita's phone is a landline."""
    sita = Customer(name="Sita Maharjan", email="Sita@Example.com", phone="984-1000001")
    first = flow.begin_payment(shop.freeze(shop.cart("100042", customer=sita)))
    second = Payment.objects.create(
        purchase=first.purchase, credentials=first.credentials, environment="test", attempt=2, amount=250_000,
        pidx="bZQLD9wRVWo4CdESSfuSsB", transaction_id="GFq9PFS7b2iYvL8LirSita", state="released",
    )  # fmt: skip
    assert second.purchase_order_id == "100042-2"
    ram = Customer(name="राम श्रेष्ठ", email="ram@example.com", phone="+977 9841000002")
    transfer = flow.place_order(shop.freeze(shop.cart("A-7", customer=ram)), method=PaymentMethod.BANK_TRANSFER)
    day = day_of(transfer.created_at)
    flow.record_received(
        transfer, amount=Paisa(100), received_on=day, key="k", actor="1", reference="NIC Asia 77/8"
    )  # fmt: skip
    gita = Customer(name="Gita Tamang", email="gita@example.com", phone="01-5551234")
    flow.place_order(shop.freeze(shop.cart("A-8", customer=gita)), method=PaymentMethod.COD)


def refs(query: str) -> set[str]:
    return set(search_purchases(Purchase.objects.all(), query).values_list("ref", flat=True))


SITA, RAM, GITA = {"100042"}, {"A-7"}, {"A-8"}


TYPED: list[tuple[set[str], list[str]]] = [
    (SITA, ["100042", "#100042", "१०००४२", "100042-1", "100042-2", " 100042-2 ", "#100042-2"]),
    (SITA, ["GFq9PFS7b2iYvL8LirSita", "gfq9pfs7b2iyvl8lirsita", "GFQ9 PFS7b2iY vL8LirSita"]),
    (SITA, ["bZQLD9wRVWo4CdESSfuSsB", "BZQLD9WRVWO4CDESSFUSSB"]),
    (SITA, ["9841000001", "984 1000001", "984-1000001", "+9779841000001", "+977 984-100-0001", "009779841000001"]),
    (SITA, ["977 9841000001", "(977) 984.100.0001", "०९८४१०००००१", "tel:+977-9841000001", "Phone: 9841000001"]),
    (SITA, ["sita@example.com", "maharjan sita", "SITA", "sita 9841"]),
    (RAM, ["A-7", "a-7", "N-A-7", "राम", "nic asia 77/8", "NIC ASIA 77/8", "०९८४१०००००२", "9779841000002"]),
    (GITA, ["01-5551234", "015551234", "+977-1-5551234", "tamang"]),
    (set(), ["100042-3", "A-7-1", "GFq9PFS7b2iYvL8LirSitaX", "9841000009"]),
]
"""The orders, and what was typed for them."""


def test_an_order_is_found_however_it_is_typed(orders: None) -> None:
    """U2"""
    expected = {query: found for found, typed in TYPED for query in typed}

    assert {query: refs(query) for query in expected} == expected


def test_a_part_that_prints_numbers_of_its_own_finds_them(
    orders: None, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """U2"""
    gita = Purchase.objects.get(ref="A-8")
    finder: Callable[[str], list[int]] = lambda typed: [gita.pk] if typed == "INV-83/84-1" else []  # noqa: E731
    monkeypatch.setattr(payment_search, "FINDERS", [finder])

    assert refs("INV-83/84-1") == GITA
