"""A guest claims the points of an order with an account: once, within 30 days."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail, signing
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotClaim, InsideTransaction
from loyalink_khalti.flow import audit
from loyalink_khalti.flow.members.claim import send_claim_mail
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.orders import OrderAward
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Customer, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

EMAIL = "sita@example.com"
DAYS_30 = timedelta(days=30)


@pytest.fixture(autouse=True)
def _claims_are_on(shop: FakeShop, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": True}
    cache.clear()  # which purchases were mailed about


def order(shop: FakeShop, **changes: Any) -> Purchase:
    """A guest's order of Rs 2,500, to be paid in cash."""
    return flow.place_order(shop.freeze(shop.cart(**changes)), method=PaymentMethod.COD)


def paid_order(shop: FakeShop, **changes: Any) -> Purchase:
    purchase = order(shop, **changes)
    flow.mark_received(purchase, actor="1")
    purchase.refresh_from_db()
    return purchase


def token_of(purchase: Purchase) -> str:
    """The token in the link of the order mail."""
    return flow.claim_path(purchase).split("/")[-2]


def claim(purchase: Purchase, member_id: str = "7", email: str = EMAIL) -> int:
    return flow.claim_points(token_of(purchase), member_id=member_id, email=email, is_verified=True)


def available(member_id: str = "7") -> int:
    account = ledger.find_account("default", member_id)
    return account.available if account else 0


def test_a_guest_who_paid_with_khalti_claims_what_the_order_earned(shop: FakeShop, khalti: Khalti) -> None:
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    purchase = Purchase.objects.get()
    quoted = flow.quote_claim(token_of(purchase), member_id="7", email=EMAIL)

    assert ((quoted.purchase, quoted.points), claim(purchase), available()) == ((purchase, 250), 250, 250)
    purchase.refresh_from_db()
    assert (purchase.claimed_by, purchase.earned, purchase.member_id) == ("7", 250, None)
    assert audit()["ok"], audit()["violations"]


def test_a_claimed_order_earns_when_its_cash_arrives(shop: FakeShop) -> None:
    purchase = order(shop)

    assert (claim(purchase), available()) == (0, 0)
    assert audit()["ok"], audit()["violations"]

    flow.mark_received(purchase, actor="1")
    assert available() == 250
    assert audit()["ok"], audit()["violations"]


def test_a_second_click_claims_nothing_more_and_returns_the_same(shop: FakeShop) -> None:
    purchase = paid_order(shop)
    token = token_of(purchase)

    answers = [flow.claim_points(token, member_id="7", email=EMAIL, is_verified=True) for _ in range(3)]

    assert (answers, available(), OrderAward.objects.count()) == ([250, 250, 250], 250, 1)


def test_ten_concurrent_claims_by_two_members_are_one(shop: FakeShop) -> None:
    """J04"""
    token = token_of(paid_order(shop))

    answers = at_once(
        10, lambda index: flow.claim_points(token, member_id=str(index % 2), email=EMAIL, is_verified=True)
    )

    assert sorted(map(repr, answers))[:5] == ["250"] * 5
    assert sum(isinstance(answer, CannotClaim) for answer in answers) == 5
    assert sum(Account.objects.values_list("available", flat=True)) == 250


def test_claimed_points_cannot_be_claimed_by_another_member(shop: FakeShop) -> None:
    purchase = paid_order(shop)
    token = token_of(purchase)
    flow.claim_points(token, member_id="7", email=EMAIL, is_verified=True)

    with pytest.raises(CannotClaim, match="have already been claimed"):
        flow.claim_points(token, member_id="8", email=EMAIL, is_verified=True)
    with pytest.raises(CannotClaim, match="have already been claimed"):
        flow.quote_claim(token, member_id="7", email=EMAIL)
    purchase.refresh_from_db()
    assert (flow.claim_path(purchase), available("8")) == ("", 0)


@pytest.mark.parametrize(("email", "same"), [("SITA@Example.com", True), ("ram@example.com", False), ("", False)])
def test_only_an_account_with_the_address_of_the_order_can_claim(email: str, same: bool, shop: FakeShop) -> None:
    """J04"""
    purchase = paid_order(shop)

    if same:
        assert claim(purchase, email=email) == 250
    else:
        with pytest.raises(CannotClaim, match="another e-mail address"):
            claim(purchase, email=email)
    assert available() == (250 if same else 0)


def test_an_order_without_an_address_cannot_be_claimed(shop: FakeShop) -> None:
    purchase = paid_order(shop, customer=Customer(name="Sita"))

    assert flow.claim_path(purchase) == ""
    with pytest.raises(CannotClaim, match="not valid"):
        flow.claim_points(
            signing.dumps(purchase.pk, salt="loyalink_khalti.flow.members.claim"),
            member_id="7",
            email="",
            is_verified=True,
        )


