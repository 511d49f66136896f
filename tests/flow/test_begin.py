"""Begin: committed before Khalti hears of it, and all given back where Khalti gives no page."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.db import OperationalError, transaction
from django.urls import NoReverseMatch

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay, InsideTransaction
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Credentials, Flag, Payment, Purchase
from loyalink_khalti.ports import Cart, Customer
from loyalink_khalti.testing import BasketTaken, FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def refusal(**body: Any) -> tuple[int, dict[str, str], str]:
    return 400, {}, json.dumps({**body, "error_key": "validation_error"})


def nothing_is_held(shop: FakeShop) -> bool:
    """Whether the basket can be bought again, with its stock and points whole."""
    return (
        not Purchase.objects.exclude(state="released").exists()
        and not Account.objects.filter(held__gt=0).exists()
        and shop.left("pen") == 3
        and [why for _, why in shop.released] == ["refused"] * Purchase.objects.count()
    )


def test_the_shopper_is_sent_to_khaltis_page_for_exactly_what_is_left_to_pay(
    shop: FakeShop, khalti: Khalti, member: str
) -> None:
    payment = flow.begin(shop.freeze(shop.cart(member_id=member, spends=Points(500), shipping=15_000)))

    assert (payment.state, payment.pidx, payment.amount) == ("initiated", "pidx1", 260_000)
    assert payment.payment_url == "https://test-pay.khalti.com/?pidx=pidx1"
    assert payment.expires_at is not None
    assert khalti.opened == [
        {
            "return_url": f"https://shop.example/khalti/return/{payment.token}/",
            "website_url": "https://shop.example/",
            "amount": 260_000,
            "purchase_order_id": "order-1-1",
            "purchase_order_name": "Order order-1",
            "customer_info": {"name": "Sita", "email": "sita@example.com", "phone": "9800000001"},
        }
    ]


def test_all_is_committed_before_khalti_hears_of_it(shop: FakeShop, khalti: Khalti, member: str) -> None:
    """B05: another connection already sees it while Khalti is being asked."""
    seen: list[Any] = []

    def look() -> None:
        purchase = Purchase.objects.get()
        account = Account.objects.get()
        payment = purchase.payments.get()
        seen.append((purchase.state, payment.state, payment.pidx, account.available, account.held, shop.left("pen")))

    khalti.while_initiating = lambda: seen.extend(fault for fault in at_once(1, lambda _: look()) if fault is not None)
    shop.stock(pen=3)

    flow.begin(shop.freeze(shop.cart(member_id=member, spends=Points(500))))

    assert seen == [("open", "created", None, 500, 500, 2)]


REFUSED: list[tuple[Any, str]] = [
    (refusal(amount=["Amount should be greater than Rs. 10, that is 1000 paisa."]), "cannot take this amount"),
    (refusal(return_url=["Enter a valid URL."]), "cannot take this amount"),
    ((401, {}, '{"detail": "Invalid token.", "status_code": 401}'), "cannot be used in this shop"),
    ((429, {"Retry-After": "30"}, '{"detail": "slow down"}'), "cannot take this amount"),
    ((500, {}, "{}"), "does not answer"),
    ((503, {}, "<html>maintenance</html>"), "does not answer"),
    ((302, {"Location": "https://elsewhere.example/"}, ""), "does not answer"),
    ((200, {}, "<html>maintenance</html>"), "does not answer"),
    ((200, {}, ""), "does not answer"),
    ((200, {}, "null"), "does not answer"),
    ((200, {}, "{}"), "does not answer"),
    (requests.ConnectionError("refused"), "does not answer"),
    (requests.ReadTimeout("silence"), "does not answer"),
    ({"payment_url": "javascript:alert(1)"}, "does not answer"),
    ({"payment_url": "http://test-pay.khalti.com/"}, "does not answer"),
    ({"payment_url": "https://khalti.com.evil.example/"}, "does not answer"),
    ({"payment_url": "https://test-pay.khalti.com/" + "a" * 10_000}, "does not answer"),
    ({"payment_url": None}, "does not answer"),
    ({"pidx": ""}, "does not answer"),
]


@pytest.mark.parametrize(("reply", "words"), REFUSED)
def test_without_a_page_of_khaltis_all_is_given_back_and_the_shopper_told(
    reply: Any, words: str, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """C01, C03, C06, C08, C09, C11, C13, C14, C15, C20, C24, C27"""
    shop.stock(pen=3)
    khalti.next_initiate = [reply]

    with pytest.raises(CannotPay, match=words):
        flow.begin(shop.freeze(shop.cart(member_id=account.member_id, spends=Points(500))))

    account.refresh_from_db()
    assert nothing_is_held(shop)
    assert account.available == 1000
    assert len(khalti.opened) == 1  # never sent again by itself


@pytest.mark.parametrize("reply", [refusal(detail="x"), requests.ReadTimeout("silence")])
def test_a_basket_that_khalti_refused_can_be_paid_after_all(reply: Any, shop: FakeShop, khalti: Khalti) -> None:
    khalti.next_initiate = [reply]
    with pytest.raises(CannotPay):
        flow.begin(shop.freeze(shop.cart(origin="basket")))

    payment = flow.begin(shop.freeze(shop.cart("order-2", origin="basket")))

    assert payment.state == "initiated"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"amount": ["Amount must be less than Rs. 1000."]}, "merchant_limit"),
        ({"detail": "Fee not found for this amount."}, "merchant_limit"),
        ({"return_url": ["Enter a valid URL."]}, "initiate_refused"),
    ],
)
def test_staff_read_a_refusal_in_khaltis_own_words(
    words: dict[str, Any], reason: str, shop: FakeShop, khalti: Khalti
) -> None:
    khalti.next_initiate = [refusal(**words)]

    with pytest.raises(CannotPay) as told:
        flow.begin(shop.freeze(shop.cart()))

    flag = Flag.objects.get()
    said = next(iter(words.values()))
    text = said if isinstance(said, str) else said[0]
    assert flag.reason == reason
    assert text in flag.evidence["khalti"]
    assert text not in str(told.value)


def test_a_refused_key_is_a_flag_and_is_shown_nowhere(
    shop: FakeShop, khalti: Khalti, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """C11, I11"""
    khalti.next_initiate = [(401, {}, '{"detail": "Invalid token.", "status_code": 401}')]

    with pytest.raises(CannotPay) as told:
        flow.begin(shop.freeze(shop.cart()))

    flag = Flag.objects.get()
    assert flag.reason == "key_refused"
    assert settings.LOYALINK_KHALTI["KHALTI_SECRET_KEY"] not in f"{flag.evidence} {told.value} {caplog.text}"


def test_a_pidx_given_out_twice_is_believed_for_nobody(shop: FakeShop, khalti: Khalti) -> None:
    """I2"""
    first = flow.begin(shop.freeze(shop.cart()))
    khalti.next_initiate = [{"pidx": first.pidx}]

    with pytest.raises(CannotPay, match="does not answer"):
        flow.begin(shop.freeze(shop.cart("order-2")))

    assert Payment.objects.get(purchase__ref="order-2").state == "released"
    assert Flag.objects.get().reason == "pidx_mismatch"


def test_whatever_goes_wrong_on_the_way_to_khalti_nothing_stays_held(
    shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    settings.ROOT_URLCONF = "tests.flow.no_urls"
    shop.stock(pen=3)

    with pytest.raises(NoReverseMatch):
        flow.begin(shop.freeze(shop.cart()))

    assert nothing_is_held(shop)
    assert khalti.opened == []


def test_called_inside_a_transaction_it_says_which_decorator_to_add(shop: FakeShop, khalti: Khalti) -> None:
    """H07"""
    with transaction.atomic(), pytest.raises(InsideTransaction, match="non_atomic_requests"):
        flow.begin(shop.freeze(shop.cart()))

    assert not Purchase.objects.exists()


class Mishap(Exception):
    """Anything that a shop may raise."""


@pytest.mark.parametrize("fault", [Mishap("the shop's own"), CannotPay("Sold out."), ValueError("bug")])
def test_whatever_freeze_raises_rolls_all_of_it_back(fault: Exception, shop: FakeShop, khalti: Khalti) -> None:
    shop.stock(pen=3)

    def freeze() -> Cart:
        shop.freeze(shop.cart())()
        raise fault

    with pytest.raises(type(fault)):
        flow.begin(freeze)

    assert (Purchase.objects.count(), shop.left("pen"), khalti.opened) == (0, 3, [])


def test_freeze_is_tried_once_more_where_the_database_gave_way(shop: FakeShop, khalti: Khalti) -> None:
    """H03"""
    faults = [OperationalError("deadlock detected")]

    def freeze() -> Cart:
        cart = shop.freeze(shop.cart())()
        if faults:
            raise faults.pop()
        return cart

    assert flow.begin(freeze).state == "initiated"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"currency": "USD"}, "sells in USD"),
        ({"goods": 999}, "no less than Rs 10.00"),
        ({"goods": 0}, "no less than Rs 10.00"),
        ({"lines": ()}, "nothing to pay"),
        ({"total": -1}, "nothing to pay"),
        ({"shipping": -1}, "nothing to pay"),
        ({"spends": Points(500), "member_id": None}, "Log in"),
        ({"spends": Points(-100)}, "number of points"),
        ({"spends": Points(105)}, "number of points"),
        ({"spends": Points(90)}, "number of points"),
        ({"spends": Points(1100)}, "no longer have that many points"),
        ({"spends": Points(25_010)}, "number of points"),
        ({"spends": Points(500), "goods": 5_500}, "no less than Rs 10.00"),
        ({"spends": Points(500), "goods": 5_000}, "no less than Rs 10.00"),
    ],
)
def test_a_cart_that_cannot_be_paid_is_refused_in_words_and_nothing_is_held(
    changes: dict[str, Any], words: str, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """D07, D08, D13, D14"""
    shop.stock(pen=3)

    with pytest.raises(CannotPay, match=words):
        flow.begin(shop.freeze(shop.cart(**{"member_id": account.member_id, **changes})))

    account.refresh_from_db()
    assert (Purchase.objects.count(), shop.left("pen"), account.available, khalti.opened) == (0, 3, 1000, [])


def test_points_of_a_frozen_account_are_not_spent(shop: FakeShop, khalti: Khalti, account: Account) -> None:
    Account.objects.update(frozen=True)

    with pytest.raises(CannotPay, match="cannot be spent just now"):
        flow.begin(shop.freeze(shop.cart(member_id=account.member_id, spends=Points(500))))


def test_khalti_without_a_key_is_no_way_to_pay(shop: FakeShop, khalti: Khalti, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": ""}

    with pytest.raises(CannotPay, match="not set up"):
        flow.begin(shop.freeze(shop.cart()))

    assert not Purchase.objects.exists()


def test_a_member_has_one_payment_waiting_at_a_time(shop: FakeShop, khalti: Khalti) -> None:
    first = flow.begin(shop.freeze(shop.cart(member_id="7")))

    with pytest.raises(flow.PaymentWaiting) as told:
        flow.begin(shop.freeze(shop.cart("order-2", member_id="7")))

    assert told.value.payment == first
    assert "Rs 2,500.00" in str(told.value)
    assert [payment.purchase.ref for payment in Payment.objects.all()] == ["order-1"]


def test_a_browser_has_three_payments_waiting_at_most(shop: FakeShop, khalti: Khalti) -> None:
    for number in range(3):
        flow.begin(shop.freeze(shop.cart(f"order-{number}")), visitor="this browser")

    flow.begin(shop.freeze(shop.cart("elsewhere")), visitor="another browser")
    with pytest.raises(flow.PaymentWaiting):
        flow.begin(shop.freeze(shop.cart("order-3")), visitor="this browser")


def test_an_address_has_three_guests_payments_waiting_at_most_and_nothing_is_told_of_them(
    shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """However many browsers they come from."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LIVE_PAYMENTS_PER_ADDRESS": 3}
    for number in range(3):
        flow.begin(shop.freeze(shop.cart(f"order-{number}")), visitor=f"browser-{number}")
    again = shop.cart("order-3", customer=Customer(email="SITA@example.com"))

    with pytest.raises(CannotPay) as caught:
        flow.begin(shop.freeze(again), visitor="browser-3")

    assert not isinstance(caught.value, flow.PaymentWaiting)
    assert "Rs" not in str(caught.value)
    assert Payment.objects.count() == 3


