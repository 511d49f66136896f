"""The counter of the fake shop: sales as staff type them, and the code of a member's card."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from loyalink_khalti import flow
from loyalink_khalti.flow.counter.sales import CounterOrder, RecordedSale
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.counter_sales import CounterMethod

MAYA, BINA = "3", "4"
"""Two colleagues (``tests.purchases.create_staff``)."""
Sell = Callable[..., RecordedSale]


def bill(**changes: Any) -> CounterOrder:
    """A bill of Rs 1,250 in cash; without a member."""
    return CounterOrder(
        **{
            "site_key": "default", "bill_number": uuid4().hex[:8], "bill_day": date(2026, 12, 1),
            "amount": Paisa(125_000), "method": CounterMethod.CASH, "phone": "9841234567", **changes,
        }
    )  # fmt: skip


def to_member(member_id: str, **changes: Any) -> CounterOrder:
    return bill(member_id=member_id, phone="", **changes)


def redeeming(member_id: str, points: int, **changes: Any) -> CounterOrder:
    """A bill on which a member redeems points with a fresh code of their card."""
    code = flow.show_counter_code(site_key="default", member_id=member_id).digits
    return to_member(member_id, points=Points(points), **{"code": code, **changes})


def sell(order: CounterOrder, *, key: str = "", by: str = MAYA, **more: Any) -> RecordedSale:
    return flow.record_counter_sale(order, key=key or uuid4().hex, actor=by, **more)


def refund(recorded: RecordedSale, rupees: int, *, key: str = "", by: str = MAYA, **more: Any) -> Any:
    return flow.refund_counter_sale(
        recorded.sale.pk,
        Paisa(rupees * 100),
        key=key or uuid4().hex,
        reason="returned",
        method="cash",
        actor=by,
        **more,
    )


def audit() -> list[str]:
    return [f"{each.invariant} {each.subject}: {each.detail}" for each in flow.audit_violations()]


@pytest.fixture(autouse=True)
def _nothing_is_broken(request: pytest.FixtureRequest, transactional_db: None) -> Any:
    """After every test the till and the points agree."""
    yield
    if "breaks_an_invariant" not in request.node.name:
        assert audit() == []
