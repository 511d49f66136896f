"""``loyalty export-data`` and ``loyalty erase``: the personal data of a customer, member or guest."""

import json
from typing import Any

import pytest
from django.core import signing
from django.core.management import CommandError
from django.db import connection
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotClaim, CannotEraseData
from loyalink_khalti.flow import audit
from loyalink_khalti.flow.members import data_privacy
from loyalink_khalti.loyalty.models import Account, Entry, EntryNote
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.payments.states import FlagReason
from loyalink_khalti.ports import Cart, Customer, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.commands.conftest import Run, bought
from tests.cutting import Way, in_every_way, sweep
from tests.purchases import Khalti, khalti

__all__ = ["khalti"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True), pytest.mark.sampled]

SITA = Customer(name="Sita Sharma", email="Sita@Example.com", phone="9811112222")
CANARIES = ("Sita Sharma", "Sita@Example.com", "9811112222", "browser-17", "a torn notebook", "she called")


def pay(shop: FakeShop, khalti: Khalti, ref: str, **changes: Any) -> Purchase:
    """An order of Rs 2,500, paid at Khalti."""
    payment = flow.begin_payment(shop.freeze(shop.cart(ref, customer=SITA, **changes)), browser_session="browser-17")
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    return Purchase.objects.get(ref=ref)


def refund(purchase: Purchase) -> Refund:
    """Rs 1,000 of it."""
    return flow.refund_order(purchase, subtotal=Paisa(100_000), shipping=Paisa(0), key="refund-1", actor="1")


def kept() -> str:
    """Everything in the tables of payments and points, as the database has it."""
    rows = [
        list(model.objects.values_list()) for model in (Purchase, Payment, Refund, Flag, Account, Entry, EntryNote)
    ]
    return json.dumps(rows, default=str, ensure_ascii=False)


def exported(run: Run, *arguments: Any) -> Any:
    return json.loads(run("loyalty", "export-data", *arguments))


@pytest.fixture(autouse=True)
def _addresses_are_verified(shop: FakeShop, settings: Any) -> None:
    """The shop verifies the address of every account."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "EMAIL_IS_VERIFIED": "builtins.bool"}


@pytest.fixture
def purchase(run: Run, shop: FakeShop, khalti: Khalti, user: Any) -> Purchase:
    """A member's purchase, with points redeemed and earned, a note, a resolved flag and a refund."""
    run("loyalty", "adjust", user.pk, 700, "--reason", "goodwill", "--note", "a torn notebook")
    purchase = pay(shop, khalti, "order-1", member_id=str(user.pk), points_redeemed=Points(500))
    Flag.objects.create(
        payment=purchase.payments.get(), reason=FlagReason.LATE, resolved_at=timezone.now(), resolution="accept",
        note="she called",
    )  # fmt: skip
    refund(purchase)
    return purchase


def test_the_export_of_a_member_has_everything_that_is_kept(
    run: Run, shop: FakeShop, purchase: Purchase, user: Any
) -> None:
    """L05"""
    bought(shop, "order-2", member_id="another")

    sita = exported(run, "SITA@example.com")

    assert (sita["member"], sita["email"]) == (str(user.pk), "sita@example.com")
    assert sita["points"]["default"]["entries"][0]["note"] == "a torn notebook"
    (order,) = sita["purchases"]
    assert (order["number"], order["name"], order["phone"]) == ("N-order-1", "Sita Sharma", "9811112222")
    assert (order["amount_due"], order["points_redeemed"], order["points_earned"]) == (245_000, 500, 245)
    assert order["lines"] == [{"title": "Fountain pen", "quantity": 1, "total": 250_000}]
    (payment,) = order["payments"]
    assert (payment["pidx"], payment["transaction_id"]) == ("pidx1", "T-pidx1")
    assert (payment["state"], payment["captured"], payment["refunded"]) == ("partially_refunded", 245_000, 98_000)
    assert [(flag["reason"], flag["resolution"], flag["note"]) for flag in payment["flags"]] == [
        ("late", "accept", "she called")
    ]
    assert [(refund["state"], refund["amount"]) for refund in order["refunds"]] == [("done", 98_000)]


