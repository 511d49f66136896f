"""Hostile text in addresses, headers and names: it redirects nowhere, does not run and is not stored."""

import re
from io import StringIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.test import Client

from loyalink_khalti import flow
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Customer, Line
from loyalink_khalti.session_payments import SESSION_KEY
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

CANARY = "canary4711"
EXTERNAL = re.compile(r"""(?:href|src|action|url)\s*=\s*["']?(?:https?:)?(?:[/\\]{2}|javascript:)[^"'>]*evil""")
EVIL = [
    "https://evil.example/",
    "//evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "/\\evil.example",
    "javascript:x",
]
ALL = ("pidx", "transaction_id", "tidx", "txnId", "amount", "total_amount", "mobile", "status", "purchase_order_id",
       "purchase_order_name", "next", "return_url")  # fmt: skip
PAYLOADS = {
    "script": f"<script>{CANARY}</script>",
    "template": f"{{{{ 7|add:7 }}}}{{% load x %}}{CANARY}",
    "formula": f'=HYPERLINK("http://evil.example")+{CANARY}',
    "sql": f"'; DROP TABLE x; --{CANARY}",
    "crlf": f"a\r\nSet-Cookie: {CANARY}=1",
    "right to left": f"\u202e{CANARY}",
    "emoji": f"💸{CANARY}",
    "Devanagari": f"नमस्ते{CANARY}",
    "NUL": f"\0{CANARY}",
    "long": CANARY * 6554,
}
payloads = pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart()))


def page(name: str, payment: Payment) -> str:
    return f"/khalti/{name}/{payment.token}/"


def dumped() -> str:
    """Return all rows of ours, and the sessions."""
    dump = StringIO()
    call_command("dumpdata", "loyalink_khalti", "sessions", stdout=dump)
    return dump.getvalue()


def own(client: Client, payment: Payment) -> None:
    """Make the payment this browser session's own."""
    session = client.session
    session[SESSION_KEY] = [payment.token]
    session.save()


@payloads
def test_no_part_of_an_appended_query_is_shown_or_stored(
    payload: str, client: Client, payment: Payment, khalti: Khalti
) -> None:
    """K01, D11"""
    khalti.pay(payment.pidx)

    first = client.get(page("return", payment), dict.fromkeys(ALL, payload))
    second = client.get(first["Location"], headers={"referer": "https://khalti.com/"})
    receipt = client.get(page("status", payment))

    assert (first.status_code, first["Location"], second.status_code) == (302, page("return", payment), 302)
    assert receipt.status_code == 200
    assert CANARY not in "".join(str(answer.serialize()) for answer in (first, second, receipt))
    assert CANARY not in dumped()


@pytest.mark.parametrize(
    "query",
    [
        f"pidx={CANARY}&pidx={CANARY}",
        f"pidx[]={CANARY}&pidx[0][a]={CANARY}",
        f"status=%FF%FE%C3{CANARY}",
        f"%00{CANARY}=%00",
        "&".join(f"a{n}={CANARY}" for n in range(11_000)),
        f"{CANARY};{CANARY}&&&=&",
        "%" * 100 + CANARY,
    ],
    ids=["doubled", "arrays", "not UTF-8", "NUL", "eleven thousand", "semicolons", "per cent"],
)
def test_a_malformed_query_is_dropped_unread(query: str, client: Client, payment: Payment) -> None:
    """D11"""
    response = client.get(page("return", payment), QUERY_STRING=query)

    assert (response.status_code, response["Location"]) == (302, page("return", payment))
    assert CANARY not in dumped()


@payloads
def test_names_from_customers_and_shops_are_escaped_on_the_receipt(
    payload: str, client: Client, shop: FakeShop, khalti: Khalti
) -> None:
    """K01"""
    written = payload.replace("\0", "")[:5000]  # PostgreSQL stores no NUL, so no shop can have one
    line = Line(sku=written[:100], title=written, quantity=1, unit=Paisa(250_000), total=Paisa(250_000))
    who = Customer(name=written, email=written, phone=written)
    payment = flow.begin_payment(shop.freeze(shop.cart(name=written, lines=(line,), customer=who)))
    own(client, payment)

    receipt = client.get(page("status", payment)).content.decode()

    assert CANARY in receipt
    assert f"<script>{CANARY}" not in receipt
    assert f"14{CANARY}" not in receipt
    assert "\nSet-Cookie" not in receipt.partition("<main")[0]


@pytest.mark.parametrize("evil", EVIL)
def test_no_redirect_leaves_the_shop(evil: str, client: Client, payment: Payment) -> None:
    """K03"""
    hostile = dict.fromkeys(("next", "return_url", "redirect", "url"), evil)
    own(client, payment)
    answers = [
        client.get(page("return", payment), hostile),
        client.get(page("return", payment), headers={"referer": evil}),
        client.get(page("status", payment), hostile),
        client.get(page("pay", payment), hostile),
    ]
    Payment.objects.update(last_lookup_at=None)  # no wait between two clicks of one customer
    answers.append(client.post(f"{page('cancel', payment)}?{urlencode(hostile)}", hostile))

    redirected_to = [answer.get("Location", "") for answer in answers]
    assert redirected_to[:2] == [page("return", payment), page("status", payment)]
    assert redirected_to[2:] == ["", payment.payment_url, "/fake/order-1/cancelled/"]
    assert EXTERNAL.findall(answers[2].content.decode()) == []


@pytest.mark.parametrize(
    "path", ["//evil.example/khalti/return/{0}/", "/khalti/return/{0}//evil.example", "/khalti//evil"]
)
def test_extra_slashes_redirect_nowhere_else(path: str, client: Client, payment: Payment) -> None:
    """K03"""
    response = client.get(path.format(payment.token))

    assert response.status_code == 404 or not response["Location"].startswith(("//", "http"))


def test_the_return_url_is_the_shops_own_address_whatever_host_a_request_names(
    client: Client, payment: Payment, khalti: Khalti
) -> None:
    """K04"""
    spoofed: dict[str, Any] = {
        "headers": {"host": "evil.example", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    }
    first = client.get(page("return", payment) + "?a=b", **spoofed)
    second = client.get(page("return", payment), **spoofed)
    receipt = client.get(page("status", payment), **spoofed)

    assert khalti.opened[0]["return_url"] == f"https://shop.example{page('return', payment)}"
    assert khalti.opened[0]["website_url"] == "https://shop.example/"
    assert (first["Location"], second["Location"]) == (page("return", payment), page("status", payment))
    assert "evil.example" not in receipt.content.decode()


def test_without_a_configured_address_the_return_url_is_wagtails_not_the_requests(
    shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    """K04"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "SITE_URL": ""}

    payment = flow.begin_payment(shop.freeze(shop.cart()))

    assert khalti.opened[0]["return_url"] == f"http://localhost{page('return', payment)}"
