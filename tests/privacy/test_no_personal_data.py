"""Whole purchases, with errors of every kind: no log, error mail or error page names the customer or shows the key.

``django.db.backends`` is left out: at DEBUG it writes every statement with its parameters, and the INSERT of a
purchase holds its Cart, as it must. It writes nothing unless ``DEBUG`` is on.
"""

import http.client
import io
import logging
import smtplib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import OperationalError, connection
from django.test import Client
from django.utils.log import AdminEmailHandler

from loyalink_khalti import flow, outbox
from loyalink_khalti.khalti import circuit_breaker
from loyalink_khalti.logs import ContextFilter, JsonFormatter
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from tests.purchases import (
    KEY,
    Khalti,
    fake_shop,
    khalti,
    khalti_simulator,
    no_call_in_a_transaction,
    shop,
    simulator,
)

from .customer import EMAIL, MOBILE, NAME

__all__ = ["fake_shop", "khalti", "khalti_simulator", "no_call_in_a_transaction", "shop", "simulator"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True), pytest.mark.sampled]

CANARIES = {"key": KEY, "end of the key": KEY[-20:], "mobile": MOBILE, "name": NAME, "e-mail": EMAIL}
APPENDED = {"mobile": MOBILE, "pidx": "x", "status": "Completed", "name": NAME, "email": EMAIL}
FAULTS: dict[str, Any] = {
    "401": (401, {}, '{"detail": "Invalid token."}'),
    "400": (400, {}, '{"customer_info": {"phone": ["Enter a valid phone number."]}, "error_key": "validation_error"}'),
    "400 that repeats": (400, {}, f'{{"mobile": ["{MOBILE} of {NAME} has no account"], "email": ["{EMAIL}"]}}'),
    "404": (404, {}, '{"detail": "Not found."}'),
    "429": (429, {"Retry-After": "1"}, "{}"),
    "500": (500, {}, f"<html>{MOBILE} {NAME}</html>"),
    "garbage": (200, {}, f"\0{MOBILE}"),
    "another's answer": (200, {}, '{"pidx": "x y", "payment_url": "https://evil.example/", "status": 7}'),
    "time-out": requests.ReadTimeout(f"{KEY} {MOBILE}"),
    "refused connection": requests.ConnectionError(f"{KEY} {MOBILE}"),
}
faults = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)


class Output:
    """All that reached logs, error mails, error pages and the terminal; the customer's own mails apart."""

    def __init__(
        self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], lines: io.StringIO
    ) -> None:
        self.caplog, self.capfd, self.lines = caplog, capfd, lines
        self.pages: list[str] = []

    def page(self, response: Any) -> Any:
        """Keep an error page; what customers see of their own purchase is no leak."""
        if response.status_code >= 400:
            self.pages.append(response.content.decode())
        return response

    @property
    def text(self) -> str:
        mails = [str(message.message()) + "".join(str(part) for part, _kind in getattr(message, "alternatives", ()))
                 for message in mail.outbox if message.to != [EMAIL]]  # fmt: skip
        return "\n".join([self.caplog.text, self.lines.getvalue(), *self.capfd.readouterr(), *mails, *self.pages])


@pytest.fixture
def output(
    shop: FakeShop, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], settings: Any
) -> Iterator[Output]:
    """Every logger at DEBUG, as text and as JSON, HTTP traffic printed, and error mails in HTML."""
    caplog.set_level(logging.DEBUG)
    settings.ADMINS = [("Admin", "admin@shop.example")]
    settings.ROOT_URLCONF = "tests.privacy.host"
    mailing = AdminEmailHandler(include_html=True)
    logging.getLogger().addHandler(mailing)
    mailing.setLevel(logging.ERROR)
    structured = logging.StreamHandler(io.StringIO())
    structured.addFilter(ContextFilter())
    structured.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(structured)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http.client.HTTPConnection, "debuglevel", 1)
        patch.setattr(logging.getLogger("django.db.backends"), "disabled", True)
        yield Output(caplog, capfd, structured.stream)
    logging.getLogger().removeHandler(structured)
    logging.getLogger().removeHandler(mailing)


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


def fail(*_statement: Any) -> Any:
    """Fail every statement."""
    raise OperationalError("server closed the connection unexpectedly")


def personal_data_in(text: str) -> list[str]:
    """Return which personal data is in a text, and where."""
    found = ((what, text.find(canary)) for what, canary in CANARIES.items())
    return [f"{what}: …{text[max(0, at - 300) : at + 100]}…" for what, at in found if at >= 0]


def return_from_khalti(output: Output, browser: Client, token: str) -> None:
    """Return as a customer, a bot or a stranger may."""
    for path in (f"/khalti/return/{token}/", f"/khalti/return/{token}//", f"/khalti/return/{'A' * 22}/"):
        output.page(browser.get(path, APPENDED))
        output.page(browser.get(path))
        output.page(browser.head(path, APPENDED))
        output.page(browser.post(f"{path}?{urlencode(APPENDED)}"))
    output.page(browser.get(f"/khalti/status/{token}/"))


def whole_purchase(output: Output, browser: Client, ref: str) -> None:
    """Buy, pay, return and get a refund."""
    output.page(browser.get(f"/buy/{ref}/"))
    for payment in Payment.objects.filter(purchase__ref=ref):
        return_from_khalti(output, browser, payment.token)
        output.page(browser.post(f"/khalti/cancel/{payment.token}/"))
        output.page(browser.post(f"/refund/{ref}/", {"mobile": MOBILE}))
    for _ in flow.reconcile():
        pass
    outbox.deliver(ignore_back_off=True)


