"""Begin a payment: committed before Khalti is called, and released if Khalti sends no payment page."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.core import mail
from django.db import OperationalError, transaction
from django.urls import NoReverseMatch
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import BasketTaken, CannotPay, InsideTransaction
from loyalink_khalti.flow import Resolution
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Credentials, Flag, Payment, Purchase
from loyalink_khalti.ports import Cart, Customer, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def refusal(**body: Any) -> tuple[int, dict[str, str], str]:
    return 400, {}, json.dumps({**body, "error_key": "validation_error"})


def nothing_is_held(shop: FakeShop) -> bool:
    """Whether the basket can be bought again, with all its stock and points."""
    return (
        not Purchase.objects.exclude(state="released").exists()
        and not Account.objects.filter(held__gt=0).exists()
        and shop.left("pen") == 3
        and [reason for _, reason in shop.released] == ["refused"] * Purchase.objects.count()
    )


def test_the_customer_is_redirected_to_khalti_for_exactly_the_amount_due(
    shop: FakeShop, khalti: Khalti, member: str
) -> None:
    payment = flow.begin_payment(
        shop.freeze(shop.cart(member_id=member, points_redeemed=Points(500), shipping=15_000))
    )

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


def test_everything_is_committed_before_khalti_is_called(shop: FakeShop, khalti: Khalti, member: str) -> None:
    """B05: another connection sees it during the call to Khalti."""
    seen: list[Any] = []

    def look() -> None:
        purchase = Purchase.objects.get()
        account = Account.objects.get()
        payment = purchase.payments.get()
        seen.append((purchase.state, payment.state, payment.pidx, account.available, account.held, shop.left("pen")))

    khalti.while_initiating = lambda: seen.extend(fault for fault in at_once(1, lambda _: look()) if fault is not None)
    shop.stock(pen=3)

    flow.begin_payment(shop.freeze(shop.cart(member_id=member, points_redeemed=Points(500))))

    assert seen == [("open", "created", None, 500, 500, 2)]


REFUSED: list[tuple[Any, str]] = [
    (refusal(amount=["Amount should be greater than Rs. 10, that is 1000 paisa."]), "cannot accept this amount"),
    (refusal(return_url=["Enter a valid URL."]), "cannot accept this amount"),
    ((401, {}, '{"detail": "Invalid token.", "status_code": 401}'), "cannot be used in this shop"),
    ((429, {"Retry-After": "30"}, '{"detail": "slow down"}'), "cannot accept this amount"),
    ((500, {}, "{}"), "is not responding"),
    ((503, {}, "<html>maintenance</html>"), "is not responding"),
    ((302, {"Location": "https://elsewhere.example/"}, ""), "is not responding"),
    ((200, {}, "<html>maintenance</html>"), "is not responding"),
    ((200, {}, ""), "is not responding"),
    ((200, {}, "null"), "is not responding"),
    ((200, {}, "{}"), "is not responding"),
    (requests.ConnectionError("refused"), "is not responding"),
    (requests.ReadTimeout("silence"), "is not responding"),
    ({"payment_url": "javascript:alert(1)"}, "is not responding"),
    ({"payment_url": "http://test-pay.khalti.com/"}, "is not responding"),
    ({"payment_url": "https://khalti.com.evil.example/"}, "is not responding"),
    ({"payment_url": "https://test-pay.khalti.com/" + "a" * 10_000}, "is not responding"),
    ({"payment_url": None}, "is not responding"),
    ({"pidx": ""}, "is not responding"),
]


@pytest.mark.parametrize(("reply", "message"), REFUSED)
def test_without_a_payment_page_everything_is_released_and_the_customer_reads_why(
    reply: Any, message: str, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """C01, C03, C06, C08, C09, C11, C13, C14, C15, C20, C24, C27"""
    shop.stock(pen=3)
    khalti.next_initiate = [reply]

    with pytest.raises(CannotPay, match=message):
        flow.begin_payment(shop.freeze(shop.cart(member_id=account.member_id, points_redeemed=Points(500))))

    account.refresh_from_db()
    assert nothing_is_held(shop)
    assert account.available == 1000
    assert len(khalti.opened) == 1  # never sent again automatically


@pytest.mark.parametrize("reply", [refusal(detail="x"), requests.ReadTimeout("silence")])
def test_a_basket_that_khalti_refused_can_be_paid_later(reply: Any, shop: FakeShop, khalti: Khalti) -> None:
    khalti.next_initiate = [reply]
    with pytest.raises(CannotPay):
        flow.begin_payment(shop.freeze(shop.cart(origin="basket")))

    payment = flow.begin_payment(shop.freeze(shop.cart("order-2", origin="basket")))

    assert payment.state == "initiated"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"amount": ["Amount must be less than Rs. 1000."]}, "merchant_limit"),
        ({"detail": "Fee not found for this amount."}, "merchant_limit"),
        ({"return_url": ["Enter a valid URL."]}, "initiate_refused"),
    ],
)
def test_the_flag_keeps_khaltis_own_message(body: dict[str, Any], reason: str, shop: FakeShop, khalti: Khalti) -> None:
    khalti.next_initiate = [refusal(**body)]

    with pytest.raises(CannotPay) as caught:
        flow.begin_payment(shop.freeze(shop.cart()))

    flag = Flag.objects.get()
    message = next(iter(body.values()))
    text = message if isinstance(message, str) else message[0]
    assert flag.reason == reason
    assert text in flag.evidence["khalti"]
    assert text not in str(caught.value)


LIMIT = {"amount": ["Amount must be less than Rs. 1000."]}


def test_refusals_of_khalti_raise_one_flag_of_the_site_which_counts_them(
    shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """D4: 60 tries of one guest."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALERTS_TO": ["maya@example.com"]}
    khalti.next_initiate = [refusal(return_url=["Enter a valid URL."]) for _try in range(60)]
    for number in range(60):
        with pytest.raises(CannotPay):
            flow.begin_payment(shop.freeze(shop.cart(f"order-{number}")))

    flag = Flag.objects.get()
    assert (flag.reason, flag.count, flag.payment.purchase.ref) == ("initiate_refused", 60, "order-0")
    assert len(mail.outbox) == 1


