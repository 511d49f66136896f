"""A customer's own invoice: by a signed link, and printed only by the button."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import InvoiceSettings
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.invoices import InvoicePrint
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.refunds import refundable
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.storefront.invoices import invoice_links
from loyalink_khalti.testing import FakeShop

pytestmark = [pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def link(shop: FakeShop) -> str:
    site = Site.objects.get(is_default_site=True)
    settings = InvoiceSettings.objects.create(site=site, pan="301234567", issue_when="placed", language="ne")
    assert settings.pk
    flow.place_order(shop.freeze(shop.cart()), method=PaymentMethod.COD)
    [(title, path)] = invoice_links(flow.receipt(Purchase.objects.get()))
    assert title.endswith("00001")
    return path


def test_looking_at_it_prints_nothing_and_the_button_gives_the_original_once(link: str) -> None:
    """U47"""
    client = Client()
    page = client.get(link)
    assert (page.status_code, InvoicePrint.objects.count()) == (200, 0)
    assert "PAN" in page.content.decode() or "301234567" in page.content.decode()
    assert "no-store" in page["Cache-Control"]

    for key in ("a", "a", "b"):
        assert client.post(link, {"key": key}).content.startswith(b"%PDF-")

    assert list(InvoicePrint.objects.order_by("pk").values_list("number", "actor")) == [(0, None), (1, None)]


def test_a_form_with_the_key_of_another_document_or_no_text_still_prints(link: str) -> None:
    """U47"""
    purchase = Purchase.objects.get()
    flow.refund_order(
        purchase, subtotal=refundable(purchase).subtotal, shipping=Paisa(0), key="r", actor="1", cancels=True
    )
    paths = [path for _title, path in invoice_links(flow.receipt(Purchase.objects.get()))]

    answers = [Client().post(path, {"key": key}).status_code for key in ("a", "a\0") for path in paths]

    assert (len(paths), answers) == (2, [200] * 4)


def test_an_old_link_and_a_forged_one_open_nothing(link: str) -> None:
    """U47"""
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert Client().get(link).status_code == 404
    assert Client().get(link.replace("invoice/", "invoice/x")).status_code == 404
    assert Client().post("/khalti/invoice/WzFd:1vXYZ:forged/", {"key": "a"}).status_code == 404


def test_without_invoices_a_receipt_has_no_link_and_needs_no_statement(
    shop: FakeShop, django_assert_num_queries: object
) -> None:
    """U41"""
    flow.place_order(shop.freeze(shop.cart()), method=PaymentMethod.COD)
    receipt = flow.receipt(Purchase.objects.get())
    invoice_links(receipt)  # the setting is read once for some seconds

    with django_assert_num_queries(0):  # type: ignore[operator]
        assert invoice_links(receipt) == []