def test_a_successful_purchase_logs_no_personal_data(
    output: Output, browser: Client, shop: FakeShop, khalti: Khalti
) -> None:
    """L01, L04, I11"""
    token = browser.get("/buy/order-1/").content.decode()
    khalti.pay("pidx1")
    return_from_khalti(output, browser, token)
    assert browser.post("/refund/order-1/", {"mobile": MOBILE}).content == b"done"

    assert (khalti.opened[0]["customer_info"]["name"], khalti.refunded[0][1]["mobile"]) == (NAME, MOBILE)
    assert personal_data_in(output.text) == []


@pytest.mark.parametrize("debug", [False, True], ids=["mails", "debug page"])
@faults
def test_no_answer_of_khalti_logs_personal_data(
    fault: Any, debug: bool, output: Output, browser: Client, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """L01, L04, I11"""
    settings.DEBUG = debug
    khalti.next_initiate.append(fault)
    whole_purchase(output, browser, "order-1")
    browser.get("/buy/order-2/")
    khalti.next_lookup += [fault] * 3
    payment = Payment.objects.get(purchase__ref="order-2")
    return_from_khalti(output, browser, payment.token)
    khalti.next_lookup.clear()
    circuit_breaker.reset()
    khalti.pay(payment.pidx)
    flow.verify_payment(payment, ignore_back_off=True)
    khalti.next_refund.append(fault)
    output.page(browser.post("/refund/order-2/", {"mobile": MOBILE}))

    text = output.text
    assert "CannotPay" in text  # the host made it an error page
    assert len(khalti.refunded) == 1
    assert personal_data_in(text) == []


@pytest.mark.parametrize("debug", [False, True], ids=["mails", "debug page"])
@pytest.mark.parametrize("verb", ["freeze", "confirm", "release", "refund", "customer_page"])
def test_no_error_of_the_shop_logs_personal_data(
    verb: str, debug: bool, output: Output, browser: Client, shop: FakeShop, khalti: Khalti, settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """L01, L04, I11"""
    settings.DEBUG = debug

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("the shop is broken")

    monkeypatch.setattr(shop, "_take_stock" if verb == "freeze" else verb, fail)
    khalti.says("pidx1", "User canceled" if verb == "release" else "Completed", transaction_id="T1")
    whole_purchase(output, browser, "order-1")

    text = output.text
    assert "RuntimeError" in text
    assert "the shop is broken" in text or verb in {"confirm", "release", "refund"}  # the flow logs those itself
    assert personal_data_in(text) == []


def test_what_staff_entered_is_not_in_an_error_mail(output: Output, browser: Client, shop: FakeShop) -> None:
    """L04: the view marks the field as sensitive, as the dashboard's does."""
    output.page(browser.post("/refund/none/", {"mobile": MOBILE}))

    text = output.text
    assert "Purchase matching query does not exist" in text
    assert personal_data_in(text) == []


def test_a_refund_that_cannot_be_recorded_logs_no_personal_data(
    output: Output, browser: Client, shop: FakeShop, khalti: Khalti
) -> None:
    """L04, I11"""
    token = browser.get("/buy/order-1/").content.decode()
    khalti.pay("pidx1")
    browser.get(f"/khalti/return/{token}/")
    khalti.while_refunding = lambda: connection.execute_wrappers.append(fail)

    output.page(browser.post("/refund/order-1/", {"mobile": MOBILE}))

    connection.execute_wrappers.remove(fail)
    text = output.text
    assert khalti.refunded[0][1] == {"mobile": MOBILE}
    assert "flow/refunds/" in text
    assert "server closed the connection" in text
    assert personal_data_in(text) == []


class RefusingRecipients(BaseEmailBackend):
    """A mail server that refuses all recipients and names them."""

    def send_messages(self, messages: Any) -> int:
        raise smtplib.SMTPRecipientsRefused({EMAIL: (550, b"no such user")})


def test_a_mail_that_cannot_be_sent_logs_no_personal_data(
    output: Output, shop: FakeShop, settings: Any, django_user_model: Any
) -> None:
    """I11: it stays in the outbox, and every attempt is logged."""
    settings.EMAIL_BACKEND = f"{__name__}.RefusingRecipients"
    settings.ADMINS = []
    sita = django_user_model.objects.create_user(username="sita", email=EMAIL)
    payload = {
        "site_key": "default",
        "member_id": str(sita.pk),
        "points": 10,
        "points_value": 100,
        "last_day": "2030-01-01",
    }

    outbox.post("loyalink_khalti.flow.members.expiry.send_mail", **payload)

    text = output.text
    assert "SMTPRecipientsRefused in" in text
    assert personal_data_in(text) == []


@pytest.mark.parametrize("debug", [False, True], ids=["mails", "debug page"])
def test_an_unavailable_database_logs_no_personal_data(
    debug: bool, output: Output, browser: Client, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """L01, L04, I11"""
    token = browser.get("/buy/order-1/").content.decode()
    settings.DEBUG = debug

    with connection.execute_wrapper(fail):
        return_from_khalti(output, browser, token)

    text = output.text
    assert "the database does not answer" in text
    assert "Your payment is safe" in text
    assert personal_data_in(text) == []


def test_a_purchase_over_real_connections_logs_no_personal_data(
    output: Output, browser: Client, shop: FakeShop, simulator: Simulator
) -> None:
    """L01: urllib3 and http.client log what they do."""
    for number, kind in enumerate(["", "503", "garbage", "drop", "cut"]):
        if kind:
            simulator.fault(kind, where="lookup", times=1)
        output.page(browser.get(f"/buy/order-{number}/"))
        payment = Payment.objects.get(purchase__ref=f"order-{number}")
        simulator.pay(str(payment.pidx))
        return_from_khalti(output, browser, payment.token)

    text = output.text
    assert "POST /api/v2/epayment/lookup/" in text
    assert personal_data_in(text) == []