def test_a_resolved_flag_of_the_site_is_raised_anew(shop: FakeShop, khalti: Khalti) -> None:
    khalti.next_initiate = [refusal(return_url=["Enter a valid URL."]) for _try in range(3)]
    for number in range(3):
        with pytest.raises(CannotPay):
            flow.begin_payment(shop.freeze(shop.cart(f"order-{number}")))
        if number == 1:
            flow.resolve_flag(Flag.objects.get(), Resolution.CLOSE, actor="1", reason="a typing error")

    assert [flag.count for flag in Flag.objects.order_by("pk")] == [2, 1]


def test_refusals_at_once_raise_one_flag_of_the_site(shop: FakeShop, khalti: Khalti) -> None:
    """D4"""
    khalti.next_initiate = [refusal(return_url=["Enter a valid URL."]) for _try in range(6)]

    at_once(6, lambda number: flow.begin_payment(shop.freeze(shop.cart(f"order-{number}"))))

    assert Flag.objects.filter(resolved_at=None).count() == 1


def test_an_amount_above_the_merchants_limit_is_not_sent_to_khalti_again_for_a_while(
    shop: FakeShop, khalti: Khalti
) -> None:
    """D4: remembered for the site, the server and the amount."""
    khalti.next_initiate = [refusal(**LIMIT)]
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for number in range(5):
            with pytest.raises(CannotPay, match="Khalti cannot accept this amount"):
                flow.begin_payment(shop.freeze(shop.cart(f"order-{number}")))
        asked = len(khalti.opened), Purchase.objects.count(), Flag.objects.get().count
        other = flow.begin_payment(shop.freeze(shop.cart("order-6", subtotal=50_000)))
        clock.shift(timedelta(minutes=16))
        again = flow.begin_payment(shop.freeze(shop.cart("order-7")))

    assert asked == (1, 1, 1)
    assert (other.state, again.state) == ("initiated", "initiated")


def test_the_checkout_says_that_khalti_cannot_accept_an_amount_that_it_has_refused(
    shop: FakeShop, khalti: Khalti
) -> None:
    khalti.next_initiate = [refusal(**LIMIT)]
    with pytest.raises(CannotPay):
        flow.begin_payment(shop.freeze(shop.cart()))

    reason = flow.khalti_unavailable_reason(
        site_key="default", member_id=None, total=Paisa(250_000), amount_due=Paisa(250_000)
    )

    assert reason.startswith("Khalti cannot accept this amount")


