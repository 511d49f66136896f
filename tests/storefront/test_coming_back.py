"""The payer comes back early, often, late, by two tabs, or with somebody else's words; lookup alone decides."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.flow.audit import audit
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once, flags, points, stands

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]

LATER = [timedelta(seconds=1), timedelta(hours=1), timedelta(days=30, seconds=1)]


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti, member: str) -> Payment:
    """Rs 2,500 of goods, Rs 50 of it by 500 points, waiting at Khalti."""
    return flow.begin(shop.freeze(shop.cart(member_id=member, spends=Points(500))))


def back(payment: Payment) -> str:
    return f"/khalti/return/{payment.token}/"


def status(payment: Payment) -> str:
    return f"/khalti/status/{payment.token}/"


def come_back(payment: Payment, query: str = "") -> str:
    """Open the return address in a browser that nobody knows; where it leads in the end."""
    browser = Client()
    answer = browser.get(back(payment) + query)
    while answer.status_code == 302 and "/khalti/return/" in answer["Location"]:
        answer = browser.get(answer["Location"])
    assert answer.status_code == 302, answer.content.decode()[:500]
    return str(answer["Location"])


def reconcile() -> None:
    for _ in flow.reconcile():
        pass


def everything_is_right() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    return True


@pytest.mark.parametrize("later", LATER, ids=["1 s", "1 h", "30 d"])
def test_who_comes_back_again_later_gets_the_page_and_nothing_is_asked_or_written(
    later: timedelta, payment: Payment, khalti: Khalti, account: Account
) -> None:
    """A03"""
    khalti.pay(payment.pidx)
    first = come_back(payment)
    before = stands(payment), points(account), len(khalti.asked)

    with time_machine.travel(timezone.now() + later), CaptureQueriesContext(connection) as queries:
        again = come_back(payment)
        receipt = Client().get(status(payment))

    assert (again, receipt.status_code) == (first, 200)
    assert (stands(payment), points(account), len(khalti.asked)) == before
    assert [query["sql"] for query in queries if not query["sql"].startswith(("SELECT", "BEGIN", "COMMIT"))] == []


def test_two_tabs_of_one_payment_are_one_order_that_both_see(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """A07"""
    khalti.pay(payment.pidx)

    at_once(2, lambda _: come_back(payment))
    tabs = at_once(2, lambda _: (come_back(payment), Client().get(status(payment)).content.decode()))

    assert shop.confirmed == [("order-1", 245_000)]
    assert points(account) == (745, 0, 500)
    for tab in tabs:
        assert not isinstance(tab, Exception)
        assert tab[0] == "/fake/order-1/paid/"
        assert "Paid. Thank you!" in tab[1]


def test_who_comes_back_before_khaltis_answer_is_stored_sees_confirming_and_is_settled_later(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """A10: the payer is quicker than initiate's answer."""
    seen: list[Any] = []

    def come_back_early() -> None:
        token = urlsplit(khalti.opened[0]["return_url"]).path.split("/")[-2]
        seen.extend(at_once(1, lambda _: come_back(Payment(token=token))))
        khalti.pay("pidx1")

    khalti.while_initiating = come_back_early

    payment = flow.begin(shop.freeze(shop.cart(member_id=account.member_id, spends=Points(500))))
    between = stands(payment), len(khalti.asked)
    reconcile()

    assert (seen, between) == ([status(payment)], (("initiated", "open"), 0))
    assert stands(payment) == ("fulfilled", "placed")
    assert everything_is_right()


def test_who_comes_back_before_the_payment_is_committed_finds_nothing(shop: FakeShop, khalti: Khalti) -> None:
    """A10: the very row is not there yet for others."""
    seen: list[Any] = []

    def look_after_the_insert(execute: Any, sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if sql.startswith('INSERT INTO "loyalink_khalti_payment"') and not seen:
            token = Payment.objects.get().token
            seen.extend(at_once(1, lambda _: Client().get(f"/khalti/return/{token}/").status_code))
        return result

    with connection.execute_wrapper(look_after_the_insert):
        payment = flow.begin(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx)

    assert seen == [404]
    assert come_back(payment) == "/fake/order-1/paid/"


def test_canceled_in_the_address_does_not_undo_what_khalti_calls_completed(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """A12"""
    khalti.pay(payment.pidx)

    led_to = come_back(payment, f"?pidx={payment.pidx}&status=User%20canceled&transaction_id=&amount=245000")

    assert (led_to, shop.confirmed, shop.released) == ("/fake/order-1/paid/", [("order-1", 245_000)], [])
    assert points(account) == (745, 0, 500)


def test_what_khalti_shows_only_after_a_while_is_confirming_until_then(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """A14, C29: Completed is seen five minutes after the payer came back."""
    khalti.says(payment.pidx, "Pending")

    led_to = come_back(payment)
    page = Client().get(led_to)
    with time_machine.travel(timezone.now() + timedelta(minutes=4)):
        reconcile()
        pending = stands(payment)
    khalti.pay(payment.pidx)
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        reconcile()

    assert (led_to, pending) == (status(payment), ("initiated", "open"))
    assert "We are confirming your payment" in page.content.decode()
    assert int(page["Refresh"]) > 0
    assert (stands(payment), shop.confirmed) == (("fulfilled", "placed"), [("order-1", 245_000)])
    assert points(account) == (745, 0, 500)


def test_the_pidx_of_a_cheap_paid_order_pays_no_dear_one(
    shop: FakeShop, khalti: Khalti, payment: Payment, account: Account
) -> None:
    """D01: an order of Rs 10 is paid, and its pidx brought back under the number and name of the dear one."""
    cheap = flow.begin(shop.freeze(shop.cart("cheap", goods=1_000)))
    khalti.pay(cheap.pidx)
    forged = (
        f"?pidx={cheap.pidx}&status=Completed&transaction_id=T-{cheap.pidx}&amount=245000&total_amount=245000"
        f"&purchase_order_id={payment.purchase_order_id}&purchase_order_name=Order%20order-1"
    )

    led_to = come_back(payment, forged)
    before = stands(payment), stands(cheap), list(khalti.asked)
    own = come_back(cheap)

    assert (led_to, before) == (status(payment), (("initiated", "open"), ("initiated", "open"), [payment.pidx]))
    assert (own, shop.confirmed) == ("/fake/cheap/paid/", [("cheap", 1_000)])
    assert (stands(payment), points(account), flags()) == (("initiated", "open"), (500, 500, 0), [])


def test_of_somebody_elses_paid_payment_nothing_is_learned_by_its_pidx(
    shop: FakeShop, khalti: Khalti, payment: Payment, account: Account
) -> None:
    """D02, D12, I12: another's paid pidx in my own callback."""
    mine = flow.begin(shop.freeze(shop.cart("mine")))
    khalti.pay(payment.pidx)
    come_back(payment)
    before = points(account), Account.objects.count()
    theirs = f"?pidx={payment.pidx}&status=Completed&purchase_order_id={payment.purchase_order_id}"

    led_to = come_back(mine, theirs)
    page = Client().get(led_to + theirs).content.decode()

    assert (led_to, stands(mine)) == (status(mine), ("initiated", "open"))
    assert "We are confirming your payment" in page
    for word in ("N-order-1", "T-pidx1", "2,450.00", "Sita", "sita@example.com"):
        assert word not in page
    assert (points(account), Account.objects.count()) == before
    assert Client().get(f"/khalti/return/{payment.pidx}/").status_code == 404  # a pidx is no token
