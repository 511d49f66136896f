"""``loyalty person`` and ``loyalty erase``: what a payer may ask of their data, member or guest."""

import json
from typing import Any

import pytest
from django.core import signing
from django.core.management import CommandError
from django.db import connection
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotClaim
from loyalink_khalti.flow import payers
from loyalink_khalti.flow.audit import audit
from loyalink_khalti.loyalty.models import Account, Entry, EntryNote
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import Reason
from loyalink_khalti.ports import Cart, Customer
from loyalink_khalti.testing import FakeShop
from tests.cutting import Way, in_every_way, sweep
from tests.purchases import Khalti, khalti

from .conftest import Run, bought

__all__ = ["khalti"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

SITA = Customer(name="Sita Sharma", email="Sita@Example.com", phone="9811112222")
CANARIES = ("Sita Sharma", "Sita@Example.com", "9811112222", "browser-17", "a torn notebook", "she called")


def pay(shop: FakeShop, khalti: Khalti, ref: str, **changes: Any) -> Purchase:
    """An order of Rs 2,500, paid at Khalti."""
    payment = flow.begin(shop.freeze(shop.cart(ref, customer=SITA, **changes)), visitor="browser-17")
    khalti.pay(payment.pidx)
    flow.finish(payment)
    return Purchase.objects.get(ref=ref)


def give_back(purchase: Purchase) -> Refund:
    """Rs 1,000 of it."""
    return flow.undo(purchase, goods=Paisa(100_000), shipping=Paisa(0), key="refund-1", by="1")


def kept() -> str:
    """All that our rows of money and points hold, as the database has it."""
    rows = [
        list(model.objects.values_list()) for model in (Purchase, Payment, Refund, Flag, Account, Entry, EntryNote)
    ]
    return json.dumps(rows, default=str, ensure_ascii=False)


def told(run: Run, *words: Any) -> Any:
    return json.loads(run("loyalty", "person", *words))


@pytest.fixture
def purchase(run: Run, shop: FakeShop, khalti: Khalti, user: Any) -> Purchase:
    """Sita's, who is a member: with points spent and earned, a note, a resolved flag and a refund."""
    run("loyalty", "adjust", user.pk, 700, "--reason", "goodwill", "--note", "a torn notebook")
    purchase = pay(shop, khalti, "order-1", member_id=str(user.pk), spends=Points(500))
    Flag.objects.create(
        payment=purchase.payments.get(), reason=Reason.LATE, resolved_at=timezone.now(), resolution="accept",
        note="she called",
    )  # fmt: skip
    give_back(purchase)
    return purchase


def test_a_member_takes_along_all_that_is_kept(run: Run, shop: FakeShop, purchase: Purchase, user: Any) -> None:
    """L05"""
    bought(shop, "order-2", member_id="another")

    sita = told(run, "SITA@example.com")

    assert (sita["member"], sita["email"]) == (str(user.pk), "sita@example.com")
    assert sita["points"]["default"]["entries"][0]["note"] == "a torn notebook"
    (order,) = sita["purchases"]
    assert (order["number"], order["name"], order["phone"]) == ("N-order-1", "Sita Sharma", "9811112222")
    assert (order["paisa"], order["points_spent"], order["points_earned"]) == (245_000, 500, 245)
    assert order["lines"] == [{"title": "Fountain pen", "quantity": 1, "paisa": 250_000}]
    (payment,) = order["payments"]
    assert (payment["pidx"], payment["transaction_id"]) == ("pidx1", "T-pidx1")
    assert (payment["state"], payment["captured"], payment["refunded"]) == ("part_refunded", 245_000, 98_000)
    assert [(flag["reason"], flag["resolution"], flag["note"]) for flag in payment["flags"]] == [
        ("late", "accept", "she called")
    ]
    assert [(refund["state"], refund["cash"]) for refund in order["refunds"]] == [("done", 98_000)]


def test_a_guest_takes_along_what_was_bought_with_their_address(run: Run, shop: FakeShop, khalti: Khalti) -> None:
    """L05"""
    pay(shop, khalti, "order-1")
    bought(shop, "order-2")

    sita = told(run, "sita@EXAMPLE.com")

    assert (sita["member"], sita["email"], sita["points"]) == (None, "sita@EXAMPLE.com", {})
    assert [order["reference"] for order in sita["purchases"]] == ["order-1", "order-2"]
    with pytest.raises(CommandError, match="no guest bought"):
        told(run, "ita@example.com")


def test_what_a_member_bought_as_a_guest_is_theirs_and_no_other_members(
    run: Run, shop: FakeShop, khalti: Khalti, user: Any
) -> None:
    pay(shop, khalti, "as-guest")
    pay(shop, khalti, "as-member", member_id=str(user.pk))
    pay(shop, khalti, "of-another", member_id="another")
    bought(shop, "by-another-guest", customer=Customer(email="xsita@example.com"))

    assert [order["reference"] for order in told(run, user.pk)["purchases"]] == ["as-guest", "as-member"]


def test_nobody_is_found_in_an_erased_member_and_every_sum_stays(
    run: Run, purchase: Purchase, user: Any, shop: FakeShop, khalti: Khalti
) -> None:
    """L05, F15"""
    pay(shop, khalti, "as-guest")
    before, balances = audit(), list(Account.objects.values_list("available", "owed", "lifetime_earned"))
    assert before["ok"], before["violations"]
    assert not [canary for canary in CANARIES if canary not in kept()]

    said = run("loyalty", "erase", "sita@example.com")

    assert said.startswith("1 account(s) and 2 purchase(s) of sita@example.com are nobody's now")
    assert [canary for canary in CANARIES if canary in kept()] == []
    after = audit()
    assert (after["ok"], after["payments"], after["orders"]) == (True, before["payments"], before["orders"])
    assert list(Account.objects.values_list("available", "owed", "lifetime_earned")) == balances
    assert list(Account.objects.values_list("member_id", "frozen")) == [(None, True)]


def test_the_cart_of_an_erased_payer_is_a_cart_still(run: Run, purchase: Purchase, user: Any) -> None:
    cart = purchase.frozen_cart

    run("loyalty", "erase", user.pk)

    purchase.refresh_from_db()
    assert isinstance(purchase.frozen_cart, Cart)
    assert purchase.frozen_cart.customer == Customer()
    assert (purchase.frozen_cart.lines, purchase.frozen_cart.total) == (cart.lines, cart.total)
    assert (purchase.member_id, purchase.visitor) == (str(user.pk), "")
    assert give_back(purchase).state == "done"


def test_what_was_given_to_an_erased_member_can_still_be_given_back(
    run: Run, shop: FakeShop, khalti: Khalti, user: Any
) -> None:
    """F15"""
    purchase = pay(shop, khalti, "order-1", member_id=str(user.pk))
    run("loyalty", "erase", user.pk)

    refund = give_back(purchase)

    assert (refund.state, refund.clawed) == ("done", 100)
    assert audit()["ok"], audit()["violations"]


def test_a_member_whose_user_is_gone_is_erased_by_pk(run: Run, purchase: Purchase, user: Any) -> None:
    pk = user.pk
    user.delete()

    run("loyalty", "erase", pk)

    assert [canary for canary in CANARIES if canary in kept()] == []
    assert [order["name"] for order in told(run, pk)["purchases"]] == [""]


def test_an_erased_guest_is_nobody_and_unknown(run: Run, shop: FakeShop, khalti: Khalti) -> None:
    """L05"""
    pay(shop, khalti, "order-1")
    bought(shop, "order-2", customer=Customer(name="Ram", email="ram@example.com"))

    said = run("loyalty", "erase", "SITA@example.com")

    assert said.startswith("0 account(s) and 1 purchase(s)")
    assert [canary for canary in CANARIES if canary in kept()] == []
    assert "ram@example.com" in kept()
    assert audit()["ok"]
    with pytest.raises(CommandError, match="no guest bought"):
        run("loyalty", "erase", "sita@example.com")


def test_a_link_to_claim_an_erased_guests_order_is_not_valid(
    run: Run, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": True}
    purchase = pay(shop, khalti, "order-1")
    token = flow.claim_link(purchase).split("/")[-2]
    run("loyalty", "erase", "sita@example.com")
    purchase.refresh_from_db()

    with pytest.raises(CannotClaim, match="This link is not valid"):
        flow.claim(token, member_id="8", email="sita@example.com")
    with pytest.raises(CannotClaim, match="This link is not valid"):
        flow.claim_quote(token, email="")

    assert (flow.claim_link(purchase), signing.loads(token, salt="loyalink_khalti.flow.claim")) == ("", purchase.pk)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("created", "payment order-1-1 is still under way"),
        ("initiated", "payment order-1-1 is still under way"),
        ("paid", "payment order-1-1 has brought money that nobody has decided about"),
        ("mismatched", "payment order-1-1 has brought money that nobody has decided about"),
    ],
)
@pytest.mark.parametrize("as_member", [True, False], ids=["member", "guest"])
def test_nobody_is_erased_while_their_money_is_undecided(
    state: str, said: str, as_member: bool, run: Run, shop: FakeShop, khalti: Khalti, user: Any
) -> None:
    """L05"""
    bought(shop, "order-0", customer=SITA)
    flow.begin(shop.freeze(shop.cart("order-1", customer=SITA, member_id=str(user.pk) if as_member else None)))
    Payment.objects.update(state=state)
    before = kept()

    with pytest.raises(CommandError, match=f"cannot be erased yet: {said}"):
        run("loyalty", "erase", "sita@example.com")

    assert kept() == before


