"""Invoices on the desk: issued with the buyer, printed with copies marked, listed with sums, exported."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from wagtail.models import ModelLogEntry

from loyalink_khalti import flow
from loyalink_khalti.backoffice.invoices.order import BuyerForm
from loyalink_khalti.backoffice.models import InvoiceSettings
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.invoices import Invoice
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.staff.payment_search import search_purchases
from tests.backoffice.orders.conftest import Place
from tests.backoffice.pages import page_text
from tests.backoffice.staff import Desk, editor

pytestmark = pytest.mark.django_db(transaction=True)


def issued(place: Place, ref: str, **buyer: str) -> Invoice:
    purchase = place(ref)
    return flow.issue_invoice(purchase, actor="1", buyer=flow.Buyer(**{"name": "Sita Maharjan", **buyer}))


def csv_of(desk: Desk, **filters: Any) -> list[str]:
    response = desk.client.get(reverse("loyalink_khalti_invoices"), {**filters, "export": "csv"})
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode("utf-8-sig").strip().splitlines()


def test_staff_issue_an_invoice_and_nothing_typed_is_lost(desk: Desk, invoicing: Any, place: Place) -> None:
    """U42 U48"""
    purchase = place()
    url = reverse("loyalink_khalti_order_invoice", args=[purchase.pk])
    wrong = desk.client.post(url, {"name": "Himal Traders", "address": "Patan", "pan": "12345"})
    assert "nine digits" in page_text(wrong)
    assert 'value="Himal Traders"' in wrong.content.decode()
    assert not Invoice.objects.exists()

    good = {"name": "Himal Traders", "address": "Patan", "pan": "६०९-८७६-५४३"}
    page = page_text(desk.client.post(url, good, follow=True))
    desk.client.post(url, {"name": "Somebody else"})

    invoice = Invoice.objects.get()
    for text in (invoice.code, "Himal Traders", "609876543", "Shown on a screen, not printed", "Rupees two thousand"):
        assert text in page
    assert "Tax invoice" not in page
    assert ModelLogEntry.objects.filter(action="loyalink_khalti.issue_invoice").count() == 1
    order = page_text(desk.open("loyalink_khalti_order", purchase.pk))
    assert invoice.code in order
    assert "Packing slip" in order


def test_an_order_is_found_by_its_invoice(desk: Desk, invoicing: Any, place: Place) -> None:
    """U48"""
    invoice = issued(place, "a")

    found = search_purchases(Purchase.objects.all(), invoice.code.lower())

    assert [each.pk for each in found] == [invoice.purchase_id]


def test_only_with_the_confirmed_approval_is_it_a_tax_invoice(desk: Desk, invoicing: Any, place: Place) -> None:
    """U49"""
    InvoiceSettings.objects.update(is_approved=True)

    assert issued(place, "a").document["title"] == "tax_invoice"


@pytest.mark.parametrize(("typed", "is_valid"), [("", True), ("301234567", True), ("000000000", False), ("x", False)])
def test_the_buyers_pan_has_nine_digits(typed: str, is_valid: bool) -> None:
    """U41"""
    assert BuyerForm({"name": "", "address": "", "pan": typed}).is_valid() is is_valid


def test_copies_are_marked(desk: Desk, invoicing: Any, place: Place) -> None:
    """U47"""
    invoice = issued(place, "a")

    pages = [
        page_text(desk.post("loyalink_khalti_invoice_print", invoice.pk, key=key)) for key in ("a", "a", "b", "c")
    ]

    marks = [next((n for n in "123" if f"Copy {n} of original" in page), "") for page in pages]
    assert marks == ["", "", "1", "2"]
    assert not any("Shown on a screen" in page for page in pages)
    pdf = desk.client.get(reverse("loyalink_khalti_invoice_pdf", args=[invoice.pk, 2]))
    assert (pdf["Content-Type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert desk.client.get(reverse("loyalink_khalti_invoice_pdf", args=[invoice.pk, 3])).status_code == 404


def test_the_register_sums_with_credit_notes_below_zero(desk: Desk, invoicing: Any, place: Place) -> None:
    """U44 U48"""
    first = issued(place, "a", pan="609876543")
    issued(place, "b")
    flow.mark_received(Purchase.objects.get(ref="a"), actor="1")
    flow.refund_order(first.purchase, subtotal=Paisa(100_000), shipping=Paisa(0), key="r", actor="1")

    page = page_text(desk.open("loyalink_khalti_invoices"))
    rows = csv_of(desk)

    assert "−Rs 1,000.00" in page
    assert "Rs 4,000.00" in page
    year = first.document["fiscal_year"]
    assert rows[0].startswith("Date (AD),Date (BS),Fiscal year,Number")
    assert rows[1].split(",")[3:6] == [f"CN-{year}-00001", "Credit note", first.code]
    assert rows[3].split(",")[7:13] == ["Sita Maharjan", "609876543", "2212.39", "287.61", "2500.00", "1000.00"]
    assert rows[4].split(",")[9:13] == ["3539.82", "460.18", "4000.00", "1000.00"]
    assert len(csv_of(desk, kind="credit_note")) == 3
    assert len(csv_of(desk, text="609-876-543", fiscal_year=year)) == 4
    assert desk.client.get(reverse("loyalink_khalti_invoices"), {"export": "xlsx"}).status_code == 200


def test_a_list_of_any_length_takes_the_same_statements(
    desk: Desk, invoicing: Any, place: Place, django_assert_max_num_queries: Any
) -> None:
    """U48"""
    counts = []
    for ref in ("a", "b", "c", "d"):
        issued(place, ref)
        with django_assert_max_num_queries(60) as found:
            desk.open("loyalink_khalti_invoices")
        counts.append(len(found))

    assert len(set(counts[1:])) == 1


def test_a_packing_slip_has_no_prices(desk: Desk, invoicing: Any, place: Place) -> None:
    """U49"""
    purchase = place()
    slip = desk.open("loyalink_khalti_packing_slip", purchase.pk)

    assert "Fountain pen" in page_text(slip)
    assert "Sita Maharjan" in page_text(slip)
    assert "Rs" not in page_text(slip.select_one(".lk-paper"))
    pdf = desk.client.get(reverse("loyalink_khalti_packing_slip_pdf", args=[purchase.pk]))
    assert pdf.content.startswith(b"%PDF-")


def test_without_the_permission_there_are_no_invoices(desk: Desk, invoicing: Any, place: Place) -> None:
    """U48"""
    invoice, other = issued(place, "a"), Desk(editor())

    other.open("loyalink_khalti_invoices", status=403)
    other.open("loyalink_khalti_invoice", invoice.pk, status=403)
    other.post("loyalink_khalti_invoice_print", invoice.pk, key="a", status=403)
    assert invoice.code not in page_text(other.open("loyalink_khalti_order", invoice.purchase_id))
    assert not invoice.prints.exists()
    assert User.objects.filter(username="maya").exists()
