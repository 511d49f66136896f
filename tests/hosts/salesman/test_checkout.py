"""Salesman's API sells: a basket becomes a held order, a payment at Khalti, and one placed order."""

from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings as SettingsWrapper
from salesman.orders.signals import status_changed

from loyalink_khalti import conf, flow
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.simulator import Simulator
from tests.statements import own_statements

from .site.models import Tea
from .store import Customer, Store, available, new_member, only_purchase, order_of, payment_of

pytestmark = [pytest.mark.money, pytest.mark.sampled]


def test_a_guest_pays_at_khalti_and_has_one_order(store: Store, guest: Customer, khalti: Simulator) -> None:
    noted: list[tuple[str, str]] = []
    status_changed.connect(note := lambda order, new_status, **_: noted.append((order.ref, new_status)))
    answer = guest.buy(store.green, store.green, store.voucher).json()
    held = order_of(only_purchase())
    while_paying = guest.get("orders/last/").status_code, store.stock(), guest.basket()

    khalti.pay(Payment.objects.get().pidx or "")
    status = guest.get(f"payment/khalti/payments/{answer['payment']}/").json()
    returned = guest.client.get(f"/khalti/return/{answer['payment']}/")

    order = guest.client.get(f"/salesman/orders/{answer['ref']}/?token={answer['token']}").json()
    status_changed.disconnect(note)
    assert (held.status, held.user, held.total) == ("HOLD", None, Decimal("2100.00"))
    assert while_paying == (404, {"GREEN": 18, "BLACK": 50}, {"Green tea": 2, "Voucher": 1})
    assert (status["outcome"], status["is_pending"], status["amount"]) == ("paid", False, "2100.00")
    assert returned["Location"] == f"/khalti/status/{answer['payment']}/"
    assert (order["status"], order["is_paid"], order["amount_paid"]) == ("PROCESSING", True, "2100.00")
    assert [row["payment_method"] for row in order["payments"]] == ["khalti"]
    assert guest.basket() == {}
    assert noted == [(answer["ref"], "PROCESSING")]
    assert not list(flow.audit_violations())


def test_a_member_with_a_token_pays_a_part_with_points(store: Store, maya: Customer, khalti: Simulator) -> None:
    """S3: A client without a session: its choice of points is kept on the server."""
    maya.add(store.green)
    choice = maya.put("payment/khalti/points/", {"points": 500}).json()
    shown = maya.get("basket/").json()
    answer = maya.check_out().json()
    listed = [order["ref"] for order in maya.get("orders/").json()]

    khalti.pay(payment_of(maya.check_out()).pidx or "")
    maya.get(f"payment/khalti/payments/{answer['payment']}/")

    order = maya.get(f"orders/{answer['ref']}/").json()
    assert (choice["balance"], choice["points"], choice["points_value"]) == (1200, 500, "50.00")
    assert (shown["total"], shown["extra_rows"][-1]["amount"]) == ("550.00", "-50.00")
    assert listed == []
    assert (order["status"], order["total"], order["is_paid"]) == ("PROCESSING", "550.00", True)
    assert order_of(only_purchase()).user == maya.user
    assert "sessionid" not in maya.client.cookies
    assert available(maya) == 1200 - 500 + 45
    assert not list(flow.audit_violations())


def test_points_that_cover_everything_need_no_khalti(store: Store) -> None:
    rich = new_member("sita@example.com", points=10_000)

    answer = rich.buy(store.green, points=6000).json()

    order = rich.get(f"orders/{answer['ref']}/").json()
    assert (order["status"], order["total"], order["is_paid"]) == ("PROCESSING", "0.00", True)
    assert (Payment.objects.exists(), available(rich)) == (False, 4000)
    assert not list(flow.audit_violations())


def test_no_number_of_points_is_taken_from_what_the_customer_writes(
    store: Store, maya: Customer, guest: Customer
) -> None:
    """S1"""
    lies: list[Any] = [{"points": 5000}, {"loyalty-points": 500}, {"loyalink_khalti": {"state": "placed"}}]
    for customer in (maya, guest):
        customer.add(store.green)
        for lie in lies:
            customer.put("basket/extra/", {"extra": lie})
        total = customer.get("basket/").json()["total"]
        answer = customer.check_out(extra={"rows": [1], "loyalink_khalti": {"refunds": {"x": -1}, "state": "placed"}})
        assert (total, payment_of(answer).amount) == ("600.00", 60_000)
    assert {order_of(purchase).status for purchase in Purchase.objects.all()} == {"HOLD"}
    assert not list(flow.audit_violations())


