"""Spend points, pay, and have a third refunded three times in the dashboard: cash and points sum exactly."""

from typing import Any

import pytest

from tests.stories.running import Store
from tests.stories.shopper import Page, Shopper

pytestmark = [pytest.mark.money, pytest.mark.timeout(240)]

JOURNAL = "Lokta paper journal"
SITA = "sita@example.com"


def buy(shopper: Shopper, method: str, *, quantity: int = 1, points: str | None = None) -> Page:
    shopper.add(JOURNAL, quantity)
    return shopper.place_order(shopper.choose(shopper.check_out(), method, points=points))


def standing(store: Store, email: str) -> tuple[int, int]:
    """Available and owed points."""
    account = next(row for row in store.audit()["accounts"] if row["member"] == email)
    return account["available"], account["owed"]


def newest_order(store: Store, email: str) -> dict[str, Any]:
    report = store.audit()
    assert report["ok"], report["violations"]
    return [row for row in report["orders"] if row["member"] == email][-1]


def refund(admin: Shopper, number: str, **typed: str) -> Page:
    page = admin.submit(admin.open(f"/shop/dashboard/orders/{number}/"), "seen", refund="preview", **typed)
    assert "Give this back?" in page.words, page.words
    return admin.submit(page, "key", refund="confirm")


def test_a_third_is_refunded_three_times_and_everything_sums_exactly(store: Store) -> None:
    """F07: D-8's promise in the running store."""
    before = standing(store, SITA)
    sita = store.shopper(SITA)
    at_khalti = buy(sita, "khalti", quantity=1, points="500")
    assert sita.pay(at_khalti.url).url.endswith("/shop/checkout/thank-you/")
    bought = newest_order(store, SITA)
    assert (bought["total"], bought["paid"], bought["status"]) == (245_000, 245_000, "Paid")
    assert standing(store, SITA) == (before[0] - 500 + 245, 0)
    admin = store.shopper("admin@example.com")

    words = [refund(admin, bought["number"], amount=part).words for part in ("833.33", "833.33", "833.34")]

    assert "Khalti has given Rs 816.66 back; 167 points came back, 82 were taken back." in words[0]
    assert "Khalti has given Rs 816.67 back; 166 points came back, 81 were taken back." in words[1]
    assert "Khalti has given Rs 816.67 back; 167 points came back, 82 were taken back." in words[2]
    assert "All of this order has been given back." in words[2]
    back = newest_order(store, SITA)
    assert (back["paid"], back["refunded"], back["status"]) == (245_000, 245_000, "Refunded")
    assert standing(store, SITA) == before
    books = next(one for one in store.khalti.payments() if one.refunded)
    assert (books.amount, books.refunded, books.state.value) == (245_000, 245_000, "Refunded")
    assert store.khalti.count("refund") == 3
    assert store.audit_command()["ok"]
    assert store.reconcile()


def test_an_order_that_nobody_has_paid_is_cancelled_with_its_points(store: Store) -> None:
    before = standing(store, "ram@example.com")
    assert buy(store.shopper("ram@example.com"), "cod", points="100").url.endswith("/thank-you/")
    order = newest_order(store, "ram@example.com")
    assert (order["status"], standing(store, "ram@example.com")[0]) == ("Pending", before[0] - 100)
    admin = store.shopper("editor@example.com")

    page = admin.open(f"/shop/dashboard/orders/{order['number']}/")
    form = next(tag.find_parent("form") for tag in page.soup.find_all("button") if tag.get("value") == "cancel")
    token = form.find("input", attrs={"name": "csrfmiddlewaretoken"})["value"]
    told = admin.session.post(
        page.url, {"csrfmiddlewaretoken": token, "refund": "cancel"}, headers={"Referer": page.url}, timeout=60
    )

    assert "The order is cancelled; 100 points came back." in told.text
    order = newest_order(store, "ram@example.com")
    assert (order["status"], order["paid"], order["refunded"]) == ("Cancelled", 0, 0)
    assert standing(store, "ram@example.com") == before
