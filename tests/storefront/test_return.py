"""The return from Khalti: any browser, any query, any number of slashes; no query value is trusted."""

from typing import Any

import pytest
import requests
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart()))


def return_url(payment: Payment) -> str:
    return f"/khalti/return/{payment.token}/"


@pytest.mark.parametrize(
    "appended", ["?status=Completed", "/?status=Completed", "///?a=b", "/", "?" + "a" * 65_536, "?a=%00&b=%ff"]
)
def test_an_appended_query_is_dropped_unread(client: Client, payment: Payment, khalti: Khalti, appended: str) -> None:
    """D11, I9: Khalti appends ``/?``; others may append worse."""
    response = client.get(return_url(payment) + appended)

    assert (response.status_code, response["Location"]) == (302, return_url(payment))
    assert khalti.looked_up == []


def test_a_paid_return_redirects_and_places_the_order_once(
    client: Client, payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    khalti.pay(payment.pidx)

    client.get(return_url(payment))
    client.get(return_url(payment))

    assert len(shop.confirmed) == 1
    assert khalti.looked_up == [payment.pidx]


@pytest.mark.parametrize("page", ["return", "status"])
def test_a_page_of_a_settled_payment_reads_the_payment_once(
    client: Client, payment: Payment, khalti: Khalti, page: str
) -> None:
    """N3: Issue 14: the receipt is reloaded, and Khalti's redirect comes twice."""
    khalti.pay(payment.pidx)
    client.get(return_url(payment))

    with CaptureQueriesContext(connection) as sent:
        client.get(f"/khalti/{page}/{payment.token}/")

    read = [query["sql"] for query in sent if 'FROM "loyalink_khalti_payment"' in query["sql"]]
    assert len(read) == 1, read


def test_a_customer_who_waits_for_khaltis_page_is_forwarded_when_its_address_is_known(
    client: Client, payment: Payment, khalti: Khalti
) -> None:
    """A20, D3: the second of two clicks."""
    session = client.session
    session["loyalink_khalti"] = [payment.token]
    session.save()
    status, pay = f"/khalti/status/{payment.token}/", f"/khalti/pay/{payment.token}/"
    opened = {"state": payment.state, "pidx": payment.pidx, "payment_url": payment.payment_url}
    Payment.objects.update(state="created", pidx=None, payment_url="")

    waiting, not_yet, no_news = client.get(status), client.get(pay), client.get(f"{status}news/").json()
    by_others = Client().get(status)
    Payment.objects.update(**opened)
    then, news = client.get(pay), client.get(f"{status}news/").json()

    assert f'<noscript><meta http-equiv="refresh" content="2; url={pay}"></noscript>' in waiting.content.decode()
    assert (not_yet["Location"], no_news["forward"], no_news["after"]) == (status, "", 2)
    assert f"url={pay}" not in by_others.content.decode()
    assert (then["Location"], news["forward"]) == (payment.payment_url, pay)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "head"])
def test_only_get_is_answered(client: Client, payment: Payment, khalti: Khalti, method: str) -> None:
    """A18."""
    response = getattr(Client(enforce_csrf_checks=True), method)(return_url(payment))

    assert response.status_code == 405
    assert khalti.looked_up == []


@pytest.mark.parametrize("page", ["return", "status", "pay", "cancel", "claim"])
@pytest.mark.parametrize("token", ["A" * 22, "x", "../../admin", "%00" * 22, "%00", "a%0A", "x" * 9999])
def test_an_unknown_token_is_not_found_and_khalti_is_not_called(
    client: Client, khalti: Khalti, shop: FakeShop, django_user_model: Any, page: str, token: str
) -> None:
    """D12, K07, D6: PostgreSQL refuses a text with NUL."""
    client.force_login(django_user_model.objects.create(email="sita@example.com"))
    send = client.post if page == "cancel" else client.get

    assert send(f"/khalti/{page}/{token}/?status=Completed").status_code in {400, 404}
    assert khalti.looked_up == []


