"""The status page while the outcome is open: what it offers, its news for the script, the question and the bar."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.test import Client
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, states_of

pytestmark = [pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart()))


@pytest.fixture
def customer(client: Client, payment: Payment) -> Client:
    """The browser that began the payment."""
    session = client.session
    session["loyalink_khalti"] = [payment.token]
    session.save()
    return client


def page(browser: Client, payment: Payment, kind: str = "status") -> BeautifulSoup:
    return BeautifulSoup(browser.get(f"/khalti/{kind}/{payment.token}/").content, "html.parser")


def news(browser: Client, payment: Payment) -> Any:
    return browser.get(f"/khalti/status/{payment.token}/news/").json()


def links(soup: Any) -> list[str]:
    """The texts of the buttons and links of what the customer can do, in their order."""
    return [" ".join(each.text.split()) for each in soup.select(".lk-actions a, .lk-actions button")]


def bar(browser: Client) -> Any:
    return BeautifulSoup(browser.get("/shop/catalogue/").content, "html.parser").select(".lk-pending")


def later(payment: Payment) -> None:
    """No back-off limits the next lookup, and Khalti's page was opened a while ago."""
    long_ago = timezone.now() - timedelta(minutes=5)
    Payment.objects.filter(pk=payment.pk).update(lookup_not_before=None, initiated_at=long_ago)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"status": "Pending"}, "still processing your payment"),
        ((503, {}, ""), "Khalti has not answered yet"),
    ],
    ids=["pending", "silent"],
)
def test_a_customer_who_may_have_paid_is_offered_to_check_again_and_never_to_pay(
    answer: Any, text: str, customer: Client, payment: Payment, khalti: Khalti
) -> None:
    """T5: Khalti said "Initiated" before, so its earlier word must not count."""
    flow.verify_payment(payment)
    khalti.next_lookup = [answer, answer]
    later(payment)

    status = page(customer, payment)
    later(payment)
    away = customer.get(f"/khalti/pay/{payment.token}/")

    assert links(status) == ["Check again", "Start again"]
    assert text in status.text
    assert away["Location"] == f"/khalti/status/{payment.token}/"
    assert [each.text for each in bar(customer)[0].select("a")] == ["Check again", "Start again", "View"]


def test_a_customer_who_has_not_paid_continues(customer: Client, payment: Payment) -> None:
    status = page(customer, payment)

    assert links(status) == ["Continue to Khalti", "Check again", "Start again"]
    assert customer.get(f"/khalti/pay/{payment.token}/")["Location"] == payment.payment_url
    assert [each.text for each in bar(customer)[0].select("a")] == ["Continue", "Start again", "View"]


def test_continue_asks_khalti_first_so_that_nobody_is_sent_to_pay_what_is_paid(
    customer: Client, payment: Payment, khalti: Khalti
) -> None:
    """T5: paid, then back in the shop by the button of the browser."""
    later(payment)
    khalti.pay(payment.pidx)

    answer = customer.get(f"/khalti/pay/{payment.token}/")

    assert (answer["Location"], states_of(payment)) == (
        f"/khalti/status/{payment.token}/", ("fulfilled", "placed"),
    )  # fmt: skip


def test_the_page_reloads_without_a_script_alone_and_the_script_asks_for_news(
    customer: Client, payment: Payment
) -> None:
    """T7: a page that reloads by itself cannot be read by a screen reader."""
    answer = customer.get(f"/khalti/status/{payment.token}/")
    soup = BeautifulSoup(answer.content, "html.parser")

    place = soup.select_one("#lk-status")
    assert "Refresh" not in answer
    assert len(soup.select("noscript > meta[http-equiv=refresh]")) == len(soup.select("[http-equiv=refresh]")) == 1
    assert place is not None
    assert (place["data-news"], place["data-after"]) == (f"/khalti/status/{payment.token}/news/", "4")
    assert soup.select("[role=status]#lk-say")
    assert soup.select("script[src$='loyalink_khalti/status.js'][defer]")


def test_the_news_name_what_is_shown_and_change_when_the_payment_does(
    customer: Client, payment: Payment, khalti: Khalti
) -> None:
    """T7"""
    place = page(customer, payment).select_one("#lk-status")
    waiting = news(customer, payment)
    khalti.pay(payment.pidx)
    later(payment)
    paid, again = news(customer, payment), news(customer, payment)

    assert place is not None
    assert (place["data-state"], waiting["after"] > 0) == (waiting["state"], True)
    assert paid["state"] not in {waiting["state"], ""}
    assert (paid["state"], paid["after"]) == (again["state"], 0)
    assert paid["say"].startswith("Paid. Thank you. Your order is placed.")
    assert BeautifulSoup(paid["html"], "html.parser").h1.text.strip() == "Paid. Thank you!"  # type: ignore[union-attr]


