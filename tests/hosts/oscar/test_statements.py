"""How many statements a purchase in Oscar takes on the wire, with those that begin and end transactions.

Counted are the requests and the work after their responses: Oscar's signals, its records of what customers do, and the
order mail, which are Oscar's own statements for the most part.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalink_khalti.payments.models import Payment
from loyalink_khalti.simulator import Simulator

from .conftest import Customer, Store, payment_of

pytestmark = pytest.mark.money


def statements(call: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Return what a call returns, and the statements that it sends."""
    with CaptureQueriesContext(connection) as captured:
        result = call()
    return result, [query["sql"] for query in captured.captured_queries]


def place(customer: Customer, store: Store, *, points: int) -> tuple[Payment, list[str]]:
    """Place an order of one line, like most customers after others have bought: every kind of row exists."""
    customer.put(store.notebook)
    customer.fill_in()
    customer.choose(points=points)
    response, sent = statements(customer.place)
    return payment_of(response), sent


def come_back(customer: Customer, payment: Payment) -> list[str]:
    """Come back from Khalti as a browser does, until the redirect to the thank-you page."""
    address, sent = f"/khalti/return/{payment.token}/?pidx={payment.pidx}&status=Completed", []
    while not address.endswith("/thank-you/"):
        response, more = statements(lambda address=address: customer.browser.get(address))  # type: ignore[misc]
        sent += more
        address = response["Location"]
    return sent


@pytest.mark.parametrize(
    ("points", "begin", "most"), [(0, 80, 73), (200, 94, 83)], ids=["without points", "points used"]
)
def test_a_purchase_takes_a_bounded_number_of_statements_on_the_wire(
    store: Store, sita: Customer, khalti: Simulator, points: int, begin: int, most: int
) -> None:
    earlier, _sent = place(sita, store, points=points)
    khalti.pay(earlier.pidx or "")
    come_back(sita, earlier)

    payment, placing = place(sita, store, points=points)
    khalti.pay(payment.pidx or "")
    returning = come_back(sita, payment)

    assert len(placing) <= begin, "\n".join([str(len(placing)), *placing])
    assert len(returning) <= most, "\n".join([str(len(returning)), *returning])
