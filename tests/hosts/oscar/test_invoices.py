"""Invoices of Oscar's orders: whom they name, and where the dashboard and the receipt link to them."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import InvoiceSettings
from loyalink_khalti.flow import audit
from loyalink_khalti.payments.invoices import Invoice

from .conftest import Customer, Store, only_order, only_purchase, order_page

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]


def test_an_order_of_oscar_has_its_invoice_with_address_and_links(store: Store, sita: Customer) -> None:
    """U42 U46"""
    site = Site.objects.get(is_default_site=True)
    InvoiceSettings.objects.create(site=site, pan="301234567", is_vat_registered=True, issue_when="placed")
    sita.buy(store.notebook, method="bank_transfer", points=500)

    invoice = Invoice.objects.get()
    assert (invoice.purchase, invoice.total, invoice.vat) == (only_purchase(), 45_000, 5_177)
    buyer: Any = invoice.document["buyer"]
    assert buyer["name"]
    assert buyer["address"]
    assert invoice.document["rows"][-1]["kind"] == "points"
    staff = Client()
    boss = get_user_model().objects.create_superuser("boss", "boss@example.com", "boss-password")
    staff.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    page = staff.get(order_page(only_order())).content.decode()
    assert invoice.code in page
    assert "Packing slip" in page
    assert flow.receipt(only_purchase()).is_placed
    assert audit()["ok"]