def test_a_refused_key_raises_a_flag_and_is_shown_nowhere(
    shop: FakeShop, khalti: Khalti, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """C11, I11"""
    khalti.next_initiate = [(401, {}, '{"detail": "Invalid token.", "status_code": 401}')]

    with pytest.raises(CannotPay) as caught:
        flow.begin_payment(shop.freeze(shop.cart()))

    flag = Flag.objects.get()
    assert flag.reason == "key_refused"
    assert settings.LOYALINK_KHALTI["KHALTI_SECRET_KEY"] not in f"{flag.evidence} {caught.value} {caplog.text}"


def test_a_pidx_sent_twice_opens_no_second_payment(shop: FakeShop, khalti: Khalti) -> None:
    """I2"""
    first = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.next_initiate = [{"pidx": first.pidx}]

    with pytest.raises(CannotPay, match="is not responding"):
        flow.begin_payment(shop.freeze(shop.cart("order-2")))

    assert Payment.objects.get(purchase__ref="order-2").state == "released"
    assert Flag.objects.get().reason == "pidx_mismatch"


def test_any_error_before_the_payment_page_releases_everything(shop: FakeShop, khalti: Khalti, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.flow.no_urls"
    shop.stock(pen=3)

    with pytest.raises(NoReverseMatch):
        flow.begin_payment(shop.freeze(shop.cart()))

    assert nothing_is_held(shop)
    assert khalti.opened == []


def test_inside_a_transaction_the_error_names_the_decorator_to_add(shop: FakeShop, khalti: Khalti) -> None:
    """H07"""
    with transaction.atomic(), pytest.raises(InsideTransaction, match="non_atomic_requests"):
        flow.begin_payment(shop.freeze(shop.cart()))

    assert not Purchase.objects.exists()


class ShopError(Exception):
    """An exception of the shop's own."""


@pytest.mark.parametrize("fault", [ShopError("the shop's own"), CannotPay("Sold out."), ValueError("bug")])
def test_any_exception_of_freeze_rolls_everything_back(fault: Exception, shop: FakeShop, khalti: Khalti) -> None:
    shop.stock(pen=3)

    def freeze() -> Cart:
        shop.freeze(shop.cart())()
        raise fault

    with pytest.raises(type(fault)):
        flow.begin_payment(freeze)

    assert (Purchase.objects.count(), shop.left("pen"), khalti.opened) == (0, 3, [])


def test_freeze_is_retried_once_after_a_database_failure(shop: FakeShop, khalti: Khalti) -> None:
    """H03"""
    faults = [OperationalError("deadlock detected")]

    def freeze() -> Cart:
        cart = shop.freeze(shop.cart())()
        if faults:
            raise faults.pop()
        return cart

    assert flow.begin_payment(freeze).state == "initiated"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"currency": "USD"}, "sells in USD"),
        ({"subtotal": 999}, "payments of Rs 10.00 or more"),
        ({"subtotal": 0}, "payments of Rs 10.00 or more"),
        ({"lines": ()}, "nothing to pay"),
        ({"total": -1}, "nothing to pay"),
        ({"shipping": -1}, "nothing to pay"),
        ({"points_redeemed": Points(500), "member_id": None}, "Log in"),
        ({"points_redeemed": Points(-100)}, "number of points"),
        ({"points_redeemed": Points(105)}, "number of points"),
        ({"points_redeemed": Points(90)}, "number of points"),
        ({"points_redeemed": Points(1100)}, "no longer have that many points"),
        ({"points_redeemed": Points(25_010)}, "number of points"),
        ({"points_redeemed": Points(500), "subtotal": 5_500}, "payments of Rs 10.00 or more"),
        ({"points_redeemed": Points(500), "subtotal": 5_000}, "payments of Rs 10.00 or more"),
    ],
)
def test_an_invalid_cart_is_refused_with_a_message_and_nothing_is_held(
    changes: dict[str, Any], message: str, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """D07, D08, D13, D14"""
    shop.stock(pen=3)

    with pytest.raises(CannotPay, match=message):
        flow.begin_payment(shop.freeze(shop.cart(**{"member_id": account.member_id, **changes})))

    account.refresh_from_db()
    assert (Purchase.objects.count(), shop.left("pen"), account.available, khalti.opened) == (0, 3, 1000, [])


def test_points_of_a_blocked_account_are_not_redeemed(shop: FakeShop, khalti: Khalti, account: Account) -> None:
    Account.objects.update(blocked=True)

    with pytest.raises(CannotPay, match="points are blocked"):
        flow.begin_payment(shop.freeze(shop.cart(member_id=account.member_id, points_redeemed=Points(500))))


def test_without_a_secret_key_khalti_cannot_be_chosen(shop: FakeShop, khalti: Khalti, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": ""}

    with pytest.raises(CannotPay, match="not set up"):
        flow.begin_payment(shop.freeze(shop.cart()))

    assert not Purchase.objects.exists()


def test_a_member_has_one_pending_payment_at_a_time(shop: FakeShop, khalti: Khalti) -> None:
    first = flow.begin_payment(shop.freeze(shop.cart(member_id="7")))

    with pytest.raises(flow.PaymentPending) as caught:
        flow.begin_payment(shop.freeze(shop.cart("order-2", member_id="7")))

    assert caught.value.payment == first
    assert "Rs 2,500.00" in str(caught.value)
    assert [payment.purchase.ref for payment in Payment.objects.all()] == ["order-1"]


def test_a_browser_session_has_three_pending_payments_at_most(shop: FakeShop, khalti: Khalti) -> None:
    for number in range(3):
        flow.begin_payment(shop.freeze(shop.cart(f"order-{number}")), browser_session="this browser")

    flow.begin_payment(shop.freeze(shop.cart("elsewhere")), browser_session="another browser")
    with pytest.raises(flow.PaymentPending):
        flow.begin_payment(shop.freeze(shop.cart("order-3")), browser_session="this browser")


def test_guests_with_one_address_have_three_pending_payments_at_most_and_learn_nothing_about_them(
    shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """From any number of browser sessions."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "LIVE_PAYMENTS_PER_EMAIL": 3}
    for number in range(3):
        flow.begin_payment(shop.freeze(shop.cart(f"order-{number}")), browser_session=f"browser-{number}")
    again = shop.cart("order-3", customer=Customer(email="SITA@example.com"))

    with pytest.raises(CannotPay) as caught:
        flow.begin_payment(shop.freeze(again), browser_session="browser-3")

    assert not isinstance(caught.value, flow.PaymentPending)
    assert "Rs" not in str(caught.value)
    assert Payment.objects.count() == 3


def test_ten_payments_begun_at_once_by_one_member_are_one(shop: FakeShop, khalti: Khalti) -> None:
    begun = at_once(10, lambda number: flow.begin_payment(shop.freeze(shop.cart(f"order-{number}", member_id="7"))))

    assert sorted({type(each).__name__ for each in begun}) == ["Payment", "PaymentPending"]
    assert (Payment.objects.count(), len(khalti.opened)) == (1, 1)


def test_a_settled_payment_is_not_pending(shop: FakeShop, khalti: Khalti) -> None:
    first = flow.begin_payment(shop.freeze(shop.cart(member_id="7")))
    khalti.pay(first.pidx)
    flow.verify_payment(first)

    assert flow.begin_payment(shop.freeze(shop.cart("order-2", member_id="7"))).state == "initiated"


def test_a_pending_payment_is_found_by_its_browser_session_and_by_its_member(shop: FakeShop, khalti: Khalti) -> None:
    guests = flow.begin_payment(shop.freeze(shop.cart()))
    members = flow.begin_payment(shop.freeze(shop.cart("order-2", member_id="7")))

    assert flow.unfinished_payments(tokens=[guests.token, "another"]) == [guests]
    assert flow.unfinished_payments(member_id="7") == [members]
    assert flow.unfinished_payments() == []
    assert flow.unfinished_payments(tokens=["another"], member_id="8") == []


def test_a_payment_under_review_is_found_until_it_is_refunded_and_for_two_weeks(
    shop: FakeShop, khalti: Khalti
) -> None:
    """T4"""
    late = flow.begin_payment(shop.freeze(shop.cart(member_id="7")))
    flow.cancel_payment(late, customer_present=False)
    khalti.pay(late.pidx)
    flow.verify_payment(late, ignore_back_off=True)
    live = flow.begin_payment(shop.freeze(shop.cart("order-2", member_id="7")))

    found = flow.unfinished_payments(member_id="7")
    with time_machine.travel(timezone.now() + timedelta(days=15)):
        later = flow.unfinished_payments(member_id="7")
    flow.refund_payment(late, actor="1")

    assert (found, later) == ([live, late], [live])
    assert flow.unfinished_payments(member_id="7") == [live]


def test_finding_a_pending_payment_is_one_query_and_none_without_tokens(
    shop: FakeShop, khalti: Khalti, django_assert_num_queries: Callable[[int], Any]
) -> None:
    payment = flow.begin_payment(shop.freeze(shop.cart()))

    with django_assert_num_queries(1):
        flow.unfinished_payments(tokens=[payment.token], member_id="7")
    with django_assert_num_queries(0):
        flow.unfinished_payments()


def test_twenty_clicks_on_one_basket_open_one_payment_page(shop: FakeShop, khalti: Khalti) -> None:
    """A20"""

    def click(index: int) -> Payment | None:
        try:
            return flow.begin_payment(shop.freeze(shop.cart(f"order-{index}", origin="basket")))
        except BasketTaken:
            return flow.live_payment_of("fake", "basket")

    payments = at_once(20, click)

    assert len(khalti.opened) == 1
    assert {getattr(payment, "pk", payment) for payment in payments} == {Payment.objects.get().pk}
    assert Purchase.objects.count() == 1


def test_a_second_click_gets_the_payment_of_the_first_at_once_while_khalti_is_being_asked(
    shop: FakeShop, khalti: Khalti
) -> None:
    """A20, D3"""
    joined: list[Any] = []
    khalti.while_initiating = lambda: joined.append(flow.live_payment_of("fake", "basket"))

    payment = flow.begin_payment(shop.freeze(shop.cart(origin="basket")))

    assert [(each, each.state, each.payment_url) for each in joined] == [(payment, "created", "")]


def test_without_a_live_payment_there_is_none_to_join(shop: FakeShop, khalti: Khalti) -> None:
    khalti.next_initiate = [refusal(detail="no")]
    with pytest.raises(CannotPay):
        flow.begin_payment(shop.freeze(shop.cart(origin="basket")))

    assert flow.live_payment_of("fake", "basket") is None


def test_the_first_customers_of_a_new_shop_may_pay_at_once(shop: FakeShop, khalti: Khalti) -> None:
    """Each of them tries to save the secret key first."""
    payments = at_once(10, lambda index: flow.begin_payment(shop.freeze(shop.cart(f"order-{index}"))))

    assert [getattr(payment, "state", payment) for payment in payments] == ["initiated"] * 10
    assert Credentials.objects.filter(retired_at=None).count() == 1


def test_a_member_whose_account_has_ended_cannot_pay_with_the_points_of_the_other(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """M6"""
    ledger.merge(site_key="default", member_id="7", into="8")

    with pytest.raises(CannotPay, match="moved to another account"):
        flow.begin_payment(shop.freeze(shop.cart(member_id="7", points_redeemed=Points(500))))

    assert Account.objects.get(member_id="8").available == 1000


def test_where_times_have_no_zone_no_payment_is_begun_and_no_order_placed(
    shop: FakeShop, khalti: Khalti, member: str, settings: Any
) -> None:
    """H1: the customer was sent an error page after Khalti had been asked."""
    settings.USE_TZ = False
    cart = shop.cart(member_id=member, points_redeemed=Points(500))

    with pytest.raises(CannotPay, match="cannot accept this order"):
        flow.begin_payment(shop.freeze(cart))
    with pytest.raises(CannotPay, match="cannot accept this order"):
        flow.place_order(shop.freeze(cart), method=PaymentMethod.COD)

    assert khalti.opened == []
    assert not Purchase.objects.exists()
    assert not Account.objects.filter(held__gt=0).exists()


def test_a_payment_that_was_begun_before_times_lost_their_zone_is_settled_once_they_have_it_again(
    shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """H1"""
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx)
    settings.USE_TZ = False
    with suppress(TypeError, ValueError, RuntimeWarning):
        flow.verify_payment(payment)
    settings.USE_TZ = True

    flow.verify_payment(payment)

    payment.refresh_from_db()
    assert (payment.state, len(shop.confirmed)) == ("fulfilled", 1)
