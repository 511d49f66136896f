"""Completed after release: always paid. It is fulfilled automatically where Khalti itself had reported it unpaid, or
where its customer had cancelled it and wants nothing else.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Hold
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.ports import Outcome, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, flags, points, states_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti, member: str) -> Payment:
    """Rs 2,500 of products, Rs 50 of it by 500 points, pending at Khalti."""
    shop.stock(pen=3)
    return begin_payment(shop, "order-1", member_id=member, points_redeemed=Points(500))


def begin_payment(shop: FakeShop, ref: str, **changes: Any) -> Payment:
    """Another purchase, by default of the same basket."""
    return flow.begin_payment(shop.freeze(shop.cart(ref, **{"origin": "basket", **changes})))


def released_at_khalti(payment: Payment, khalti: Khalti, status: str = "Expired") -> None:
    khalti.says(payment.pidx, status)
    flow.verify_payment(payment, ignore_back_off=True)


def completed_late(payment: Payment, khalti: Khalti) -> Outcome:
    khalti.pay(payment.pidx)
    return flow.verify_payment(payment, ignore_back_off=True)


@pytest.mark.parametrize("status", ["Expired", "User canceled"])
def test_a_payment_that_khalti_reported_as_unpaid_is_fulfilled_after_all(
    status: str, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """E01, E02: stock is taken and points are held again."""
    released_at_khalti(payment, khalti, status)

    outcome = completed_late(payment, khalti)

    assert (outcome, states_of(payment), flags()) == (Outcome.PAID, ("fulfilled", "placed"), [])
    assert (shop.confirmed, shop.left("pen")) == ([("order-1", 245_000)], 2)
    assert points(account) == (745, 0, 500)
    assert list(Hold.objects.order_by("pk").values_list("state", flat=True)) == ["released", "captured"]


def test_the_shops_rows_are_locked_before_the_account(payment: Payment, khalti: Khalti) -> None:
    """Lock in one order: Purchase, Payment, the shop's own, Account."""
    released_at_khalti(payment, khalti)

    with CaptureQueriesContext(connection) as queries:
        completed_late(payment, khalti)

    written = [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]
    shops = [index for index, sql in enumerate(written) if "fake_shop" in sql]
    accounts = [index for index, sql in enumerate(written) if "loyalink_khalti_account" in sql]
    assert max(shops) < min(accounts)


