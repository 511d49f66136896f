"""What a customer is told of an order: from the mail that confirms it to the mail about the refunded line."""

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import ShopDetails
from loyalink_khalti.clock import database_now
from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.mail_rows import Result, SentMail
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of
from loyalink_khalti.outbox import Message
from loyalink_khalti.outbox import deliver as deliver_outbox
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import Line, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = pytest.mark.django_db(transaction=True)

Signalled = list[tuple[str, dict[str, Any]]]


def html_of(message: Any) -> str:
    """Return the HTML of a mail."""
    return str(message.alternatives[0][0])


def subjects() -> list[str]:
    return [str(message.subject) for message in mail.outbox]


def last_text() -> str:
    return " ".join(str(mail.outbox[-1].body).split())


def two_lines() -> tuple[Line, ...]:
    pen = Line(id="1", sku="pen", title="Fountain pen", quantity=1, unit=Paisa(200_000), total=Paisa(200_000))
    ink = Line(id="2", sku="ink", title="Ink", quantity=2, unit=Paisa(25_000), total=Paisa(50_000))
    return (pen, ink)


def by_transfer(shop: FakeShop, **changes: Any) -> Purchase:
    return flow.place_order(shop.freeze(shop.cart(**changes)), method=PaymentMethod.BANK_TRANSFER)


def receive(purchase: Purchase, amount: int, key: str = "first") -> None:
    flow.record_received(purchase, amount=Paisa(amount), received_on=date(2026, 1, 1), key=key, actor="1")


@pytest.mark.money
def test_a_paid_order_is_told_by_one_mail_and_a_signal_for_each_thing_that_happened(
    payment: Payment, khalti: Khalti, signalled: Signalled
) -> None:
    """T3"""
    khalti.pay(payment.pidx)

    flow.verify_payment(payment)
    flow.verify_payment(payment)

    assert [message.to for message in mail.outbox] == [["sita@example.com"]]
    assert "Paid: Rs 2,450.00 (Khalti)" in last_text()
    assert "You earn 245 points" in last_text()
    assert [name for name, _arguments in signalled] == [
        "order_placed", "money_received", "points_redeemed", "points_earned"
    ]  # fmt: skip
    figures = dict(signalled)
    assert figures["money_received"]["amount"] == 245_000
    assert (figures["points_redeemed"]["points"], figures["points_redeemed"]["points_value"]) == (500, 5_000)
    assert figures["points_earned"]["points"] == 245
    assert figures["order_placed"]["purchase"].frozen_cart.customer.phone == "9800000001"


def test_a_mail_has_html_with_one_button_and_plain_text(payment: Payment, khalti: Khalti) -> None:
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)

    html = html_of(mail.outbox[0])

    assert html.count(f'href="https://shop.example/khalti/status/{payment.token}/"') == 1
    assert "View your order: https://shop.example/khalti/status/" in str(mail.outbox[0].body)
    assert "Fountain pen" in html
    assert "<script" not in html


def test_a_transfer_is_told_with_bank_reference_and_deadline_then_with_what_has_arrived(
    shop: FakeShop, signalled: Signalled
) -> None:
    """T1, T3"""
    details = {"bank_details": "Nabil Bank\n0110017501234", "transfer_days": 5}
    ShopDetails.objects.create(site=Site.objects.get(is_default_site=True), **details)
    purchase = by_transfer(shop)
    placed = last_text()
    receive(purchase, 100_000)
    part = last_text()
    receive(purchase, 150_000, key="second")

    assert "Nabil Bank 0110017501234 Amount: Rs 2,500.00 Reference: N-order-1" in placed
    assert "Please transfer by" in placed
    assert "We have received Rs 1,000.00 for your order N-order-1. Thank you! Rs 1,500.00 is left to pay." in part
    assert "We have received Rs 1,500.00" in last_text()
    assert [name for name, _arguments in signalled] == ["order_placed", "money_received", "money_received"]
    assert [arguments["left_to_pay"] for name, arguments in signalled if name == "money_received"] == [150_000, 0]


def test_money_that_comes_late_is_told_and_that_it_must_not_be_paid_again(
    payment: Payment, shop: FakeShop, khalti: Khalti, signalled: Signalled
) -> None:
    """T3, T4"""
    shop.fail("confirm", ShopCannot("sold_out", "Fountain pen"))
    khalti.pay(payment.pidx)

    flow.verify_payment(payment)
    review = last_text()
    flow.refresh_payment(payment)  # the shop has one again

    assert "Khalti has received your Rs 2,450.00 for order order-1" in review
    assert "Please do not pay again." in review
    assert len(mail.outbox) == 2
    assert "Thank you for your order" in last_text()
    assert [name for name, _arguments in signalled][:2] == ["payment_under_review", "order_placed"]


@pytest.mark.money
def test_a_refunded_line_is_told_with_its_money_and_its_points(
    shop: FakeShop, khalti: Khalti, account: Account, signalled: Signalled
) -> None:
    """T3"""
    cart = shop.cart(member_id=account.member_id, points_redeemed=Points(500), lines=two_lines())
    payment = flow.begin_payment(shop.freeze(cart))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    purchase = Purchase.objects.get()
    signalled.clear()

    flow.refund_order(purchase, subtotal=Paisa(25_000), shipping=Paisa(0), lines=[("2", 1)], key="one ink", actor="1")

    assert subjects()[-1] == "Refund of your order N-order-1"
    assert "Rs 245.00 of your order N-order-1 is refunded." in last_text()
    assert "account at Khalti" in last_text()
    assert "Refunded products: 1 × Ink" in last_text()
    assert "50 points that you used are in your account again." in last_text()
    assert "Paid, less refunds: Rs 2,205.00" in last_text()
    assert [name for name, _arguments in signalled] == ["order_refunded", "points_refunded"]
    assert dict(signalled)["points_refunded"]["points_restored"] == 50


