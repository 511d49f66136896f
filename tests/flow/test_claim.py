"""Claim: a guest, who has made an account since, has the points of an order; once, within 30 days."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import signing
from django.db import transaction
from django.test import Client
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotClaim, InsideTransaction
from loyalink_khalti.flow.audit import audit
from loyalink_khalti.loyalty import ledger, programmes
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.orders import OrderAward
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Customer, Method
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

EMAIL = "sita@example.com"
DAYS_30 = timedelta(days=30)


@pytest.fixture(autouse=True)
def _claims_are_on(shop: FakeShop, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": True}


def order(shop: FakeShop, **changes: Any) -> Purchase:
    """A guest's order of Rs 2,500, to be paid in cash."""
    return flow.place(shop.freeze(shop.cart(**changes)), method=Method.COD)


def paid_order(shop: FakeShop, **changes: Any) -> Purchase:
    purchase = order(shop, **changes)
    flow.received(purchase, by="1")
    purchase.refresh_from_db()
    return purchase


def token_of(purchase: Purchase) -> str:
    """The token in the link of the order mail."""
    return flow.claim_link(purchase).split("/")[-2]


def claim(purchase: Purchase, member_id: str = "7", email: str = EMAIL) -> int:
    return flow.claim(token_of(purchase), member_id=member_id, email=email)


def available(member_id: str = "7") -> int:
    account = ledger.find("default", member_id)
    return account.available if account else 0


def test_a_guest_who_paid_at_khalti_claims_what_the_order_has_earned(shop: FakeShop, khalti: Khalti) -> None:
    payment = flow.begin(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx)
    flow.finish(payment)
    purchase = Purchase.objects.get()
    quoted = flow.claim_quote(token_of(purchase), email=EMAIL)

    assert (quoted, claim(purchase), available()) == ((purchase, 250), 250, 250)
    purchase.refresh_from_db()
    assert (purchase.claimed_by, purchase.earned, purchase.member_id) == ("7", 250, None)
    assert audit()["ok"], audit()["violations"]


def test_a_claimed_order_whose_cash_comes_later_earns_then(shop: FakeShop) -> None:
    purchase = order(shop)

    assert (claim(purchase), available()) == (0, 0)
    assert audit()["ok"], audit()["violations"]

    flow.received(purchase, by="1")
    assert available() == 250
    assert audit()["ok"], audit()["violations"]


def test_a_second_click_claims_nothing_more_and_has_the_same_answer(shop: FakeShop) -> None:
    purchase = paid_order(shop)
    token = token_of(purchase)

    answers = [flow.claim(token, member_id="7", email=EMAIL) for _ in range(3)]

    assert (answers, available(), OrderAward.objects.count()) == ([250, 250, 250], 250, 1)


def test_ten_claims_at_once_by_two_people_are_one(shop: FakeShop) -> None:
    """J04"""
    token = token_of(paid_order(shop))

    answers = at_once(10, lambda index: flow.claim(token, member_id=str(index % 2), email=EMAIL))

    assert sorted(map(repr, answers))[:5] == ["250"] * 5
    assert sum(isinstance(answer, CannotClaim) for answer in answers) == 5
    assert sum(Account.objects.values_list("available", flat=True)) == 250


def test_what_was_claimed_is_nobody_elses(shop: FakeShop) -> None:
    purchase = paid_order(shop)
    token = token_of(purchase)
    flow.claim(token, member_id="7", email=EMAIL)

    with pytest.raises(CannotClaim, match="have been claimed"):
        flow.claim(token, member_id="8", email=EMAIL)
    with pytest.raises(CannotClaim, match="have been claimed"):
        flow.claim_quote(token, email=EMAIL)
    purchase.refresh_from_db()
    assert (flow.claim_link(purchase), available("8")) == ("", 0)


@pytest.mark.parametrize(("email", "same"), [("SITA@Example.com", True), ("ram@example.com", False), ("", False)])
def test_the_account_has_the_orders_address(email: str, same: bool, shop: FakeShop) -> None:
    """J04"""
    purchase = paid_order(shop)

    if same:
        assert claim(purchase, email=email) == 250
    else:
        with pytest.raises(CannotClaim, match="another e-mail address"):
            claim(purchase, email=email)
    assert available() == (250 if same else 0)


def test_an_order_without_an_address_is_nobodys(shop: FakeShop) -> None:
    purchase = paid_order(shop, customer=Customer(name="Sita"))

    assert flow.claim_link(purchase) == ""
    with pytest.raises(CannotClaim, match="not valid"):
        flow.claim(signing.dumps(purchase.pk, salt="loyalink_khalti.flow.claim"), member_id="7", email="")


def test_points_are_claimed_until_30_days_have_passed(shop: FakeShop) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        late, last = paid_order(shop), paid_order(shop, ref="order-2")
        links = [token_of(late), token_of(last)]
        clock.shift(DAYS_30 - timedelta(seconds=1))
        flow.claim(links[1], member_id="7", email=EMAIL)
        clock.shift(timedelta(seconds=1))

        with pytest.raises(CannotClaim, match="30 days after the order"):
            flow.claim(links[0], member_id="7", email=EMAIL)
        assert flow.claim_link(late) == ""
    assert available() == 250


