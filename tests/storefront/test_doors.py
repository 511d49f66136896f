"""Whoever knocks at a page of a payment: guesses are alike and few, pages are closed to frames and caches."""

from datetime import timedelta
from secrets import token_urlsafe
from typing import Any

import pytest
import time_machine
from django.core import signing
from django.test import Client
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Method
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

MOST = 5
PAGES = ["return", "status", "pay", "again"]
every_page = pytest.mark.parametrize("page", PAGES)


@pytest.fixture(autouse=True)
def _few_guesses(shop: FakeShop, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI, "UNKNOWN_TOKENS_PER_MINUTE": MOST, "GUEST_CLAIMS": True,
    }  # fmt: skip


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti) -> Payment:
    return flow.begin(shop.freeze(shop.cart()))


@pytest.fixture
def sita(django_user_model: Any) -> Client:
    """The browser of a member."""
    browser = Client()
    browser.force_login(django_user_model.objects.create_user(username="sita", email="sita@example.com"))
    return browser


def knock(client: Client, page: str, token: str = "", **extra: Any) -> Any:
    """Open a page with a token, a random one unless told."""
    send = client.post if page == "again" else client.get
    return send(f"/khalti/{page}/{token or token_urlsafe(16)}/", **extra)


def claim_token(shop: FakeShop) -> str:
    purchase = flow.place(shop.freeze(shop.cart("order-9")), method=Method.COD)
    return flow.claim_link(purchase).split("/")[-2]


@every_page
def test_who_guesses_is_told_to_wait_and_khalti_hears_nothing(page: str, client: Client, khalti: Khalti) -> None:
    """K07, D15"""
    answers = [knock(client, page) for _ in range(MOST + 2)]

    assert [answer.status_code for answer in answers] == [404] * MOST + [429] * 2
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert khalti.asked == []


@pytest.mark.parametrize("method", ["get", "post"])
def test_links_to_claim_that_were_never_ours_count_as_guesses(method: str, sita: Client) -> None:
    """K07"""
    answers = [getattr(sita, method)(f"/khalti/claim/{signing.dumps(n, salt='x')}/") for n in range(MOST + 1)]

    assert [answer.status_code for answer in answers] == [400] * MOST + [429]
    assert "This link is not valid" in answers[0].content.decode()


def test_a_real_link_to_claim_is_served_while_guesses_are_not(sita: Client, shop: FakeShop) -> None:
    token = claim_token(shop)

    for _ in range(MOST + 1):
        knock(sita, "status")

    assert knock(sita, "claim", token).status_code == 200


@pytest.mark.parametrize("page", ["return", "status", "pay"])
def test_a_known_token_is_always_served_whoever_shares_the_address(
    page: str, client: Client, payment: Payment
) -> None:
    for _ in range(MOST + 1):
        refused = knock(client, page)

    assert refused.status_code == 429
    assert knock(client, page, payment.token).status_code in {200, 302}


def test_known_tokens_are_never_counted(client: Client, payment: Payment) -> None:
    for _ in range(MOST + 1):
        knock(client, "pay", payment.token)

    assert knock(client, "pay").status_code == 404


def test_after_a_minute_the_counting_begins_anew(client: Client) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(MOST + 1):
            refused = knock(client, "status")
        clock.shift(timedelta(seconds=int(refused["Retry-After"]) + 1))

        assert knock(client, "status").status_code == 404


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("198.51.100.7", "198.51.100.8", False),
        ("2001:db8:1:2::a", "2001:db8:1:2:ffff::b", True),
        ("2001:db8:1:2::a", "2001:db8:1:3::a", False),
        ("", "", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_guesses_are_counted_by_the_callers_network(one: str, other: str, same: bool, client: Client) -> None:
    for _ in range(MOST):
        knock(client, "status", REMOTE_ADDR=one)

    assert knock(client, "status", REMOTE_ADDR=other).status_code == (429 if same else 404)


def test_an_address_that_the_caller_writes_is_not_believed(client: Client) -> None:
    answers = [knock(client, "status", headers={"x-forwarded-for": f"10.0.0.{n}"}) for n in range(MOST + 1)]

    assert answers[-1].status_code == 429


def test_no_unknown_token_can_be_told_from_another_nor_from_somebody_elses(client: Client, payment: Payment) -> None:
    """D15"""
    tokens = ["A" * 16, "-" * 32, token_urlsafe(16)]
    answers = [knock(client, "status", token) for token in tokens]

    answers.append(knock(client, "again", payment.token))  # a stranger's
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert len({frozenset(answer.headers.items()) for answer in answers[:-1]}) == 1
    assert not [token for token in [*tokens, payment.token] if token in answers[0].content.decode()]


CLOSED = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'",
}