def test_a_member_who_begins_ten_payments_at_once_has_one(shop: FakeShop, khalti: Khalti) -> None:
    begun = at_once(10, lambda number: flow.begin(shop.freeze(shop.cart(f"order-{number}", member_id="7"))))

    assert sorted({type(each).__name__ for each in begun}) == ["Payment", "PaymentWaiting"]
    assert (Payment.objects.count(), len(khalti.opened)) == (1, 1)


def test_a_settled_payment_is_not_waiting(shop: FakeShop, khalti: Khalti) -> None:
    first = flow.begin(shop.freeze(shop.cart(member_id="7")))
    khalti.pay(first.pidx)
    flow.finish(first)

    assert flow.begin(shop.freeze(shop.cart("order-2", member_id="7"))).state == "initiated"


def test_the_waiting_payment_is_found_by_its_browser_and_by_its_member(shop: FakeShop, khalti: Khalti) -> None:
    guests = flow.begin(shop.freeze(shop.cart()))
    members = flow.begin(shop.freeze(shop.cart("order-2", member_id="7")))

    assert flow.waiting(tokens=[guests.token, "another"]) == guests
    assert flow.waiting(member_id="7") == members
    assert flow.waiting() is None
    assert flow.waiting(tokens=["another"], member_id="8") is None