def test_the_export_of_a_guest_has_the_purchases_with_their_address(run: Run, shop: FakeShop, khalti: Khalti) -> None:
    """L05"""
    pay(shop, khalti, "order-1")
    bought(shop, "order-2")

    sita = exported(run, "sita@EXAMPLE.com")

    assert (sita["member"], sita["email"], sita["points"]) == (None, "sita@EXAMPLE.com", {})
    assert [order["reference"] for order in sita["purchases"]] == ["order-1", "order-2"]
    with pytest.raises(CommandError, match="no guest bought"):
        exported(run, "ita@example.com")


def test_the_export_of_a_member_has_their_purchases_as_a_guest_and_no_others(
    run: Run, shop: FakeShop, khalti: Khalti, user: Any
) -> None:
    pay(shop, khalti, "as-guest")
    pay(shop, khalti, "as-member", member_id=str(user.pk))
    pay(shop, khalti, "of-another", member_id="another")
    bought(shop, "by-another-guest", customer=Customer(email="xsita@example.com"))

    assert [order["reference"] for order in exported(run, user.pk)["purchases"]] == ["as-guest", "as-member"]


def test_purchases_of_guests_are_not_those_of_an_account_that_only_typed_their_address(
    run: Run, shop: FakeShop, khalti: Khalti, user: Any, settings: Any
) -> None:
    """P1: neither exported with it nor erased with it."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "EMAIL_IS_VERIFIED": ""}
    pay(shop, khalti, "by-the-victim")
    run("loyalty", "adjust", user.pk, 700, "--reason", "goodwill")

    sita = exported(run, user.pk)
    erased = run("loyalty", "erase", user.pk)

    assert (sita["email"], sita["purchases"]) == ("sita@example.com", [])
    assert "from 1 account and 0 purchases" in erased
    guest = exported(run, "sita@example.com", "--guest")
    assert [order["name"] for order in guest["purchases"]] == ["Sita Sharma"]
    with pytest.raises(CommandError, match="No guest bought"):
        exported(run, "ram@example.com", "--guest")


def test_a_claimed_purchase_is_that_of_the_account(
    run: Run, shop: FakeShop, khalti: Khalti, user: Any, settings: Any
) -> None:
    """P1"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "EMAIL_IS_VERIFIED": ""}
    Purchase.objects.filter(pk=pay(shop, khalti, "claimed").pk).update(claimed_by=str(user.pk))

    assert [order["reference"] for order in exported(run, user.pk)["purchases"]] == ["claimed"]


def test_an_erased_member_has_no_personal_data_and_every_sum_stays(
    run: Run, purchase: Purchase, user: Any, shop: FakeShop, khalti: Khalti
) -> None:
    """L05, F15"""
    pay(shop, khalti, "as-guest")
    before, balances = audit(), list(Account.objects.values_list("lifetime_earned", "lifetime_redeemed"))
    assert before["ok"], before["violations"]
    assert not [canary for canary in CANARIES if canary not in kept()]

    output = run("loyalty", "erase", "sita@example.com")

    assert output.startswith("Erased the personal data of sita@example.com from 1 account and 2 purchases;")
    assert [canary for canary in CANARIES if canary in kept()] == []
    after = audit()
    assert (after["ok"], after["payments"], after["orders"]) == (True, before["payments"], before["orders"])
    assert list(Account.objects.values_list("lifetime_earned", "lifetime_redeemed")) == balances
    assert list(Account.objects.values_list("available", "pending", "owed")) == [(0, 0, 0)]  # written off (M8)
    assert list(Account.objects.values_list("member_id", "blocked")) == [(None, True)]


def test_the_cart_of_an_erased_customer_stays_valid(run: Run, purchase: Purchase, user: Any) -> None:
    cart = purchase.frozen_cart

    run("loyalty", "erase", user.pk)

    purchase.refresh_from_db()
    assert isinstance(purchase.frozen_cart, Cart)
    assert purchase.frozen_cart.customer == Customer()
    assert (purchase.frozen_cart.lines, purchase.frozen_cart.total) == (cart.lines, cart.total)
    assert (purchase.member_id, purchase.browser_session) == (str(user.pk), "")
    assert refund(purchase).state == "done"


