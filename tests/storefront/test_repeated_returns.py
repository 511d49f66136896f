"""The customer returns early, often, late, in two tabs, or with another payment's query; lookup alone decides."""

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
from loyalink_khalti.flow import audit
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once, flags, points, states_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]

LATER = [timedelta(seconds=1), timedelta(hours=1), timedelta(days=30, seconds=1)]


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti, member: str) -> Payment:
    """Rs 2,500 of products, Rs 50 of it paid with 500 points, pending at Khalti."""
    return flow.begin_payment(shop.freeze(shop.cart(member_id=member, points_redeemed=Points(500))))


def return_url(payment: Payment) -> str:
    return f"/khalti/return/{payment.token}/"


def status(payment: Payment) -> str:
    return f"/khalti/status/{payment.token}/"


def return_from_khalti(payment: Payment, query: str = "") -> str:
    """Open the return URL in a new browser; return the last redirect."""
    browser = Client()
    answer = browser.get(return_url(payment) + query)
    while answer.status_code == 302 and "/khalti/return/" in answer["Location"]:
        answer = browser.get(answer["Location"])
    assert answer.status_code == 302, answer.content.decode()[:500]
    return str(answer["Location"])


def reconcile() -> None:
    for _ in flow.reconcile():
        pass


def audit_passes() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    return True


@pytest.mark.parametrize("later", LATER, ids=["1 s", "1 h", "30 d"])
def test_a_later_return_shows_the_page_without_a_call_or_a_write(
    later: timedelta, payment: Payment, khalti: Khalti, account: Account
) -> None:
    """A03"""
    khalti.pay(payment.pidx)
    first = return_from_khalti(payment)
    before = states_of(payment), points(account), len(khalti.looked_up)

    with time_machine.travel(timezone.now() + later), CaptureQueriesContext(connection) as queries:
        again = return_from_khalti(payment)
        receipt = Client().get(status(payment))

    assert (again, receipt.status_code) == (first, 200)
    assert (states_of(payment), points(account), len(khalti.looked_up)) == before
    assert [query["sql"] for query in queries if not query["sql"].startswith(("SELECT", "BEGIN", "COMMIT"))] == []


