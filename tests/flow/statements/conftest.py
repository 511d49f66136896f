"""Statements as lists of rows, matched with payments of the fake shop."""

from typing import Any
from uuid import uuid4

import pytest

from loyalink_khalti import flow
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.statement_values import Mapping
from loyalink_khalti.payments.statements import DifferenceState, Statement, StatementDifference
from loyalink_khalti.ports import Cart, Customer
from loyalink_khalti.staff.uploaded_table import TableRow
from loyalink_khalti.testing import FakeShop
from tests.payments.test_reports import payment
from tests.purchases import fake_shop, shop

__all__ = ["fake_shop", "shop"]

MAYA, BINA = "3", "4"
MAPPING = Mapping(transaction_id=0, order_id=1, amount=2, fee=3, day=4)
DAY = "2026-11-10"


def row(transaction_id: str = "", order: str = "", rupees: str = "1000", fee: str = "30", day: str = DAY) -> list[str]:
    return [transaction_id, order, rupees, fee, day]


def match(*rows: list[str], mapping: Mapping = MAPPING, site: str = "default", **options: Any) -> Statement:
    """Upload and match a file of these rows below its headings."""
    lines = [TableRow(number, tuple(cells)) for number, cells in enumerate(rows, 2)]
    content = repr((rows, mapping, options)).encode()
    kept, _new = flow.keep_statement(content, site_key=site, name="bank.csv", digest=uuid4().hex, actor=MAYA)
    return flow.match_statement(kept, mapping, format_name="", headings="", actor=MAYA, rows=lambda: iter(lines))


def paid(number: str, transaction_id: str | None = None, *, at: str = f"{DAY}T06:00:00", **fields: Any) -> Payment:
    """A payment of Rs 1,000 with a fee of Rs 30, as the flow leaves it; its order is ``number``."""
    fields.setdefault("pidx", f"pidx-{number}")
    found = payment(f"ref-{number}", at, transaction_id=transaction_id or f"T{number}", **fields)
    found.purchase.number = number
    found.purchase.cart = Cart(
        shop="fake", ref=found.purchase.ref, origin="b", site_key=found.purchase.site_key, language="en", name="Tea",
        lines=(), shipping=Paisa(0), discount=Paisa(0), total=Paisa(100_000), customer=Customer(), member_id=None,
        points_redeemed=Points(0),
    ).to_json()  # fmt: skip
    found.purchase.save(update_fields=["number", "cart"])
    return found


def differences(state: DifferenceState = DifferenceState.OPEN) -> list[str]:
    return sorted(StatementDifference.objects.filter(state=state).values_list("kind", flat=True))


def only_difference() -> StatementDifference:
    return StatementDifference.objects.get(state=DifferenceState.OPEN)


@pytest.fixture(autouse=True)
def _shop(shop: FakeShop) -> None:
    """Every test has the shop."""