@pytest.mark.parametrize("token", ["", "x", "MQ:1tW:abc", signing.dumps(1, salt="another")])
def test_a_link_that_was_not_ours_claims_nothing(token: str, shop: FakeShop) -> None:
    """J04"""
    paid_order(shop)

    with pytest.raises(CannotClaim, match="not valid"):
        flow.claim(token, member_id="7", email=EMAIL)


def test_a_link_from_before_the_database_was_restored_claims_nothing(shop: FakeShop) -> None:
    purchase = paid_order(shop)
    token = token_of(purchase)
    purchase.delete()

    with pytest.raises(CannotClaim, match="not valid"):
        flow.claim(token, member_id="7", email=EMAIL)
    with pytest.raises(CannotClaim, match="not valid"):
        flow.claim_quote(token, email=EMAIL)


def test_a_members_own_order_has_nothing_to_claim(shop: FakeShop) -> None:
    purchase = paid_order(shop, member_id="8")

    assert flow.claim_link(purchase) == ""


def test_an_order_that_earns_nothing_has_nothing_to_claim(shop: FakeShop) -> None:
    programmes.change("default", Rules(earn_paused=True))

    assert flow.claim_link(paid_order(shop)) == ""


def test_claims_are_off_unless_the_shop_wants_them(shop: FakeShop, settings: Any) -> None:
    purchase = paid_order(shop)
    token = token_of(purchase)
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": False}

    assert flow.claim_link(purchase) == ""
    with pytest.raises(CannotClaim, match="cannot be claimed in this shop"):
        flow.claim(token, member_id="7", email=EMAIL)


def test_what_was_given_back_before_it_was_claimed_does_not_count(shop: FakeShop) -> None:
    half, whole = paid_order(shop), paid_order(shop, ref="order-2")
    tokens = token_of(half), token_of(whole)
    flow.undo(half, goods=Paisa(125_000), shipping=Paisa(0), key="r1", by="1")
    flow.undo(whole, goods=Paisa(250_000), shipping=Paisa(0), key="r2", by="1")

    flow.claim(tokens[0], member_id="7", email=EMAIL)

    assert available() == 125
    with pytest.raises(CannotClaim, match="was given back"):
        flow.claim(tokens[1], member_id="7", email=EMAIL)


def test_claimed_points_are_taken_back_with_a_refund(shop: FakeShop) -> None:
    purchase = paid_order(shop)
    claim(purchase)

    flow.undo(purchase, goods=Paisa(250_000), shipping=Paisa(0), key="r1", by="1")

    assert available() == 0


def test_frozen_points_claim_nothing(shop: FakeShop) -> None:
    ledger.freeze(site_key="default", member_id="7", frozen=True)

    with pytest.raises(CannotClaim, match="frozen"):
        claim(paid_order(shop))


def test_a_claim_commits_by_itself(shop: FakeShop) -> None:
    with pytest.raises(InsideTransaction), transaction.atomic():
        flow.claim("x", member_id="7", email=EMAIL)


# The page


@pytest.fixture
def sita(shop: FakeShop, settings: Any, django_user_model: Any) -> Client:
    """A member with a browser, in a store that has pages."""
    settings.ROOT_URLCONF = "sandbox.urls"
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]  # no files are asked for
    browser = Client()
    browser.force_login(
        django_user_model.objects.create_user(username="sita", email=EMAIL),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return browser


def test_opening_the_link_claims_nothing_and_the_button_does(shop: FakeShop, sita: Client) -> None:
    link = flow.claim_link(paid_order(shop))

    asked = sita.get(link)
    before = Account.objects.count()
    claimed = sita.post(link)

    assert (asked.status_code, before, claimed.status_code) == (200, 0, 200)
    assert "<strong>250</strong> points" in asked.content.decode()
    assert "<strong>250</strong> points are yours now" in claimed.content.decode()
    assert Account.objects.get().available == 250
    assert "no-store" in asked["Cache-Control"]


def test_who_is_not_logged_in_is_asked_to(shop: FakeShop, settings: Any) -> None:
    settings.ROOT_URLCONF = "sandbox.urls"
    settings.LOGIN_URL = "/login/"
    link = flow.claim_link(paid_order(shop))

    for answer in (Client().get(link), Client().post(link)):
        assert answer["Location"].startswith("/login/?next=/khalti/claim/")
    assert not Account.objects.exists()


def test_another_address_is_refused_in_words(shop: FakeShop, sita: Client) -> None:
    link = flow.claim_link(paid_order(shop, customer=Customer(email="ram@example.com")))

    answers = [sita.get(link), sita.post(link)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert "another e-mail address" in answers[1].content.decode()
    assert "ram@example.com" not in answers[0].content.decode()