def test_wrong_numbers_of_points_are_refused_in_words(store: Store, maya: Customer, guest: Customer) -> None:
    maya.add(store.green)
    for wrong in (-1, 1201, 1.5, "x", None, True, [], 10**20, "१२०१"):
        refused = maya.put("payment/khalti/points/", {"points": wrong})
        assert refused.status_code == 400, wrong
        assert refused.json()["points"], wrong
    for typed, points in (("१००", 100), ("1,200", 1200), (" 100 ", 100)):
        assert maya.put("payment/khalti/points/", {"points": typed}).json()["points"] == points
    assert maya.put("payment/khalti/points/", {"points": 0}).json()["amount_due"] == "600.00"
    assert guest.get("payment/khalti/points/").status_code in {401, 403}


def test_a_client_gets_the_numbers_of_points_at_which_a_slider_stops_and_their_figures(
    store: Store, maya: Customer
) -> None:
    """The basket costs Rs 600; a number that is only looked at is not chosen."""
    maya.add(store.green)
    shown = maya.get("payment/khalti/points/?points=500").json()
    refused = maya.get("payment/khalti/points/?points=505")
    rich = new_member("sita@example.com", points=20_000)
    rich.add(store.green)

    steps = rich.get("payment/khalti/points/").json()["steps"]

    assert (shown["points"], shown["points_value"], shown["amount_due"]) == (500, "50.00", "550.00")
    assert (refused.status_code, refused.json()["nearest"]) == (400, [500, 510])
    assert maya.get("payment/khalti/points/").json()["points"] == 0
    assert steps == {"first": 100, "last": 5900, "increment": 10, "whole": 6000}
    assert rich.put("payment/khalti/points/", {"points": 5950}).json()["nearest"] == [5900, 6000]


def test_a_guests_order_is_given_to_the_account_that_claims_it_and_to_no_second_one(
    store: Store, guest: Customer, maya: Customer
) -> None:
    guest.buy(store.green, method="cod")
    purchase, shop = only_purchase(), conf.shop("salesman")

    shop.assign_order(purchase.ref, member_id=str(maya.user.pk))  # type: ignore[attr-defined]
    shop.assign_order(purchase.ref, member_id="999")  # type: ignore[attr-defined]  # changes nothing

    assert order_of(purchase).user == maya.user


def test_chosen_points_are_never_more_than_the_basket_can_use(store: Store) -> None:
    """S2"""
    rich = new_member("sita@example.com", points=20_000)
    rich.add(store.green, 2)
    rich.put("payment/khalti/points/", {"points": 10_500})
    item = rich.get("basket/").json()["items"][0]

    rich.client.patch(f"/salesman/basket/{item['ref']}/", {"quantity": 1}, format="json")

    basket = rich.get("basket/").json()
    used = [row["extra"]["points"] for row in basket["extra_rows"] if row["modifier"] == "loyalty-points"]
    assert used == [6000]
    assert Decimal(basket["total"]) == 0


def test_a_second_click_gets_the_same_payment(store: Store, guest: Customer) -> None:
    """S4"""
    first = guest.buy(store.green).json()

    second = guest.check_out().json()

    assert second == first
    assert Purchase.objects.count() == 1
    assert store.stock()["GREEN"] == 19


def test_a_changed_basket_cancels_the_earlier_payment(store: Store, guest: Customer, khalti: Simulator) -> None:
    """S4: Another quantity, another address or another method: the customer wants what they see now."""
    first = guest.buy(store.green).json()
    guest.add(store.green)
    second = guest.check_out().json()
    guest.details["shipping_address"] = "Somewhere else 1"
    third = guest.check_out().json()

    last = guest.check_out("cod").json()

    states = dict(Purchase.objects.values_list("ref", "state"))
    assert states == {first["ref"]: "released", second["ref"]: "released", third["ref"]: "released"} | {
        last["ref"]: "placed"
    }
    assert store.stock()["GREEN"] == 18
    assert order_of(Purchase.objects.get(ref=last["ref"])).shipping_address == "Somewhere else 1"
    assert guest.basket() == {}


def test_a_cancelled_payment_releases_stock_and_points_and_leaves_the_basket(
    store: Store, maya: Customer, khalti: Simulator
) -> None:
    answer = maya.buy(store.green, points=500).json()
    held = available(maya)
    stranger = new_member("ram@example.com")

    refused = stranger.post(f"payment/khalti/payments/{answer['payment']}/cancel/")
    cancelled = maya.post(f"payment/khalti/payments/{answer['payment']}/cancel/")

    assert (held, refused.status_code, cancelled.json()["outcome"]) == (700, 404, "cancelled")
    assert (available(maya), store.stock()["GREEN"], maya.basket()) == (1200, 20, {"Green tea": 1})
    assert order_of(only_purchase()).status == "CANCELLED"
    assert maya.get("orders/").json() == []


