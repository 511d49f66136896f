"""What a log record says of its request, its payment and its purchase."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path

from loyalink_khalti import flow, outbox
from loyalink_khalti.logs import ContextFilter, JsonFormatter, request_id
from loyalink_khalti.testing import FakeShop
from tests.asgi import serve
from tests.purchases import Khalti, fake_shop, khalti, no_call_in_a_transaction, shop

__all__ = ["fake_shop", "khalti", "no_call_in_a_transaction", "shop"]

pytestmark = pytest.mark.django_db(transaction=True)

SILENT: tuple[int, dict[str, str], str] = (503, {}, "")
log = logging.getLogger("tests.shop")


class Lines(logging.Handler):
    """The lines of a handler that is set up as docs/operations.md says, read back."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(ContextFilter(request_id_header="X-Request-ID"))
        self.setFormatter(JsonFormatter())
        self.read: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.read.append(json.loads(self.format(record)))

    def about(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.read if message in line["message"]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def page(request: HttpRequest) -> HttpResponse:
    log.warning("first")
    with transaction.atomic():
        outbox.post(f"{__name__}.work")
    log.warning("second")
    return HttpResponse()


def work() -> None:
    log.warning("after the response")


def broken(request: HttpRequest) -> HttpResponse:
    raise ValueError("Canary Sharma")


urlpatterns = [
    path("page/", page),
    path("broken/", broken),
    path("khalti/", include("loyalink_khalti.storefront.urls")),
    path("", include("sandbox.urls")),
]


@pytest.fixture
def browser(shop: FakeShop, settings: Any) -> Client:
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


def test_a_record_of_a_return_has_its_request_payment_purchase_site_and_verb(
    browser: Client, shop: FakeShop, khalti: Khalti, lines: Lines
) -> None:
    """N38"""
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.next_lookup.append(SILENT)

    browser.get(f"/khalti/return/{payment.token}/", headers={"X-Request-ID": "proxy-17"})

    (line,) = lines.about("lookup of payment")
    assert line["level"] == "WARNING"
    assert {name: line[name] for name in ("request_id", "verb", "payment_id", "purchase", "site_key", "attempt")} == {
        "request_id": "proxy-17", "verb": "verify_payment", "payment_id": payment.pk, "purchase": payment.purchase.key,
        "site_key": "default", "attempt": 1,
    }  # fmt: skip


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "<script>", "9811122233 Canary"])
def test_all_records_of_a_request_and_of_its_work_after_the_response_have_one_id(
    browser: Client, lines: Lines, sent: str
) -> None:
    """N38"""
    browser.get("/page/", headers={"X-Request-ID": sent})
    browser.get("/page/")

    records = [line for line in lines.read if line["logger"] == "tests.shop"]
    assert [line["message"] for line in records] == ["first", "second", "after the response"] * 2
    first, second = ({line["request_id"] for line in half} for half in (records[:3], records[3:]))
    assert len(first) == len(second) == 1
    assert first != second
    assert sent not in first


def test_an_id_that_anybody_may_have_sent_is_not_used() -> None:
    request = RequestFactory().get("/", headers={"X-Request-ID": "mine"})

    assert request_id(request) == request_id(request) != "mine"


def test_an_asgi_request_has_an_id_too(browser: Client, lines: Lines) -> None:
    """N38"""
    serve("/page/", host="shop.example", x_request_id="asgi-1")

    records = [line for line in lines.read if line["logger"] == "tests.shop"]
    assert [(line["message"], line["request_id"]) for line in records] == [
        ("first", "asgi-1"), ("second", "asgi-1"), ("after the response", "asgi-1"),
    ]  # fmt: skip


def test_the_error_page_of_a_request_is_logged_with_its_id_and_without_the_text_of_the_exception(
    browser: Client, lines: Lines
) -> None:
    browser.get("/broken/", headers={"X-Request-ID": "proxy-18"})

    (line,) = lines.about("Internal Server Error")
    assert line["request_id"] == "proxy-18"
    assert line["exception"].startswith("ValueError in broken (test_logs.py:")
    assert "Canary" not in json.dumps(line)


def test_each_thread_of_a_pass_logs_the_payment_that_it_looks_up(shop: FakeShop, khalti: Khalti, lines: Lines) -> None:
    """N38"""
    payments = [flow.begin_payment(shop.freeze(shop.cart(f"order-{number}"))) for number in range(3)]
    khalti.next_lookup += [SILENT] * 3

    list(flow.reconcile(workers=3))

    found = lines.about("lookup of payment")
    assert {(line["payment_id"], line["purchase"]) for line in found} == {
        (payment.pk, payment.purchase.key) for payment in payments
    }
    assert all(f"payment {line['payment_id']}:" in line["message"] for line in found)
    assert {line["verb"] for line in found} == {"reconcile_payment"}


def test_a_record_outside_a_request_and_a_verb_has_no_such_field(lines: Lines) -> None:
    log.warning("ready")

    (line,) = lines.about("ready")
    assert set(line) == {"time", "level", "logger", "message"}