def test_the_bar_costs_one_query_and_nobody_else_any(
    shop: FakeShop, khalti: Khalti, django_assert_num_queries: Callable[[int], Any]
) -> None:
    payment = flow.begin(shop.freeze(shop.cart()))

    with django_assert_num_queries(1):
        flow.waiting(tokens=[payment.token], member_id="7")
    with django_assert_num_queries(0):
        flow.waiting()


def test_twenty_clicks_on_one_basket_give_one_payment_and_one_address(shop: FakeShop, khalti: Khalti) -> None:
    """A20"""

    def click(index: int) -> Payment | None:
        try:
            return flow.begin(shop.freeze(shop.cart(f"order-{index}", origin="basket")))
        except BasketTaken:
            return flow.join("fake", "basket")

    payments = at_once(20, click)

    assert len(khalti.opened) == 1
    assert {getattr(payment, "payment_url", payment) for payment in payments} == {
        "https://test-pay.khalti.com/?pidx=pidx1"
    }
    assert Purchase.objects.count() == 1


def test_join_waits_until_the_other_click_has_its_page(shop: FakeShop, khalti: Khalti) -> None:
    """A20"""
    joined: list[Any] = []
    second = threading.Thread(target=lambda: joined.extend(at_once(1, lambda _: flow.join("fake", "basket"))))
    khalti.while_initiating = second.start

    payment = flow.begin(shop.freeze(shop.cart(origin="basket")))
    second.join()

    assert [each.payment_url for each in joined] == [payment.payment_url]


def test_there_is_nothing_to_join_where_nobody_pays(shop: FakeShop, khalti: Khalti) -> None:
    khalti.next_initiate = [refusal(detail="no")]
    with pytest.raises(CannotPay):
        flow.begin(shop.freeze(shop.cart(origin="basket")))

    assert flow.join("fake", "basket") is None


def test_the_first_shoppers_of_a_new_shop_may_all_come_at_once(shop: FakeShop, khalti: Khalti) -> None:
    """Each of them would be the first to write down the key."""
    payments = at_once(10, lambda index: flow.begin(shop.freeze(shop.cart(f"order-{index}"))))

    assert [getattr(payment, "state", payment) for payment in payments] == ["initiated"] * 10
    assert Credentials.objects.filter(retired_at=None).count() == 1
