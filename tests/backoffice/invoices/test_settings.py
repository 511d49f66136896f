"""Settings, Invoices: what is refused, and who has confirmed the approval of the tax office."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.backoffice.models import InvoiceSettings, ShopDetails
from loyalink_khalti.payments.invoices import InvoiceSeries
from tests.backoffice.staff import staff_user

pytestmark = pytest.mark.django_db

FORM = {
    "pan": "301234567", "prices_include_vat": "on", "points_as": "discount", "issue_when": "paid", "language": "",
    "prefix": "", "first_number": "1",
}  # fmt: skip


def form(user: User | None = None, **values: Any) -> Any:
    """The bound form of the setting, as Wagtail makes it."""
    site = Site.objects.get(is_default_site=True)
    instance, _created = InvoiceSettings.objects.get_or_create(site=site)
    kind = InvoiceSettings.edit_handler.bind_to_model(InvoiceSettings).get_form_class()
    return kind({**FORM, **values}, instance=instance, for_user=user)


def test_a_pan_switches_invoices_on(db: None) -> None:
    """U41"""
    assert not conf.invoice_settings("default").is_on

    bound = form(pan="३०१-२३४-५६७", prefix="S-")
    assert bound.is_valid(), bound.errors
    bound.save()

    found = conf.invoice_settings("default")
    assert (found.is_on, found.pan, found.prefix) == (True, "301234567", "S-")
    assert not found.is_tax_invoice


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"pan": "12345678"}, "pan"),
        ({"pan": "000000000"}, "pan"),
        ({"prefix": "क-"}, "prefix"),
        ({"prefix": "=1"}, "prefix"),
        ({"first_number": "0"}, "first_number"),
        ({"is_approved": "on"}, "is_approved"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, str], field: str) -> None:
    """U41"""
    assert list(form(**values).errors) == [field]


def test_two_numbers_of_one_shop_are_refused() -> None:
    """U41"""
    site = Site.objects.get(is_default_site=True)
    ShopDetails.objects.create(site=site, registration_kind="vat", registration_number="609876543")

    assert list(form().errors) == ["pan"]
    assert form(pan="609876543").is_valid()


def test_the_start_of_a_series_cannot_change_after_the_first_invoice() -> None:
    """U40"""
    InvoiceSeries.objects.create(pan="301234567", fiscal_year="2083/84", kind="invoice")

    assert list(form(first_number="9").errors) == ["first_number"]
    assert form(first_number="1").is_valid()


def test_who_confirms_the_approval_is_kept() -> None:
    """U49"""
    owner = staff_user("kamala", is_superuser=True)
    bound = form(owner, is_vat_registered="on", is_approved="on")
    assert bound.is_valid(), bound.errors

    row = bound.save()

    assert (row.approved_by, row.approved_by_name, row.approved_at is not None) == (str(owner.pk), "kamala", True)
    assert conf.invoice_settings("default").is_tax_invoice
    withdrawn = form(owner, is_vat_registered="on")
    assert withdrawn.is_valid()
    assert withdrawn.save().approved_at is None