@pytest.mark.parametrize("state", ["requested", "sent", "unknown"])
def test_nobody_is_erased_while_a_refund_is_under_way(state: str, run: Run, purchase: Purchase) -> None:
    """L05"""
    Refund.objects.update(state=state)
    before = kept()

    with pytest.raises(CommandError, match="a refund of order-1 is not finished yet"):
        run("loyalty", "erase", "sita@example.com")

    assert kept() == before


def test_only_one_site_is_looked_at_where_one_is_named(run: Run, shop: FakeShop, khalti: Khalti) -> None:
    pay(shop, khalti, "order-1")
    bought(shop, "order-2", customer=SITA)
    Purchase.objects.filter(ref="order-2").update(site_key="books.example")

    assert [order["reference"] for order in told(run, "sita@example.com", "--site", "default")["purchases"]] == [
        "order-1"
    ]


@in_every_way("lost")
def test_an_erasure_cut_off_anywhere_goes_on_when_it_is_run_again(
    way: Way, few: int | None, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payers, "CHUNK", 2)
    for number, cut in enumerate(sweep(way, few)):
        sita = payers.Payer(member_id=str(1000 + number))
        for order in range(3):
            bought(shop, f"order-{number}-{order}", customer=SITA, member_id=sita.member_id)

        cut(lambda who=sita: payers.erase(who))

        payers.erase(sita)
        assert [canary for canary in CANARIES if canary in kept()] == []
    assert audit()["ok"]


def test_a_long_history_is_told_and_erased_in_chunks(
    run: Run, shop: FakeShop, user: Any, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        bought(shop, f"order-{number:02}", customer=SITA, member_id=str(user.pk))
    monkeypatch.setattr(payers, "CHUNK", 5)
    with django_assert_max_num_queries(25):
        sita = told(run, user.pk)

    payers.erase(payers.member(str(user.pk)))

    assert [order["reference"] for order in sita["purchases"]] == [f"order-{number:02}" for number in range(12)]
    assert [canary for canary in CANARIES if canary in kept()] == []
    assert not connection.in_atomic_block
