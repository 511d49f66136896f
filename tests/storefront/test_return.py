"""The way back from Khalti: any browser, any query, any number of slashes; nothing in it is believed."""

from typing import Any

import pytest
import requests
from django.test import Client

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti) -> Payment:
    return flow.begin(shop.freeze(shop.cart()))


def back(payment: Payment) -> str:
    return f"/khalti/return/{payment.token}/"


@pytest.mark.parametrize(
    "glued", ["?status=Completed", "/?status=Completed", "///?a=b", "/", "?" + "a" * 65_536, "?a=%00&b=%ff"]
)
def test_whatever_is_glued_on_is_dropped_unread(client: Client, payment: Payment, khalti: Khalti, glued: str) -> None:
    """D11, I9: Khalti glues ``/?`` on; others glue worse."""
    response = client.get(back(payment) + glued)

    assert (response.status_code, response["Location"]) == (302, back(payment))
    assert khalti.asked == []


def test_a_paid_return_leads_on_and_settles_once(
    client: Client, payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    khalti.pay(payment.pidx)

    client.get(back(payment))
    client.get(back(payment))

    assert len(shop.confirmed) == 1
    assert khalti.asked == [payment.pidx]


def test_the_receipt_looks_again_by_itself_while_nothing_is_certain(client: Client, payment: Payment) -> None:
    response = client.get(f"/khalti/status/{payment.token}/")

    assert response.status_code == 200
    assert int(response["Refresh"]) > 0
    assert "We are confirming your payment" in response.content.decode()


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "head"])
def test_only_get_is_answered(client: Client, payment: Payment, khalti: Khalti, method: str) -> None:
    """A18."""
    response = getattr(Client(enforce_csrf_checks=True), method)(back(payment))

    assert response.status_code == 405
    assert khalti.asked == []


@pytest.mark.parametrize("token", ["AAAAAAAAAAAAAAAAAAAAAA", "x", "../../admin", "%00" * 22])
def test_an_unknown_token_is_not_found_and_nobody_is_asked(
    client: Client, khalti: Khalti, shop: FakeShop, token: str
) -> None:
    """D12, K07."""
    assert client.get(f"/khalti/return/{token}/?status=Completed").status_code == 404
    assert khalti.asked == []


def test_pages_of_a_payment_are_kept_from_caches_referrers_and_frames(client: Client, payment: Payment) -> None:
    """K06."""
    policies = {"status": "same-origin", "pay": "no-referrer", "return": "no-referrer"}
    for page, policy in policies.items():
        response = client.get(f"/khalti/{page}/{payment.token}/")

        assert "no-store" in response["Cache-Control"]
        assert response["Referrer-Policy"] == policy
        assert response["X-Frame-Options"] == "DENY"


def test_start_again_on_the_receipt_is_heard_from_a_real_browser(
    django_user_model: Any, payment: Payment, shop: FakeShop
) -> None:
    """K02: a browser names no origin for a form of a page with ``no-referrer``, and is refused."""
    browser = Client(enforce_csrf_checks=True)
    sita = django_user_model.objects.create(email="sita@example.com")
    browser.force_login(sita)
    Purchase.objects.update(member_id=str(sita.pk))
    page = browser.get(f"/khalti/status/{payment.token}/")
    origin = "null" if page["Referrer-Policy"] == "no-referrer" else "http://testserver"
    form = {"csrfmiddlewaretoken": page.context["csrf_token"]}
    Payment.objects.update(asked_at=None)  # nobody has to wait between two clicks of theirs

    response = browser.post(f"/khalti/again/{payment.token}/", form, headers={"origin": origin})

    assert response.status_code == 302
    assert len(shop.released) == 1


def test_a_stranger_cannot_give_somebody_elses_payment_up(client: Client, payment: Payment, shop: FakeShop) -> None:
    """I12."""
    assert client.post(f"/khalti/again/{payment.token}/").status_code == 404
    assert shop.released == []


def test_a_stranger_sees_no_transaction_of_khaltis(client: Client, payment: Payment, khalti: Khalti) -> None:
    """I12."""
    khalti.pay(payment.pidx)
    client.get(back(payment))

    receipt = client.get(f"/khalti/status/{payment.token}/").content.decode()

    assert "Paid. Thank you!" in receipt
    assert f"T-{payment.pidx}" not in receipt


def test_a_look_of_somebody_else_does_not_count_as_the_shoppers(
    client: Client, payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    khalti.says(payment.pidx, "User canceled")

    client.get(back(payment))

    assert shop.given_to_shopper == [False]


def test_who_was_given_the_money_back_is_not_told_that_nothing_was_taken(
    client: Client, payment: Payment, khalti: Khalti
) -> None:
    khalti.says(payment.pidx, "Refunded", transaction_id="T", refunded=True)
    client.get(back(payment))

    receipt = client.get(f"/khalti/status/{payment.token}/").content.decode()

    assert "Your payment was given back" in receipt
    assert "nothing was taken" not in receipt


def test_whose_money_is_being_given_back_reads_just_that(
    client: Client, payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """E02, F03: while nobody knows whether Khalti has heard of it, too."""
    flow.start_again(payment)
    khalti.pay(payment.pidx)
    flow.finish(payment, insist=True)
    khalti.next_refund = [requests.ReadTimeout("silence")]
    waiting = client.get(f"/khalti/status/{payment.token}/").content.decode()

    flow.give_back(payment, by="1")
    page = client.get(f"/khalti/status/{payment.token}/").content.decode()

    assert "Your money has arrived." in waiting
    assert "The shop is giving it back to you by Khalti" in page
    assert "Your money has arrived." not in page
