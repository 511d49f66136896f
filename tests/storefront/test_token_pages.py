"""The protection of the pages of a payment: unknown tokens are throttled, frames and caches are forbidden."""

from datetime import timedelta
from secrets import token_urlsafe
from typing import Any

import pytest
import time_machine
from django.core import signing
from django.test import Client
from django.utils import timezone

from loyalink_khalti import conf, flow
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

MOST = 5
PAGES = ["return", "status", "pay", "cancel"]
every_page = pytest.mark.parametrize("page", PAGES)


@pytest.fixture(autouse=True)
def _few_guesses(shop: FakeShop, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {
        **settings.LOYALINK_KHALTI, "UNKNOWN_TOKENS_PER_MINUTE": MOST, "GUEST_CLAIMS": True,
    }  # fmt: skip


@pytest.fixture
def payment(shop: FakeShop, khalti: Khalti) -> Payment:
    return flow.begin_payment(shop.freeze(shop.cart()))


@pytest.fixture
def sita(django_user_model: Any) -> Client:
    """A member's browser."""
    browser = Client()
    browser.force_login(django_user_model.objects.create_user(username="sita", email="sita@example.com"))
    return browser


def open_page(client: Client, page: str, token: str = "", **extra: Any) -> Any:
    """Open a page with a token, by default a random one."""
    send = client.post if page == "cancel" else client.get
    return send(f"/khalti/{page}/{token or token_urlsafe(16)}/", **extra)


def claim_token(shop: FakeShop) -> str:
    purchase = flow.place_order(shop.freeze(shop.cart("order-9")), method=PaymentMethod.COD)
    return flow.claim_path(purchase).split("/")[-2]


@every_page
def test_guesses_are_throttled_and_khalti_is_not_called(page: str, client: Client, khalti: Khalti) -> None:
    """K07, D15"""
    answers = [open_page(client, page) for _ in range(MOST + 2)]

    assert [answer.status_code for answer in answers] == [404] * MOST + [429] * 2
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert khalti.looked_up == []


@pytest.mark.parametrize("method", ["get", "post"])
def test_forged_claim_links_count_as_guesses(method: str, sita: Client) -> None:
    """K07"""
    answers = [getattr(sita, method)(f"/khalti/claim/{signing.dumps(n, salt='x')}/") for n in range(MOST + 1)]

    assert [answer.status_code for answer in answers] == [400] * MOST + [429]
    assert "This link is not valid" in answers[0].content.decode()


def test_a_real_claim_link_is_served_while_guesses_are_not(sita: Client, shop: FakeShop) -> None:
    token = claim_token(shop)

    for _ in range(MOST + 1):
        open_page(sita, "status")

    assert open_page(sita, "claim", token).status_code == 200


@pytest.mark.parametrize("page", ["return", "status", "pay"])
def test_a_known_token_is_always_served_from_a_throttled_address(page: str, client: Client, payment: Payment) -> None:
    for _ in range(MOST + 1):
        response = open_page(client, page)

    assert response.status_code == 429
    assert open_page(client, page, payment.token).status_code in {200, 302}


def test_known_tokens_are_never_counted(client: Client, payment: Payment) -> None:
    for _ in range(MOST + 1):
        open_page(client, "pay", payment.token)

    assert open_page(client, "pay").status_code == 404


def test_the_count_starts_again_after_a_minute(client: Client) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(MOST + 1):
            response = open_page(client, "status")
        clock.shift(timedelta(seconds=int(response["Retry-After"]) + 1))

        assert open_page(client, "status").status_code == 404


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("198.51.100.7", "198.51.100.8", True),
        ("198.51.100.7", "198.51.101.7", False),
        ("2001:db8:1:2::a", "2001:db8:1:2:ffff::b", True),
        ("2001:db8:1:2::a", "2001:db8:1:3::a", False),
        ("", "", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_guesses_are_counted_by_the_callers_network(one: str, other: str, same: bool, client: Client) -> None:
    for _ in range(MOST):
        open_page(client, "status", REMOTE_ADDR=one)

    assert open_page(client, "status", REMOTE_ADDR=other).status_code == (429 if same else 404)


def test_an_address_in_a_header_is_not_trusted(client: Client) -> None:
    answers = [open_page(client, "status", headers={"x-forwarded-for": f"10.0.0.{n}"}) for n in range(MOST + 1)]

    assert answers[-1].status_code == 429


def test_unknown_tokens_and_anothers_token_get_the_same_answer(client: Client, payment: Payment) -> None:
    """D15"""
    tokens = ["A" * 16, "-" * 32, token_urlsafe(16)]
    with time_machine.travel(timezone.now(), tick=False):  # headers have the time of the answer
        answers = [open_page(client, "status", token) for token in tokens]

    answers.append(open_page(client, "cancel", payment.token))  # another customer's
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert len({frozenset(answer.headers.items()) for answer in answers[:-1]}) == 1
    assert not [token for token in [*tokens, payment.token] if token in answers[0].content.decode()]


HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
        " frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'"
    ),
}