def test_an_order_of_an_erased_member_can_still_be_refunded(
    run: Run, shop: FakeShop, khalti: Khalti, user: Any
) -> None:
    """F15"""
    purchase = pay(shop, khalti, "order-1", member_id=str(user.pk))
    run("loyalty", "erase", user.pk)

    refunded = refund(purchase)

    assert (refunded.state, refunded.points_clawed_back) == ("done", 100)
    assert audit()["ok"], audit()["violations"]


def test_a_member_whose_user_was_deleted_is_erased_by_pk(run: Run, purchase: Purchase, user: Any) -> None:
    pk = user.pk
    user.delete()

    run("loyalty", "erase", pk)

    assert [canary for canary in CANARIES if canary in kept()] == []
    assert [order["name"] for order in exported(run, pk)["purchases"]] == [""]


def test_an_erased_guest_cannot_be_found(run: Run, shop: FakeShop, khalti: Khalti) -> None:
    """L05"""
    pay(shop, khalti, "order-1")
    bought(shop, "order-2", customer=Customer(name="Ram", email="ram@example.com"))

    output = run("loyalty", "erase", "SITA@example.com")

    assert "from 0 accounts and 1 purchase;" in output
    assert [canary for canary in CANARIES if canary in kept()] == []
    assert "ram@example.com" in kept()
    assert audit()["ok"]
    with pytest.raises(CommandError, match="no guest bought"):
        run("loyalty", "erase", "sita@example.com")


def test_the_claim_link_of_an_erased_guest_is_not_valid(
    run: Run, shop: FakeShop, khalti: Khalti, settings: Any
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "GUEST_CLAIMS": True}
    purchase = pay(shop, khalti, "order-1")
    token = flow.claim_path(purchase).split("/")[-2]
    run("loyalty", "erase", "sita@example.com")
    purchase.refresh_from_db()

    with pytest.raises(CannotClaim, match="This link is not valid"):
        flow.claim_points(token, member_id="8", email="sita@example.com", is_verified=True)
    with pytest.raises(CannotClaim, match="This link is not valid"):
        flow.quote_claim(token, member_id="7", email="")

    assert (flow.claim_path(purchase), signing.loads(token, salt="loyalink_khalti.flow.members.claim")) == (
        "",
        purchase.pk,
    )


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("created", "payment order-1-1 is still pending"),
        ("initiated", "payment order-1-1 is still pending"),
        ("paid", "payment order-1-1 is paid without an order"),
        ("mismatched", "payment order-1-1 is paid without an order"),
    ],
)
@pytest.mark.parametrize("as_member", [True, False], ids=["member", "guest"])
def test_a_customer_with_an_unresolved_payment_is_not_erased(
    state: str, message: str, as_member: bool, run: Run, shop: FakeShop, khalti: Khalti, user: Any
) -> None:
    """L05"""
    bought(shop, "order-0", customer=SITA)
    flow.begin_payment(shop.freeze(shop.cart("order-1", customer=SITA, member_id=str(user.pk) if as_member else None)))
    Payment.objects.update(state=state)
    before = kept()

    with pytest.raises(CommandError, match=f"cannot be erased yet: {message}"):
        run("loyalty", "erase", "sita@example.com")

    assert kept() == before


def test_received_money_is_exported_and_loses_its_texts_but_not_its_amounts(
    run: Run, shop: FakeShop, user: Any
) -> None:
    """L05"""
    purchase = flow.place_order(shop.freeze(shop.cart(member_id=str(user.pk))), method=PaymentMethod.BANK_TRANSFER)
    day = day_of(timezone.now())
    entry = flow.record_received(
        purchase, amount=Paisa(100_000), received_on=day, key="form", actor="1", reference="from Sita Sharma"
    ).entry
    assert entry is not None
    flow.reverse_received(entry, reason="Sita Sharma called", key="wrong", actor="1")

    (order,) = exported(run, "sita@example.com")["purchases"]
    run("loyalty", "erase", "sita@example.com")

    assert [(row["amount"], row["reference"], row["reason"]) for row in order["received_money"]] == [
        (100_000, "from Sita Sharma", ""),
        (-100_000, "", "Sita Sharma called"),
    ]
    assert list(ReceivedMoney.objects.order_by("pk").values_list("amount", "reference", "reason")) == [
        (100_000, "", ""),
        (-100_000, "", ""),
    ]


