"""Whole purchases, with errors of every kind: no log, error mail or error page names the payer or shows the key.

``django.db.backends`` is left out: at DEBUG it writes every statement with its parameters, and the INSERT of a
purchase holds its Cart, as it must. It writes nothing unless ``DEBUG`` is on.
"""

import http.client
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
from loyalink_khalti.khalti import gate
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

from .payer import EMAIL, MOBILE, NAME

__all__ = ["fake_shop", "khalti", "khalti_simulator", "no_call_in_a_transaction", "shop", "simulator"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

CANARIES = {"key": KEY, "end of the key": KEY[-20:], "mobile": MOBILE, "name": NAME, "e-mail": EMAIL}
GLUED = {"mobile": MOBILE, "pidx": "x", "status": "Completed", "name": NAME, "email": EMAIL}
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


class Told:
    """All that logs, error mails, error pages and the terminal have been told."""

    def __init__(self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
        self.caplog, self.capfd = caplog, capfd
        self.pages: list[str] = []

    def page(self, response: Any) -> Any:
        """Keep an error page; what the shopper sees of their own purchase is no leak."""
        if response.status_code >= 400:
            self.pages.append(response.content.decode())
        return response

    @property
    def text(self) -> str:
        mails = [str(message.message()) + "".join(str(part) for part, _kind in getattr(message, "alternatives", ()))
                 for message in mail.outbox]  # fmt: skip
        return "\n".join([self.caplog.text, *self.capfd.readouterr(), *mails, *self.pages])


@pytest.fixture
def told(
    shop: FakeShop, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], settings: Any
) -> Iterator[Told]:
    """Every logger at DEBUG, HTTP spelt out, and an administrator who has every error by mail, as HTML."""
    caplog.set_level(logging.DEBUG)
    settings.ADMINS = [("Admin", "admin@shop.example")]
    settings.ROOT_URLCONF = "tests.privacy.host"
    mailing = AdminEmailHandler(include_html=True)
    logging.getLogger().addHandler(mailing)
    mailing.setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http.client.HTTPConnection, "debuglevel", 1)
        patch.setattr(logging.getLogger("django.db.backends"), "disabled", True)
        yield Told(caplog, capfd)
    logging.getLogger().removeHandler(mailing)


@pytest.fixture
def browser() -> Client:
    return Client(raise_request_exception=False)


def gone(*_statement: Any) -> Any:
    """What becomes of every statement."""
    raise OperationalError("server closed the connection unexpectedly")


def named(text: str) -> list[str]:
    """What of it all is in a text, and where."""
    found = ((what, text.find(canary)) for what, canary in CANARIES.items())
    return [f"{what}: …{text[max(0, at - 300) : at + 100]}…" for what, at in found if at >= 0]


def come_back(told: Told, browser: Client, token: str) -> None:
    """All the ways in which a payer, a bot or a stranger comes back."""
    for path in (f"/khalti/return/{token}/", f"/khalti/return/{token}//", f"/khalti/return/{'A' * 22}/"):
        told.page(browser.get(path, GLUED))
        told.page(browser.get(path))
        told.page(browser.head(path, GLUED))
        told.page(browser.post(f"{path}?{urlencode(GLUED)}"))
    told.page(browser.get(f"/khalti/status/{token}/"))


def whole_purchase(told: Told, browser: Client, ref: str) -> None:
    """Buy, pay, come back and have it given back."""
    told.page(browser.get(f"/buy/{ref}/"))
    for payment in Payment.objects.filter(purchase__ref=ref):
        come_back(told, browser, payment.token)
        told.page(browser.post(f"/khalti/again/{payment.token}/"))
        told.page(browser.post(f"/back/{ref}/", {"mobile": MOBILE}))
    for _ in flow.reconcile():
        pass
    outbox.deliver(insist=True)


def test_a_purchase_in_which_all_goes_well_names_nobody(
    told: Told, browser: Client, shop: FakeShop, khalti: Khalti
) -> None:
    """L01, L04, I11"""
    token = browser.get("/buy/order-1/").content.decode()
    khalti.pay("pidx1")
    come_back(told, browser, token)
    assert browser.post("/back/order-1/", {"mobile": MOBILE}).content == b"done"

    assert (khalti.opened[0]["customer_info"]["name"], khalti.refunded[0][1]["mobile"]) == (NAME, MOBILE)
    assert named(told.text) == []


