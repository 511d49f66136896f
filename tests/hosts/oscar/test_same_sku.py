"""Two lines of one SKU are two lines: in the order, in its refunds and in stock."""

from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import transaction
from django.test import Client
from oscar.core.loading import get_model

from loyalink_khalti import flow
from loyalink_khalti.hosts.oscar.shop import OscarShop
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Refund
from loyalink_khalti.payments.states import RefundState
from loyalink_khalti.ports import Paid, PaymentMethod, ReleaseReason
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Store, only_order, only_purchase, payment_of, text
from .test_dashboard_refunds import form_of, preview, refund, where

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]


@pytest.fixture
def of_two_partners(store: Store, guest: Customer, khalti: Simulator) -> list[Any]:
    """Two inks for Rs 300 and Rs 90, both with the SKU "INK" of their own partner, in one paid order."""
    dear = store.add("Violet ink", "INK", rupees="300.00", stock=10)
    store.partner = get_model("partner", "Partner").objects.create(name="Patan Inks")
    cheap = store.add("Brown ink", "INK", rupees="90.00", stock=10)
    payment = payment_of(guest.buy(dear, cheap))
    khalti.pay(payment.pidx or "")
    guest.return_from_khalti(payment)
    return [dear, cheap]


@pytest.fixture
def engraved(store: Store, sita: Customer, khalti: Simulator) -> Any:
    """One pen with two engravings, in one paid order."""
    engraving = get_model("catalogue", "Option").objects.create(name="Engraving", code="engraving", type="text")
    store.kind.options.add(engraving)
    for name in ("Sita", "Gita"):
        sita.browser.post(f"/shop/basket/add/{store.pen.pk}/", {"quantity": 1, "engraving": name})
    sita.go_to_payment()
    sita.choose("khalti")
    payment = payment_of(sita.place())
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    return store.pen


def rows(staff: Client) -> list[list[str]]:
    """Return the cells of the refund form: title and SKU, price, ordered, left."""
    page = staff.get(where(only_order()))
    form = BeautifulSoup(page.content.decode(), "html.parser").find("button", attrs={"value": "preview"})
    cells = [row.find_all("td") for row in form.find_parent("form").find_all("tr")]  # type: ignore[union-attr]
    return [[" ".join(cell.get_text().split()) for cell in row[:4]] for row in cells if row]


def test_products_of_two_partners_with_one_sku_are_refunded_and_restocked_each_by_itself(
    store: Store, of_two_partners: list[Any], staff: Client
) -> None:
    """M13"""
    dear, cheap = of_two_partners
    assert rows(staff) == [
        ["Violet ink INK", "Rs 300.00", "1", "1"],
        ["Brown ink INK", "Rs 90.00", "1", "1"],
    ]
    assert "1 × Brown ink" in text(preview(staff, only_order(), quantity_1="1"))

    refund(staff, only_order(), quantity_1="1")

    assert Refund.objects.get().amount == 9_000
    assert (store.stock(dear), store.stock(cheap)) == (9, 10)
    assert [row[-1] for row in rows(staff)] == ["1", "0"]


def test_one_product_with_two_engravings_is_two_rows_that_staff_can_tell_apart(
    store: Store, engraved: Any, staff: Client
) -> None:
    """M13"""
    assert [row[0] for row in rows(staff)] == [
        "Gel pen (Engraving: Sita) PEN-01", "Gel pen (Engraving: Gita) PEN-01"
    ]  # fmt: skip
    first, second = only_order().lines.order_by("pk")

    refund(staff, only_order(), quantity_1="1")

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.num_allocated, second.num_allocated) == (1, 0)
    assert store.stock(engraved) == 49
    assert [row[-1] for row in rows(staff)] == ["1", "0"]
    assert form_of(staff.get(where(only_order())), "preview")["seen_refund"] != "0"


def test_the_frozen_cart_names_the_lines_of_the_order(engraved: Any) -> None:
    """M13"""
    lines = only_purchase().frozen_cart.lines

    assert [line.id for line in lines] == [
        str(pk) for pk in only_order().lines.order_by("pk").values_list("pk", flat=True)
    ]
    assert {line.sku for line in lines} == {"PEN-01"}