def test_points_are_claimed_until_30_days_have_passed(shop: FakeShop) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        late, last = paid_order(shop), paid_order(shop, ref="order-2")
        links = [token_of(late), token_of(last)]
        clock.shift(DAYS_30 - timedelta(seconds=1))
        flow.claim_points(links[1], member_id="7", email=EMAIL, is_verified=True)
        clock.shift(timedelta(seconds=1))

        with pytest.raises(CannotClaim, match="within 30 days of the order"):
            flow.claim_points(links[0], member_id="7", email=EMAIL, is_verified=True)
        assert flow.claim_path(late) == ""
    assert available() == 250


@pytest.mark.parametrize(
    "token", ["", "x", "MQ:1tW:abc", pytest.param(signing.dumps(1, salt="another"), id="another salt")]
)
def test_a_forged_link_claims_nothing(token: str, shop: FakeShop) -> None:
    """J04"""
    paid_order(shop)

    with pytest.raises(CannotClaim, match="not valid"):
        flow.claim_points(token, member_id="7", email=EMAIL, is_verified=True)


def test_a_link_from_before_the_database_was_restored_claims_nothing(shop: FakeShop) -> None:
    purchase = order(shop)
    token = token_of(purchase)
    purchase.delete()

    with pytest.raises(CannotClaim, match="not valid"):
        flow.claim_points(token, member_id="7", email=EMAIL, is_verified=True)
    with pytest.raises(CannotClaim, match="not valid"):
        flow.quote_claim(token, member_id="7", email=EMAIL)


def test_a_members_own_order_has_nothing_to_claim(shop: FakeShop) -> None:
    purchase = paid_order(shop, member_id="8")

    assert flow.claim_path(purchase) == ""


def test_an_order_that_earns_nothing_has_nothing_to_claim(shop: FakeShop) -> None:
    ledger.set_rules("default", Rules(earn_paused=True))

    assert flow.claim_path(paid_order(shop)) == ""


def test_claims_are_off_by_default(shop: FakeShop, settings: Any) -> None:
    purchase = paid_order(shop)
    token = token_of(purchase)
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": False}

    assert flow.claim_path(purchase) == ""
    with pytest.raises(CannotClaim, match="does not let guests claim points"):
        flow.claim_points(token, member_id="7", email=EMAIL, is_verified=True)


def test_refunded_products_earn_nothing_when_the_order_is_claimed(shop: FakeShop) -> None:
    half, whole = paid_order(shop), paid_order(shop, ref="order-2")
    tokens = token_of(half), token_of(whole)
    flow.refund_order(half, subtotal=Paisa(125_000), shipping=Paisa(0), key="r1", actor="1")
    flow.refund_order(whole, subtotal=Paisa(250_000), shipping=Paisa(0), key="r2", actor="1")

    flow.claim_points(tokens[0], member_id="7", email=EMAIL, is_verified=True)

    assert available() == 125
    with pytest.raises(CannotClaim, match="was refunded"):
        flow.claim_points(tokens[1], member_id="7", email=EMAIL, is_verified=True)


def test_the_points_to_claim_are_those_that_the_refunds_leave(shop: FakeShop) -> None:
    """M4: delivery that earns still does when all products were refunded."""
    ledger.set_rules("default", Rules(earn_on_shipping=True))
    purchase = paid_order(shop, shipping=15_000)
    shown = [flow.claimable_points(purchase)]
    for key, subtotal, shipping in (("r1", 125_000, 0), ("r2", 125_000, 5_000)):
        flow.refund_order(purchase, subtotal=Paisa(subtotal), shipping=Paisa(shipping), key=key, actor="1")
        shown.append(flow.claimable_points(purchase))

    claim(purchase)

    assert shown == [265, 140, 10]
    assert available() == 10


def test_claimed_points_are_reversed_by_a_refund(shop: FakeShop) -> None:
    purchase = paid_order(shop)
    claim(purchase)

    flow.refund_order(purchase, subtotal=Paisa(250_000), shipping=Paisa(0), key="r1", actor="1")

    assert available() == 0


def test_a_blocked_member_claims_nothing(shop: FakeShop) -> None:
    ledger.set_blocked(site_key="default", member_id="7", blocked=True)

    with pytest.raises(CannotClaim, match="blocked"):
        claim(paid_order(shop))


def test_a_claim_commits_by_itself(shop: FakeShop) -> None:
    with pytest.raises(InsideTransaction), transaction.atomic():
        flow.claim_points("x", member_id="7", email=EMAIL, is_verified=True)


# The address


def mailed_link() -> str:
    """The path in the newest mail about a claim."""
    found = re.search(r"https?://\S+?(/khalti/claim/\S+/)", str(mail.outbox[-1].body))
    assert found, mail.outbox[-1].body
    return found[1]


