"""How many statements a purchase in Oscar takes on the wire, with those that begin and end transactions.

Counted are the requests and the work after their responses: Oscar's signals, its records of what customers do, and the
order mail, which are Oscar's own statements for the most part.
"""

import pytest

from loyalink_khalti.payments.models import Payment
from loyalink_khalti.simulator import Simulator
from tests.statements import own_statements, sent_statements

from .conftest import Customer, Store, payment_of

pytestmark = [pytest.mark.money, pytest.mark.on_both]


def place(customer: Customer, store: Store, *, points: int) -> tuple[Payment, list[str]]:
    """Place an order of one line, like most customers after others have bought: every kind of row exists."""
    customer.put(store.notebook)
    customer.fill_in()
    customer.choose(points=points)
    with sent_statements() as sent:
        response = customer.place()
    return payment_of(response), sent


def come_back(customer: Customer, payment: Payment) -> list[str]:
    """Come back from Khalti as a browser does, until the redirect to the thank-you page."""
    address = f"/khalti/return/{payment.token}/?pidx={payment.pidx}&status=Completed"
    with sent_statements() as sent:
        while not address.endswith("/thank-you/"):
            address = customer.browser.get(address)["Location"]
    return sent


@pytest.mark.parametrize(
    ("points", "begin", "most"), [(0, 70, 63), (200, 80, 71)], ids=["without points", "points used"]
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


@pytest.mark.same_on_both
def test_no_page_of_the_checkout_reads_anything_of_ours_twice(store: Store, sita: Customer, khalti: Simulator) -> None:
    """Settings, key, rules, balance, site, categories and pending payment; pages without a quote: the last alone.

    The basket's page reads what it earns: rules and balance in one, and categories in two.
    """
    sita.add(store.notebook)
    sita.go_to_payment()
    sita.choose(points=500)
    sita.browser.get("/shop/basket/")  # the process keeps the site's key
    pages = {"basket": 4, "checkout/shipping-method": 1, "checkout/payment-method": 11, "checkout/preview": 10}
    cost = {}
    for page in pages:
        with own_statements() as own:
            sita.browser.get(f"/shop/{page}/", follow=True)
        cost[page] = own

    assert all(len(own) == len(set(own)) for own in cost.values()), cost
    assert {page: len(own) for page, own in cost.items()} == pages, cost
