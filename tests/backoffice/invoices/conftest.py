"""Orders of a shop that issues invoices, and an accountant."""

import pytest
from wagtail.models import Site

from loyalink_khalti.backoffice.models import InvoiceSettings
from tests.backoffice.orders.conftest import (
    account,
    begin,
    fake_shop,
    flagged,
    khalti,
    member,
    no_call_in_a_transaction,
    place,
    shop,
    urls,
    waiting,
)
from tests.backoffice.staff import Desk, accountant

__all__ = [
    "account", "begin", "fake_shop", "flagged", "khalti", "member", "no_call_in_a_transaction", "place", "shop",
    "urls", "waiting",
]  # fmt: skip


@pytest.fixture
def desk(urls: None) -> Desk:
    return Desk(accountant())


@pytest.fixture
def invoicing() -> InvoiceSettings:
    """The settings of a shop whose staff issue its invoices."""
    site = Site.objects.get(is_default_site=True)
    return InvoiceSettings.objects.create(site=site, pan="301234567", is_vat_registered=True, issue_when="staff")