def test_a_forwarded_link_and_a_typed_address_claim_nothing(shop: FakeShop) -> None:
    """P2: the profile says the buyer's address, which was never verified."""
    purchase = paid_order(shop)

    with pytest.raises(CannotClaim, match="open the link in the e-mail"):
        flow.claim_points(token_of(purchase), member_id="8", email=EMAIL)

    assert not flow.quote_claim(token_of(purchase), member_id="8", email=EMAIL).is_verified
    purchase.refresh_from_db()
    assert (purchase.claimed_by, available("8")) == (None, 0)


def test_the_link_of_the_second_mail_verifies_the_address_for_the_account_that_asked(shop: FakeShop) -> None:
    """P2"""
    purchase = paid_order(shop)
    flow.request_claim_mail(token_of(purchase), member_id="7", email=EMAIL)
    token = mailed_link().split("/")[-2]

    for member_id, email in (("8", EMAIL), ("7", "ram@example.com"), ("7", "")):
        with pytest.raises(CannotClaim):
            flow.claim_points(token, member_id=member_id, email=email)
    assert not Account.objects.exists()

    assert flow.quote_claim(token, member_id="7", email=EMAIL.upper()).is_verified
    assert flow.claim_points(token, member_id="7", email=EMAIL) == 250
    assert mail.outbox[-1].to == [EMAIL]


def test_a_second_click_and_other_accounts_send_the_buyer_no_second_mail(shop: FakeShop) -> None:
    """P2: a forwarded link is no means to flood a mailbox."""
    purchase = paid_order(shop)
    flow.request_claim_mail(token_of(purchase), member_id="7", email=EMAIL)
    number = len(mail.outbox)

    flow.request_claim_mail(token_of(purchase), member_id="7", email=EMAIL)
    with pytest.raises(CannotClaim, match="a moment ago"):
        flow.request_claim_mail(token_of(purchase), member_id="8", email=EMAIL)

    assert len(mail.outbox) == number


def test_points_that_were_claimed_meanwhile_are_not_mailed_about(shop: FakeShop) -> None:
    purchase = paid_order(shop)
    claim(purchase)
    number = len(mail.outbox)

    send_claim_mail(purchase_id=purchase.pk, member_id="8")

    assert len(mail.outbox) == number


# The page


@pytest.fixture
def sita(shop: FakeShop, settings: Any, django_user_model: Any) -> Client:
    """A member's browser, in a shop with pages."""
    settings.ROOT_URLCONF = "sandbox.urls"
    browser = Client()
    browser.force_login(
        django_user_model.objects.create_user(username="sita", email=EMAIL),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return browser


def test_an_address_that_is_not_verified_is_mailed_and_its_link_claims(shop: FakeShop, sita: Client) -> None:
    """P2"""
    link = flow.claim_path(paid_order(shop))

    page, asked = sita.get(link), sita.post(link)
    second = mailed_link()
    confirm, claimed = sita.get(second), sita.post(second)

    assert "Send the e-mail" in page.content.decode()
    assert f"sent an e-mail to <strong>{EMAIL}</strong>" in asked.content.decode()
    assert "Claim the points" in confirm.content.decode()
    assert "<strong>250</strong> points are added to your account" in claimed.content.decode()
    assert Account.objects.get().available == 250


def test_opening_the_link_claims_nothing_but_the_button_does(shop: FakeShop, sita: Client, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "EMAIL_IS_VERIFIED": "builtins.bool"}
    link = flow.claim_path(paid_order(shop))

    page = sita.get(link)
    before = Account.objects.count()
    claimed = sita.post(link)

    assert (page.status_code, before, claimed.status_code) == (200, 0, 200)
    assert "<strong>250</strong> points" in page.content.decode()
    assert "<strong>250</strong> points are added to your account" in claimed.content.decode()
    assert Account.objects.get().available == 250
    assert "no-store" in page["Cache-Control"]


def test_a_visitor_who_is_not_logged_in_is_redirected_to_the_login(shop: FakeShop, settings: Any) -> None:
    settings.ROOT_URLCONF = "sandbox.urls"
    settings.LOGIN_URL = "/login/"
    link = flow.claim_path(paid_order(shop))

    for answer in (Client().get(link), Client().post(link)):
        assert answer["Location"].startswith("/login/?next=/khalti/claim/")
    assert not Account.objects.exists()


def test_an_account_with_another_address_reads_why_it_cannot_claim(shop: FakeShop, sita: Client) -> None:
    link = flow.claim_path(paid_order(shop, customer=Customer(email="ram@example.com")))

    answers = [sita.get(link), sita.post(link)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert "another e-mail address" in answers[1].content.decode()
    assert "ram@example.com" not in answers[0].content.decode()


def test_a_member_whose_account_has_ended_claims_nothing(shop: FakeShop) -> None:
    """M6"""
    purchase = paid_order(shop)
    ledger.merge(site_key="default", member_id="7", into="8")

    with pytest.raises(CannotClaim, match="moved to another account"):
        claim(purchase)
    assert (claim(purchase, member_id="8"), available("8")) == (250, 250)