def test_a_payment_cancelled_by_staff_is_left_to_staff(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """E02"""
    flow.cancel_payment(payment, customer_present=False)

    outcome = completed_late(payment, khalti)

    assert (outcome, states_of(payment)) == (Outcome.FLAGGED, ("paid", "released"))
    assert flags() == ["paid_after_cancel"]
    assert (shop.confirmed, points(account)) == ([], (1000, 0, 0))


def test_a_payment_that_its_customer_cancelled_and_paid_all_the_same_is_placed(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """E02, T4: "start again", then paid in the old tab."""
    flow.cancel_payment(payment)

    outcome = completed_late(payment, khalti)

    assert (outcome, states_of(payment), flags()) == (Outcome.PAID, ("fulfilled", "placed"), [])
    assert (shop.confirmed, shop.left("pen"), points(account)) == ([("order-1", 245_000)], 2, (745, 0, 500))


def buys_something_else(shop: FakeShop) -> None:
    flow.place_order(shop.freeze(shop.cart("order-2", member_id="7")), method=PaymentMethod.COD)


def is_about_to_pay_something_else(shop: FakeShop) -> None:
    begin_payment(shop, "order-2", member_id="7", origin="another basket")


def changes_the_basket(shop: FakeShop) -> None:
    shop.change_basket("order-1")


@pytest.mark.parametrize("meanwhile", [buys_something_else, is_about_to_pay_something_else, changes_the_basket])
def test_a_payment_that_its_customer_cancelled_is_left_to_staff_if_they_may_not_want_it_any_more(
    meanwhile: Callable[[FakeShop], None], payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """E02, T4"""
    shop.stock(pen=10)
    flow.cancel_payment(payment)
    meanwhile(shop)

    outcome = completed_late(payment, khalti)

    assert (outcome, states_of(payment), flags()) == (Outcome.FLAGGED, ("paid", "released"), ["paid_after_cancel"])


def test_money_that_its_customer_paid_after_all_is_recorded_where_the_shop_cannot_say_what_became_of_the_basket(
    payment: Payment, khalti: Khalti, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E02, C4: staff decide then."""
    flow.cancel_payment(payment)
    no_baskets: dict[str, bool] = {}
    monkeypatch.setattr(FakeShop, "is_basket_changed", lambda _shop, ref: no_baskets[ref])

    outcome = completed_late(payment, khalti)

    assert (outcome, states_of(payment), flags()) == (Outcome.FLAGGED, ("paid", "released"), ["paid_after_cancel"])


def test_a_payment_cancelled_by_a_guest_whom_nothing_identifies_is_left_to_staff(
    khalti: Khalti, shop: FakeShop
) -> None:
    """E02: nobody can tell what else they have bought."""
    payment = flow.begin_payment(shop.freeze(shop.cart("order-9")))
    flow.cancel_payment(payment)

    assert completed_late(payment, khalti) is Outcome.FLAGGED

    assert flags() == ["paid_after_cancel"]


def test_what_staff_have_decided_about_a_late_payment_stays_so(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """E02: the other purchase has ended since, but staff have talked to the customer."""
    flow.cancel_payment(payment)
    other = begin_payment(shop, "order-2", member_id="7", origin="another basket")
    completed_late(payment, khalti)
    Flag.objects.update(resolved_at=timezone.now())
    flow.cancel_payment(other)

    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.FLAGGED

    assert states_of(payment) == ("paid", "released")


def test_a_payment_that_failed_at_khalti_is_left_to_staff(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    released_at_khalti(payment, khalti, "Failed")

    outcome = completed_late(payment, khalti)

    assert (outcome, states_of(payment), flags()) == (Outcome.FLAGGED, ("paid", "released"), ["late"])
    assert shop.confirmed == []


@pytest.mark.parametrize("pays_again", [True, False])
def test_if_the_same_basket_is_bought_again_it_is_a_second_payment(
    pays_again: bool, payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """A08, A09"""
    released_at_khalti(payment, khalti)
    second = begin_payment(shop, "order-2")
    if pays_again:
        khalti.pay(second.pidx)
        flow.verify_payment(second)

    late = completed_late(payment, khalti)
    khalti.pay(second.pidx)
    outcome = flow.verify_payment(second, ignore_back_off=True)

    assert (late, flags()) == (Outcome.FLAGGED, ["second_payment"])
    assert (outcome, shop.confirmed) == (Outcome.PAID, [("order-2", 250_000)])
    assert shop.left("pen") == 2


def test_of_two_open_purchases_of_one_basket_the_first_paid_is_the_order(khalti: Khalti, shop: FakeShop) -> None:
    """A08, A09: by a shop that does not lock its baskets."""
    older, newer = begin_payment(shop, "order-1", origin="a tab"), begin_payment(shop, "order-2", origin="another tab")
    older.purchase.__class__.objects.update(origin="basket")
    khalti.pay(older.pidx)
    khalti.pay(newer.pidx)

    outcomes = [flow.verify_payment(payment) for payment in (newer, older)]

    assert outcomes == [Outcome.PAID, Outcome.FLAGGED]
    assert (shop.confirmed, flags()) == ([("order-2", 250_000)], ["second_payment"])


@pytest.mark.parametrize("released", [True, False])
def test_the_older_of_two_payments_is_fulfilled_after_the_newer_has_expired(
    released: bool, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """A09: whether the older was released meanwhile, or its link was still valid."""
    if released:
        released_at_khalti(payment, khalti)
        newer = begin_payment(shop, "order-2")
    else:
        newer = begin_payment(shop, "order-2", origin="another tab")
        newer.purchase.__class__.objects.update(origin="basket")
    released_at_khalti(newer, khalti)

    outcome = completed_late(payment, khalti)

    assert (outcome, states_of(payment), states_of(newer)) == (
        Outcome.PAID, ("fulfilled", "placed"), ("released", "released"),
    )  # fmt: skip
    assert (shop.confirmed, shop.left("pen"), flags()) == ([("order-1", 245_000)], 2, [])
    assert points(account) == (745, 0, 500)


@pytest.mark.parametrize("after", [timedelta(minutes=60, seconds=1), timedelta(days=3), timedelta(days=6, hours=23)])
@pytest.mark.parametrize("verified", [True, False], ids=["released first", "not verified"])
def test_a_payment_after_its_link_expired_becomes_an_order(
    after: timedelta, verified: bool, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """E01: found by a job, up to seven days later."""
    if verified:
        released_at_khalti(payment, khalti)
    khalti.pay(payment.pidx)

    with time_machine.travel((payment.initiated_at or timezone.now()) + after):
        for _ in flow.reconcile():
            pass

    assert (states_of(payment), shop.confirmed, shop.left("pen")) == (
        ("fulfilled", "placed"), [("order-1", 245_000)], 2,
    )  # fmt: skip
    assert (points(account), flags()) == ((745, 0, 500), [])


def test_without_enough_points_left_no_order_is_placed(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """D-20 without staff: nothing is owed."""
    released_at_khalti(payment, khalti)
    ledger.adjust(site_key="default", member_id="7", points=-600, key="spent elsewhere", reason="test")

    outcome = completed_late(payment, khalti)

    assert (outcome, states_of(payment), flags()) == (Outcome.FLAGGED, ("paid", "released"), ["late"])
    assert (shop.confirmed, points(account), shop.left("pen")) == ([], (400, 0, 0), 3)


def test_without_enough_stock_left_it_is_sold_out_and_never_oversold(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """E03: I15"""
    released_at_khalti(payment, khalti)
    shop.stock(pen=0)

    outcome = completed_late(payment, khalti)
    between = flags(), shop.left("pen"), points(account)
    shop.stock(pen=1)
    restocked = flow.verify_payment(payment, ignore_back_off=True)

    assert (outcome, between) == (Outcome.FLAGGED, (["sold_out"], 0, (1000, 0, 0)))
    assert (restocked, shop.left("pen")) == (Outcome.PAID, 0)


def test_a_second_payment_of_a_placed_order_is_a_flag(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    """A08: I1"""
    released_at_khalti(payment, khalti)
    shop.stock(pen=3)
    flow.place_order(shop.freeze(shop.cart("order-2", origin="basket")), method=PaymentMethod.COD)

    assert completed_late(payment, khalti) is Outcome.FLAGGED

    assert (flags(), shop.confirmed) == (["second_payment"], [("order-2", 0)])


@pytest.mark.parametrize("amount", [1, 244_999])
def test_a_late_payment_of_another_amount_is_a_mismatch(
    amount: int, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    released_at_khalti(payment, khalti)
    khalti.pay(payment.pidx, total_amount=amount)

    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.FLAGGED

    assert (states_of(payment), flags(), shop.confirmed) == (("mismatched", "released"), ["amount_mismatch"], [])
    assert points(account) == (1000, 0, 0)


def test_cancelling_releases_what_khalti_reports_as_not_paid(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    assert flow.cancel_payment(payment) is Outcome.CANCELLED

    payment.refresh_from_db()
    assert (payment.release_reason, *states_of(payment)) == ("cancelled_in_shop", "released", "released")
    assert (shop.released, shop.customer_was_present) == ([("order-1", "cancelled_in_shop")], [True])
    assert (points(account), shop.left("pen"), len(khalti.looked_up)) == ((1000, 0, 0), 3, 1)


def test_cancelling_a_paid_payment_places_the_order(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    """A06"""
    khalti.pay(payment.pidx)

    assert flow.cancel_payment(payment) is Outcome.PAID

    assert (states_of(payment), shop.released) == (("fulfilled", "placed"), [])


@pytest.mark.parametrize(
    "reply",
    [
        {"status": "Pending"},
        {"status": "Reversed"},
        {"pidx": "HT6o6PEZRWFJ5ygavzHWd5"},
        (503, {}, ""),
        (404, {}, '{"detail": "Not found."}'),
        requests.ConnectionError("refused"),
    ],
)
def test_cancelling_changes_nothing_unless_khalti_reports_not_paid(
    reply: Any, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """I10, C22"""
    khalti.next_lookup = [reply]

    assert flow.cancel_payment(payment) is Outcome.CONFIRMING

    assert (states_of(payment), shop.released, points(account)) == (("initiated", "open"), [], (500, 500, 0))


def test_cancelling_twice_looks_up_once_more_at_most_and_releases_once(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    outcomes = [flow.cancel_payment(payment) for _ in range(2)]

    assert outcomes == [Outcome.CANCELLED] * 2
    assert (len(khalti.looked_up), len(shop.released)) == (1, 1)


@pytest.mark.parametrize("first", [flow.cancel_payment, flow.verify_payment])
def test_cancelling_while_another_request_looks_up_is_answered_at_once(
    first: Callable[[Payment], Outcome], payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """D2: no customer's click waits in a thread for another's lookup."""
    seconds, losers = list[float](), list[Outcome]()

    def click() -> None:
        started = time.monotonic()
        losers.append(flow.cancel_payment(payment))
        seconds.append(time.monotonic() - started)

    khalti.says(payment.pidx, "Pending")
    khalti.while_looking_up = click

    assert first(payment) is Outcome.CONFIRMING

    assert (losers, len(khalti.looked_up), shop.released) == ([Outcome.CONFIRMING], 1, [])
    assert max(seconds) < 1


def test_cancelling_a_moment_after_the_status_page_has_looked_up_works(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """D2"""
    flow.verify_payment(payment)

    assert flow.cancel_payment(payment) is Outcome.CANCELLED

    assert (len(khalti.looked_up), shop.released) == (2, [("order-1", "cancelled_in_shop")])


def test_clicking_cancel_as_fast_as_possible_looks_up_every_three_seconds_at_most(
    payment: Payment, khalti: Khalti
) -> None:
    """D2"""
    khalti.says(payment.pidx, "Pending")
    outcomes = [flow.cancel_payment(payment) for _click in range(10)]
    between = len(khalti.looked_up)

    with time_machine.travel(timezone.now() + timedelta(seconds=4)):
        outcomes += [flow.cancel_payment(payment) for _click in range(10)]

    assert set(outcomes) == {Outcome.CONFIRMING}
    assert (between, len(khalti.looked_up)) == (1, 2)


def test_a_cancelled_basket_can_be_bought_again(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    flow.cancel_payment(payment)

    second = begin_payment(shop, "order-2", member_id="7", points_redeemed=Points(500))
    khalti.pay(second.pidx)

    assert flow.verify_payment(second) is Outcome.PAID


@pytest.mark.parametrize("fault", [ShopCannot("host_failed"), RuntimeError("a bug in the shop")])
def test_if_the_shop_cannot_release_the_basket_it_is_tried_again(
    fault: Exception, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    shop.fail("release", fault)
    flow.cancel_payment(payment)
    between = states_of(payment), flags(), points(account)

    flow.verify_payment(payment, ignore_back_off=True)

    assert between == (("released", "open"), ["host_failed"], (500, 500, 0))
    assert (states_of(payment), points(account)) == (("released", "released"), (1000, 0, 0))
    assert shop.released == [("order-1", "cancelled_in_shop")]


def test_a_refund_at_khalti_of_a_flagged_payment_is_recorded(payment: Payment, khalti: Khalti) -> None:
    flow.cancel_payment(payment, customer_present=False)
    completed_late(payment, khalti)
    khalti.says(payment.pidx, "Refunded", refunded=True, transaction_id="T-pidx1")

    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.FAILED

    payment.refresh_from_db()
    assert (payment.state, payment.release_reason, payment.refunded) == ("refunded", "cancelled_in_shop", 245_000)
    assert flags() == ["paid_after_cancel", "refunded_at_khalti"]
