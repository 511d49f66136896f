"""Who calls: a token, a session with CSRF, or a guest with a secret; and nobody else sees a payment."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client, RequestFactory

from loyalink_khalti.api.callers import identify
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.api.calling import ROOT, App, basket, new_key, problem
from tests.purchases import Khalti

pytestmark = [pytest.mark.django_db(transaction=True)]


class Browser(App):
    """A page of the shop that calls the API with the browser's cookies, as ``GET /session`` says."""

    def __init__(self) -> None:
        super().__init__(client=Client(enforce_csrf_checks=True))
        self.headers = {"X-CSRFToken": self.get("/session").json()["csrf_token"]}


def test_a_guests_payment_is_read_and_cancelled_only_by_who_began_it(
    app: App, sita: App, shop: FakeShop, khalti: Khalti
) -> None:
    """Q3: whoever else asks, with its id or another secret, gets the answer of an unknown payment."""
    payment = app.begin().json()["payment"]
    other = App().begin(basket=basket(id="other")).json()["payment"]
    unknown = app.get("/payments/AAAAAAAAAAAAAAAAAAAAAA")
    path = f"/payments/{payment['id']}"

    strangers: list[tuple[App, dict[str, str]]] = [
        (App(), {}), (App(), {"payment_secret": other["secret"]}), (App(), {"payment_secret": payment["id"]}),
        (App(), {"payment_secret": "é" * 5}), (sita, {}), (Browser(), {}),
    ]  # fmt: skip
    for stranger, headers in strangers:
        for refused in (stranger.get(path, **headers), stranger.post(f"{path}/cancel", **headers)):
            assert problem(refused) == (404, "not-found")
            assert refused.json() == unknown.json()
    assert app.get(path, payment_secret=payment["secret"]).status_code == 200
    assert Payment.objects.filter(state="initiated").count() == 2


def test_a_browsers_session_is_enough_and_needs_the_csrf_token(shop: FakeShop, khalti: Khalti) -> None:
    """Q9"""
    browser = Browser()
    payment = browser.begin().json()["payment"]
    assert browser.get(f"/payments/{payment['id']}").json()["can_cancel"]
    assert "pending" in browser.client.get("/shop/catalogue/").content.decode()  # the bar of the shop's own pages

    browser.headers = {}
    assert problem(browser.post(f"/payments/{payment['id']}/cancel")) == (403, "csrf-failed")
    assert problem(browser.begin()) == (403, "csrf-failed")
    assert Payment.objects.count() == 1


def test_a_logged_in_member_is_known_by_the_session(shop: FakeShop, member: str, khalti: Khalti) -> None:
    user = get_user_model().objects.create(pk=member, username="sita")
    browser = Browser()
    browser.client.force_login(user)
    browser.headers = {"X-CSRFToken": browser.get("/session").json()["csrf_token"]}

    assert browser.get("/points").json()["available"] == 1000
    assert browser.begin(points=500, expected_due=245_000).status_code == 201
    assert Payment.objects.get().purchase.member_id == member


def test_a_user_whom_only_a_middleware_knows_is_a_guest_for_the_shop_too(sita: App, shop: FakeShop) -> None:
    """Q11: Otherwise a request without a token and without the CSRF token would use a member's points."""
    request = RequestFactory().post("/")
    request.user = get_user_model().objects.get(username="sita")

    caller = identify(request)

    assert (caller.member_id, request.user.is_authenticated) == (None, False)


def test_a_token_that_is_not_valid_does_not_make_a_guest(sita: App, shop: FakeShop) -> None:
    """Q4: Nor does one of a user who is not active any more."""
    get_user_model().objects.create(username="former", is_active=False)
    for token in ("nobody", "former"):
        refused = App(token).quote()
        assert problem(refused) == (401, "not-authenticated"), token
        assert refused["WWW-Authenticate"]
    for guest in (App(), Browser()):
        assert problem(guest.get("/points")) == problem(guest.get("/points/history")) == (401, "not-authenticated")


def test_a_shop_without_tokens_of_its_own_ignores_the_header(shop: FakeShop, settings: Any) -> None:
    """For example of a staging server behind a password."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "API": {}}

    assert App("anything").quote().status_code == 200


def test_a_function_that_cannot_be_imported_does_not_make_guests_of_members(shop: FakeShop, settings: Any) -> None:
    """Q4"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "API": {"AUTHENTICATE": "no.such.function"}}

    with pytest.raises(ImportError):
        App("sita").quote()


def test_requests_are_limited_for_each_member_and_each_network(sita: App, shop: FakeShop, settings: Any) -> None:
    settings.LOYALINK_KHALTI["API"]["REQUESTS_PER_MINUTE"] = 2
    answers = [sita.get("/program") for _ in range(3)]

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    assert App().get("/program").status_code == 200


def test_unknown_payments_are_limited_as_on_the_pages(app: App, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "UNKNOWN_TOKENS_PER_MINUTE": 2}
    codes = [app.get(f"/payments/{number:022}").status_code for number in range(3)]

    assert codes == [404, 404, 429]


def test_no_answer_is_kept_by_a_shared_cache(app: App, khalti: Khalti) -> None:
    begun = app.begin(new_key())

    assert begun["Cache-Control"] == "no-store"
    assert {"Authorization", "Cookie"} <= {each.strip() for each in begun["Vary"].split(",")}
    assert "sessionid" not in begun.cookies  # an app that needs no session gets none


def test_a_site_that_wraps_every_request_in_a_transaction_gets_the_same_answers(
    app: App, khalti: Khalti, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    payment = app.begin().json()["payment"]

    assert app.post(f"/payments/{payment['id']}/cancel", payment_secret=payment["secret"]).status_code == 200


def test_another_method_is_a_problem_too(app: App) -> None:
    refused = app.client.delete(f"{ROOT}/purchases")

    assert problem(refused) == (405, "method-not-allowed")
    assert refused["Allow"] == "POST"