def test_a_customer_whose_surplus_was_not_refunded_is_not_erased(run: Run, shop: FakeShop, user: Any) -> None:
    purchase = flow.place_order(shop.freeze(shop.cart(member_id=str(user.pk))), method=PaymentMethod.BANK_TRANSFER)
    day = day_of(timezone.now())
    flow.record_received(purchase, amount=Paisa(300_000), received_on=day, key="form", actor="1")

    with pytest.raises(CommandError, match="was not refunded yet"):
        run("loyalty", "erase", "sita@example.com")


@pytest.mark.parametrize("state", ["requested", "sent", "unknown"])
def test_a_customer_with_an_unfinished_refund_is_not_erased(state: str, run: Run, purchase: Purchase) -> None:
    """L05"""
    Refund.objects.update(state=state)
    before = kept()

    with pytest.raises(CommandError, match="a refund of order-1 is not finished yet"):
        run("loyalty", "erase", "sita@example.com")

    assert kept() == before


def test_with_a_site_only_its_purchases_are_exported(run: Run, shop: FakeShop, khalti: Khalti) -> None:
    pay(shop, khalti, "order-1")
    bought(shop, "order-2", customer=SITA)
    Purchase.objects.filter(ref="order-2").update(site_key="books.example")

    assert [order["reference"] for order in exported(run, "sita@example.com", "--site", "default")["purchases"]] == [
        "order-1"
    ]


@in_every_way("lost")
def test_an_erasure_interrupted_anywhere_has_changed_all_or_nothing_and_can_be_run_again(
    way: Way, few: int | None, shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_privacy, "CHUNK", 2)
    for number, cut in enumerate(sweep(way, few)):
        sita = flow.DataSubject(member_id=str(1000 + number))
        for order in range(3):
            bought(shop, f"order-{number}-{order}", customer=SITA, member_id=sita.member_id)
        before = kept()

        cut(lambda subject=sita: flow.erase_personal_data(subject))
        after = kept()

        flow.erase_personal_data(sita)
        assert after == before or not [canary for canary in CANARIES if canary in after]
        assert [canary for canary in CANARIES if canary in kept()] == []
    assert audit()["ok"]


def test_a_payment_that_arrives_when_the_erasure_starts_keeps_all_of_it_from_happening(
    shop: FakeShop, khalti: Khalti, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L05: the points account stays, too."""
    bought(shop, "order-0", customer=SITA, member_id=str(user.pk))
    late = flow.begin_payment(shop.freeze(shop.cart("order-1", customer=SITA, member_id=str(user.pk))))
    Payment.objects.update(state="released")
    begin = data_privacy.in_one_block

    def paid_at_the_last_moment(work: Any) -> Any:
        Payment.objects.filter(pk=late.pk).update(state="paid")
        return begin(work)

    monkeypatch.setattr(data_privacy, "in_one_block", paid_at_the_last_moment)
    accounts = list(Account.objects.values())

    with pytest.raises(CannotEraseData, match="payment order-1-1 is paid without an order"):
        flow.erase_personal_data(flow.member_subject(str(user.pk)))

    assert list(Account.objects.values()) == accounts
    assert kept().count("Sita Sharma") == 2


def test_a_long_history_is_exported_and_erased_in_chunks(
    run: Run, shop: FakeShop, user: Any, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        bought(shop, f"order-{number:02}", customer=SITA, member_id=str(user.pk))
    monkeypatch.setattr(data_privacy, "CHUNK", 5)
    with django_assert_max_num_queries(29):
        sita = exported(run, user.pk)

    flow.erase_personal_data(flow.member_subject(str(user.pk)))

    assert [order["reference"] for order in sita["purchases"]] == [f"order-{number:02}" for number in range(12)]
    assert [canary for canary in CANARIES if canary in kept()] == []
    assert not connection.in_atomic_block