def closed(response: Any) -> bool:
    return all(response[name] == value for name, value in CLOSED.items()) and "no-store" in response["Cache-Control"]


@every_page
def test_every_answer_is_closed_to_frames_caches_and_guesses_of_its_type(
    page: str, client: Client, payment: Payment
) -> None:
    """K06"""
    known, unknown = knock(client, page, payment.token), knock(client, page)
    for _ in range(MOST):
        throttled = knock(client, page)

    assert [closed(answer) for answer in (known, unknown, throttled)] == [True] * 3
    policy = "same-origin" if page == "status" else "no-referrer"
    assert {answer["Referrer-Policy"] for answer in (known, unknown, throttled)} == {policy}


def test_the_pages_to_claim_are_closed_too(sita: Client, client: Client, shop: FakeShop) -> None:
    """K06"""
    token = claim_token(shop)
    answers = [knock(sita, "claim", token), knock(sita, "claim"), knock(client, "claim", token)]

    assert [answer.status_code for answer in answers] == [200, 400, 302]
    assert [closed(answer) for answer in answers] == [True] * 3
    assert {answer["Referrer-Policy"] for answer in answers} == {"same-origin"}


def test_a_policy_of_the_hosts_own_is_not_replaced(payment: Payment, settings: Any) -> None:
    """K06"""
    settings.MIDDLEWARE = ["tests.storefront.csp.HostsPolicy", *settings.MIDDLEWARE]

    answer = Client().get(f"/khalti/status/{payment.token}/")

    assert (answer["Content-Security-Policy"], answer["X-Frame-Options"]) == ("default-src 'self'", "DENY")


@pytest.mark.parametrize("page", ["return", "status", "pay"])
@pytest.mark.parametrize(
    ("method", "code"), [("head", 405), ("post", 405), ("put", 405), ("delete", 405), ("trace", 405), ("options", 200)]
)
def test_only_a_get_looks(page: str, method: str, code: int, payment: Payment, khalti: Khalti) -> None:
    """A18"""
    khalti.pay(payment.pidx)

    answer = getattr(Client(enforce_csrf_checks=True), method)(f"/khalti/{page}/{payment.token}/")

    assert (answer.status_code, khalti.asked) == (code, [])
    assert closed(answer)


def test_a_bots_look_may_settle_what_was_paid(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    """A18"""
    khalti.pay(payment.pidx)

    Client(headers={"user-agent": "WhatsApp/2.23", "purpose": "prefetch"}).get(f"/khalti/return/{payment.token}/")

    assert shop.confirmed == [("order-1", 250_000)]


@pytest.mark.parametrize("page", ["status", "again"])
def test_a_page_that_is_not_there_leads_home(page: str, client: Client) -> None:
    answers = [knock(client, page) for _ in range(MOST + 1)]

    assert [answer.status_code for answer in (answers[0], answers[-1])] == [404, 429]
    assert all('href="/"' in answer.content.decode() for answer in answers)


def test_who_opens_the_address_of_start_again_sees_where_the_payment_stands(
    client: Client, payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    answer = client.get(f"/khalti/again/{payment.token}/")

    assert (answer.status_code, answer["Location"]) == (302, f"/khalti/status/{payment.token}/")
    assert closed(answer)
    assert (shop.released, khalti.asked) == ([], [])
