"""Checks of invoices, for a shop that has entered a PAN."""

from typing import Any

import pytest
from django.core.checks import run_checks
from wagtail.models import Site

from loyalink_khalti import bikram_sambat
from loyalink_khalti.backoffice.models import InvoiceSettings
from loyalink_khalti.checks import sites as checked

pytestmark = pytest.mark.django_db


def found(pan: str) -> list[str]:
    InvoiceSettings.objects.update_or_create(site=Site.objects.get(is_default_site=True), defaults={"pan": pan})
    messages = run_checks(databases=["default"])
    ours = {"loyalink_khalti.E078", "loyalink_khalti.E079", "loyalink_khalti.W080"}
    return sorted(str(each.id) for each in messages if each.id in ours)


def test_a_pan_that_is_none_is_named() -> None:
    """U41"""
    assert found("") == found("301234567") == []
    assert found("30123456") == ["loyalink_khalti.E078"]


def test_missing_libraries_are_named_where_invoices_are_on(monkeypatch: Any) -> None:
    """U41"""
    monkeypatch.setattr(bikram_sambat, "find_spec", lambda _name: None)
    monkeypatch.setattr(checked, "can_make_pdf", lambda: False)

    assert found("") == []
    assert found("301234567") == ["loyalink_khalti.E079", "loyalink_khalti.W080"]