def test_a_cancelled_order_is_told_once(shop: FakeShop, signalled: Signalled) -> None:
    """T3"""
    purchase = by_transfer(shop)

    for _click in range(2):
        flow.refund_order(purchase, subtotal=Paisa(250_000), shipping=Paisa(0), key="cancel", actor="1", cancels=True)

    assert subjects()[1:] == ["Your order N-order-1 is cancelled"]
    assert [name for name, _arguments in signalled] == ["order_placed", "order_cancelled"]


def test_an_order_that_its_shop_has_sent_is_told(shop: FakeShop, signalled: Signalled) -> None:
    """T3"""
    by_transfer(shop)

    flow.order_shipped("fake", "order-1")

    assert subjects()[-1] == "Your order N-order-1 is on its way"
    assert signalled[-1][0] == "order_shipped"


def test_a_mail_is_in_the_language_of_the_order(shop: FakeShop, settings: Any) -> None:
    settings.LANGUAGES = [("en", "English"), ("ne", "Nepali")]

    by_transfer(shop, language="ne")

    html = html_of(mail.outbox[0])
    assert 'lang="ne"' in html
    assert "नमस्ते" in html


def test_a_mail_whose_server_fails_is_sent_later_once_and_its_signals_are_not_sent_again(
    shop: FakeShop, settings: Any, signalled: Signalled
) -> None:
    """T25"""
    settings.EMAIL_BACKEND = "tests.flow.notices.test_orders.NoServer"
    by_transfer(shop)
    before = (len(mail.outbox), SentMail.objects.get().result)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

    deliver_outbox(ignore_back_off=True)
    Message.objects.update(sent_at=None, attempts=0)  # as if the sender had died before it could say so
    deliver_outbox(ignore_back_off=True)

    assert before == (0, "")
    assert len(mail.outbox) == 1
    assert SentMail.objects.get().result == Result.SENT
    assert [name for name, _arguments in signalled] == ["order_placed"]


class NoServer:
    """A mail server that is down."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def send_messages(self, messages: Any) -> int:
        raise ConnectionError("the mail server is down")


def test_a_kind_that_is_switched_off_is_not_mailed_and_signalled_all_the_same(
    shop: FakeShop, signalled: Signalled
) -> None:
    site = Site.objects.get(is_default_site=True)
    ShopDetails.objects.create(site=site, mails_off=["order_placed", "order_cancelled"])

    by_transfer(shop)

    assert mail.outbox == []
    assert SentMail.objects.get().result == Result.OFF
    assert [name for name, _arguments in signalled] == ["order_placed"]


def test_where_the_order_mail_is_off_the_points_have_a_mail_of_their_own(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    User.objects.create(pk=account.member_id, username="sita", email="sita@example.com")
    ShopDetails.objects.create(site=Site.objects.get(is_default_site=True), mails_off=["order_placed"])
    payment = flow.begin_payment(shop.freeze(shop.cart(member_id=account.member_id)))
    khalti.pay(payment.pidx)

    flow.verify_payment(payment)

    assert subjects() == ["You have earned 250 points"]
    assert "They are for your order N-order-1." in last_text()


def test_staff_send_a_mail_again_and_two_deliveries_of_that_are_one_mail(shop: FakeShop) -> None:
    """T25"""
    purchase = by_transfer(shop)
    (told,) = flow.mails_of(purchase)

    flow.send_mail_again(purchase, told.pk)
    Message.objects.update(sent_at=None, attempts=0)
    deliver_outbox(ignore_back_off=True)

    assert len(mail.outbox) == 2
    assert len({message.extra_headers["Message-ID"] for message in mail.outbox}) == 2
    assert flow.mails_of(purchase)[0].times == 2


def test_an_order_from_before_mails_were_recorded_can_be_confirmed_again(shop: FakeShop) -> None:
    purchase = by_transfer(shop)
    SentMail.objects.all().delete()
    (told,) = flow.mails_of(purchase)

    flow.send_mail_again(purchase, told.pk)

    assert subjects()[-1] == "Your order N-order-1 at Saraswati Stationery"
    with pytest.raises(flow.CannotMail):
        flow.send_mail_again(purchase, 987654)


@pytest.mark.money
def test_the_rest_that_khalti_refunds_of_a_payment_without_an_order_is_told_too(
    payment: Payment, khalti: Khalti, signalled: Signalled
) -> None:
    """T3: each rupee that goes back is told once, whoever has refunded it where."""
    flow.cancel_payment(payment, customer_present=False)
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)
    made = {"made_on": day_of(database_now()), "reason": "shown in the dashboard", "actor": "1", "key": "a part"}
    flow.record_refund(payment, amount=Paisa(45_000), **made)
    signalled.clear()
    mail.outbox.clear()

    khalti.says(payment.pidx, "Refunded", refunded=True, transaction_id=f"T-{payment.pidx}")
    Payment.objects.update(next_poll_at=database_now())
    for _result in flow.reconcile():
        pass

    payment.refresh_from_db()
    assert (payment.state, payment.refunded) == ("refunded", 245_000)
    assert [(name, arguments["amount"]) for name, arguments in signalled] == [("order_refunded", 200_000)]
    assert len(mail.outbox) == 1