def test_what_was_added_while_paying_stays_in_the_basket(store: Store, guest: Customer, khalti: Simulator) -> None:
    """S5"""
    payment = payment_of(guest.buy(store.green))
    guest.add(store.black, 3)
    guest.add(store.green)
    khalti.pay(payment.pidx or "")
    flow.verify_payment(payment)

    left = guest.basket()
    again = payment_of(guest.check_out())

    assert left == {"Green tea": 1, "Black tea": 3}
    assert (again.amount, again.purchase.origin != payment.purchase.origin) == (70_500, True)
    khalti.pay(again.pidx or "")
    assert flow.verify_payment(again) == "paid"
    assert not list(flow.audit_violations())


def test_the_last_piece_is_sold_once_and_customers_learn_early_what_is_left(store: Store, guest: Customer) -> None:
    Tea.objects.filter(pk=store.green.pk).update(stock=1)
    other = Customer()
    other.details["email"] = "other@example.com"

    too_many = guest.add(store.green, 2)
    guest.buy(store.green)
    other_adds = other.add(store.green)
    Tea.objects.filter(pk=store.green.pk).update(stock=1)
    other.add(store.green)
    Tea.objects.filter(pk=store.green.pk).update(stock=0)
    refused = other.check_out()

    assert (too_many.status_code, too_many.json()) == (400, {"quantity": ["Only 1 of “Green tea” is left."]})
    assert other_adds.json() == {"quantity": ["“Green tea” is sold out."]}
    assert refused.status_code == 402
    assert "no longer available" in refused.json()["detail"]
    assert Purchase.objects.count() == 1


def test_cash_on_delivery_is_an_order_at_once(store: Store, maya: Customer) -> None:
    answer = maya.buy(store.green, method="cod").json()

    order = maya.get(f"orders/{answer['ref']}/").json()

    assert (order["status"], order["is_paid"]) == ("CREATED", False)
    assert maya.client.get(answer["url"]).status_code == 200
    refused = maya.post(f"orders/{answer['ref']}/pay/", {"payment_method": "khalti"})
    assert refused.status_code == 400


def test_a_method_says_why_it_is_not_offered(
    store: Store, guest: Customer, settings: SettingsWrapper, khalti: Simulator
) -> None:
    reasons = {"UNAVAILABLE_REASONS": {"cod": "tests.hosts.salesman.test_checkout.no_cash"}}
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SALESMAN": reasons}
    empty = {each["identifier"]: each["error"] for each in guest.get("checkout/").json()["payment_methods"]}
    guest.add(store.black)

    errors = {each["identifier"]: each["error"] for each in guest.get("checkout/").json()["payment_methods"]}
    refused = guest.check_out("cod")

    assert set(empty.values()) == {"Your basket is empty."}
    assert (errors["khalti"], errors["cod"], errors["bank_transfer"]) == (None, "No cash this week.", None)
    assert refused.status_code == 400


def no_cash(_basket: Any) -> str:
    return "No cash this week."


@pytest.mark.same_on_both
def test_no_answer_reads_anything_of_ours_twice(store: Store, maya: Customer, khalti: Simulator) -> None:
    maya.add(store.green)
    maya.put("payment/khalti/points/", {"points": 500})
    answers = {"basket/": 9, "checkout/": 9, "payment/khalti/points/": 9}
    cost = {}
    for path in answers:
        with own_statements() as own:
            assert maya.get(path).status_code == 200, path
        cost[path] = own

    assert {path: len(own) for path, own in cost.items()} == answers, cost
    assert all(len(own) == len(set(own)) for own in cost.values()), cost


def test_the_receipt_of_an_order_is_for_its_customer_alone(store: Store, guest: Customer, khalti: Simulator) -> None:
    """T10: the same figures as on a page, in rupees as Salesman has them."""
    answer = guest.buy(store.green, store.voucher).json()
    path = f"payment/khalti/payments/{answer['payment']}/"
    stranger, own = Customer(), f"payment/khalti/receipts/{answer['ref']}/"
    before = stranger.get(f"{own}?token={answer['token']}").json()
    khalti.pay(Payment.objects.get().pidx or "")

    paid = guest.get(path).json()["receipt"]

    assert (before["state"], before["left_to_pay"]) == ("confirming", before["amount_due"])
    assert (paid["state"], paid["left_to_pay"], paid["received"][0]["amount"]) == ("paid", "0.00", paid["amount_due"])
    assert [step["kind"] for step in paid["timeline"]] == ["placed", "paid", "shipped", "delivered"]
    assert stranger.get(path).json()["receipt"] is None
    assert stranger.get(own).status_code == stranger.get(f"{own}?token=wrong").status_code == 404
    assert stranger.get(f"{own}?token={answer['token']}").json() == paid