@pytest.mark.parametrize("debug", [False, True], ids=["mails", "debug page"])
@faults
def test_whatever_khalti_answers_names_nobody(
    fault: Any, debug: bool, told: Told, browser: Client, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """L01, L04, I11"""
    settings.DEBUG = debug
    khalti.next_initiate.append(fault)
    whole_purchase(told, browser, "order-1")
    browser.get("/buy/order-2/")
    khalti.next_lookup += [fault] * 3
    payment = Payment.objects.get(purchase__ref="order-2")
    come_back(told, browser, payment.token)
    khalti.next_lookup.clear()
    gate.forget()
    khalti.pay(payment.pidx)
    flow.finish(payment, insist=True)
    khalti.next_refund.append(fault)
    told.page(browser.post("/back/order-2/", {"mobile": MOBILE}))

    said = told.text
    assert "CannotPay" in said  # the host let it become an error page
    assert len(khalti.refunded) == 1
    assert named(said) == []


@pytest.mark.parametrize("debug", [False, True], ids=["mails", "debug page"])
@pytest.mark.parametrize("verb", ["freeze", "confirm", "release", "reverse", "page_for"])
def test_whatever_goes_wrong_in_the_shop_names_nobody(
    verb: str, debug: bool, told: Told, browser: Client, shop: FakeShop, khalti: Khalti, settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """L01, L04, I11"""
    settings.DEBUG = debug

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("the shop is broken")

    monkeypatch.setattr(shop, "_take" if verb == "freeze" else verb, fail)
    khalti.says("pidx1", "User canceled" if verb == "release" else "Completed", transaction_id="T1")
    whole_purchase(told, browser, "order-1")

    said = told.text
    assert "RuntimeError" in said
    assert "the shop is broken" in said or verb in {"confirm", "release", "reverse"}  # of those the flow tells
    assert named(said) == []


def test_what_staff_typed_is_not_in_the_mail_about_an_error(told: Told, browser: Client, shop: FakeShop) -> None:
    """L04: where the view says that it is sensitive, as the dashboard's does."""
    told.page(browser.post("/back/none/", {"mobile": MOBILE}))

    said = told.text
    assert "Purchase matching query does not exist" in said
    assert named(said) == []


def test_a_refund_that_cannot_be_written_down_names_nobody(
    told: Told, browser: Client, shop: FakeShop, khalti: Khalti
) -> None:
    """L04, I11"""
    token = browser.get("/buy/order-1/").content.decode()
    khalti.pay("pidx1")
    browser.get(f"/khalti/return/{token}/")
    khalti.while_refunding = lambda: connection.execute_wrappers.append(gone)

    told.page(browser.post("/back/order-1/", {"mobile": MOBILE}))

    connection.execute_wrappers.remove(gone)
    said = told.text
    assert khalti.refunded[0][1] == {"mobile": MOBILE}
    assert "flow/undo.py" in said
    assert "server closed the connection" in said
    assert named(said) == []


class RefusingRecipients(BaseEmailBackend):
    """A mail server that knows none of them, and says so by name."""

    def send_messages(self, messages: Any) -> int:
        raise smtplib.SMTPRecipientsRefused({EMAIL: (550, b"no such user")})


def test_a_mail_that_cannot_be_sent_names_nobody(
    told: Told, shop: FakeShop, settings: Any, django_user_model: Any
) -> None:
    """I11: it waits in the outbox, and the log tells of it at every try."""
    settings.EMAIL_BACKEND = f"{__name__}.RefusingRecipients"
    settings.ADMINS = []
    sita = django_user_model.objects.create_user(username="sita", email=EMAIL)
    words = {"site_key": "default", "member_id": str(sita.pk), "points": 10, "worth": 100, "last_day": "2030-01-01"}

    outbox.post("loyalink_khalti.flow.warn.mail", **words)

    said = told.text
    assert "SMTPRecipientsRefused in" in said
    assert named(said) == []


@pytest.mark.parametrize("debug", [False, True], ids=["mails", "debug page"])
def test_a_database_that_is_gone_names_nobody(
    debug: bool, told: Told, browser: Client, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """L01, L04, I11"""
    token = browser.get("/buy/order-1/").content.decode()
    settings.DEBUG = debug

    with connection.execute_wrapper(gone):
        come_back(told, browser, token)

    said = told.text
    assert "the database does not answer" in said
    assert "Your payment is safe" in said
    assert named(said) == []


def test_a_purchase_over_real_connections_names_nobody(
    told: Told, browser: Client, shop: FakeShop, simulator: Simulator
) -> None:
    """L01: urllib3 and http.client tell what they do."""
    for number, kind in enumerate(["", "503", "garbage", "drop", "cut"]):
        if kind:
            simulator.fault(kind, where="lookup", times=1)
        told.page(browser.get(f"/buy/order-{number}/"))
        payment = Payment.objects.get(purchase__ref=f"order-{number}")
        simulator.pay(str(payment.pidx))
        come_back(told, browser, payment.token)

    said = told.text
    assert "POST /api/v2/epayment/lookup/" in said
    assert named(said) == []