def test_two_tabs_of_one_payment_show_the_same_one_order(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """A07"""
    khalti.pay(payment.pidx)

    at_once(2, lambda _: return_from_khalti(payment))
    tabs = at_once(2, lambda _: (return_from_khalti(payment), Client().get(status(payment)).content.decode()))

    assert shop.confirmed == [("order-1", 245_000)]
    assert points(account) == (745, 0, 500)
    for tab in tabs:
        assert not isinstance(tab, Exception)
        assert tab[0] == "/fake/order-1/paid/"
        assert "Paid. Thank you!" in tab[1]


def test_a_return_before_khaltis_answer_is_stored_is_confirming_and_settled_later(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """A10: the customer is quicker than Khalti's answer to initiate."""
    seen: list[Any] = []

    def return_early() -> None:
        token = urlsplit(khalti.opened[0]["return_url"]).path.split("/")[-2]
        seen.extend(at_once(1, lambda _: return_from_khalti(Payment(token=token))))
        khalti.pay("pidx1")

    khalti.while_initiating = return_early

    payment = flow.begin_payment(shop.freeze(shop.cart(member_id=account.member_id, points_redeemed=Points(500))))
    between = states_of(payment), len(khalti.looked_up)
    reconcile()

    assert (seen, between) == ([status(payment)], (("initiated", "open"), 0))
    assert states_of(payment) == ("fulfilled", "placed")
    assert audit_passes()


def test_a_return_before_the_payment_is_committed_finds_nothing(shop: FakeShop, khalti: Khalti) -> None:
    """A10: the very row is not there yet for others."""
    seen: list[Any] = []

    def look_after_the_insert(execute: Any, sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if sql.startswith('INSERT INTO "loyalink_khalti_payment"') and not seen:
            token = Payment.objects.get().token
            seen.extend(at_once(1, lambda _: Client().get(f"/khalti/return/{token}/").status_code))
        return result

    with connection.execute_wrapper(look_after_the_insert):
        payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx)

    assert seen == [404]
    assert return_from_khalti(payment) == "/fake/order-1/paid/"


def test_canceled_in_the_query_does_not_override_completed_at_khalti(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """A12"""
    khalti.pay(payment.pidx)

    redirected_to = return_from_khalti(
        payment, f"?pidx={payment.pidx}&status=User%20canceled&transaction_id=&amount=245000"
    )

    assert (redirected_to, shop.confirmed, shop.released) == ("/fake/order-1/paid/", [("order-1", 245_000)], [])
    assert points(account) == (745, 0, 500)


def test_a_payment_that_khalti_reports_late_is_confirming_until_then(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """A14, C29: Completed is seen five minutes after the customer returned."""
    khalti.says(payment.pidx, "Pending")

    redirected_to = return_from_khalti(payment)
    page = Client().get(redirected_to)
    with time_machine.travel(timezone.now() + timedelta(minutes=4)):
        reconcile()
        pending = states_of(payment)
    khalti.pay(payment.pidx)
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        reconcile()

    assert (redirected_to, pending) == (status(payment), ("initiated", "open"))
    assert "We are confirming your payment" in page.content.decode()
    assert 'http-equiv="refresh"' in page.content.decode()
    assert (states_of(payment), shop.confirmed) == (("fulfilled", "placed"), [("order-1", 245_000)])
    assert points(account) == (745, 0, 500)


def test_the_pidx_of_a_cheap_paid_order_does_not_pay_an_expensive_one(
    shop: FakeShop, khalti: Khalti, payment: Payment, account: Account
) -> None:
    """D01: an order of Rs 10 is paid, and its pidx brought back under the number and name of the dear one."""
    cheap = flow.begin_payment(shop.freeze(shop.cart("cheap", subtotal=1_000)))
    khalti.pay(cheap.pidx)
    forged = (
        f"?pidx={cheap.pidx}&status=Completed&transaction_id=T-{cheap.pidx}&amount=245000&total_amount=245000"
        f"&purchase_order_id={payment.purchase_order_id}&purchase_order_name=Order%20order-1"
    )

    redirected_to = return_from_khalti(payment, forged)
    before = states_of(payment), states_of(cheap), list(khalti.looked_up)
    own = return_from_khalti(cheap)

    assert (redirected_to, before) == (status(payment), (("initiated", "open"), ("initiated", "open"), [payment.pidx]))
    assert (own, shop.confirmed) == ("/fake/cheap/paid/", [("cheap", 1_000)])
    assert (states_of(payment), points(account), flags()) == (("initiated", "open"), (500, 500, 0), [])


def test_the_pidx_of_anothers_paid_payment_reveals_nothing(
    shop: FakeShop, khalti: Khalti, payment: Payment, account: Account
) -> None:
    """D02, D12, I12: another's paid pidx in my own callback."""
    mine = flow.begin_payment(shop.freeze(shop.cart("mine")))
    khalti.pay(payment.pidx)
    return_from_khalti(payment)
    before = points(account), Account.objects.count()
    theirs = f"?pidx={payment.pidx}&status=Completed&purchase_order_id={payment.purchase_order_id}"

    redirected_to = return_from_khalti(mine, theirs)
    page = Client().get(redirected_to + theirs).content.decode()

    assert (redirected_to, states_of(mine)) == (status(mine), ("initiated", "open"))
    assert "Your payment is pending" in page
    for word in ("N-order-1", "T-pidx1", "2,450.00", "Sita", "sita@example.com"):
        assert word not in page
    assert (points(account), Account.objects.count()) == before
    assert Client().get(f"/khalti/return/{payment.pidx}/").status_code == 404  # a pidx is no token