def test_an_engraving_is_erased_with_the_customer(engraved: Any, sita: Customer) -> None:
    """M13: it is what the customer typed."""
    _head, exported = flow.export_personal_data(flow.member_subject(str(sita.user.pk)))
    assert "Engraving: Sita" in str(list(exported))

    flow.erase_personal_data(flow.member_subject(str(sita.user.pk)), actor="999")

    assert "Sita" not in str(only_purchase().cart)
    assert [line.name for line in only_purchase().frozen_cart.lines] == ["Gel pen", "Gel pen"]


def test_a_cart_and_a_refund_from_before_lines_had_an_id_go_by_sku(
    store: Store, sita: Customer, staff: Client, khalti: Simulator
) -> None:
    """M13: a purchase of the version before, a part of it refunded by that version."""
    sita.add(store.notebook)
    payment = payment_of(sita.buy(store.notebook, store.pen))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    purchase = only_purchase()
    purchase.line_details = None
    purchase.save(update_fields=["line_details"])
    flow.refund_order(
        purchase, subtotal=Paisa(50_000), shipping=Paisa(0), key="old", actor="999", lines=[("LOKTA-A5", 1)]
    )

    assert dict(refunds.refundable(purchase).lines) == {"LOKTA-A5": 1, "PEN-01": 1}
    flow.refund_order(
        purchase, subtotal=Paisa(3_500), shipping=Paisa(0), key="new", actor="999", lines=[("PEN-01", 1)]
    )

    assert dict(refunds.refundable(purchase).lines) == {"LOKTA-A5": 1}
    assert (store.stock(store.notebook), store.stock(store.pen)) == (19, 50)
    assert [row[-1] for row in rows(staff)] == ["1", "0"]


def test_a_refund_that_the_version_before_requested_by_sku_counts_and_restocks(
    store: Store, sita: Customer, khalti: Simulator
) -> None:
    """R9: its workers may still run, and refund an order of this version."""
    sita.add(store.notebook)
    payment = payment_of(sita.buy(store.notebook, store.pen))
    khalti.pay(payment.pidx or "")
    sita.return_from_khalti(payment)
    purchase = only_purchase()
    notebooks = {line.sku: line.id for line in purchase.frozen_cart.lines}
    stock = store.stock(store.notebook)
    Refund.objects.create(
        purchase=purchase, key="by sku", state=RefundState.DONE, subtotal=50_000, shipping=0, amount=50_000,
        lines=[["LOKTA-A5", 1, True]],
    )  # fmt: skip

    flow.apply_refund(Refund.objects.get())

    left = refunds.refundable(purchase).lines
    assert dict(left) == {notebooks["LOKTA-A5"]: 1, notebooks["PEN-01"]: 1}
    assert store.stock(store.notebook) == stock + 1


def test_a_late_payment_takes_the_engraving_that_was_bought_out_of_the_open_basket(
    store: Store, sita: Customer
) -> None:
    """M13: the customer has replaced the engraving in the basket since; the new one was not bought."""
    engraving = get_model("catalogue", "Option").objects.create(name="Engraving", code="engraving", type="text")
    store.kind.options.add(engraving)
    sita.browser.post(f"/shop/basket/add/{store.pen.pk}/", {"quantity": 1, "engraving": "Sita"})
    sita.go_to_payment()
    sita.choose("khalti")
    order_ref = payment_of(sita.place()).purchase.ref
    with transaction.atomic():
        OscarShop().release(order_ref, release_reason=ReleaseReason.EXPIRED, customer_present=True)
    only_order().basket.lines.all().delete()
    sita.browser.post(f"/shop/basket/add/{store.pen.pk}/", {"quantity": 1, "engraving": "Gita"})

    with transaction.atomic():
        paid = Paid(
            method=PaymentMethod.KHALTI, amount=Paisa(3_500), transaction_id="T1", at=only_purchase().created_at
        )
        OscarShop().confirm(order_ref, paid=paid)

    assert sita.lines() == [("Gel pen", 1)]
    assert Decimal(only_order().total_incl_tax) == 35