def is_protected(response: Any) -> bool:
    return all(response[name] == value for name, value in HEADERS.items()) and "no-store" in response["Cache-Control"]


@every_page
def test_every_answer_forbids_frames_caches_and_sniffing(page: str, client: Client, payment: Payment) -> None:
    """K06"""
    known, unknown = open_page(client, page, payment.token), open_page(client, page)
    for _ in range(MOST):
        throttled = open_page(client, page)

    assert [is_protected(answer) for answer in (known, unknown, throttled)] == [True] * 3
    policy = "same-origin" if page in {"status", "cancel"} else "no-referrer"
    assert {answer["Referrer-Policy"] for answer in (known, unknown, throttled)} == {policy}


def test_the_claim_pages_forbid_them_too(sita: Client, client: Client, shop: FakeShop) -> None:
    """K06"""
    token = claim_token(shop)
    answers = [open_page(sita, "claim", token), open_page(sita, "claim"), open_page(client, "claim", token)]

    assert [answer.status_code for answer in answers] == [200, 400, 302]
    assert [is_protected(answer) for answer in answers] == [True] * 3
    assert {answer["Referrer-Policy"] for answer in answers} == {"same-origin"}


def test_the_policy_names_the_server_of_static_files_or_is_the_settings_own(settings: Any) -> None:
    """K06"""
    settings.STATIC_URL, settings.MEDIA_URL = "https://cdn.example/static/", "/media/"
    strict = conf.content_security_policy()
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "CONTENT_SECURITY_POLICY": "default-src https:"}

    assert "script-src 'self' https://cdn.example; style-src 'self' https://cdn.example;" in strict
    assert "unsafe-inline" not in strict
    assert conf.content_security_policy() == "default-src https:"


def test_a_plain_page_is_shown_even_where_the_sites_version_of_it_fails(
    client: Client, settings: Any, tmp_path: Any
) -> None:
    """T20"""
    (tmp_path / "loyalink_khalti").mkdir()
    (tmp_path / "loyalink_khalti" / "plain.html").write_text("{% include 'no-such-page.html' %}")
    branded = open_page(client, "status")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    bare = open_page(client, "status")

    assert (branded.status_code, bare.status_code) == (404, 404)
    assert 'class="brand"' in branded.content.decode()
    assert "<h1>Payment not found</h1>" in bare.content.decode()


def test_a_policy_of_the_hosts_own_is_not_replaced(payment: Payment, settings: Any) -> None:
    """K06"""
    others = [name for name in settings.MIDDLEWARE if not name.startswith("sandbox.policy")]
    settings.MIDDLEWARE = ["tests.storefront.csp.HostsPolicy", *others]

    answer = Client().get(f"/khalti/status/{payment.token}/")

    assert (answer["Content-Security-Policy"], answer["X-Frame-Options"]) == ("default-src 'self'", "DENY")


@pytest.mark.parametrize("page", ["return", "status", "pay"])
@pytest.mark.parametrize(
    ("method", "code"), [("head", 405), ("post", 405), ("put", 405), ("delete", 405), ("trace", 405), ("options", 200)]
)
def test_only_get_shows_a_payment(page: str, method: str, code: int, payment: Payment, khalti: Khalti) -> None:
    """A18"""
    khalti.pay(payment.pidx)

    answer = getattr(Client(enforce_csrf_checks=True), method)(f"/khalti/{page}/{payment.token}/")

    assert (answer.status_code, khalti.looked_up) == (code, [])
    assert is_protected(answer)


def test_a_bots_visit_may_place_a_paid_order(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    """A18"""
    khalti.pay(payment.pidx)

    Client(headers={"user-agent": "WhatsApp/2.23", "purpose": "prefetch"}).get(f"/khalti/return/{payment.token}/")

    assert shop.confirmed == [("order-1", 250_000)]


@pytest.mark.parametrize("page", ["status", "cancel"])
def test_a_page_that_is_not_found_links_to_the_home_page(page: str, client: Client) -> None:
    answers = [open_page(client, page) for _ in range(MOST + 1)]

    assert [answer.status_code for answer in (answers[0], answers[-1])] == [404, 429]
    assert all('href="/"' in answer.content.decode() for answer in answers)


def test_a_stranger_who_opens_the_cancel_address_sees_the_status_and_cancels_nothing(
    client: Client, payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    answer = client.get(f"/khalti/cancel/{payment.token}/")

    assert (answer.status_code, answer["Location"]) == (302, f"/khalti/status/{payment.token}/")
    assert is_protected(answer)
    assert (shop.released, khalti.looked_up) == ([], [])
