"""Redeem points, pay, and refund a third three times in the dashboard: money and points sum exactly."""

from typing import Any

import pytest

from tests.stories.browser_session import BrowserSession, Page
from tests.stories.running_store import Store

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled, pytest.mark.timeout(240)]

JOURNAL = "Lokta paper journal"
SITA = "sita@example.com"


def buy(customer: BrowserSession, method: str, *, quantity: int = 1, points: str | None = None) -> Page:
    customer.add(JOURNAL, quantity)
    return customer.place_order(customer.choose(customer.check_out(), method, points=points))


def available_and_owed(store: Store, email: str) -> tuple[int, int]:
    """Available and owed points."""
    account = next(row for row in store.audit()["accounts"] if row["member"] == email)
    return account["available"], account["owed"]


def newest_order(store: Store, email: str) -> dict[str, Any]:
    report = store.audit()
    assert report["ok"], report["violations"]
    return [row for row in report["orders"] if row["member"] == email][-1]


def refund(admin: BrowserSession, number: str, **typed: str) -> Page:
    page = admin.submit(admin.open(f"/shop/dashboard/orders/{number}/"), "seen_refund", refund="preview", **typed)
    assert "Refund?" in page.visible_text, page.visible_text
    return admin.submit(page, "key", refund="confirm")


def test_a_third_is_refunded_three_times_and_everything_sums_exactly(store: Store) -> None:
    """F07: D-8's promise in the running store."""
    before = available_and_owed(store, SITA)
    sita = store.browser(SITA)
    at_khalti = buy(sita, "khalti", quantity=1, points="500")
    assert sita.pay(at_khalti.url).url.endswith("/shop/checkout/thank-you/")
    bought = newest_order(store, SITA)
    assert (bought["total"], bought["paid"], bought["status"]) == (245_000, 245_000, "Paid")
    assert available_and_owed(store, SITA) == (before[0] - 500 + 245, 0)
    admin = store.browser("admin@example.com")

    messages = [refund(admin, bought["number"], amount=part).visible_text for part in ("833.33", "833.33", "833.34")]

    assert "Khalti has refunded Rs 816.66. Points returned: 167; points reversed: 82." in messages[0]
    assert "Khalti has refunded Rs 816.67. Points returned: 166; points reversed: 81." in messages[1]
    assert "Khalti has refunded Rs 816.67. Points returned: 167; points reversed: 82." in messages[2]
    assert "This order is fully refunded." in messages[2]
    refunded = newest_order(store, SITA)
    assert (refunded["paid"], refunded["refunded"], refunded["status"]) == (245_000, 245_000, "Refunded")
    assert available_and_owed(store, SITA) == before
    at_khalti_now = next(one for one in store.khalti.payments() if one.refunded)
    assert (at_khalti_now.amount, at_khalti_now.refunded, at_khalti_now.state.value) == (245_000, 245_000, "Refunded")
    assert store.khalti.count("refund") == 3
    store.reconcile_here()
    assert store.audit()["ok"]


def test_an_unpaid_order_is_cancelled_with_its_points(store: Store) -> None:
    before = available_and_owed(store, "ram@example.com")
    assert buy(store.browser("ram@example.com"), "cod", points="100").url.endswith("/thank-you/")
    order = newest_order(store, "ram@example.com")
    assert (order["status"], available_and_owed(store, "ram@example.com")[0]) == ("Pending", before[0] - 100)
    admin = store.browser("editor@example.com")

    page = admin.open(f"/shop/dashboard/orders/{order['number']}/")
    form = next(tag.find_parent("form") for tag in page.soup.find_all("button") if tag.get("value") == "cancel")
    token = form.find("input", attrs={"name": "csrfmiddlewaretoken"})["value"]
    answer = admin.session.post(
        page.url, {"csrfmiddlewaretoken": token, "refund": "cancel"}, headers={"Referer": page.url}, timeout=60
    )

    assert "The order is cancelled. Points returned: 100." in answer.text
    order = newest_order(store, "ram@example.com")
    assert (order["status"], order["paid"], order["refunded"]) == ("Cancelled", 0, 0)
    assert available_and_owed(store, "ram@example.com") == before