def test_pages_of_a_payment_are_kept_from_caches_referrers_and_frames(client: Client, payment: Payment) -> None:
    """K06."""
    policies = {"status": "same-origin", "pay": "no-referrer", "return": "no-referrer"}
    for page, policy in policies.items():
        response = client.get(f"/khalti/{page}/{payment.token}/")

        assert "no-store" in response["Cache-Control"]
        assert response["Referrer-Policy"] == policy
        assert response["X-Frame-Options"] == "DENY"


def test_starting_again_works_from_a_real_browser(django_user_model: Any, payment: Payment, shop: FakeShop) -> None:
    """K02: a browser sends no origin with a form of a page with ``no-referrer``, and is refused."""
    browser = Client(enforce_csrf_checks=True)
    sita = django_user_model.objects.create(email="sita@example.com")
    browser.force_login(sita)
    Purchase.objects.update(member_id=str(sita.pk))
    page = browser.get(f"/khalti/cancel/{payment.token}/")
    origin = "null" if page["Referrer-Policy"] == "no-referrer" else "http://testserver"
    form = {"csrfmiddlewaretoken": page.context["csrf_token"]}
    Payment.objects.update(last_lookup_at=None)  # no wait between two clicks of one customer

    response = browser.post(f"/khalti/cancel/{payment.token}/", form, headers={"origin": origin})

    assert response.status_code == 302
    assert len(shop.released) == 1


def test_a_stranger_cannot_cancel_the_payment(client: Client, payment: Payment, shop: FakeShop) -> None:
    """I12."""
    assert client.post(f"/khalti/cancel/{payment.token}/").status_code == 404
    assert shop.released == []


def test_a_stranger_sees_no_transaction_id(client: Client, payment: Payment, khalti: Khalti) -> None:
    """I12."""
    khalti.pay(payment.pidx)
    client.get(return_url(payment))

    receipt = client.get(f"/khalti/status/{payment.token}/").content.decode()

    assert "Paid. Thank you!" in receipt
    assert f"T-{payment.pidx}" not in receipt


def test_the_receipt_promises_a_mail_only_of_a_shop_that_sends_one(
    client: Client, payment: Payment, khalti: Khalti, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    khalti.pay(payment.pidx)
    client.get(return_url(payment))

    def receipt() -> str:
        return client.get(f"/khalti/status/{payment.token}/").content.decode()

    assert "Your order is placed." in receipt()
    assert "e-mail" not in receipt()
    monkeypatch.setattr(FakeShop, "mails_orders", True, raising=False)
    assert "A confirmation e-mail is on its way to you." in receipt()


def test_a_strangers_visit_does_not_count_as_the_customers(
    client: Client, payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    khalti.says(payment.pidx, "User canceled")

    client.get(return_url(payment))

    assert shop.customer_was_present == [False]


def test_a_refunded_customer_does_not_read_that_nothing_was_charged(
    client: Client, payment: Payment, khalti: Khalti
) -> None:
    khalti.says(payment.pidx, "Refunded", transaction_id="T", refunded=True)
    client.get(return_url(payment))

    receipt = client.get(f"/khalti/status/{payment.token}/").content.decode()

    assert "Your payment was refunded" in receipt
    assert "nothing was charged" not in receipt


def test_a_customer_reads_that_a_refund_is_under_way(
    client: Client, payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """E02, F03: while the refund is unconfirmed, too."""
    flow.cancel_payment(payment, customer_present=False)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)
    khalti.next_refund = [requests.ReadTimeout("silence")]
    before = client.get(f"/khalti/status/{payment.token}/").content.decode()

    flow.refund_payment(payment, actor="1")
    page = client.get(f"/khalti/status/{payment.token}/").content.decode()

    assert "Your payment has arrived." in before
    assert "The shop is refunding it through Khalti" in page
    assert "Your payment has arrived." not in page
