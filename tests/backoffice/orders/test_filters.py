"""The filters of the list of orders by method, amount, tier, period and review; each without a page."""

import pytest
from django.http import QueryDict

from loyalink_khalti import flow
from loyalink_khalti.backoffice.orders import conditions
from loyalink_khalti.backoffice.orders.filters import OrderFilters
from loyalink_khalti.backoffice.orders.listing import COLUMNS
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import PaymentMethod
from tests.backoffice.orders.conftest import Place

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def orders(paid: Payment, flagged: Payment, place: Place, account: Account) -> None:
    """A member's payment, a flagged one, an order by cash, and a transfer with a surplus."""
    Account.objects.filter(pk=account.pk).update(tier="Gold")
    place("C-1")
    transfer = place("T-1", PaymentMethod.BANK_TRANSFER)
    flow.record_received(
        transfer, amount=Paisa(260_000), received_on=day_of(transfer.created_at), key="k", actor="1"
    )  # fmt: skip


def filtered(query: str) -> list[str]:
    filters = OrderFilters(
        QueryDict(query), queryset=Purchase.objects.order_by("pk"), versions=ledger.current_versions()
    )
    assert filters.is_valid(), filters.errors
    return [purchase.ref for purchase in filters.qs]


FOUND = {
    "method=cod": ["C-1"],
    "method=cod&method=bank_transfer": ["C-1", "T-1"],
    "amount_to=2,499.99": ["N-1001"],
    "amount_from=२,५००&amount_to=Rs 2500/-": ["N-1002", "C-1", "T-1"],
    "tier=Gold": ["N-1001"],
    "tier=guest": ["N-1002", "C-1", "T-1"],
    "tier=Silver": [],
    "needs_review=true": ["N-1002", "T-1"],
    "needs_review=false": ["N-1001", "C-1"],
    "environment=test": ["N-1001", "N-1002"],
    "state=to_pay&state=paid": ["N-1001", "C-1", "T-1"],
    "period=today": ["N-1001", "N-1002", "C-1", "T-1"],
    "period=yesterday": [],
}
"""The orders by filter."""


def test_a_filter_finds_its_orders(orders: None) -> None:
    """U1, U3"""
    assert {query: filtered(query) for query in FOUND} == FOUND


def test_every_column_that_can_be_sorted_by_has_its_order(orders: None) -> None:
    """U1"""
    keys = {f"{sign}{column.sort_key}" for column in COLUMNS if column.sort_key for sign in ("", "-")}

    assert keys == set(conditions.ORDERINGS)
    by_amount = Purchase.objects.order_by(*conditions.ORDERINGS["amount_due"])
    by_number = Purchase.objects.order_by(*conditions.ORDERINGS["-number"])
    assert by_amount[0].ref == "N-1001"
    assert [each.number for each in by_number] == sorted((each.number for each in by_number), reverse=True)