def test_the_news_show_a_stranger_no_more_than_the_page(payment: Payment, khalti: Khalti) -> None:
    """I12"""
    khalti.pay(payment.pidx)
    told = news(Client(), payment)

    assert "Fountain pen" not in told["html"]
    assert f"T-{payment.pidx}" not in told["html"]
    assert told["forward"] == ""


def test_a_question_comes_before_starting_again_and_asks_khalti_first(
    customer: Client, payment: Payment, shop: FakeShop, khalti: Khalti
) -> None:
    """T4"""
    question = page(customer, payment, "cancel")
    before = list(shop.released)
    form = question.select_one(".lk-actions form")
    assert form is not None

    answer = customer.post(str(form["action"]))

    assert "You have a payment of Rs 2,500.00 open at Khalti." in " ".join(question.text.split())
    assert links(question) == ["Continue to Khalti", "I have paid: check again", "I have not paid: start again"]
    assert (before, len(khalti.looked_up)) == ([], 2)
    assert (answer.status_code, shop.released) == (302, [("order-1", "cancelled_in_shop")])


def test_the_question_is_not_asked_about_a_payment_that_is_paid(
    customer: Client, payment: Payment, khalti: Khalti
) -> None:
    """T4"""
    khalti.pay(payment.pidx)

    answer = customer.get(f"/khalti/cancel/{payment.token}/")

    assert (answer.status_code, answer["Location"]) == (302, f"/khalti/status/{payment.token}/")
    assert states_of(payment) == ("fulfilled", "placed")


def test_whoever_may_have_paid_is_told_to_wait_before_starting_again(
    customer: Client, payment: Payment, khalti: Khalti
) -> None:
    """T4, T5"""
    khalti.says(payment.pidx, "Pending")

    question = page(customer, payment, "cancel")

    assert "Khalti is still processing it." in question.text
    assert links(question) == ["Check again", "I have not paid: start again"]


def test_the_bar_says_that_money_has_arrived_and_not_to_buy_again(
    customer: Client, payment: Payment, khalti: Khalti
) -> None:
    """T4"""
    flow.cancel_payment(payment, customer_present=False)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)

    (shown,) = bar(customer)

    text = " ".join(shown.text.split())
    assert "Your payment of Rs 2,500.00 has arrived." in text
    assert "please do not buy these products again" in text
    assert [each["href"] for each in shown.select("a")] == [f"/khalti/status/{payment.token}/"]
    assert bar(Client()) == []


def test_the_bar_comes_after_the_links_that_skip_the_navigation(customer: Client) -> None:
    """T8"""
    body = BeautifulSoup(customer.get("/shop/catalogue/").content, "html.parser").body

    assert body is not None
    first = list(body.find_all(["a", "aside", "header"], recursive=False))[:3]
    assert [each.get("class") for each in first] == [["skip"], ["lk-pending"], ["top"]]


def test_a_receipt_says_that_a_mail_is_on_its_way_for_an_hour(
    customer: Client, payment: Payment, khalti: Khalti, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T2"""
    monkeypatch.setattr(FakeShop, "mails_orders", True, raising=False)
    khalti.pay(payment.pidx)

    now = page(customer, payment).text
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        later_on = page(customer, payment).text

    assert "is on its way to you" in now
    assert ("is on its way to you" in later_on, "Your order is placed." in later_on) == (False, True)


@pytest.mark.parametrize(
    ("amount", "title", "text"),
    [
        (250_000, "Your payment was refunded", "The whole payment has been refunded to you through Khalti."),
        (
            50_000,
            "Paid, and refunded in part",
            "Of the Rs 2,500.00 that you paid, Rs 500.00 has been refunded to you.",
        ),
    ],
)
def test_the_receipt_of_a_refunded_order_says_so_and_does_not_thank_for_it(
    amount: int, title: str, text: str, customer: Client, payment: Payment, khalti: Khalti
) -> None:
    """T2"""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    purchase = Purchase.objects.get()
    flow.refund_order(purchase, subtotal=Paisa(amount), shipping=Paisa(0), key="a", actor="1")

    receipt = page(customer, payment)

    assert receipt.h1 is not None
    assert (receipt.h1.text.strip(), text in " ".join(receipt.text.split())) == (title, True)
    assert "on its way" not in receipt.text
