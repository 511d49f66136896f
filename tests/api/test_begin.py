"""From a basket to a paid order through the API, and every refusal on the way as a problem of its own."""

import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.testing import FakeShop
from tests.api.calling import App, basket, problem
from tests.purchases import Khalti, points

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]


def test_a_guests_app_buys_with_khalti(app: App, khalti: Khalti, shop: FakeShop) -> None:
    """Quote, begin, pay, status: the app's secret shows the payment, and its return address is not Khalti's."""
    quote = app.quote().json()
    assert (quote["amount_due"], quote["points"]["earned"]) == (250_000, 250)
    assert [method["method"] for method in quote["methods"]] == ["khalti", "cod"]

    begun = app.begin(return_to="myapp://paid")
    payment = begun.json()["payment"]
    khalti.pay(Payment.objects.get().pidx)
    returned = app.client.get(f"/khalti/return/{payment['id']}/")
    status = app.get(f"/payments/{payment['id']}", payment_secret=payment["secret"])

    assert (begun.status_code, begun.json()["order_number"]) == (201, None)
    assert payment["payment_url"].startswith("https://test-pay.khalti.com/")
    assert returned["Location"] == f"myapp://paid?token={payment['id']}&outcome=paid"
    assert "myapp" not in str(khalti.opened)
    shown = status.json()
    assert (shown["outcome"], shown["points_earned"], shown["can_cancel"]) == ("paid", 0, False)
    assert shown["order_number"] == f"N-{shown['reference']}"
    assert len(shop.confirmed) == 1


def test_a_member_uses_points_by_token(sita: App, khalti: Khalti, account: Account) -> None:
    begun = sita.begin(points=500, expected_due=245_000)

    payment = begun.json()["payment"]
    assert (begun.json()["points_value"], payment["secret"]) == (5_000, None)
    assert points(account) == (500, 500, 0)
    assert sita.get(f"/payments/{payment['id']}").json()["outcome"] == "confirming"
    cancelled = sita.post(f"/payments/{payment['id']}/cancel")
    assert cancelled.json()["outcome"] == "cancelled"
    assert points(account) == (1000, 0, 0)


def test_an_order_without_khalti_is_placed_at_once(sita: App, khalti: Khalti, account: Account) -> None:
    """Cash on delivery; and points for all of it, whatever method the app names."""
    cash = sita.begin(method="cod").json()
    all_points = sita.begin(basket=basket("rubber", 1), points=50 * 10, expected_due=0, method="khalti")
    by_points = sita.begin(basket=basket("rubber", 2), points=100, expected_due=0, method="khalti").json()

    assert (cash["method"], cash["payment"], cash["order_number"]) == ("cod", None, f"N-{cash['reference']}")
    assert problem(all_points) == (409, "points-do-not-fit")  # 5 rupees are 50 points, fewer than the minimum
    assert (by_points["method"], by_points["payment"]) == ("points", None)
    assert khalti.opened == []
    assert points(account) == (900, 0, 100)


def test_every_refusal_is_a_problem_of_its_own(
    app: App, sita: App, khalti: Khalti, shop: FakeShop, settings: Any
) -> None:
    shop.stock(paper=1)
    invalid = app.begin(basket=basket("rocket"))
    assert problem(invalid) == (422, "invalid-details")
    assert set(invalid.json()["fields"]) == {"items"}
    assert problem(app.begin(basket=basket("paper", 2), expected_due=100_000)) == (409, "sold-out")
    assert problem(app.begin(method="bank_transfer")) == (409, "method-unavailable")
    assert problem(app.begin(method="points")) == (409, "cannot-pay")
    assert problem(app.begin(return_to="myapp://elsewhere")) == (422, "invalid-request")
    changed = app.begin(expected_due=1)
    assert (problem(changed), changed.json()["amount_due"]) == ((409, "total-changed"), 250_000)
    points_ = sita.begin(points=333, expected_due=1)
    assert (problem(points_), points_.json()["nearest"]) == ((409, "points-do-not-fit"), [330, 340])
    assert problem(app.begin(points=100, expected_due=1)) == (409, "points-do-not-fit")

    first = app.begin(basket=basket(id="the basket")).json()["payment"]
    assert problem(app.begin(basket=basket(id="the basket"))) == (409, "basket-taken")
    assert khalti.opened[-1]["amount"] == 250_000
    assert Purchase.objects.count() == 1
    assert first["payment_url"]

    khalti.next_initiate.append((400, {}, '{"amount": ["Amount should be less than Rs 1000."]}'))
    assert problem(app.begin()) == (409, "cannot-pay")
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ATTEMPTS_PER_HOUR_AND_NETWORK": 1}
    settings.LOYALINK_KHALTI["TRUSTED_PROXIES"] = 0
    app.begin()
    throttled = app.begin()
    assert problem(throttled) == (429, "throttled")
    assert int(throttled["Retry-After"]) > 60


def test_a_shop_that_does_not_sell_through_the_api_is_named_by_a_pointer(app: App) -> None:
    refused = app.quote(shop="nowhere")

    assert problem(refused) == (422, "invalid-request")
    assert refused.json()["errors"][0]["pointer"] == "#/shop"


def test_a_pending_payment_is_shown_to_the_customer_who_began_it_alone(
    sita: App, khalti: Khalti, shop: FakeShop
) -> None:
    """Another member is refused by their own limit, and sees nothing of hers."""
    first = sita.begin().json()["payment"]
    second = sita.begin()
    get_user_model().objects.create(username="hari")

    assert problem(second) == (409, "payment-pending")
    assert second.json()["payment"] == {"id": first["id"], "amount": 250_000, "payment_url": first["payment_url"]}
    assert App("hari").begin().status_code == 201


def test_reserving_too_much_is_refused(sita: App, khalti: Khalti, shop: FakeShop, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "TRUSTED_PROXIES": 0}
    shop.stock(pen=10)

    assert problem(sita.begin(basket=basket("pen", 9), expected_due=9 * 250_000, method="cod")) == (
        409,
        "reserved-too-much",
    )


def test_details_are_in_the_customers_language(app: App) -> None:
    english = app.begin(points=100, language="en").json()["detail"]
    nepali = app.begin(points=100, language="ne").json()["detail"]

    assert english == "Log in to use your points."
    assert re.search("[\u0900-\u097f]", nepali)


STATEMENTS = {"quote": 8, "begin": 63, "status": 12}
"""At most, on either database. Of "begin" about 15 are the API's: the key, the price, the answer."""


def test_an_order_through_the_api_costs_few_statements(
    sita: App, khalti: Khalti, django_assert_max_num_queries: Any
) -> None:
    sita.quote()  # the rules of the programme are created with the first one
    with django_assert_max_num_queries(STATEMENTS["quote"]):
        assert sita.quote(points=500).status_code == 200
    with django_assert_max_num_queries(STATEMENTS["begin"]):
        begun = sita.begin(points=500, expected_due=245_000)
    with django_assert_max_num_queries(STATEMENTS["status"]):
        assert sita.get(f"/payments/{begun.json()['payment']['id']}").status_code == 200
